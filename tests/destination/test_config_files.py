"""Which config.toml a process reads, in whichever order its files are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os
from dlt_bunce.scripts import setting, use_config

use_config("jobs/load.py")
print(setting("destination.bunce.account"), setting("destination.bunce.devices"))
os.rename("later.toml", "config.toml")
use_config()
print(setting("destination.bunce.account"))
"""


def test_a_file_in_the_working_folder_goes_before_that_of_a_script_also_if_it_comes_later() -> None:
    Path("jobs").mkdir()
    Path("jobs/config.toml").write_text(
        '[destination.bunce]\naccount = "script"\ndevices = "strict"\n', "utf-8"
    )
    Path("later.toml").write_text('[destination.bunce]\naccount = "here"\n', "utf-8")

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["script", "strict", "here"]
