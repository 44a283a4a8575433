"""The attributes and segments of Bunce that the tables of a load feed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dlt_bunce.api.targets import create_attribute, list_all
from dlt_bunce.destination.mapping.mapped_rows import SHOWN_HINT, VALUES_HINT
from dlt_bunce.destination.mapping.wanted_targets import Wanted, refuse_written_twice, wanted_of
from dlt_bunce.destination.mapping.whole_reads import refuse_partial
from dlt_bunce.errors import CredentialsError, MappingError, UnavailableError
from dlt_bunce.load.values.slots import with_slots
from dlt_bunce.logs import logger
from dlt_bunce.records.text.value_texts import NULL
from dlt_bunce.records.values.target_matching import (
    Listing,
    fault_of,
    known_type,
    match_targets,
    names_of,
    remembered_targets,
)
from dlt_bunce.records.values.targets import FoundTarget, FoundTargets, Kind, Targets
from dlt_bunce.store.values.targets import earlier_targets

if TYPE_CHECKING:
    from dlt.common.destination.typing import PreparedTableSchema

    from dlt_bunce.api.client import Session
    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.destination.settings.configuration import BunceConfiguration


_TO_COME = ""
"""The id of an attribute that is about to be created."""


def find_targets(client: BunceClient, tables: Sequence[Wanted]) -> list[FoundTargets]:
    """Return what Bunce has for the columns of each table, whose types are not known; create
    nothing.

    Raises CredentialsError or UnavailableError.
    """
    config, create = client.config, client.config.create_attributes
    kinds = dict.fromkeys(kind for wanted in tables for kind in wanted.by_kind)
    with closing(client.session()) as session:
        listing = _listed(session, kinds)
    return [_matched(config, listing, {"columns": {}}, each, create=create) for each in tables]


def resolve_targets(client: BunceClient, tables: Sequence[PreparedTableSchema]) -> None:
    """Find the attributes and segments of tables in Bunce, and keep them for the tables' jobs.

    Raises MappingError for those that Bunce does not have, or that a column does not fit. A dry run
    creates and stores nothing.
    """
    context = client.context
    for table in tables:
        context.found_targets.pop(_key(client, table), None)
        context.targets.pop(_key(client, table), None)
    feeding = [(table, wanted) for table in tables if (wanted := wanted_for(client, table))]
    refuse_written_twice(feeding)
    if not context.is_flushing(client.owner.name):
        refuse_partial(client.schema, [table for table, wanted in feeding if wanted.whole])
    if client.config.dry_run:
        for table, _ in feeding:
            found = found_for(client, table)
            fault = found and fault_of(found)
            if fault and not context.reports_faults:
                raise fault
        return
    with context.finding_targets:
        for (table, _), targets in zip(feeding, _in_force(client, feeding), strict=True):
            context.targets[_key(client, table)] = targets


def targets_for(client: BunceClient, table: PreparedTableSchema) -> Targets | None:
    """Return the attributes and segments that a table feeds, if any.

    They are found once: dlt does not verify a package again that it goes on with.
    """
    key, known = _key(client, table), client.context.targets
    with client.context.finding_targets:
        if key not in known:
            wanted = wanted_for(client, table)
            known[key] = _in_force(client, [(table, wanted)])[0] if wanted else None
        return known[key]


def found_for(client: BunceClient, table: PreparedTableSchema) -> FoundTargets | None:
    """Return what Bunce has for the columns of a table, if any; create nothing.

    If there is no key, or Bunce cannot be asked, they are as the last load found them.
    """
    key, known = _key(client, table), client.context.found_targets
    with client.context.finding_targets:
        if key not in known:
            wanted = wanted_for(client, table)
            known[key] = _compared(client, table, wanted) if wanted else None
        return known[key]


def _key(client: BunceClient, table: PreparedTableSchema) -> tuple[str, str]:
    return client.pipeline_name, table["name"] or ""


def wanted_for(client: BunceClient, table: PreparedTableSchema) -> Wanted | None:
    """Return what a table feeds, if anything. Raises MappingError."""
    if all(column.startswith("_dlt_") for column in table["columns"]):
        return None
    mapping = client.mapping(table)
    mapped = {*mapping.source_columns, *([mapping.version] if mapping.version else [])}
    wanted = wanted_of(table, client.hint(table), client.config, mapped)
    if not wanted and mapping.values_only:
        raise MappingError(
            f"Table {table['name']!r} holds values alone, but none of its columns feeds an "
            "attribute or a segment.",
            columns=[name for name in table["columns"] if not name.startswith("_dlt_")],
            remedy='For example: attributes={"balance": "Balance"} in bunce_adapter, or '
            "--attribute balance=Balance on the command line.",
        )
    return wanted


def _in_force(
    client: BunceClient, feeding: Sequence[tuple[PreparedTableSchema, Wanted]]
) -> list[Targets]:
    """Return the targets of each table as Bunce lists them; create attributes where that is
    configured, once no table is at fault.
    """
    config = client.config
    to_come: list[Mapping[str, Any]] = []
    tables = []
    with closing(client.session()) as session:
        for table, wanted in feeding:
            create = config.create_attributes
            found = _in_bunce(config, session, table, wanted, create=create, to_come=to_come)
            if (fault := fault_of(found)) is not None:
                raise fault
            tables.append(found.items)
            to_come += [
                {"id": _TO_COME, "name": item.name, "data_type": item.data_type}
                for item in found.items
                if item.state == "to_create"
            ]
        made: dict[str, FoundTarget] = {}
        tables = [tuple(_created(session, item, made) for item in items) for items in tables]
        _count(client, session)
    with client.database() as db:
        return [
            with_slots(db, config.account, items, config.timezone, wanted.hinted)
            for (_, wanted), items in zip(feeding, tables, strict=True)
        ]


def targets_to_replay(
    client: BunceClient, table_name: str, wanted: Wanted, recorded: Collection[Kind]
) -> Targets:
    """Return the targets as Bunce lists them, without those of the `recorded` kinds that are at
    fault: what an earlier run had may be gone. Nothing is created, since types of columns are no
    longer known. Raises MappingError for the other kinds.
    """
    with closing(client.session()) as session:
        found = _in_bunce(client.config, session, {"columns": {}}, wanted, create=False)
        _count(client, session)
    for item in found.items:
        if item.fault is not None and item.kind in recorded:
            told = {"table": table_name, "column": item.column, "reason": item.fault}
            logger().warning("values.left_out", **told)
    kept = [item for item in found.items if item.fault is None or item.kind not in recorded]
    found = replace(found, items=tuple(kept))
    if (fault := fault_of(found, may_create=False)) is not None:
        raise fault
    with client.database() as db:
        account = client.config.account
        return with_slots(db, account, found.items, found.timezone, wanted.hinted)


def _count(client: BunceClient, session: Session) -> None:
    """Keep the session's requests for the first job of the run to count."""
    sent = client.context.preflights.setdefault(client.pipeline_name, [])
    sent.append(session.take_traffic())


