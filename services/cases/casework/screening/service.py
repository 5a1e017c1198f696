"""Screenings: what was found, who may read it, and how urgent that makes the case."""

from collections.abc import Iterable
from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import FieldError, invalid
from chassis.outbox import publish
from contracts.cases import ScreeningRecorded
from contracts.scopes import Scope
from services.cases.casework.cases import service as cases
from services.cases.casework.screening import rules
from services.cases.casework.screening.schemas import ScreeningIn
from services.cases.models import Flag, Screening


async def record(session: Session, case_id: UUID, body: ScreeningIn, caller: Caller) -> Screening:
    """Take down a screening; only its urgency is told.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await cases.to_work_on(session, case_id, caller)
    cases.check_open(case, "screen")
    member = await cases.load_member(session, members, body.returnee_id, "/returnee_id")
    kinds = [flag.kind for flag in body.vulnerabilities]
    if kinds:
        caller.require(Scope.RETURNEES_VULNERABILITIES)
    if len(set(kinds)) < len(kinds):
        raise invalid(
            FieldError(pointer="/vulnerabilities", code="kind_twice", detail="each kind once")
        )
    screening, is_new = await cases.take_down(
        session,
        Screening(
            id=body.id,
            case_id=case_id,
            returnee_id=member.returnee_id,
            phase=body.phase,
            screened_on=body.screened_on,
            needs_priority=body.needs_priority,
            follow_up=list(body.follow_up),
            organisation=caller.organisation,
            screened_by=caller.person,
            clock_suspect=body.screened_on > await cases.today_of(session, case),
        ),
    )
    if not is_new:
        return screening
    session.add_all(
        Flag(
            screening_id=screening.id,
            returnee_id=member.returnee_id,
            kind=flag.kind,
            status=flag.status,
            source=flag.source,
            reason=flag.reason,
            readers=rules.readers_of(flag.kind, flag.readers, caller.organisation),
        )
        for flag in body.vulnerabilities
    )
    await session.flush()
    people = [each.returnee_id for each in members if each.left_on is None]
    urgency = rules.priority(case.needs_priority, await _last(session, people), people)
    if urgency != case.needs_priority:
        case.needs_priority = urgency
        case.changed()
    fact = ScreeningRecorded(
        **cases.ids_of(case, member),
        screening_id=screening.id,
        phase=body.phase,
        needs_priority=body.needs_priority,
    )
    publish(session, fact)
    audit.record(session, caller, "screen", "case", case_id, {"screening": str(screening.id)})
    await session.flush()
    return screening


async def _last(session: Session, people: Iterable[UUID]) -> dict[UUID, str]:
    """What each person was last found to need."""
    rows = await session.execute(
        select(Screening.returnee_id, Screening.needs_priority)
        .where(col(Screening.returnee_id).in_(list(people)))
        .order_by(col(Screening.screened_on), col(Screening.created_at))
    )
    return {row.returnee_id: row.needs_priority for row in rows}


async def flags_of(
    session: Session, screenings: Iterable[Screening], caller: Caller
) -> dict[UUID, list[Flag]]:
    """The vulnerabilities found in screenings that the caller may know of; reading them is audited."""
    found: dict[UUID, list[Flag]] = {screening.id: [] for screening in screenings}
    if not found:
        return found
    statement = (
        select(Flag)
        .where(col(Flag.screening_id).in_(found))
        .order_by(col(Flag.screening_id), Flag.kind)
    )
    if not caller.is_internal:
        statement = statement.where(
            (col(Flag.readers) == []) | col(Flag.readers).contains([caller.organisation])
        )
    for flag in await session.scalars(statement):
        found[flag.screening_id].append(flag)
    people = sorted({str(screening.returnee_id) for screening in screenings if found[screening.id]})
    for person in people:
        audit.record(session, caller, "read-vulnerabilities", "returnee", person)
    return found
