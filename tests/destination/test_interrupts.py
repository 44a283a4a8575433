"""Runs that are interrupted in a process that goes on, as by the button of a notebook."""

from __future__ import annotations

from typing import Any

import dlt
import pytest
from dlt.common.schema import Schema

from dlt_bunce.model import RunSummary
from dlt_bunce.operations.flush import flush_and_run

from .conftest import Form, MakePipeline, customer


def test_an_interrupt_while_dlt_replaces_a_schema_does_not_block_the_next_run(
    make: MakePipeline, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, rows = make(), [customer(1), customer(2)]
    moment = "_configure_normalizers"
    whole = getattr(Schema, moment)

    def run() -> RunSummary:
        return flush_and_run(pipeline, dlt.resource(form(rows), name="customers"))

    def interrupted(schema: Schema, *arguments: Any) -> None:
        if schema is live:
            raise KeyboardInterrupt
        whole(schema, *arguments)

    run()
    live, columns = pipeline.default_schema, pipeline.default_schema.tables["customers"]["columns"]
    with monkeypatch.context() as unlucky:
        unlucky.setattr(Schema, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            run()

    assert run().unchanged == 2
    assert pipeline.default_schema.tables["customers"]["columns"] == columns
