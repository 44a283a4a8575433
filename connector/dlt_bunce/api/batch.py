"""The rows of a batch: by columns for what concerns all of them, one by one where it must be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from typing_extensions import Self


class Row(NamedTuple):
    """A row to be settled: its fields, `devices` as JSON, and all of them as the JSON to send.

    `customer_id` is the id to send: `bunce_id` where Bunce has the customer under another id.
    """

    customer_id: str
    email: str
    first_name: str
    last_name: str
    phone_no: str
    devices: str | None
    payload: str
    indeterminate: bool = False
    bunce_id: str | None = None

    @property
    def content(self) -> dict[str, Any]:
        """What the payload says, to compare with what Bunce shows."""
        content: dict[str, Any] = dict(zip(_TEXTS, self, strict=False))
        if self.devices is not None:
            content["devices"] = json.loads(self.devices)
        return content

    def __repr__(self) -> str:
        """Nothing of a customer: it may end up in a message."""
        return "Row(…)"


_TEXTS = Row._fields[:5]
_texts_of: Callable[[Any], tuple[Any, ...]] = itemgetter(*_TEXTS)


AnyRow = TypeVar("AnyRow", "Row", "ValueRow")


class SentRows(Sequence[AnyRow]):
    """A table whose rows become Python objects when one is asked for, which a batch that simply
    succeeds never needs. `body` is a request with the `payload` of each, in a list called `key`.

    Who makes this allocates for Arrow, and threads that never do keep no memory for it.
    """

    def __init__(self, table: pa.Table, key: str) -> None:
        self._table, self._key = table, key
        payloads = table.column("payload").combine_chunks()
        joined = pc.binary_join(pa.ListArray.from_arrays([0, len(payloads)], payloads), ",")
        self.body = b"".join((f'{{"{key}":['.encode(), joined[0].as_buffer(), b"]}"))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @overload
    def __getitem__(self, at: int) -> AnyRow: ...
    @overload
    def __getitem__(self, at: slice) -> list[AnyRow]: ...
    def __getitem__(self, at: int | slice) -> AnyRow | list[AnyRow]:
        if isinstance(at, int) and "_made" not in self.__dict__:
            # one row of a batch that simply succeeded, say: the others are never needed
            return self._objects(self._table.slice(range(len(self))[at], 1))[0]
        return self._made[at]

    def __iter__(self) -> Iterator[AnyRow]:
        # Sequence's own would convert the table row by row, and anew for each iteration
        return iter(self._made)

    def take(self, chosen: Sequence[int]) -> Self:
        """Return some of the rows, in that order."""
        if len(chosen) == len(self) and all(map(int.__eq__, chosen, range(len(self)))):
            return self
        return self._with(self._table.take(pa.array(chosen, pa.int64())))

    def _with(self, table: pa.Table) -> Self:
        raise NotImplementedError

    @cached_property
    def _made(self) -> list[AnyRow]:
        return self._objects(self._table)

    @staticmethod
    def _objects(table: pa.Table) -> list[AnyRow]:
        raise NotImplementedError


class Rows(SentRows[Row]):
    """A table with (at least) the columns of `Row`, as a bulk request."""

    def __init__(self, table: pa.Table) -> None:
        super().__init__(_as_sent(table.select(Row._fields)), "customers")

    def _with(self, table: pa.Table) -> Self:
        return type(self)(table)

    @property
    def indeterminate(self) -> list[int]:
        """Those that an earlier request may have delivered."""
        found: list[int] = pc.indices_nonzero(self._table.column("indeterminate")).to_pylist()
        return found

    @property
    def linked(self) -> list[int]:
        """Those that Bunce has under another id."""
        is_linked = pc.is_valid(self._table.column("bunce_id"))
        found: list[int] = pc.indices_nonzero(is_linked).to_pylist()
        return found

    def are_shown(self, customers: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether `customers` (by id) has every row just as it was sent.

        False means no more than that they have to be compared one by one.
        """
        texts = [self._table.column(name).to_pylist() for name in _TEXTS]
        shown = list(map(customers.get, texts[0]))
        try:
            if list(map(_texts_of, shown)) != list(zip(*texts, strict=True)):
                return False
        except (TypeError, KeyError):
            # a customer, or a field of one, is not shown
            return False
        devices = self._table.column("devices").to_pylist()
        sent_devices = json.loads(f"[{','.join(sent or 'null' for sent in devices)}]")
        return all(
            sent is None or sent == (found := customer.get("devices")) or sent == _devices(found)  # type: ignore[union-attr]
            for sent, customer in zip(sent_devices, shown, strict=True)
        )

    @staticmethod
    def _objects(table: pa.Table) -> list[Row]:
        return list(map(Row, *(column.to_pylist() for column in table.columns)))


class ValueRow(NamedTuple):
    """An attribute value or a segment member: whose it is, and the attribute or segment."""

    customer_id: str
    target_id: str
    indeterminate: bool = False

    def __repr__(self) -> str:
        """Nothing of a customer: it may end up in a message."""
        return "ValueRow(…)"

    # what an error may call a customer by, besides the id, is not known here
    @property
    def email(self) -> str:
        """Empty."""
        return ""

    @property
    def phone_no(self) -> str:
        """Empty."""
        return ""


class ValueRows(SentRows[ValueRow]):
    """A table with (at least) sent_id, target_id, and payload, as a request."""

    indeterminate: tuple[int, ...] = ()
    """None: what an earlier request may have delivered is sent again."""
    linked: tuple[int, ...] = ()
    """None: ids are those that Bunce has."""

    def __init__(self, table: pa.Table, key: str) -> None:
        super().__init__(table.select(["sent_id", "target_id", "payload"]), key)

    def _with(self, table: pa.Table) -> Self:
        return type(self)(table, self._key)

    @staticmethod
    def _objects(table: pa.Table) -> list[ValueRow]:
        columns = (table.column(name).to_pylist() for name in ("sent_id", "target_id"))
        return list(map(ValueRow, *columns))


def _as_sent(table: pa.Table) -> pa.Table:
    bunce_ids = table.column("bunce_id")
    if bunce_ids.null_count == len(bunce_ids):
        return table
    return table.set_column(0, "customer_id", pc.coalesce(bunce_ids, table.column("customer_id")))


def _devices(shown: Any) -> list[Any]:
    if not isinstance(shown, list):
        return []
    names = ("device_type", "device_token")
    return [{n: d.get(n) for n in names} if isinstance(d, dict) else None for d in shown]
