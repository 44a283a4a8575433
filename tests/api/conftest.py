"""Sessions against the emulator, and rows as a load would hand them over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.api.batch import Row, Rows
from dlt_bunce.api.client import Session
from dlt_bunce.api.rate_limit import TokenBucket
from dlt_bunce.api.retry import RetryPolicy
from dlt_bunce.api.throttle import BatchSize
from dlt_bunce.emulator import Emulator
from dlt_bunce.settlement.settlement import ApiCapabilities, Settlement

KEY = "sk_test_marked"
QUICK = RetryPolicy(attempts=4, base_s=0.001, cap_s=0.002, block_s=0.01)

MakeSession = Callable[..., Session]
Settle = Callable[..., Settlement]


@pytest.fixture
def make_session(emulator: Emulator) -> Iterator[MakeSession]:
    """Makes sessions that do not wait for long, and closes them."""
    made: list[Session] = []

    def make(base_url: str = "", **settings: Any) -> Session:
        settings = {"pace": TokenBucket(0), "retry": QUICK, "timeout_s": 5.0} | settings
        made.append(Session(base_url or emulator.base_url, KEY, **settings))
        return made[-1]

    yield make
    for session in made:
        session.close()


@pytest.fixture
def session(make_session: MakeSession) -> Session:
    return make_session()


def fields(customer_id: str, **changes: str) -> dict[str, str]:
    """A good customer, with changes."""
    return {
        "customer_id": customer_id,
        "email": f"{customer_id}@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "phone_no": "+2348100000000",
    } | changes


def row(customer: dict[str, str], *, indeterminate: bool = False) -> Row:
    """A customer as a settlement takes it."""
    return Row(**customer, devices=None, payload=json.dumps(customer), indeterminate=indeterminate)


_TYPES = {"indeterminate": pa.bool_()}


def batch(rows: list[Row]) -> Rows:
    """Rows as a settlement takes them."""
    return Rows(
        pa.table(
            {
                name: pa.array([getattr(row, name) for row in rows], _TYPES.get(name, pa.string()))
                for name in Row._fields
            }
        )
    )


@pytest.fixture
def settle(session: Session) -> Settle:
    """Makes a settlement of customers, to be run."""

    def make(
        rows: list[Any], capabilities: ApiCapabilities | None = None, **settings: Any
    ) -> Settlement:
        rows = batch([each if isinstance(each, Row) else row(each) for each in rows])
        settings = {"overwrite": False, "api": session} | settings
        return Settlement(
            rows,
            capabilities=capabilities or ApiCapabilities(),
            learner=BatchSize(100, 1_000),
            **settings,
        )

    return make
