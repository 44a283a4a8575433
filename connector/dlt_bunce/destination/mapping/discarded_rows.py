"""Rows that a schema contract discards while they are extracted, for which dlt keeps no count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any

import pyarrow as pa
from dlt.extract import DltResource
from dlt.extract.items_transform import MapItem
from dlt.pipeline.trace import PipelineTrace


class _BeforeModel(MapItem):
    """A step that sees rows before a Pydantic model validates them."""

    placement_affinity = 0.85


class _AfterModel(MapItem):
    """A step that sees the rows that a model has let pass, before an incremental cursor does."""

    placement_affinity = 0.95


class _Last(MapItem):
    """A step that sees the rows that dlt extracts, before it applies a contract to Arrow tables."""

    placement_affinity = 1.5


class DiscardedRows:
    """Counter of rows at the steps of resources; none is changed."""

    def __init__(self) -> None:
        self._before_model: Counter[str] = Counter()
        self._after_model: Counter[str] = Counter()
        self._yielded: Counter[str] = Counter()

    def watch(self, resource: DltResource) -> None:
        """Count the rows of a resource from now on."""
        if resource.validator:
            resource.add_step(_BeforeModel(_counting(self._before_model, resource.name)))
            resource.add_step(_AfterModel(_counting(self._after_model, resource.name)))
        resource.add_step(_Last(_counting(self._yielded, resource.name)))

    def count(self, trace: PipelineTrace | None) -> int:
        """Return how many rows models and, of Arrow tables, contracts discarded in this run."""
        found = self._before_model - self._after_model
        if trace is not None and trace.last_extract_info is not None:
            written: Counter[str] = Counter()
            for package in chain.from_iterable(trace.last_extract_info.metrics.values()):
                for name, figures in package["resource_metrics"].items():
                    written[name] += figures.items_count
            found += self._yielded - written
        return found.total()


def _counting(counter: Counter[str], name: str) -> Callable[[Any], Any]:
    def count(item: Any) -> Any:
        for each in item if isinstance(item, list) else [item]:
            counter[name] += each.num_rows if isinstance(each, pa.Table | pa.RecordBatch) else 1
        return item

    return count
