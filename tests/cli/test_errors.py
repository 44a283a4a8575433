"""Whatever goes wrong is told in one line on stderr, with exit code 1 or 2, and no secret."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click import NoSuchOption

from dlt_bunce.emulator import Behavior, Emulator

from .conftest import Run, people, write

KEY = "DESTINATION__BUNCE__CREDENTIALS__API_KEY"
URL = "DESTINATION__BUNCE__BASE_URL"
WRONG: dict[str, tuple[int, str, str]] = {
    "load missing.parquet": (2, "", "No file found at missing.parquet."),
    "load no*.parquet": (2, "", "No file found at no*.parquet."),
    "load broken.parquet": (2, "", "broken.parquet cannot be read as Parquet"),
    "load other.parquet": (2, "", "No column or default for the required fields customer_id"),
    "load c.parquet --table people": (2, "", "A table, query, or shard key cannot be used"),
    "load c.parquet --map phone_no": (2, "", "--map 'phone_no' must be FIELD=COLUMN"),
    "load c.parquet --map phone=mobile": (2, "", "--map 'phone=mobile' must be FIELD=COLUMN"),
    "load c.parquet --map phone_no=nope": (2, "", "phone_no to column 'nope', which does not"),
    "load c.parquet --version-column nope": (2, "", "version to column 'nope', which does not"),
    "load c.parquet --disposition replace": (2, "", "'replace' is not one of"),
    "load c.parquet --limit 0": (2, "", "0 is not in the range"),
    "load c.parquet --nope": (2, "", NoSuchOption("--nope").format_message()),
    "load c.parquet --api-key sk_test_x": (2, "", NoSuchOption("--api-key").format_message()),
    "load": (2, "", "Missing argument 'SOURCE'. See: dlt-bunce load --help"),
    "nope": (2, "", "No such command 'nope'. See: dlt-bunce --help"),
    "load duckdb:///d.duckdb --table nope": (2, "", "Table with name nope does not exist"),
    "load duckdb:///d.duckdb --query selec": (2, "", "syntax error"),
    "load duckdb:///missing.duckdb --table t": (
        2,
        "",
        "DuckDB file missing.duckdb does not exist.",
    ),
    "load duckdb://d.duckdb --table t": (2, "", "three slashes before it: duckdb:///folder"),
    "load sqlite:///s.sqlite --table nope": (2, "", "Table or view nope does not exist."),
    "load sqlite:///s.sqlite --query selec": (2, "", "syntax error"),
    "load sqlite:///s.sqlite": (2, "", "A database source needs either a table or a query."),
    "load sqlite:///s.sqlite --table t --query q": (2, "", "needs either a table or a query."),
    "load sqlite:///broken.parquet --table t": (1, "", "file is not a database"),
    "load nope://host/db --table t": (2, "", "No driver for nope:// is installed."),
    "load snowflake://u@host/db --table t": (2, "", "No driver for snowflake:// is installed."),
    "load mysql://u@127.0.0.1:9/d --table t": (
        1,
        "",
        "Can't connect to MySQL server on '127.0.0.1'",
    ),
    "load mysql+mysqldb://u@host/db --table t": (2, "", "'dlt-bunce[mysql]', and use mysql://"),
    "load postgresql://u@127.0.0.1:9/db --table t": (1, "", "Connection refused"),
    "load postgresql://u:marked_word@h/db --table t": (2, "", "contains a password"),
    "load postgresql://u@host:port/db --table t": (2, "", "The source URL cannot be parsed."),
    "load env:CRM --table t": (1, "CRM=postgresql://u:marked_word@127.0.0.1:9/d", "refused"),
    "load env:NOPE --table t": (2, "", "Environment variable NOPE is not set."),
    "load c.parquet --shard 3/2": (2, "", "'3/2' is not a shard."),
    "load c.parquet --shard-key id": (2, "", "--shard-key requires --shard."),
    "load c.parquet --shard 1/2 --shard-key id": (2, "", "shard key cannot be used with files."),
    "load sqlite:///s.sqlite --table t --shard 1/2": (2, "", "such as --shard-key customer_id."),
    "load sqlite:///s.sqlite --table nope --shard 1/2 --shard-key id": (2, "", "nope"),
    "load sqlite:///s.sqlite --query selec --shard 1/2 --shard-key id": (2, "", "no such table"),
    "load duckdb:///d.duckdb --table nope --shard 1/2 --shard-key id": (2, "", "nope"),
    "load postgresql://u@127.0.0.1:9/d --table t --shard 1/2 --shard-key i": (1, "", "refused"),
    "load empty.csv": (2, "", "empty.csv is empty. A file must begin with a header"),
    "load twice.csv": (2, "", "Column 'id' appears 2 times in the header of twice.csv."),
    "load quote.csv": (2, "", 'A quotation mark (") in the last rows of quote.csv is'),
    "load torn.csv.gz": (2, "", "torn.csv.gz cannot be read as CSV: Compressed file"),
    "load missing.csv": (2, "", "No file found at missing.csv."),
    "load other.csv": (2, "", "No column or default for the required fields customer_id"),
    "load both": (2, "", "both contains files of several formats: CSV, Parquet."),
    "load ragged.csv --query q": (2, "", "A table, query, or shard key cannot be used"),
    "load s3://bucket/*.parquet": (2, "", "No credentials for the source."),
    "load c.parquet": (1, f"{URL}=http://127.0.0.1:9/v1", "cannot be used: no connection"),
    "load c.parquet ": (
        2,
        f"{URL}=https://api.bunce.so/v1",
        "requires an API key that starts with sk_live_",
    ),
    "load c.parquet  ": (2, f"{URL}=http://example.com/v1", "unencrypted"),
    "load c.parquet   ": (2, f"{URL}=somewhere", "is not a plain http(s) URL"),
    "load c.parquet    ": (2, KEY, "No API key is set."),
    "load c.parquet     ": (
        2,
        "DESTINATION__BUNCE__BATCH_SIZE=many",
        "batch_size is 'many', but",
    ),
    "load c.parquet      ": (2, "DESTINATION__BUNCE__BATCH_SIZE=-1", "batch_size is -1"),
    "load c.parquet --store-url sqlite:///broken.parquet": (
        1,
        "",
        "Point store_url at an SQLite file",
    ),
    "load c.parquet --store-url elsewhere": (2, "", "store_url has no scheme"),
    "status": (1, "", "No store exists at bunce.sqlite."),
    "report": (1, "", "No store exists at bunce.sqlite."),
    "report --overwrite": (2, "", "--overwrite requires --html FILE."),
    "report --runs 0": (2, "", "0 is not in the range"),
    "ui --no-browser": (1, "", "No store exists at bunce.sqlite."),
    "account list": (1, "", "No store exists at bunce.sqlite."),
    "account rotate": (1, "", "No store exists at bunce.sqlite."),
    "dead-letters list": (1, "", "No store exists at bunce.sqlite."),
    "dead-letters show 7f": (1, "", "No store exists at bunce.sqlite."),
    "dead-letters export l.csv": (1, "", "No store exists at bunce.sqlite."),
    "dead-letters replay": (2, "", "No dead letters selected. Pass a filter such as --customer"),
    "dead-letters replay --all": (1, "", "No store exists at bunce.sqlite."),
    "dead-letters discard --all": (1, "", "No store exists at bunce.sqlite."),
    "dead-letters purge --yes": (1, "", "No store exists at bunce.sqlite."),
    "dead-letters list --code nope": (2, "", "'nope' is not one of 'unreadable_row'"),
    "dead-letters list --field phone": (2, "", "'phone' is not one of 'customer_id'"),
    "dead-letters list --since yesterday": (2, "", "'yesterday' is not a time. Use 2026-11-01"),
    "dead-letters list --until 99999999999d": (2, "", "'99999999999d' is not a time."),
    "dead-letters list --since 1d --until 2d": (2, "", "--since must be before --until"),
    "dead-letters list --id %": (2, "", "'%' is not a dead letter id or a prefix of one."),
    "dead-letters list --run 17": (1, "", "No store exists at bunce.sqlite."),
    "dead-letters group": (1, "", "No store exists at bunce.sqlite."),
    "dead-letters group --by person": (2, "", "'person' is not one of 'code'"),
    "dead-letters export l.csv --separator |": (2, "", "'|' is not one of"),
    "dead-letters replay --status open": (2, "", NoSuchOption("--status").format_message()),
    "dead-letters show": (2, "", "Name either a dead letter or a customer."),
    "dead-letters discard": (
        2,
        "",
        "No dead letters selected. Pass a filter such as --customer, --id, or --code, or --all.",
    ),
    "emulator --host 0.0.0.0": (2, "", "0.0.0.0 is reachable from other machines"),
    "emulator --behavior {": (2, "", "The emulator could not start: --behavior is not a JSON obj"),
    "emulator --behavior []": (2, "", "For example: dlt-bunce emulator --behavior '{"),
    'emulator --behavior {"nope":1}': (2, "", "unknown switch: nope"),
    "demo --folder .": (2, "", "The folder . exists and holds other files."),
}


@pytest.fixture
def _files() -> None:
    write(people(1), "c.parquet")
    pq.write_table(pa.table({"a": [1]}), "other.parquet")
    row = "marked,Ada\n"
    Path("ragged.csv").write_text(f"id,name\n{row}marked,marked,Ada\n")
    Path("empty.csv").write_text("")
    Path("twice.csv").write_text(f"id;id\n{row}")
    names = "id,email,first_name,last_name,mobile"
    good = "1,marked@example.com,Ada,Obi,+2348100000001"
    Path("quote.csv").write_text(f'{names}\n{good}\n2,m@example.com,Ada,Obi,"marked\n{good}\n')
    Path("torn.csv.gz").write_bytes(gzip.compress(b"id,name\n")[:-8])
    Path("other.csv").write_text("a\n1\n")
    write(people(1), "both/a.parquet")
    Path("both/b.csv").write_text("id\n1\n")
    Path("broken.parquet").write_text("this is no Parquet file, and no database either " * 50)
    duckdb.connect("d.duckdb").close()
    sqlite3.connect("s.sqlite").close()


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("command", WRONG)
def test_a_mistake_is_told_in_one_line(
    command: str, run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, setting, expected = WRONG[command]
    name, _, value = setting.partition("=")
    if value:
        monkeypatch.setenv(name, value)
    elif name:
        monkeypatch.delenv(name)

    done = run(*command.split())

    lines = done.errors.splitlines()
    assert (code, "", 1) == (done.code, done.output, len(lines)), done.errors
    assert lines[0].startswith("Error: ")
    assert expected in lines[0]
    assert "marked" not in lines[0].replace("dlt-bunce", "")
    assert emulator.customers == {}


@pytest.mark.usefixtures("_files")
def test_a_wrong_key_is_told_in_one_line(run: Run, emulator: Emulator) -> None:
    emulator.behavior = Behavior(rate_limit=0, api_keys=("sk_test_other",))

    done = run("load", "c.parquet")

    assert (done.code, len(done.errors.splitlines())) == (1, 1)
    assert "refuses the API key (HTTP 401)" in done.errors
    assert "marked" not in done.errors


@pytest.mark.usefixtures("_files")
def test_a_renewed_key_is_refused_with_the_command_that_accepts_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("load", "c.parquet").code == 0
    monkeypatch.setenv(KEY, "sk_test_renewed")

    refused = run("load", "c.parquet")
    rotated = run("account", "rotate", "--json")
    loaded = run("load", "c.parquet", "--json")

    assert (refused.code, len(refused.errors.splitlines())) == (2, 1)
    assert "`dlt-bunce account rotate --account default`" in refused.errors
    assert rotated.json == {"account": "default", "rotated": True}
    assert (loaded.json["unchanged"], loaded.json["bulk_requests"]) == (1, 0)
    assert [account["account"] for account in run("account", "list", "--json").json] == ["default"]


@pytest.mark.usefixtures("_files")
def test_a_key_that_bunce_refuses_is_not_accepted_as_the_new_one(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("load", "c.parquet").code == 0
    emulator.behavior = Behavior(rate_limit=0, api_keys=("sk_test_marked_key",))
    monkeypatch.setenv(KEY, "sk_test_wrong")

    assert run("account", "rotate").code == 1
    assert run("account", "rotate", "--account", "nobody").code == 2
    monkeypatch.setenv(KEY, "sk_test_marked_key")
    assert run("load", "c.parquet").code == 0


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize(
    "command", ["load missing.parquet", "load c.parquet --store-url sqlite:///broken.parquet"]
)
def test_the_program_leaves_no_stack_trace(command: str, program: Run) -> None:
    done = program(*command.split())

    assert done.output == ""
    assert len(done.errors.splitlines()) == 1


@pytest.mark.usefixtures("_files")
def test_a_missing_table_of_postgres_is_told_in_one_line(program: Run, postgres_url: str) -> None:
    for choice in (["--table", "nope"], ["--query", "SELECT * FROM nope"]):
        done = program("load", postgres_url, *choice)

        assert (done.code, len(done.errors.splitlines())) == (2, 1)
        assert "nope" in done.errors


@pytest.mark.usefixtures("_files")
def test_after_a_mistake_the_corrected_command_loads(run: Run, emulator: Emulator) -> None:
    assert run("load", "c.parquet", "--map", "phone_no=nope").code == 2

    done = run("load", "c.parquet", "--json")

    assert (done.code, done.json["read"], done.json["created"]) == (0, 1, 1)
    assert list(emulator.customers) == ["1"]


@pytest.mark.usefixtures("_files")
def test_after_a_mistake_in_a_csv_the_corrected_file_loads_and_nothing_else(
    run: Run, emulator: Emulator
) -> None:
    torn = Path("quote.csv").read_text()
    assert run("load", "quote.csv").code == 2
    Path("quote.csv").write_text(torn.replace('"marked', "+2348100000002"))

    done = run("load", "quote.csv", "--json")

    assert (done.code, done.errors) == (0, "")
    assert tuple(done.json[n] for n in ("read", "created", "superseded")) == (3, 2, 1)
    assert set(emulator.customers) == {"1", "2"}


@pytest.mark.parametrize(
    "command",
    [
        "",
        "load",
        "status",
        "dead-letters",
        "dead-letters list",
        "dead-letters group",
        "dead-letters show",
        "dead-letters export",
        "dead-letters replay",
        "dead-letters discard",
        "dead-letters purge",
        "account list",
        "account rotate",
        "emulator",
        "demo",
    ],
)
def test_every_command_says_what_it_does_and_none_takes_a_key(command: str, run: Run) -> None:
    done = run(*command.split(), "--help")

    assert done.code == 0
    assert len(done.output.splitlines()[2].strip()) > 20
    assert not {"--api-key", "--key", "--credentials"} & set(done.output.split())
