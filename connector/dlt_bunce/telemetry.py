"""OpenTelemetry metrics and traces; without OpenTelemetry's API, nothing is recorded.

The application chooses the SDK and the exporters. Attributes are counts, names of pipelines,
tables, and codes, and path templates, never customer data, keys, or query strings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dlt_bunce.api.observer import UNOBSERVED, Observer, RequestInfo
from dlt_bunce.logs import logger
from dlt_bunce.reject_codes import REJECT_CODES, VALUE_CODES

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from dlt_bunce.api.reply import Reply
    from dlt_bunce.model import RunSummary
    from dlt_bunce.store.ledger import LoadFile

_OLDEST = "1.31"
"""First version with gauges and advisory buckets; the extra in pyproject.toml requires it."""
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class _Otel:
    """The tracer and the instruments."""

    def __init__(self) -> None:
        from opentelemetry import metrics, trace

        self.tracer = trace.get_tracer("dlt_bunce")
        meter = metrics.get_meter("dlt_bunce")
        self.rows = meter.create_counter("dlt_bunce.rows", "{row}", "Rows settled, by fate")
        self.rejects = meter.create_counter(
            "dlt_bunce.rejects", "{row}", "Dead letters of completed runs, by reject code"
        )
        self.requests = meter.create_counter("dlt_bunce.requests", "{request}", "Requests to Bunce")
        self.waits = meter.create_counter(
            "dlt_bunce.wait.time", "s", "Seconds waited for the rate limit or before a retry"
        )
        self.durations = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Seconds until Bunce responded",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.values = meter.create_counter(
            "dlt_bunce.values",
            "{value}",
            "Attribute values and segment members of completed runs, by fate",
        )
        self.value_rejects = meter.create_counter(
            "dlt_bunce.value_rejects",
            "{value}",
            "Values rejected in completed runs, by attribute or segment and code",
        )
        self.rejected_values = meter.create_gauge(
            "dlt_bunce.rejected_values", "{value}", "Values rejected at the end of a run, by code"
        )
        self.open_letters = meter.create_gauge(
            "dlt_bunce.dead_letters.open", "{row}", "Open dead letters at the end of a run, by code"
        )


@cache
def _otel() -> _Otel | None:
    """Return None if the API is missing or too old. Checked once, at the first load."""
    from packaging.version import Version

    try:
        import opentelemetry.trace  # noqa: F401

        found = version("opentelemetry-api")
    except ImportError:
        return None
    if Version(found) < Version(_OLDEST):
        logger().warning("telemetry.unsupported", found=found, needed=_OLDEST)
        return None
    return _Otel()


def enabled() -> bool:
    """Return whether telemetry is recorded."""
    return _otel() is not None


def current_context() -> Context | None:
    """Return this thread's context, to pass on to another thread."""
    if _otel() is None:
        return None
    from opentelemetry.context import get_current

    return get_current()


@contextmanager
def load_span(
    load_file: LoadFile, parent: Context | None = None
) -> Iterator[Callable[[Mapping[str, int]], None]]:
    """Run the block within the span of a load file.

    Yields a function to call with the file's counts once it is settled. An exception marks the
    span as failed, with the exception's type.
    """
    otel = _otel()
    if otel is None:
        yield lambda _counts: None
        return
    attributes = {
        "dlt_bunce.pipeline": load_file.pipeline_name,
        "dlt_bunce.table": load_file.table_name,
        "dlt_bunce.run_id": load_file.run_id,
        "dlt_bunce.job_id": load_file.job_id,
        "dlt_bunce.disposition": load_file.disposition,
    }
    with _span(otel, "dlt_bunce.load", parent, attributes) as span:

        def settled(counts: Mapping[str, int]) -> None:
            names = {"pipeline": load_file.pipeline_name, "table": load_file.table_name}
            for fate, count in counts.items():
                span.set_attribute(f"dlt_bunce.{fate}", count)
                if count and fate != "read":
                    otel.rows.add(count, {"fate": fate, **names})

        yield settled


