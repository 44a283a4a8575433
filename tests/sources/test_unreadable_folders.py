"""A folder that this user cannot read is named, wherever its files would be left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.permissions import forbidden

from dlt_bunce.errors import SourceError
from dlt_bunce.sources.listing import listed

FILES = ["lake/a.csv", "lake/deep/b.csv", "lake/deep/down/c.csv"]


@pytest.fixture(autouse=True)
def _lake() -> None:
    for file in FILES:
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text("id\n1\n")


def names(source: str) -> Sequence[str]:
    return [file["file_name"] for file in listed(source)]


@pytest.mark.parametrize("mode", [0, 0o300, 0o400])
@pytest.mark.parametrize(
    "source", ["lake", "lake/", "lake/**", "lake/**/*.csv", "lake/*/*.csv", "lake/*/down", "l*"]
)
def test_a_folder_on_the_way_is_refused(source: str, mode: int) -> None:
    with forbidden(Path("lake/deep"), mode=mode):
        if (source, mode) == ("lake/*/down", 0o300):
            # it has a name, and need not be listed
            assert names(source) == ["c.csv"]
            return
        with pytest.raises(SourceError, match="cannot be read: Permission denied") as refused:
            listed(source)

    assert f"The folder {Path('lake/deep').absolute()} " in str(refused.value)
    assert names(source)


@pytest.mark.parametrize("source", ["lake", "file://{}/lake", "lake/*.csv"])
def test_a_folder_that_can_be_entered_and_not_listed_is_not_empty(source: str) -> None:
    with (
        forbidden(Path("lake"), mode=0o300),
        pytest.raises(SourceError, match="lake cannot be read: Permission denied"),
    ):
        listed(source.format(Path.cwd()))


def test_a_folder_without_files_to_load_is_passed_by() -> None:
    ignored = [Path("lake", name) for name in ("_staging", ".cache", "lost+found")]
    for folder in ignored:
        folder.mkdir()

    with forbidden(*ignored):
        assert names("lake") == names("lake/**/*.csv") == ["a.csv", "b.csv", "c.csv"]
        with pytest.raises(SourceError, match="_staging cannot be read"):
            listed("lake/_*/*.csv")
    with forbidden(Path("lake/deep")):
        assert names("lake/*.csv") == ["a.csv"]
