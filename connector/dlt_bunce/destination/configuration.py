"""Settings of the destination: section `[destination.bunce]`, resolved by dlt."""

from __future__ import annotations

import dataclasses
import re
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

from dlt_bunce.destination.configuration_checks import (
    check_kind,
    check_version_format,
    refuse_unknown,
)
from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.schema import FIELDS, MAPPABLE
from dlt_bunce.thresholds import Thresholds

if TYPE_CHECKING:
    from dlt_bunce.records.prepare import Rules

LIVE_URL = "https://api.bunce.so/v1"
SANDBOX_URL = "https://sandbox.api.bunce.so/v1"
_KEY_HOSTS = {"sk_live_": LIVE_URL, "sk_test_": SANDBOX_URL}
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1")


@configspec
class BunceCredentials(CredentialsConfiguration):
    """The secret key of one Bunce workspace, `sk_live_…` or `sk_test_…`."""

    api_key: TSecretStrValue = dataclasses.field(default=None, repr=False)  # type: ignore[assignment]

    def parse_native_representation(self, native_value: Any) -> None:
        """Accepts the key as a plain string; dlt turns the ValueError into its own."""
        if not isinstance(native_value, str) or not native_value.strip():
            raise ValueError("the API key of Bunce must be text")
        self.api_key = native_value.strip()

    def __str__(self) -> str:
        return "Bunce API key"


@configspec
class BunceConfiguration(DestinationClientConfiguration):
    """Everything that can be set, with its default."""

    destination_type: Final[str] = dataclasses.field(  # type: ignore[misc]
        default="bunce", init=False, repr=False, compare=False
    )
    credentials: BunceCredentials = None  # type: ignore[assignment]
    base_url: Optional[str] = None
    """Where Bunce answers, ending in /v1; follows from the prefix of the key unless set."""
    store_url: str = "sqlite:///bunce.sqlite"
    """The database of ledger and dead letters, relative to the working directory."""
    account: str = "default"
    """Names the workspace within the store; every workspace needs its own."""
    customers_table: str = "customers"
    """The table that holds customers; several are separated by commas."""
    batch_size: int = 100
    """Customers in the first request; grows while Bunce answers quickly."""
    max_batch_size: int = 1000
    """Customers in the largest request ever tried."""
    concurrency: int = 4
    """Batches in flight at first, for each file that dlt loads; more while that helps."""
    max_concurrency: int = 16
    """Batches that are ever in flight for a file."""
    requests_per_minute: int = 500
    """What Bunce allows an IP address; 0 turns pacing off."""
    egress: str = "default"
    """Names the IP address that requests leave from: loads that share it share its budget."""
    timeout_s: float = 60.0
    """Seconds to wait for an answer."""
    default_region: Optional[str] = None
    """Country of national phone numbers, such as NG; without it they are rejected."""
    lowercase_email: bool = True
    """Whether emails are sent in lower case."""
    devices: Literal["lenient", "strict"] = "lenient"
    """Whether a device without type or token is left out, or its whole row rejected."""
    unescape_html: bool = False
    """Whether HTML entities in names are decoded: O&#39;Brien is sent as O'Brien."""
    version_format: Optional[str] = None
    """How a version column of text is written, as strptime has it: "%d/%m/%Y %H:%M"."""
    mapping: Optional[dict[str, str]] = None
    """Source column of each field, where names and hints do not tell; also `version`."""
    defaults: Optional[dict[str, str]] = None
    """Values for fields that a row leaves blank."""
    dead_letter_rows: Literal["full", "keys"] = "full"
    """Whether dead letters keep the whole source row (needed for replay) or its key only."""
    max_reject_share: Optional[float] = None
    """Rows rejected or held, as a fraction of those read, above which a recorded run fails."""
    max_reject_count: Optional[int] = None
    """Rows rejected or held above which a recorded run fails."""
    min_rows_share_of_last: Optional[float] = None
    """Rows read, as a fraction of what the last run read, below which a recorded run fails."""
    min_rows: Optional[int] = None
    """Rows read below which a recorded run fails: 1 makes an empty source an error."""
    # typing's Callable: dlt takes that of collections.abc for a class, which fails in Python 3.10
    on_run_end: Optional[Union[str, Callable[[Any], Any]]] = None
    """Called with the RunSummary when a run has ended: "package.module:function", or a callable."""
    wait_for_run: float = 300.0
    """Seconds to wait for another run in the same working folder."""
    keep_completed_jobs: bool = False
    """Whether dlt keeps the files of a load, copies of the source, after all is settled."""
    retention_days: Optional[int] = None
    """Days after which a run forgets closed dead letters, packages, and counts of runs."""
    dry_run: bool = False
    """Counts what would be sent, sends and writes nothing."""

    def on_resolved(self) -> None:
        """Derives and checks what depends on several settings.

        Raises ConfigurationError for a key that contradicts its host and for impossible numbers.
        """
        self._check_kinds()
        self.base_url = _base_url(self.base_url, self.credentials.api_key or "")
        self._check_numbers()
        check_version_format(self.version_format)
        if self.default_region is not None:
            self.default_region = self.default_region.strip().upper()
        if self.default_region is not None and not re.fullmatch("[A-Z]{2}", self.default_region):
            raise ConfigurationError(
                f"default_region is {self.default_region!r}, which is no country code.",
                remedy='Write the two letters of the country, such as default_region = "NG".',
            )

    def _check_kinds(self) -> None:
        for name, hint in self.get_resolvable_fields().items():
            check_kind(name, hint, getattr(self, name))
        for name, known in (("mapping", MAPPABLE), ("defaults", list(FIELDS))):
            refuse_unknown(getattr(self, name) or {}, known, where=f"in {name}")
            for key, value in (getattr(self, name) or {}).items():
                check_kind(f"{name}.{key}", str, value)

    def _check_numbers(self) -> None:
        for name in ("batch_size", "max_batch_size", "concurrency", "max_concurrency", "timeout_s"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}, but must be above 0.",
                    remedy=f"Correct {name} under [destination.bunce].",
                )
        for name in (
            "requests_per_minute",
            "max_reject_count",
            "wait_for_run",
            "retention_days",
            "min_rows",
        ):
            if (getattr(self, name) or 0) < 0:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}, but must not be below 0.",
                    remedy=f"Correct {name} under [destination.bunce].",
                )
        for name in ("max_reject_share", "min_rows_share_of_last"):
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise ConfigurationError(
                    f"{name} is {share}, but must be a fraction from 0 to 1.",
                    remedy=f"Write for example {name} = 0.05 for 5 %.",
                )

    @property
    def rules(self) -> Rules:
        """What these settings say about values."""
        from dlt_bunce.records.prepare import Rules

        return Rules(
            default_region=self.default_region,
            lowercase_email=self.lowercase_email,
            strict_devices=self.devices == "strict",
            unescape_html=self.unescape_html,
            version_format=self.version_format,
            defaults=self.defaults or {},
        )

    @property
    def thresholds(self) -> Thresholds:
        """What a run may be like without failing its caller."""
        return Thresholds(
            self.max_reject_share, self.max_reject_count, self.min_rows_share_of_last, self.min_rows
        )

    @property
    def most_concurrency(self) -> int:
        """The larger of the two settings: one that is set alone counts."""
        return max(self.concurrency, self.max_concurrency)

    @property
    def mode(self) -> str:
        """Live or sandbox, as the prefix of the key says; else unknown, as with an emulator."""
        prefix = next((p for p in _KEY_HOSTS if (self.credentials.api_key or "").startswith(p)), "")
        return {"sk_live_": "live", "sk_test_": "sandbox"}.get(prefix, "unknown")

    @property
    def host(self) -> str:
        """Where the workspace is: host and port, and the path where there is more than /v1."""
        parts = urlsplit(self.base_url or "")
        return f"{parts.netloc}{parts.path.removesuffix('/v1')}"

    @property
    def budget_scope(self) -> str:
        """Who shares a request budget: all that leave for one host from one address."""
        return f"{urlsplit(self.base_url or '').netloc} {self.egress}"

    @property
    def customers_tables(self) -> tuple[str, ...]:
        """The names in `customers_table`."""
        return tuple(name.strip() for name in self.customers_table.split(",") if name.strip())

    def fingerprint(self) -> str:
        """Identifies the workspace's host in dlt's telemetry; no key."""
        from dlt.common.utils import digest128

        return digest128(self.base_url) if self.base_url else ""

    def __str__(self) -> str:
        return str(self.base_url)


