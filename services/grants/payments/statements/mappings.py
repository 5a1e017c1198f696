"""How an organisation reads the tables of its banks: saved once, used for every file."""

from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select, true

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import CONFLICT, Problem
from chassis.loading import load_or_404
from services.grants.models import StatementMapping
from services.grants.payments.statements.schemas import MappingIn, MappingOut

RESOURCE = "statement-mapping"
NAME_TAKEN = "the organisation has a mapping of this name"


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Mappings of the caller's organisation."""
    if caller.is_internal:
        return true()
    return col(StatementMapping.organisation) == caller.organisation


async def load_mapping(
    session: Session, caller: Caller, mapping_id: UUID, *, lock: bool = False
) -> StatementMapping:
    """A mapping of the caller's organisation.

    Raises:
        Problem: 404.
    """
    query = select(StatementMapping).where(
        col(StatementMapping.id) == mapping_id, visible_to(caller)
    )
    return await load_or_404(session, query.with_for_update() if lock else query)


async def find_mapping(
    session: Session, caller: Caller, mapping_id: UUID
) -> StatementMapping | None:
    """A mapping of the caller's organisation, if there is one of that id."""
    query = select(StatementMapping).where(
        col(StatementMapping.id) == mapping_id, visible_to(caller)
    )
    return await session.scalar(query)


async def save(session: Session, caller: Caller, body: MappingIn) -> StatementMapping:
    """Keep a mapping.

    Raises:
        Problem: 409, there is one of this name.
    """
    row = StatementMapping(
        organisation=caller.organisation, name=body.name, mapping=body.model_dump(mode="json")
    )
    session.add(row)
    try:
        await session.flush()
    except IntegrityError:
        raise Problem(CONFLICT, NAME_TAKEN) from None
    audit.record(session, caller, "save", RESOURCE, row.id)
    return row


async def replace(
    session: Session,
    caller: Caller,
    mapping_id: UUID,
    precondition: Precondition,
    body: MappingIn,
) -> StatementMapping:
    """Keep another mapping in the place of one.

    Raises:
        Problem: 404, 409, 412, 428.
    """
    row = await load_mapping(session, caller, mapping_id, lock=True)
    precondition.check(row.version)
    row.name, row.mapping = body.name, body.model_dump(mode="json")
    row.changed()
    try:
        await session.flush()
    except IntegrityError:
        raise Problem(CONFLICT, NAME_TAKEN) from None
    audit.record(session, caller, "save", RESOURCE, row.id)
    return row


def read_body(row: StatementMapping) -> MappingIn:
    """A saved mapping as it was sent."""
    return MappingIn.model_validate(row.mapping)


def render_mapping(row: StatementMapping) -> MappingOut:
    """A mapping as it is answered."""
    kept = {"id": row.id, "created_at": row.created_at, "updated_at": row.updated_at}
    return MappingOut.model_validate(row.mapping | kept)
