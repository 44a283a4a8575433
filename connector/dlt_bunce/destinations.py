"""The destination as dlt finds it: `dlt.pipeline(destination=bunce())` or `destination="bunce"`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Union

from dlt.common.configuration import inject_section
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.destination import Destination, DestinationCapabilitiesContext
from dlt.common.schema import Schema
from dlt.common.schema.utils import normalize_schema_name

from dlt_bunce.configuration import BunceConfiguration, BunceCredentials
from dlt_bunce.settings import refuse_unknown

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.client import BunceClient


_SETTINGS = frozenset(
    one.name
    for one in dataclasses.fields(BunceConfiguration)
    if one.init and not one.name.startswith("__")
)


class bunce(Destination[BunceConfiguration, "BunceClient"]):  # noqa: N801
    """Loads customers into Bunce. Every setting may also come from `[destination.bunce]`."""

    spec = BunceConfiguration

    def __init__(
        self,
        credentials: Union[BunceCredentials, dict[str, Any], str, None] = None,
        base_url: str | None = None,
        store_url: str | None = None,
        account: str | None = None,
        destination_name: str | None = None,
        environment: str | None = None,
        *,
        customers_table: str | None = None,
        batch_size: int | None = None,
        max_batch_size: int | None = None,
        concurrency: int | None = None,
        max_concurrency: int | None = None,
        requests_per_minute: int | None = None,
        egress: str | None = None,
        timeout_s: float | None = None,
        default_region: str | None = None,
        lowercase_email: bool | None = None,
        mapping: Mapping[str, str] | None = None,
        defaults: Mapping[str, str] | None = None,
        dead_letter_rows: Literal["full", "keys"] | None = None,
        max_reject_share: float | None = None,
        max_reject_count: int | None = None,
        min_rows_share_of_last: float | None = None,
        on_run_end: str | Callable[[Any], Any] | None = None,
        wait_for_run: float | None = None,
        keep_completed_jobs: bool | None = None,
        dry_run: bool | None = None,
        **unknown: Any,
    ) -> None:
        """`credentials` may be the API key itself; what is None comes from dlt's configuration.

        Raises ConfigurationError for a name that is no setting.
        """
        from dlt_bunce.alerts import watch

        given = {
            name: value
            for name, value in locals().items()
            if name in _SETTINGS and value is not None
        }
        refuse_unknown(unknown, _SETTINGS, "given to bunce(…)")
        watch()
        if isinstance(credentials, str):
            # a plain string would show up wherever dlt prints its parameters
            given["credentials"] = BunceCredentials()
            given["credentials"].parse_native_representation(credentials)
        super().__init__(**given)

    def capabilities(self, *args: Any, **kwargs: Any) -> DestinationCapabilitiesContext:
        """As dlt has it; raises RunInProgressError where this run may not use its folder."""
        from dlt_bunce.folder_locks import raise_if_refused

        raise_if_refused()
        return super().capabilities(*args, **kwargs)

    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        caps = DestinationCapabilitiesContext.generic_capabilities("parquet")
        caps.supported_loader_file_formats = ["parquet", "typed-jsonl", "jsonl"]
        # column names must arrive as the source has them: dead letters and mappings use them
        caps.naming_convention = "direct"
        caps.max_table_nesting = 0
        caps.supports_nested_types = True
        caps.supports_ddl_transactions = False
        caps.supported_merge_strategies = ["upsert"]
        caps.supported_replace_strategies = []
        caps.supported_staging_file_formats = []
        return caps

    @property
    def client_class(self) -> type[BunceClient]:
        """The client, imported late: it brings pyarrow, requests, and the store along."""
        from dlt_bunce.client import BunceClient

        return BunceClient

    def __repr__(self) -> str:
        shown = {k: v for k, v in self.config_params.items() if k != "credentials"}
        return f"bunce({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


def client_of(pipeline: Pipeline) -> BunceClient:
    """The destination's side of a pipeline, whether or not it has run before.

    Raises TypeError for a pipeline that loads elsewhere.
    """
    destination, name = pipeline.destination, pipeline.pipeline_name
    if destination is None:
        raise TypeError(f"pipeline {name!r} has no destination: give it destination=bunce()")
    if not isinstance(destination, bunce):
        raise TypeError(f"pipeline {name!r} does not load into bunce")
    # pipeline.destination_client() would name a schema like a pipeline that has none yet, and fail
    # where a schema may not be named so: "crm-to-bunce"
    schema = Schema(normalize_schema_name(name))
    section = ConfigSectionContext(
        pipeline_name=name,
        sections=(),
        merge_style=ConfigSectionContext.prefer_existing,
    )
    with inject_section(section):
        return destination.client(schema)


bunce.register()
