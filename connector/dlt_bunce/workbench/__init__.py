"""Pages for people: the report of the runs as a file, and the workbench for dead letters.

Both are written by the same templates. Nothing here needs a script in the browser, nor anything
from another host. Needs `pip install dlt-bunce[report]` or `[ui]`.
"""
