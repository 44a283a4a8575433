"""Settings of the destination: section `[destination.bunce]`, resolved by dlt."""

from __future__ import annotations

import dataclasses
import re
from functools import lru_cache
from typing import (  # noqa: UP035, see on_run_end
    TYPE_CHECKING,
    Any,
    Callable,
    Final,
    Literal,
    Optional,
    Union,
)
from urllib.parse import urlsplit

from dlt.common.configuration import configspec
from dlt.common.configuration.specs import CredentialsConfiguration
from dlt.common.destination.client import DestinationClientConfiguration
from dlt.common.typing import TSecretStrValue

from dlt_bunce.destination.settings.base_url import KEY_HOSTS, checked_base_url, no_key
from dlt_bunce.destination.settings.configuration_checks import (
    check_kind,
    check_text,
    check_timezone,
    check_values_tables,
    check_version_format,
    checked_region,
    refuse_unknown,
)
from dlt_bunce.destination.settings.number_checks import check_numbers
from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.mapping.schema import FIELDS, MAPPABLE, SEVERAL
from dlt_bunce.thresholds import Thresholds

if TYPE_CHECKING:
    from dlt_bunce.records.fields.rules import Rules


@configspec
class BunceCredentials(CredentialsConfiguration):
    """The secret key of one Bunce workspace, `sk_live_…` or `sk_test_…`."""

    api_key: TSecretStrValue = dataclasses.field(default=None, repr=False)  # type: ignore[assignment]

    def parse_native_representation(self, native_value: Any) -> None:
        """Set the key from a plain string; dlt wraps the ValueError in its own error."""
        if not isinstance(native_value, str) or not native_value.strip():
            raise ValueError("the Bunce API key must be a non-empty string")
        self.api_key = native_value.strip()

    def __str__(self) -> str:
        return "Bunce API key"


