"""The destination factory: `dlt.pipeline(destination=bunce())` or `destination="bunce"`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Union

from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import (
    ConfigFieldMissingException,
    ConfigValueCannotBeCoercedException,
)
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.destination import Destination, DestinationCapabilitiesContext

from dlt_bunce.destination.settings.base_url import no_key
from dlt_bunce.destination.settings.config_file import refuse_unknown_settings, use_config
from dlt_bunce.destination.settings.configuration import BunceConfiguration, BunceCredentials
from dlt_bunce.destination.settings.configuration_checks import kind_of, refuse_unknown, wrong_value

if TYPE_CHECKING:
    from dlt.common.destination import TLoaderFileFormat
    from dlt.common.normalizers.naming import NamingConvention
    from dlt.common.schema import Schema

    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.destination.runs.run_context import RunContext


class bunce(Destination[BunceConfiguration, "BunceClient"]):  # noqa: N801
    """Destination that loads customers into Bunce. Settings may come from `[destination.bunce]`."""

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
        allow_host: str | None = None,
        default_region: str | None = None,
        lowercase_email: bool | None = None,
        devices: Literal["lenient", "strict"] | None = None,
        unescape_html: bool | None = None,
        unquote_cells: bool | None = None,
        blank_placeholders: bool | None = None,
        trim_phones: bool | None = None,
        version_format: str | None = None,
        mapping: dict[str, Any] | None = None,
        defaults: dict[str, str] | None = None,
        attributes: Union[dict[str, str], str, None] = None,
        segments: dict[str, str] | None = None,
        segments_whole: bool | None = None,
        segments_min_share: float | None = None,
        values_tables: dict[str, Any] | None = None,
        create_attributes: bool | None = None,
        timezone: str | None = None,
        dead_letter_rows: Literal["full", "keys"] | None = None,
        on_email_taken: Literal["reject", "link"] | None = None,
        max_reject_share: float | None = None,
        max_reject_count: int | None = None,
        min_rows_share_of_last: float | None = None,
        min_rows: int | None = None,
        on_run_end: Union[str, Callable[[Any], Any], None] = None,
        wait_for_run: float | None = None,
        keep_completed_jobs: bool | None = None,
        retention_days: int | None = None,
        dry_run: bool | None = None,
        **unknown: NoReturn,
    ) -> None:
        """Take settings as arguments; those that are None come from dlt's configuration.

        `credentials` may be the API key itself. Raises ConfigurationError for an unknown setting.
        """
        from dlt_bunce.destination.runs.run_tracker import register

        settings = self.spec.get_resolvable_fields()
        given = {k: v for k, v in locals().items() if k in settings}
        refuse_unknown(unknown, given, where="passed to bunce()")
        register()
        if isinstance(credentials, str):
            # dlt prints its parameters, and a plain string with them
            plain, given["credentials"] = credentials, BunceCredentials()
            given["credentials"].parse_native_representation(plain)
        super().__init__(**given)

    def configuration(
        self, initial_config: BunceConfiguration, accept_partial: bool = False
    ) -> BunceConfiguration:
        """Return the settings from arguments, environment, dlt's files, and ./config.toml.

        Raises ConfigurationError for an unknown name, a value of the wrong type, and without a
        key, for which dlt's own error takes a page.
        """
        if initial_config is not None and initial_config.is_resolved():
            return initial_config  # a load asks again for each of its jobs
        if (known := self._settings_of_run(initial_config)) is not None:
            return known
        use_config()
        given = [name for name, value in self.config_params.items() if value is not None]
        refuse_unknown_settings(self.destination_name, given)
        try:
            return super().configuration(initial_config, accept_partial)
        except ConfigFieldMissingException as error:
            if list(error.fields) != ["credentials"]:
                raise
            raise no_key(self.destination_name) from None
        except ConfigValueCannotBeCoercedException as error:
            if error.field_name not in self.spec.get_resolvable_fields():
                raise
            expected = kind_of(error.hint)
            raise wrong_value(error.field_name, error.field_value, *expected) from None

    def _settings_of_run(
        self, initial_config: BunceConfiguration | None
    ) -> BunceConfiguration | None:
        """Return what the run that goes on began with, if no other settings are asked for."""
        if initial_config is not None and dict(initial_config) != dict(self.spec()):
            return None
        return self.run_context.settings_of(Container()[ConfigSectionContext].pipeline_name)

    @cached_property
    def run_context(self) -> RunContext:
        """State that the runs of this destination share."""
        from dlt_bunce.destination.runs.run_context import RunContext

        return RunContext()

    def client(
        self, schema: Schema, initial_config: BunceConfiguration | None = None
    ) -> BunceClient:
        """Return a client that shares the destination's run context."""
        client = super().client(schema, initial_config)  # type: ignore[arg-type]  # None is dlt's default
        client.context = self.run_context
        return client

    def capabilities(
        self, config: BunceConfiguration | None = None, naming: NamingConvention | None = None
    ) -> DestinationCapabilitiesContext:
        """Return dlt's capabilities.

        Raises RunInProgressError if another run uses the folder, and ConfigurationError if dlt's
        trace is switched off.
        """
        from dlt_bunce.destination.access import refuse_untraced
        from dlt_bunce.destination.folder.folder_locks import raise_if_refused

        raise_if_refused()
        refuse_untraced(self)
        # no setting changes them, so none is resolved: dlt asks a dozen times per run
        return super().capabilities(self.spec() if config is None else config, naming)

    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        caps = DestinationCapabilitiesContext.generic_capabilities("parquet")
        caps.supported_loader_file_formats = ["parquet", "typed-jsonl", "jsonl"]
        caps.loader_file_format_selector = _keeping_types
        # dead letters and mappings use the column names of the source
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
        """The client class, imported late: it imports pyarrow, requests, and the store."""
        from dlt_bunce.destination.client import BunceClient

        return BunceClient

    def __repr__(self) -> str:
        shown = {k: v for k, v in self.config_params.items() if k != "credentials"}
        return f"bunce({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


def _keeping_types(
    preferred: TLoaderFileFormat,
    supported: Sequence[TLoaderFileFormat],
    /,
    *,
    table_schema: Any,
) -> tuple[TLoaderFileFormat, Sequence[TLoaderFileFormat]]:
    """Prefer the JSON that is asked for, where dlt would use it for every row: Arrow tables stay
    Parquet, as JSON would turn their bytes into base64, their dates into text, and 0.1 of single
    precision into 0.10000000149011612.
    """
    if table_schema.get("file_format") in {"jsonl", "typed-jsonl"}:
        preferred = table_schema.pop("file_format")  # of a copy that dlt has made for this
    return preferred, supported


bunce.register()
