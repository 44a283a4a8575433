"""What a pipeline script needs besides the destination and a source, as the scripts in
`pipelines/` use it: `from dlt_bunce.scripts import …`.
"""

from __future__ import annotations

from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.output import print_summary
from dlt_bunce.destination.runs.run_summary import add_up
from dlt_bunce.destination.settings.config_file import (
    required_setting,
    setting,
    settings_of,
    use_config,
)
from dlt_bunce.operations.flush import run_folder
from dlt_bunce.sources.dead_letters import count_open

__all__ = [
    "add_up",
    "count_open",
    "print_summary",
    "reported",
    "required_setting",
    "run_folder",
    "setting",
    "settings_of",
    "use_config",
]
