"""Access to the destination's client of a dlt pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dlt.common.configuration import inject_section
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.pipeline import PipelineContext
from dlt.common.schema import Schema
from dlt.common.schema.utils import normalize_schema_name

from dlt_bunce.destination.settings.configuration import BunceConfiguration
from dlt_bunce.errors import ConfigurationError

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.destination.runs.run_context import RunContext


def is_bunce(destination: Any) -> bool:
    """Return whether a destination is `bunce`, or derived from it."""
    # its spec is checked because importing the class here would be circular
    spec = getattr(destination, "spec", None)
    return isinstance(spec, type) and issubclass(spec, BunceConfiguration)


def client_of(pipeline: Pipeline, config: BunceConfiguration | None = None) -> BunceClient:
    """Return the destination's client for a pipeline, whether or not it has run before.

    `config` are its settings if these are resolved already.

    Raises TypeError for a pipeline with another destination.
    """
    return client_for(_destination_of(pipeline), pipeline.pipeline_name, config)


def context_of(pipeline: Pipeline) -> RunContext:
    """Return what the runs of a pipeline's destination share. Raises as `client_of`."""
    return _destination_of(pipeline).run_context


def _destination_of(pipeline: Pipeline) -> bunce:
    destination, name = pipeline.destination, pipeline.pipeline_name
    if destination is None:
        raise TypeError(f"pipeline {name!r} has no destination: pass destination=bunce()")
    if not is_bunce(destination):
        raise TypeError(f"pipeline {name!r} does not use the bunce destination")
    return cast("bunce", destination)


def refuse_untraced(destination: bunce) -> None:
    """Raise ConfigurationError if the active pipeline loads into this destination without dlt's
    trace.

    dlt would not call the tracker, which locks the working folder, keeps a dry run's cursor, and
    gives up packages that cannot be loaded.
    """
    context = Container()[PipelineContext]
    pipeline: Any = context.pipeline() if context.is_active() else None
    # while dlt makes a pipeline, another is the active one
    is_ours = getattr(pipeline, "destination", None) is destination
    if is_ours and not pipeline.config.enable_runtime_trace:
        raise ConfigurationError(
            "dlt's setting enable_runtime_trace is false. Without the trace, a dry run would skip "
            "its rows for good, and two runs could use one working folder.",
            remedy="Remove it from dlt's settings (as a variable: ENABLE_RUNTIME_TRACE). "
            "The trace stays on this machine.",
        )


def client_for(
    destination: bunce, name: str, config: BunceConfiguration | None = None
) -> BunceClient:
    """Return the client for a pipeline of that name, which need not exist yet."""
    # pipeline.destination_client() would name the schema after a pipeline that has none yet, and
    # fail if that is not a valid schema name, such as "crm-to-bunce"
    schema = Schema(normalize_schema_name(name))
    section = ConfigSectionContext(
        pipeline_name=name,
        sections=(),
        merge_style=ConfigSectionContext.prefer_existing,
    )
    with inject_section(section):
        return destination.client(schema, config)
