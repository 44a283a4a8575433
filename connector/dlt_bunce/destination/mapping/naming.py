"""A pipeline that went to another destination before, whose names dlt would have to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt.common.configuration.container import Container

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.failures import known_mistake

if TYPE_CHECKING:
    from dlt import Pipeline


def refuse_other_naming(pipeline: Pipeline) -> None:
    """Raise ConfigurationError if dlt will refuse a schema of the pipeline: its own text about it
    takes a page, and its remedies are those of warehouses.
    """
    if pipeline.destination is None:
        return
    try:
        with Container().injectable_context(pipeline.destination.capabilities()):
            for name in pipeline.schema_names:
                pipeline.schemas[name].update_normalizers()
    except Exception as error:  # noqa: BLE001, the run itself reports any other
        if known := known_mistake(error):
            raise ConfigurationError(known.error, remedy=known.remedy) from None
