"""Commands that only read the store start without dlt and without Airflow."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dlt_bunce.cli import options, plain_settings
from dlt_bunce.destination.settings import config_file
from dlt_bunce.destination.settings.configuration import BunceConfiguration
from dlt_bunce.emulator import Emulator

from .conftest import Run, people, write

STORE = "DESTINATION__BUNCE__STORE_URL"
READING = (
    "status",
    "report",
    "dead-letters list",
    "dead-letters group",
    "dead-letters export x.csv",
    "dead-letters show 2",
    "account list",
    "links list",
)
IMPORTED = "sorted({name.partition('.')[0] for name in sys.modules} & {'dlt', 'airflow'})"


@pytest.fixture
def airflow_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of Airflow, which importing it would fill."""
    home = tmp_path / "airflow"
    home.mkdir()
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    return home


def test_reading_commands_import_neither_dlt_nor_airflow(run: Run, airflow_home: Path) -> None:
    write(people(1) + people(2, mobile="call me"))
    assert run("load", "customers.parquet").code == 0
    program = (
        "import sys\n"
        "from dlt_bunce.cli import main\n"
        "for words in sys.argv[1:]:\n"
        "    main(words.split(), standalone_mode=False)\n"
        f"print({IMPORTED})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *READING], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"
    assert list(airflow_home.iterdir()) == []


def test_the_workbench_starts_without_dlt_and_without_airflow(run: Run, airflow_home: Path) -> None:
    write(people(1))
    assert run("load", "customers.parquet").code == 0
    program = (
        "import sys\n"
        "from dlt_bunce.cli import main\n"
        "try:\n"
        "    main(['ui', '--no-browser', '--port', '0', '--json'])\n"
        "finally:\n"
        f"    print({IMPORTED}, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as serving:
        assert serving.stdout is not None
        assert b"url" in serving.stdout.readline()
        serving.send_signal(signal.SIGINT)
        said, _ = serving.communicate(timeout=120)

    assert said.splitlines()[-1] == b"[]"
    assert list(airflow_home.iterdir()) == []


def test_settings_are_found_where_dlt_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both() -> list[tuple[str | None, str]]:
        found = plain_settings.plain_setting("store_url"), plain_settings.plain_setting("account")
        return list(zip(found, config_file.store_settings(), strict=True))

    def agree() -> bool:
        return all(plain == of_dlt for plain, of_dlt in both())

    assert agree(), "the defaults"
    Path("config.toml").write_text('[destination.bunce]\nstore_url = "sqlite:///a.sqlite"\n')
    assert agree()
    Path(".dlt").mkdir()
    Path(".dlt/config.toml").write_text('[destination.bunce]\nstore_url = "sqlite:///b.sqlite"\n')
    Path(".dlt/secrets.toml").write_text('[destination.bunce]\naccount = "shop"\n')
    assert plain_settings.plain_setting("account") == "shop"
    assert plain_settings.plain_setting("store_url") == "sqlite:///b.sqlite"
    monkeypatch.setenv(STORE, "sqlite:///c.sqlite")
    assert plain_settings.plain_setting("store_url") == "sqlite:///c.sqlite"
    assert options.store_settings(None, "given") == ("sqlite:///c.sqlite", "given")
    monkeypatch.setenv("DESTINATION__BUNCE__STORE_URI", "x")
    assert plain_settings.plain_setting("store_url") is None, "dlt's way reports the mistake"
    monkeypatch.delenv("DESTINATION__BUNCE__STORE_URI")
    monkeypatch.setenv("DLT_CONFIG_FOLDER", ".")
    assert plain_settings.plain_setting("store_url") is None


def test_commands_use_the_store_that_a_load_uses_in_a_workspace_of_dlt(
    base: str, emulator: Emulator, dlt_bunce: Run
) -> None:
    Path(".dlt").mkdir()
    Path(".dlt/.workspace").touch()
    Path(".dlt/config.toml").write_text('[destination.bunce]\naccount = "base"\n')
    Path(".dlt/dev.config.toml").write_text(
        '[destination.bunce]\nstore_url = "sqlite:///dev.sqlite"\naccount = "dev"\n'
    )

    loaded = dlt_bunce("load", write(people(1) + people(2, mobile="call me")), "--json")
    erased = dlt_bunce("erase", "2", "--yes", "--json")
    status = dlt_bunce("status", "--json").json

    assert (loaded.json["account"], loaded.json["created"], erased.code) == ("dev", 1, 0)
    assert (status["account"], status["ledger"]["customers"]) == ("dev", 1)
    assert status["open_dead_letters"] == {}
    assert not Path("mine.sqlite").exists()


def test_every_setting_is_known_with_its_default() -> None:
    found = plain_settings.defaults()
    names = {n for n in BunceConfiguration.get_resolvable_fields() if not n.startswith("__")}
    # of those that dlt's own class adds, dlt is asked
    assert names - found.keys() == {"destination_name", "environment"}
    for name in ("store_url", "account", "requests_per_minute"):
        assert found[name] == str(getattr(BunceConfiguration, name))
