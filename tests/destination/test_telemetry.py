"""Metrics and traces through OpenTelemetry: the run's own figures, under one span, no values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dlt
import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from tests.test_privacy import MARKS, marked

from dlt_bunce import flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import UnavailableError
from dlt_bunce.model import FATES
from dlt_bunce.reject_codes import VALUE_CODES

from .attribute_runs import prepare, rich, run
from .conftest import MakePipeline, customer, refused
from .test_replay import replayed

DELTA = dict.fromkeys((sdk.Counter, sdk.Histogram), AggregationTemporality.DELTA)


@dataclass(frozen=True)
class Seen:
    """What an application's SDK has received since the test began."""

    spans: InMemorySpanExporter
    reader: InMemoryMetricReader

    def finished(self, name: str) -> list[ReadableSpan]:
        """Spans of that name."""
        return [span for span in self.spans.get_finished_spans() if span.name == name]

    def points(self) -> dict[str, list[Any]]:
        """Data points by metric, once."""
        data = self.reader.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found.setdefault(metric.name, []).extend(metric.data.data_points)
        return found


def sums(points: list[Any], *names: str) -> dict[Any, float]:
    """The points' values added up by some of their attributes."""
    found: Counter[Any] = Counter()
    for point in points:
        key = tuple(point.attributes[name] for name in names)
        found[key[0] if len(key) == 1 else key] += point.value
    return dict(found)


def rows_of(rows: list[dict[str, Any]]) -> Any:
    """A resource of customers."""
    return dlt.resource(rows, name="customers")


@pytest.fixture(scope="module")
def _sdk() -> Iterator[Seen]:
    # a process has one SDK for good
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader(preferred_temporality=DELTA)
    traces, meters = TracerProvider(), sdk.MeterProvider([reader])
    traces.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(meters)
    yield Seen(spans, reader)
    meters.shutdown()
    traces.shutdown()


@pytest.fixture
def seen(_sdk: Seen) -> Seen:
    """Nothing is seen yet."""
    _sdk.spans.clear()
    _sdk.reader.get_metrics_data()
    return _sdk


def test_the_metrics_are_the_figures_of_the_runs(
    make: MakePipeline, emulator: Emulator, seen: Seen, store: str
) -> None:
    pipeline = make(store_url=store)
    rows = [customer(n) for n in range(300)]
    rows[3]["email"], rows[5]["email"] = "nobody", "c4@example.com"

    flush_and_run(pipeline, rows_of(rows))
    first = run_summary(pipeline)
    rows[7]["first_name"] = "New"
    second = flush_and_run(pipeline, rows_of([*rows, customer(1)]))

    points = seen.points()
    runs = (first, second)
    fates = {fate: sum(getattr(run, fate) for run in runs) for fate in FATES}
    assert {f: n for f, n in fates.items() if n} == sums(points["dlt_bunce.rows"], "fate")
    assert set(sums(points["dlt_bunce.rows"], "pipeline", "table")) == {("crm", "customers")}
    assert first.reject_codes == sums(points["dlt_bunce.rejects"], "code")
    assert {
        "bulk": sum(run.bulk_requests for run in runs),
        "lookup": sum(run.lookups for run in runs),
    } == sums(points["dlt_bunce.requests"], "kind")
    requests = sum(run.requests for run in runs)
    assert requests == sum(p.count for p in points["http.client.request.duration"])
    assert requests == len([s for s in seen.spans.get_finished_spans() if "/customers" in s.name])
    assert {
        code: n for code, n in sums(points["dlt_bunce.dead_letters.open"], "code").items() if n
    } == {"invalid_email": 1, "email_taken": 1}


def test_values_are_counted_by_fate_and_rejected_ones_by_attribute_and_code(
    make: MakePipeline, emulator: Emulator, seen: Seen
) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    pipeline = make()
    rows = [rich(1, plan="cursed", vip=True), rich(2, balance="seven", vip=False)]
    run(pipeline, *rows, segments={"vip": "VIP"})
    points = seen.points()
    run(pipeline, customer(3), attributes=None)
    without = seen.points()

    assert sums(points["dlt_bunce.values"], "kind", "fate") == {
        ("attributes", "written"): 4,
        ("attributes", "rejected"): 2,
        ("segments", "written"): 1,
        ("segments", "unchanged"): 1,
    }
    assert sums(points["dlt_bunce.value_rejects"], "name", "code") == {
        ("Plan", "refused"): 1,
        ("Balance", "invalid_number"): 1,
    }
    rejected = sums(points["dlt_bunce.rejected_values"], "code")
    assert {code: n for code, n in rejected.items() if n} == {"refused": 1, "invalid_number": 1}
    assert rejected.keys() == VALUE_CODES.keys()
    assert not {"dlt_bunce.values", "dlt_bunce.value_rejects"} & without.keys()


