"""All that a service holds about a person, for them: every row that names them, and what belongs to
such a row.

It follows from the tables, so that a new table is in it by itself. What is encrypted is shown where
the service says how to read it; what must not be shown is named, never silently missing.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, LargeBinary, MetaData, RowMapping, Table, select, tuple_

from chassis import audit
from chassis.crypto import Keyring
from chassis.db import Session
from chassis.routing import CallerDep, Router, SessionDep, requires
from participation import aliases
from participation.access import participation
from participation.beneficiaries import beneficiary, identity_copy

PATH = "/v1/holdings"
COMMON = {table.name: table for table in (beneficiary, identity_copy, participation)}
COMMON_COLUMNS = {"participation": "subject_id"}
COMMON_SEALED = {"identity_copy.sealed": ("identity", "returnee_id")}

Further = tuple[Mapping[str, list[dict[str, Any]]], Collection[str]]
"""Rows by table, in the place of what was found there otherwise, and the names of what is not shown
of them.
"""
More = Callable[[Session, list[UUID]], Awaitable[Further]]


async def _nothing_more(_: Session, __: list[UUID]) -> Further:
    return {}, ()


@dataclass(frozen=True)
class Holdings:
    """What a service's tables do not say by themselves.

    Attributes:
        columns: By table, the column that names a person where it is not `returnee_id`.
        sealed: Encrypted columns (`<table>.<column>`) of JSON that are about the person, and where
            they were encrypted for: a word, and the column whose value follows it.
        withheld: Tables and columns that are not shown: they speak of somebody else, or are only
            made from others.
        more: What is about a person although no column says so.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    sealed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    withheld: frozenset[str] = frozenset()
    more: More = _nothing_more


class HoldingsOut(BaseModel):
    """All that a service holds about a person."""

    service: str
    returnee_ids: list[UUID] = Field(description="Every id of theirs.")
    tables: dict[str, list[dict[str, Any]]] = Field(
        description="Every row about them, by what it is."
    )
    withheld: list[str] = Field(description="What there is beside that, and is not shown.")


async def held(
    session: Session, metadata: MetaData, what: Holdings, ids: list[UUID], keyring: Keyring
) -> HoldingsOut:
    """Read everything about a person.

    Args:
        session: The session.
        metadata: The service's tables.
        what: What they do not say themselves.
        ids: Every id of the person.
        keyring: For what is encrypted.
    """
    columns = COMMON_COLUMNS | dict(what.columns)
    sealed = COMMON_SEALED | dict(what.sealed)
    tables = {table.name: table for table in metadata.sorted_tables} | COMMON
    found: dict[str, Sequence[RowMapping]] = {}
    withheld: set[str] = set()
    for name, table in tables.items():
        column = table.c.get(columns.get(name, "returnee_id"))
        condition = column.in_(ids) if column is not None else _belongs(table, found)
        if condition is None:
            continue
        rows = (await session.execute(select(table).where(condition))).mappings().all()
        if rows and name in what.withheld:
            withheld.add(name)
        elif rows:
            found[name] = rows
    shown: dict[str, list[dict[str, Any]]] = {}
    for name, rows in found.items():
        hidden = {
            column.name
            for column in tables[name].c
            if f"{name}.{column.name}" in what.withheld
            or (isinstance(column.type, LargeBinary) and f"{name}.{column.name}" not in sealed)
        }
        withheld |= {
            f"{name}.{column}" for column in hidden if any(row[column] is not None for row in rows)
        }
        opened = {
            key.partition(".")[2]: place
            for key, place in sealed.items()
            if key.startswith(f"{name}.")
        }
        shown[name] = [
            {
                column: _opened(row, column, opened[column], keyring) if column in opened else value
                for column, value in row.items()
                if column not in hidden
            }
            for row in rows
        ]
    further, hidden_of_it = await what.more(session, ids)
    withheld |= set(hidden_of_it)
    more = {name: rows for name, rows in further.items() if rows}
    return HoldingsOut(
        service="",
        returnee_ids=ids,
        tables=jsonable_encoder(shown | more),
        withheld=sorted(withheld),
    )


def _opened(row: RowMapping, column: str, place: tuple[str, str], keyring: Keyring) -> Any:
    word, key = place
    return (
        None
        if row[column] is None
        else json.loads(keyring.decrypt(row[column], f"{word}/{row[key]}"))
    )


def _belongs(table: Table, found: Mapping[str, Sequence[RowMapping]]) -> ColumnElement[bool] | None:
    """The condition by which rows belong to rows that are about the person; None where they belong
    to none.

    The tables come sorted: what a row may belong to was looked at before.
    """
    for constraint in sorted(
        table.foreign_key_constraints, key=lambda each: each.referred_table.name
    ):
        above = found.get(constraint.referred_table.name, ())
        if above and constraint.referred_table is not table:
            keys = [
                tuple(row[element.column.name] for element in constraint.elements) for row in above
            ]
            return tuple_(*(element.parent for element in constraint.elements)).in_(keys)
    return None


def holdings_router(service: str, metadata: MetaData, what: Holdings) -> Router:
    """The route by which the gateway collects what is held; needs the internal scope."""
    router = Router(tags=["rights"])

    @router.get(PATH + "/{returnee_id}", summary="Read all that this service holds about a person")
    @requires("internal")
    async def read_holdings(
        returnee_id: UUID,
        session: SessionDep,
        caller: CallerDep,
        request: Request,
        wanted_by: Annotated[
            str | None,
            Query(
                alias="for",
                max_length=64,
                description="The organisation that hands it to the person.",
            ),
        ] = None,
    ) -> HoldingsOut:
        ids = await aliases.same_person(session, returnee_id)
        keyring = request.app.state.homeward.keyring
        answer = await held(session, metadata, what, ids, keyring)
        audit.record(
            session,
            caller,
            "export",
            "returnee",
            returnee_id,
            {"for": wanted_by} if wanted_by else None,
        )
        return answer.model_copy(update={"service": service})

    return router