def completed(
    pipeline: str, account: str, reject_codes: Mapping[str, int], open_letters: Mapping[str, int]
) -> None:
    """Record a completed run's rejects and the dead letters that are open in its store."""
    otel = _otel()
    if otel is None:
        return
    for code, count in reject_codes.items():
        otel.rejects.add(count, {"code": code, "pipeline": pipeline})
    for code in REJECT_CODES:
        # set every code, or one without open dead letters would keep its last value
        otel.open_letters.set(open_letters.get(code, 0), {"code": code, "account": account})


def completed_values(run: RunSummary, account: str, rejected: Mapping[str, int]) -> None:
    """Record a completed run's values, and by code those that are `rejected` in its store."""
    otel = _otel()
    if otel is None:
        return
    pipeline = run.pipeline_name or ""
    for kind, counts in run.value_counts.items():
        for fate, count in counts.items():
            if count and fate != "read":
                otel.values.add(count, {"kind": kind, "fate": fate, "pipeline": pipeline})
    for name, codes in run.rejected_values.items():
        for code, count in codes.items():
            otel.value_rejects.add(count, {"name": name, "code": code, "pipeline": pipeline})
    for code in VALUE_CODES:
        otel.rejected_values.set(rejected.get(code, 0), {"code": code, "account": account})


def request_observer(base_url: str, pipeline: str) -> Observer:
    """Return an observer that records requests of any thread as children of this thread's span."""
    otel = _otel()
    return UNOBSERVED if otel is None else _Requests(otel, base_url, pipeline)


class _Requests(Observer):
    def __init__(self, otel: _Otel, base_url: str, pipeline: str) -> None:
        parts = urlsplit(base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._otel, self._pipeline, self._path = otel, pipeline, parts.path
        self._server = {"server.address": parts.hostname or "", "server.port": port}
        self._parent = current_context()

    @contextmanager
    def request(self, question: RequestInfo) -> Iterator[Callable[[Reply], None]]:
        common: dict[str, Any] = {
            "http.request.method": question.method,
            "url.template": self._path + question.template,
            **self._server,
        }
        more: dict[str, Any] = {"dlt_bunce.kind": question.kind}
        if question.rows:
            more["dlt_bunce.rows"] = question.rows
        if question.attempt > 1:
            more["http.request.resend_count"] = question.attempt - 1
        name = f"{question.method} {question.template}"
        with (
            _span(self._otel, name, self._parent, common | more, client=True) as span,
            _http_spans_suppressed(),
        ):

            def answered(reply: Reply) -> None:
                result = _result(reply)
                span.set_attributes(result)
                if "error.type" in result:
                    _mark_failed(span)
                self._otel.durations.record(reply.seconds, common | result)
                self._otel.requests.add(
                    1,
                    {
                        "kind": question.kind,
                        "status": f"{reply.status // 100}xx" if reply.status else reply.arrival,
                        "pipeline": self._pipeline,
                    },
                )

            yield answered

    def waited(self, seconds: float, why: str) -> None:
        if seconds:
            self._otel.waits.add(seconds, {"reason": why, "pipeline": self._pipeline})


def _result(reply: Reply) -> dict[str, Any]:
    if not reply.status:
        return {"error.type": reply.arrival}
    result: dict[str, Any] = {"http.response.status_code": reply.status}
    return result | {"error.type": str(reply.status)} if reply.status >= 400 else result


@contextmanager
def _span(
    otel: _Otel,
    name: str,
    parent: Context | None,
    attributes: Mapping[str, Any],
    *,
    client: bool = False,
) -> Iterator[Span]:
    from opentelemetry.trace import SpanKind

    with otel.tracer.start_as_current_span(
        name,
        parent,
        SpanKind.CLIENT if client else SpanKind.INTERNAL,
        attributes,
        # an exception's text may contain a URL, and with it customer ids
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            _mark_failed(span)
            raise


@contextmanager
def _http_spans_suppressed() -> Iterator[None]:
    """Suppress the spans of instrumented HTTP libraries, which would record the whole URL."""
    from opentelemetry import context

    key = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
    token = context.attach(context.set_value(key, True))
    try:
        yield
    finally:
        context.detach(token)


def _mark_failed(span: Span) -> None:
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR)