def test_requests_of_all_threads_are_children_of_the_load_and_that_of_the_caller(
    make: MakePipeline, emulator: Emulator, seen: Seen
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=20)
    with trace.get_tracer("caller").start_as_current_span("nightly") as caller:
        flush_and_run(
            make(batch_size=5, max_batch_size=5), rows_of([customer(n) for n in range(60)])
        )

    [load] = seen.finished("dlt_bunce.load")
    sent = seen.finished("POST /customers/bulk")
    assert load.parent is not None
    assert caller.get_span_context().span_id == load.parent.span_id
    assert {load.context.span_id} == {span.parent.span_id for span in sent if span.parent}
    assert [span.attributes["dlt_bunce.rows"] for span in sent if span.attributes] == [5] * 12
    attributes = dict(load.attributes or {})
    assert (attributes["dlt_bunce.read"], attributes["dlt_bunce.created"]) == (60, 60)
    assert (attributes["dlt_bunce.pipeline"], attributes["dlt_bunce.table"]) == ("crm", "customers")


def test_what_is_tried_again_and_what_fails_shows(
    make: MakePipeline, emulator: Emulator, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    emulator.behavior = Behavior(
        rate_limit=0, lookup="absent", faults=(Fault("error_after", probability=1.0),)
    )

    error = refused(make(), [customer(1)], table_name="customers")

    assert isinstance(error, UnavailableError)
    [load] = seen.finished("dlt_bunce.load")
    sent = seen.finished("POST /customers/bulk")
    assert load.status.status_code == StatusCode.ERROR
    assert (load.attributes or {})["error.type"] == "UnavailableError"
    again = [(span.attributes or {}).get("http.request.resend_count", 0) for span in sent]
    assert again == list(range(len(sent)))
    assert {(span.attributes or {})["http.response.status_code"] for span in sent} == {500}
    assert {StatusCode.ERROR} == {span.status.status_code for span in sent}
    points = seen.points()
    assert len(sent) == sums(points["dlt_bunce.requests"], "kind", "status")["bulk", "5xx"]
    assert sums(points["dlt_bunce.wait.time"], "reason")["retry"] > 0
    assert "dlt_bunce.rows" not in points


def test_a_replay_has_a_span_and_counts_its_rows(
    make: MakePipeline, emulator: Emulator, seen: Seen
) -> None:
    make().run([customer(2, phone_no="0803 000 0000")], table_name="customers")
    seen.points()

    replayed(emulator, settings={"default_region": "NG"})

    assert len(seen.finished("dlt_bunce.load")) == 2
    assert sums(seen.points()["dlt_bunce.rows"], "fate", "pipeline", "table") == {
        ("created", "crm", "customers"): 1
    }


@pytest.mark.parametrize(
    "behavior",
    [
        Behavior(rate_limit=0),
        Behavior(rate_limit=0, faults=(Fault("drop_after", on_request=1),)),
        Behavior(rate_limit=0, faults=(Fault("error_after", probability=1.0),)),
    ],
    ids=["all well", "dropped answers", "server errors"],
)
def test_no_span_and_no_metric_tells_a_value(
    make: MakePipeline,
    emulator: Emulator,
    seen: Seen,
    behavior: Behavior,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    emulator.behavior = behavior
    rows = [
        marked(
            n, customer_id=f"marked-id-{n}", devices=None, email=f"marked-mail{n // 2}@x.example"
        )
        for n in range(20)
    ] + [marked(30, email="marked-mail@@", devices=None)]
    # a comma in an id is asked about by path
    rows.append(
        marked(31, customer_id="marked-id,31", devices=None, email="marked-mail0@x.example")
    )

    try:
        flush_and_run(make(batch_size=5), rows_of(rows))
    except UnavailableError:
        assert behavior.faults

    spans = seen.spans.get_finished_spans()
    told = "\n".join([*(span.to_json() for span in spans), repr(seen.points())])
    assert len(spans) > 3
    assert "GET /customers" in told
    marks = (*MARKS, "marked-id", "customer_ids=", "per_page")
    assert [mark for mark in marks if mark in told] == []


def test_http_instrumentations_add_no_span_of_their_own(
    make: MakePipeline, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests
    from opentelemetry import context

    asked: list[object] = []
    real = requests.Session.send

    def send(session: requests.Session, request: Any, **options: Any) -> requests.Response:
        # what such an instrumentation looks at before it opens a span
        asked.append(context.get_value(context._SUPPRESS_HTTP_INSTRUMENTATION_KEY))  # noqa: SLF001
        return real(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", send)
    flush_and_run(make(), rows_of([customer(1)]))

    assert sorted({bool(value) for value in asked}) == [True]
    assert context.get_value(context._SUPPRESS_HTTP_INSTRUMENTATION_KEY) is None  # noqa: SLF001
