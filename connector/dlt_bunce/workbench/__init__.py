"""HTML pages: the run report as a file, and the web workbench for dead letters.

Both use the same templates. The pages run no scripts and load nothing from other hosts. Requires
`pip install dlt-bunce[report]` or `dlt-bunce[ui]`.
"""
