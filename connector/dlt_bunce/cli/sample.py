"""Sample customers as a CRM would export them, with the usual defects."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("email", pa.string()),
        ("first_name", pa.string()),
        ("last_name", pa.string()),
        ("mobile", pa.string()),
        (
            "devices",
            pa.list_(pa.struct([("device_type", pa.string()), ("device_token", pa.string())])),
        ),
        ("updated_at", pa.timestamp("us", "UTC")),
    ]
)
_START = datetime(2026, 1, 1, tzinfo=timezone.utc)
_FIRST_ID = 100_001

Row = dict[str, Any]
_Defect = Callable[[Row, random.Random, list[Row]], None]


@dataclass(frozen=True)
class _Country:
    prefix: str
    digits: int
    first_names: str
    last_names: str


_COUNTRIES = (
    _Country(
        "+23480", 8, "Adaeze Chidi Ngozi Tunde Yetunde Ọlá", "Okafor Adéyẹmí Balogun Eze Musa"
    ),
    _Country("+23324", 7, "Kwame Akosua Yaw Efua Kofi", "Mensah Owusu Boateng Asante Darko"),
    _Country("+25471", 7, "Wanjiru Otieno Achieng Kamau", "Mwangi Odhiambo Njoroge Kiplagat"),
    _Country("+55119", 8, "João Conceição Thiago Luíza Antônio", "Silva Gonçalves Araújo Simões"),
    _Country("+336", 8, "Chloé François Zoé Éloïse Jérôme", "Lefèvre Béranger Dupré Noël"),
    _Country("+4915", 9, "Jürgen Käthe Sören Anneliese", "Müller Größ Schröder Weiß"),
    _Country("+9198", 8, "Aarav Priya Ishaan Lakshmi", "Iyer Chatterjee Singh D'Souza"),
    _Country("+8190", 8, "Haruto Sakura Ren Yui", "Satō Suzuki Kobayashi Itō"),
)
_HOSTS = ("example.com", "example.org", "example.net", "mail.example.com")


def sample(
    rows: int, *, seed: int = 7, defect_share: float = 0.03
) -> tuple[pa.Table, dict[str, int]]:
    """Return `rows` customers (SCHEMA), and how many to expect under each reject code.

    The same arguments return the same table. About `defect_share` of the rows are defective, each
    in one way; every 500th row repeats an earlier customer with newer content.
    """
    chance = random.Random(seed)  # noqa: S311, a sample must be repeatable, not secret
    table: list[Row] = []
    expected: Counter[str] = Counter()
    kinds = sorted(_DEFECTS)
    # the first customers are valid, so that a defect can refer to one
    bad = chance.sample(range(10, rows), max(len(kinds), int(rows * defect_share)))
    defective = {row: kinds[i % len(kinds)] for i, row in enumerate(bad)}
    for number in range(rows):
        row = _customer(number, chance)
        if number in defective:
            code = defective[number]
            _DEFECTS[code](row, chance, table)
            expected[code] += 1
        elif number % 500 == 499 and number - 300 not in defective:
            # a newer version of the customer 300 rows earlier takes the place of its own row
            row = table[number - 300] | {"updated_at": row["updated_at"]}
        table.append(row)
    return pa.Table.from_pylist(table, SCHEMA), dict(expected)


def corrected(table: pa.Table, share: float = 0.5, seed: int = 7) -> tuple[pa.Table, int]:
    """Return the table with about `share` of its defective customers corrected, and their number.

    Rows without an id are not corrected, since their customer is unknown.
    """
    chance = random.Random(seed)  # noqa: S311
    rows: list[Row] = table.to_pylist()
    later = max(row["updated_at"] for row in rows) + timedelta(days=1)
    known = Counter(row["email"] for row in rows)
    first: dict[str | None, int] = {}
    count = 0
    for number, row in enumerate(rows):
        owner = first.setdefault(row["email"], row["id"])
        shared = known[row["email"]] > 1 and owner != row["id"]
        if row["id"] is None or not (shared or _is_bad(row)) or chance.random() >= share:
            continue
        rows[number] = _customer(row["id"] - _FIRST_ID, chance) | {
            "id": row["id"],
            "updated_at": later,
        }
        count += 1
    return pa.Table.from_pylist(rows, SCHEMA), count


def _customer(number: int, chance: random.Random) -> Row:
    country = chance.choice(_COUNTRIES)
    first = chance.choice(country.first_names.split())
    last = chance.choice(country.last_names.split())
    kinds = chance.sample(["ios", "android", "web"], k=chance.choice([0, 0, 1, 1, 2]))
    return {
        "id": _FIRST_ID + number,
        "email": f"{_ascii(first)}.{_ascii(last)}{number}@{chance.choice(_HOSTS)}",
        "first_name": first,
        "last_name": last,
        "mobile": country.prefix + str(chance.randrange(10**country.digits)).zfill(country.digits),
        "devices": [
            {"device_type": kind, "device_token": f"{chance.getrandbits(128):032x}"}
            for kind in kinds
        ],
        "updated_at": _START + timedelta(seconds=number),
    }


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFD", name.lower()).encode("ascii", "ignore").decode()
    return plain.replace("'", "")


def _set(field: str, *values: Any) -> _Defect:
    def spoil(row: Row, chance: random.Random, _earlier: list[Row]) -> None:
        row[field] = chance.choice(values)

    return spoil


def _take_email(row: Row, chance: random.Random, earlier: list[Row]) -> None:
    """Take the email of one of the first customers, which Bunce has by then."""
    row["email"] = chance.choice(earlier[:10])["email"]


_DEFECTS: dict[str, _Defect] = {
    "missing_customer_id": _set("id", None),
    "missing_email": _set("email", None, "", "   "),
    "invalid_email": _set("email", "nobody", "a@@example.com", "a b@example.com", "x@example..com"),
    "missing_first_name": _set("first_name", None, " "),
    "invalid_first_name": _set("first_name", "A" * 300),
    "missing_last_name": _set("last_name", None, "\t"),
    "invalid_last_name": _set("last_name", "Z" * 300),
    "missing_phone_no": _set("mobile", None, ""),
    "invalid_phone_no": _set("mobile", "0803 123 4567", "call me", "+12", "+1234567890123456"),
    "invalid_devices": _set("devices", [{"device_type": "ios", "device_token": None}]),
    "email_taken": _take_email,
}


def _is_bad(row: Row) -> bool:
    mobile = row["mobile"] or ""
    return (
        not (row["email"] or "").strip()
        or row["email"].count("@") != 1
        or " " in row["email"]
        or ".." in row["email"]
        or any(not (row[n] or "").strip() or len(row[n]) > 255 for n in ("first_name", "last_name"))
        or not mobile.startswith("+")
        or not 8 <= len(mobile) <= 16
        or any(device["device_token"] is None for device in row["devices"])
    )
