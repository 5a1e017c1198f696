"""Who may know of a returnee and who works with them; returnees loaded and locked for them.

A person may have several ids, one for each record that was merged into theirs. They are found by
any of them, and whoever takes part under one of them takes part in their return.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy import select as sql_select
from sqlmodel import col, or_, select

from chassis.auth import Caller
from chassis.db import Session, lock_in_order
from chassis.errors import FORBIDDEN, Problem, or_404
from contracts.codes import CaseState
from participation import aliases
from participation.access import Role, holds, roles_of, visible
from services.cases.models import CaseFile, CaseMember, Returnee

ONLY_WORKERS = "the implementing organisation and the programme office decide on returnees"


async def load_returnee(session: Session, caller: Caller, returnee_id: UUID) -> Returnee:
    """Load a returnee whom the caller may know of, by any of their ids.

    Raises:
        Problem: 404.
    """
    return await _load(session, caller, returnee_id, lock=False)


async def lock_returnee(session: Session, caller: Caller, returnee_id: UUID) -> Returnee:
    """Lock a returnee whom the caller may know of, by any of their ids.

    Raises:
        Problem: 404.
    """
    return await _load(session, caller, returnee_id, lock=True)


async def _load(session: Session, caller: Caller, returnee_id: UUID, *, lock: bool) -> Returnee:
    ids = await aliases.same_person(session, returnee_id)
    or_404(await load_visible_ids(session, caller, ids) or None)
    root = await aliases.resolve(session, returnee_id)
    statement = select(Returnee).where(Returnee.id == root, col(Returnee.erased_at).is_(None))
    if lock:
        statement = statement.with_for_update(of=Returnee)
    returnee: Returnee | None = await session.scalar(statement)
    return or_404(returnee)


async def require_worker_with(
    session: Session, caller: Caller, returnee_id: UUID, refusal: str = ONLY_WORKERS
) -> tuple[Returnee, list[UUID]]:
    """Lock a returnee to decide something about them, with all their ids.

    Args:
        session: The session.
        caller: Must implement their present return, or be their programme office.
        returnee_id: Any of their ids.
        refusal: What the 403 says.

    Raises:
        Problem: 404; 403 if the caller only referred them, was told of them or implemented an
            earlier return.
    """
    returnee = await lock_returnee(session, caller, returnee_id)
    ids = await aliases.same_person(session, returnee.id)
    if not await works_with(session, caller, ids):
        raise Problem(FORBIDDEN, refusal)
    return returnee, ids


async def load_visible_ids(session: Session, caller: Caller, ids: Iterable[UUID]) -> list[UUID]:
    """Those of some ids under which the caller takes part in a person's return, in their order."""
    return list(
        await session.scalars(
            select(Returnee.id)
            .where(
                col(Returnee.id).in_(list(ids)),
                col(Returnee.erased_at).is_(None),
                visible(col(Returnee.id), caller),
            )
            .order_by(col(Returnee.id))
        )
    )


async def load_roles(session: Session, caller: Caller, ids: Iterable[UUID]) -> frozenset[Role]:
    """In what capacities the caller takes part in a person's return, under any of their ids."""
    roles: frozenset[Role] = frozenset()
    for returnee_id in ids:
        roles |= await roles_of(session, returnee_id, caller)
    return roles


async def works_with(session: Session, caller: Caller, ids: Sequence[UUID]) -> bool:
    """Whether the caller is a programme office of a person, or implements their present return.

    That is a case of theirs that is open, the last one where none is. Who implemented an earlier
    one still knows of them, and decides nothing any more.
    """
    roles = await load_roles(session, caller, ids)
    if Role.PARTNER not in roles:
        return Role.PROGRAMME in roles
    rows = await session.execute(
        sql_select(col(CaseFile.implementer), col(CaseFile.state), col(CaseMember.left_on))
        .join(CaseMember, col(CaseMember.case_id) == CaseFile.id)
        .where(col(CaseMember.returnee_id).in_(ids))
        .order_by(col(CaseFile.id).desc())
    )
    cases = [
        (row.implementer, row.state is not CaseState.CLOSED and row.left_on is None) for row in rows
    ]
    present = {who for who, is_open in cases if is_open} or {who for who, _ in cases[:1]}
    return Role.PROGRAMME in roles or not present or caller.organisation in present


def is_worked_with(caller: Caller, returnee_id: Any) -> ColumnElement[bool]:
    """The same as `works_with`, in SQL and of the one id in a column."""
    present = (
        select(CaseFile.implementer)
        .join(CaseMember, col(CaseMember.case_id) == CaseFile.id)
        .where(CaseMember.returnee_id == returnee_id)
        .order_by(
            or_(CaseFile.state == CaseState.CLOSED, col(CaseMember.left_on).is_not(None)),
            col(CaseFile.id).desc(),
        )
        .limit(1)
        .scalar_subquery()
    )
    implements = func.coalesce(present, caller.organisation) == caller.organisation
    partner = holds(returnee_id, {Role.PARTNER}, caller) & implements
    return holds(returnee_id, {Role.PROGRAMME}, caller) | partner


async def has_open_case(session: Session, returnee_id: UUID) -> bool:
    """Whether the person is, under any of their ids, in a case that is not closed, and has not left
    it for good.
    """
    ids = await aliases.same_person(session, returnee_id)
    open_case = exists().where(
        col(CaseMember.returnee_id).in_(ids),
        col(CaseMember.left_on).is_(None),
        col(CaseFile.id) == CaseMember.case_id,
        col(CaseFile.state) != CaseState.CLOSED,
    )
    return bool(await session.scalar(select(open_case)))


async def lock_returnees(session: Session, ids: Iterable[UUID]) -> dict[UUID, Returnee]:
    """Lock the records of people, whoever asks, in the order of their ids; an id of nobody, or of
    somebody who was erased, is left out.
    """
    rows = await lock_in_order(
        session,
        lambda returnee_id: (
            select(Returnee)
            .where(Returnee.id == returnee_id, col(Returnee.erased_at).is_(None))
            .with_for_update()
        ),
        list(ids),
    )
    return {row.id: row for row in rows}