def _compared(client: BunceClient, table: PreparedTableSchema, wanted: Wanted) -> FoundTargets:
    """Return the targets without creating or keeping any."""
    config = client.config
    why = "no API key is set"
    if config.credentials.api_key:
        try:
            with closing(client.session()) as session:
                create = config.create_attributes
                found = _in_bunce(config, session, table, wanted, create=create)
                others = client.context.found_targets
                mine = [other for key, other in others.items() if key[0] == client.pipeline_name]
                # a load creates what several tables feed once
                to_create = _to_create([found]) - _to_create(filter(None, mine))
                requests = session.take_traffic().requests
                return replace(found, requests=requests + len(to_create))
        except (CredentialsError, UnavailableError) as error:
            why = error.message.rstrip(".")
    earlier: dict[tuple[str, str], tuple[str, str]] = {}
    if client.database().exists():
        with client.database() as db:
            earlier = earlier_targets(db, config.account)
    items = tuple(remembered_targets(wanted.by_kind, earlier, _types(table)))
    return FoundTargets(items, {}, config.timezone, why, requests=len(wanted.by_kind))


def _to_create(tables: Iterable[FoundTargets]) -> set[str]:
    """Return the names of attributes that are to be created."""
    return {item.name for found in tables for item in found.items if item.state == "to_create"}


def _in_bunce(
    config: BunceConfiguration,
    session: Session,
    table: PreparedTableSchema,
    wanted: Wanted,
    *,
    create: bool,
    to_come: Sequence[Mapping[str, Any]] = (),
) -> FoundTargets:
    """Return what Bunce has; `to_come` are attributes that are about to be created."""
    listing = _listed(session, wanted.by_kind)
    return _matched(config, listing, table, wanted, create=create, to_come=to_come)


def _listed(session: Session, kinds: Iterable[Kind]) -> Listing:
    return {kind: list_all(session.get, f"/{kind}") for kind in kinds}


def _matched(
    config: BunceConfiguration,
    listing: Listing,
    table: PreparedTableSchema,
    wanted: Wanted,
    *,
    create: bool,
    to_come: Sequence[Mapping[str, Any]] = (),
) -> FoundTargets:
    there = {
        kind: [*items, *(to_come if kind == "attributes" else ())]
        for kind, items in listing.items()
    }
    types, section = _types(table), wanted.section
    found = match_targets(wanted.by_kind, there, types, create=create, section=section)
    available = {kind: names_of(there) for kind, there in listing.items()}
    return FoundTargets(tuple(found), available, config.timezone, section=section)


def _created(session: Session, item: FoundTarget, made: dict[str, FoundTarget]) -> FoundTarget:
    """Return the target, created if that is to be done and no other table has had it `made`."""
    if item.state == "to_create":
        reply = create_attribute(session, item.name, item.data_type)
        logger().info("attribute.created", name=item.name, data_type=item.data_type)
        data_type = known_type(reply.get("data_type")) or item.data_type
        made[item.name] = replace(item, state="exists", id=str(reply["id"]), data_type=data_type)
        return made[item.name]
    if item.id == _TO_COME:
        return replace(item, id=made[item.name].id, data_type=made[item.name].data_type)
    return item


def _types(table: PreparedTableSchema) -> dict[str, str]:
    """Return the types of the table's columns; of those that rows in dicts have as text, the types
    of their values. Those without any value are NULL.
    """
    columns: Any = table["columns"]
    shown: Any = table.get(SHOWN_HINT) or {}
    types = dict.fromkeys(shown.get("columns", ()), NULL)
    types |= {name: own["data_type"] for name, own in columns.items() if own.get("data_type")}
    values: Any = table.get(VALUES_HINT) or {}
    return types | {n: kind for n, kind in values.items() if types.get(n) == "text"}