@configspec
class BunceConfiguration(DestinationClientConfiguration):
    """Settings of the destination, with their defaults."""

    destination_type: Final[str] = dataclasses.field(  # type: ignore[misc]
        default="bunce", init=False, repr=False, compare=False
    )
    credentials: BunceCredentials = None  # type: ignore[assignment]
    base_url: Optional[str] = None
    """URL of Bunce's API, ending in /v1; by default derived from the prefix of the API key."""
    allow_host: Optional[str] = None
    """Host other than Bunce's that may receive a live API key, such as a gateway of your own."""
    store_url: str = "sqlite:///bunce.sqlite"
    """Database of the ledger and dead letters; file paths are relative to the working directory."""
    account: str = "default"
    """Name of the Bunce workspace within the store; each workspace needs its own."""
    customers_table: str = "customers"
    """Table that holds customers; separate several names with commas."""
    batch_size: int = 100
    """Customers in the first request; the size grows while Bunce responds quickly."""
    max_batch_size: int = 1000
    """Maximum number of customers, or of attribute values, in a request."""
    concurrency: int = 4
    """Initial number of batches in flight per load file; increases while throughput improves."""
    max_concurrency: int = 16
    """Maximum number of batches in flight per load file."""
    requests_per_minute: int = 500
    """Requests per minute that Bunce allows per IP address; 0 turns off rate limiting."""
    egress: str = "default"
    """Name of the outbound IP address; loads with the same name share one rate limit."""
    timeout_s: float = 60.0
    """Seconds to wait for a response."""
    default_region: Optional[str] = None
    """Country code of national phone numbers, such as NG; without it, they are rejected."""
    lowercase_email: bool = True
    """Whether emails are sent in lowercase."""
    devices: Literal["lenient", "strict"] = "lenient"
    """Whether a device without a type or token is dropped (lenient) or rejects its row (strict)."""
    unescape_html: bool = False
    """Whether HTML entities in names are decoded: O&#39;Brien is sent as O'Brien."""
    unquote_cells: bool = True
    """Whether '+234… and ="00123", as spreadsheets write text, are read as +234… and 00123."""
    blank_placeholders: bool = True
    """Whether a whole value such as NULL, N/A, nan, None, - or . counts as blank."""
    trim_phones: bool = True
    """Whether tel:, whatsapp: and the like before a phone number, and an extension or other text
    after it, are left out; otherwise the row is rejected."""
    version_format: Optional[str] = None
    """Format of a version column of text, as for strptime: "%d/%m/%Y %H:%M"."""
    mapping: Optional[dict[str, Any]] = None
    """Source column of each field, of `full_name`, and of `version`, used where no hint names one;
    of a list of columns, the first that is filled in a row counts."""
    defaults: Optional[dict[str, str]] = None
    """Values for fields that are blank in a row."""
    attributes: Optional[Union[str, dict[str, str]]] = None
    """Attribute's name in Bunce of each column that feeds one, or "*" for all unmapped columns."""
    segments: Optional[dict[str, str]] = None
    """Name of the manual segment of each boolean column that feeds one."""
    segments_whole: bool = False
    """Whether members whom a complete read does not have as true are removed from the segments."""
    segments_min_share: float = 0.8
    """Share of members, and of the last run's rows, below which absent members are not removed."""
    values_tables: Optional[dict[str, Any]] = None
    """Tables that hold values of customers whom another table brings, by name: `customer_id`,
    `attributes`, `segments`, and `segments_whole` of each."""
    create_attributes: bool = False
    """Whether attributes that Bunce does not have are created, with the type of their column."""
    timezone: Optional[str] = None
    """Time zone of timestamps in attribute columns that have none, such as "Africa/Lagos"."""
    dead_letter_rows: Literal["full", "keys"] = "full"
    """Whether dead letters keep the full source row (required for replay) or only its key."""
    on_email_taken: Literal["reject", "link"] = "reject"
    """Whether a row whose email a customer with another id has in Bunce is rejected, or linked."""
    max_reject_share: Optional[float] = None
    """Maximum fraction of rows rejected or held; above it, the run fails after loading."""
    max_reject_count: Optional[int] = None
    """Maximum number of rows rejected or held; above it, the run fails after loading."""
    min_rows_share_of_last: Optional[float] = None
    """Minimum rows read as a share of the last run's; below it, the run fails after loading."""
    min_rows: Optional[int] = None
    """Minimum rows read; below it, the run fails after loading. 1 fails on an empty source."""
    # typing's Callable: dlt treats that of collections.abc as a class, which fails in Python 3.10
    on_run_end: Optional[Union[str, Callable[[Any], Any]]] = None
    """Called with the RunSummary when a run ends: "package.module:function", or a callable."""
    wait_for_run: float = 300.0
    """Seconds to wait for another run that uses the same working folder."""
    keep_completed_jobs: bool = False
    """Whether load files, which are copies of the source, are kept once all rows are settled."""
    retention_days: Optional[int] = None
    """Days after which a run deletes closed dead letters, load packages, and run counts."""
    dry_run: bool = False
    """Whether to count what would be sent without sending or writing anything."""

    @classmethod
    @lru_cache(maxsize=8)
    def get_resolvable_fields(cls) -> dict[str, type]:
        """Return dlt's fields and their types, worked out once: a run asks a hundred times."""
        return super().get_resolvable_fields()

    def on_partial(self) -> None:
        """Let a dry run do without a key: it sends nothing that needs one."""
        if self.dry_run and getattr(self.credentials, "api_key", None) is None:
            self.credentials = BunceCredentials()
            self.credentials.api_key = ""
            self.resolve()

    def on_resolved(self) -> None:
        """Derive and check what depends on several settings.

        Raises ConfigurationError for a key that does not match its host and for invalid numbers.
        """
        self._check_kinds()
        self.credentials.api_key = key = _clean_key(self.credentials.api_key)
        if key:
            self.base_url = checked_base_url(self.base_url, key, self.allow_host)
        elif not self.dry_run:
            raise no_key()  # as `init` leaves it
        check_numbers(self)
        check_version_format(self.version_format)
        self.default_region = checked_region(self.default_region)
        check_timezone(self.timezone)

    def _check_kinds(self) -> None:
        for name, hint in self.get_resolvable_fields().items():
            check_kind(name, hint, getattr(self, name))
            if name not in {"default_region", "on_run_end", "version_format"}:  # checked as such
                check_text(name, getattr(self, name))
        for name, known in (("mapping", MAPPABLE), ("defaults", list(FIELDS))):
            refuse_unknown(getattr(self, name) or {}, known, where=f"in {name}")
            for key, value in (getattr(self, name) or {}).items():
                several = name == "mapping" and key in SEVERAL and isinstance(value, list)
                for one in value if several else [value]:
                    check_kind(f"{name}.{key}", str, one)
        check_values_tables(self.values_tables or {})

    @property
    def rules(self) -> Rules:
        """Rules for preparing values, as these settings define them."""
        from dlt_bunce.records.fields.rules import Rules

        return Rules(
            default_region=self.default_region,
            lowercase_email=self.lowercase_email,
            strict_devices=self.devices == "strict",
            unescape_html=self.unescape_html,
            version_format=self.version_format,
            defaults=self.defaults or {},
            unquote_cells=self.unquote_cells,
            blank_placeholders=self.blank_placeholders,
            trim_phones=self.trim_phones,
        )

    @property
    def thresholds(self) -> Thresholds:
        """Limits outside of which a run fails for its caller."""
        return Thresholds(
            self.max_reject_share, self.max_reject_count, self.min_rows_share_of_last, self.min_rows
        )

    @property
    def concurrency_limit(self) -> int:
        """The larger of `concurrency` and `max_concurrency`, so that either can be set alone."""
        return max(self.concurrency, self.max_concurrency)

    @property
    def mode(self) -> str:
        """`live` or `sandbox`, from the key's prefix; otherwise `unknown`, as with an emulator."""
        prefix = next((p for p in KEY_HOSTS if (self.credentials.api_key or "").startswith(p)), "")
        return {"sk_live_": "live", "sk_test_": "sandbox"}.get(prefix, "unknown")

    @property
    def host(self) -> str:
        """Host and port of the workspace, and the path if it is more than /v1."""
        parts = urlsplit(self.base_url or "")
        return f"{parts.netloc}{parts.path.removesuffix('/v1')}"

    @property
    def budget_scope(self) -> str:
        """Scope of a shared request budget: one host, one outbound address."""
        return f"{urlsplit(self.base_url or '').netloc} {self.egress}"

    @property
    def customers_tables(self) -> tuple[str, ...]:
        """Names in `customers_table`."""
        return tuple(name.strip() for name in self.customers_table.split(",") if name.strip())

    @property
    def own_tables(self) -> tuple[str, ...]:
        """Names of all tables that are configured to be loaded."""
        return (*self.customers_tables, *(self.values_tables or {}))

    def values_hint(self, table_name: str) -> dict[str, Any]:
        """Return what `values_tables` has of a table, as a mapping hint; empty for other tables."""
        given = dict((self.values_tables or {}).get(table_name) or {})
        if not given:
            return {}
        columns = {name: given.pop(name) for name in ("customer_id", "version") if name in given}
        return {"columns": columns, **given, "values_only": True}

    def fingerprint(self) -> str:
        """Return an identifier of the workspace's host for dlt's telemetry, without the key."""
        from dlt.common.utils import digest128

        return digest128(self.base_url) if self.base_url else ""

    def __str__(self) -> str:
        return str(self.base_url)


_PLACEHOLDER = "<configure me>"


def _clean_key(api_key: str | None) -> str:
    """Return the key without the line break that a file or a secret store may end it with."""
    key = (api_key or "").strip()
    if key == _PLACEHOLDER:
        raise ConfigurationError(
            f"The API key is {_PLACEHOLDER!r}, which dlt init writes in its place.",
            remedy="Enter the key in .dlt/secrets.toml, as api_key under "
            "[destination.bunce.credentials], or in DESTINATION__BUNCE__CREDENTIALS__API_KEY.",
        )
    if re.search(r"[\s\x00-\x1f\x7f\"']", key):
        raise ConfigurationError(
            "The API key contains a character that no key has, such as a blank, a line break, or a "
            "quotation mark.",
            remedy="Set DESTINATION__BUNCE__CREDENTIALS__API_KEY again, on one line; files of "
            "variables, as for docker --env-file, take quotes for a part of the value.",
        )
    return key
