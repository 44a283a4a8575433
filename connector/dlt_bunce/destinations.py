"""The destination as dlt finds it: `dlt.pipeline(destination=bunce())` or `destination="bunce"`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Union

from dlt.common.configuration import inject_section
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.destination import Destination, DestinationCapabilitiesContext
from dlt.common.schema import Schema
from dlt.common.schema.utils import normalize_schema_name

from dlt_bunce.configuration import BunceConfiguration, BunceCredentials

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.client import BunceClient


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
        **settings: Any,
    ) -> None:
        """`credentials` may be the API key itself; `settings` are fields of BunceConfiguration."""
        from dlt_bunce.alerts import watch

        watch()
        if isinstance(credentials, str):
            # a plain string would show up wherever dlt prints its parameters
            plain, credentials = credentials, BunceCredentials()
            credentials.parse_native_representation(plain)
        super().__init__(
            credentials=credentials,
            base_url=base_url,
            store_url=store_url,
            account=account,
            destination_name=destination_name,
            environment=environment,
            **settings,
        )

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