def _base_url(base_url: Union[str, None], api_key: str) -> str:
    prefix = next((p for p in _KEY_HOSTS if api_key.startswith(p)), None)
    if base_url is None:
        if prefix is None:
            raise ConfigurationError(
                "The API key begins with neither sk_live_ nor sk_test_, so its host is not known.",
                remedy="Check DESTINATION__BUNCE__CREDENTIALS__API_KEY, or set base_url.",
            )
        return _KEY_HOSTS[prefix]
    url = base_url.rstrip("/")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query:
        raise ConfigurationError(
            "base_url is not a plain http(s) address.",
            remedy=f'Write for example base_url = "{SANDBOX_URL}".',
        )
    if not url.endswith("/v1"):
        raise ConfigurationError(
            f"base_url {host!r} does not end in /v1.", remedy=f'Write base_url = "{url}/v1".'
        )
    if _LOOPBACK.fullmatch(host):
        return url
    if parts.scheme != "https":
        raise ConfigurationError(
            f"base_url would send the API key to {host} unencrypted.", remedy="Use https."
        )
    for other, expected in _KEY_HOSTS.items():
        if host == urlsplit(expected).hostname and prefix != other:
            raise ConfigurationError(
                f"The API key does not begin with {other}, as the host {host} needs.",
                remedy=f"Use a key of that mode, or drop base_url: {LIVE_URL} belongs to sk_live_, "
                f"{SANDBOX_URL} to sk_test_.",
            )
    return url
