"""Screenings: what was found, who may read it, and how urgent that makes the case."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import FieldError, invalid
from chassis.outbox import publish
from contracts.cases import ScreeningRecorded
from contracts.codes import NeedsPriority
from contracts.scopes import Scope
from services.cases.casework.access import require_worker
from services.cases.casework.records import (
    event_ids,
    insert_once,
    require_member,
    require_open,
    today_of,
)
from services.cases.casework.screening import rules
from services.cases.casework.screening.schemas import FlagIn, ScreeningIn
from services.cases.models import CaseFile, CaseMember, Flag, Screening


async def record(
    session: Session, caller: Caller, case_id: UUID, screened: ScreeningIn
) -> Screening:
    """Take down a screening; only its urgency is published.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await require_worker(session, caller, case_id)
    require_open(case, "screen")
    member = await require_member(session, members, screened.returnee_id, "/returnee_id")
    _check_flags(caller, screened.vulnerabilities)
    screening, is_new = await insert_once(
        session,
        Screening(
            id=screened.id,
            case_id=case_id,
            returnee_id=member.returnee_id,
            phase=screened.phase,
            screened_on=screened.screened_on,
            needs_priority=screened.needs_priority,
            follow_up=list(screened.follow_up),
            organisation=caller.organisation,
            screened_by=caller.person,
            clock_suspect=screened.screened_on > await today_of(session, case),
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
        for flag in screened.vulnerabilities
    )
    await session.flush()
    await _follow_urgency(session, case, members)
    recorded = ScreeningRecorded(
        **event_ids(case, member),
        screening_id=screening.id,
        phase=screening.phase,
        needs_priority=screening.needs_priority,
    )
    publish(session, recorded)
    audit.record(session, caller, "screen", "case", case_id, {"screening": str(screening.id)})
    await session.flush()
    return screening


def _check_flags(caller: Caller, flags: Sequence[FlagIn]) -> None:
    """Refuse vulnerabilities by who may not read them, and two of a kind.

    Raises:
        Problem: 403, 422.
    """
    if flags:
        caller.require(Scope.RETURNEES_VULNERABILITIES)
    if len({flag.kind for flag in flags}) < len(flags):
        raise invalid(
            FieldError(pointer="/vulnerabilities", code="kind_twice", detail="each kind once")
        )


async def _follow_urgency(session: Session, case: CaseFile, members: Iterable[CaseMember]) -> None:
    """Let the case be as urgent as its members were last found to need."""
    people = [member.returnee_id for member in members if member.left_on is None]
    urgency = rules.priority(case.needs_priority, await _load_last_needs(session, people), people)
    if urgency is not case.needs_priority:
        case.needs_priority = urgency
        case.changed()


async def _load_last_needs(session: Session, people: Iterable[UUID]) -> dict[UUID, NeedsPriority]:
    """Load what each person was last found to need."""
    rows = await session.execute(
        select(Screening.returnee_id, Screening.needs_priority)
        .where(col(Screening.returnee_id).in_(list(people)))
        .order_by(col(Screening.screened_on), col(Screening.created_at))
    )
    return {row.returnee_id: row.needs_priority for row in rows}


async def load_flags(
    session: Session, caller: Caller, screenings: Iterable[Screening]
) -> dict[UUID, list[Flag]]:
    """Load the vulnerabilities found in screenings that the caller may know of; reading them is
    audited.
    """
    flags: dict[UUID, list[Flag]] = {screening.id: [] for screening in screenings}
    if not flags:
        return flags
    statement = (
        select(Flag)
        .where(col(Flag.screening_id).in_(flags))
        .order_by(col(Flag.screening_id), col(Flag.kind))
    )
    if not caller.is_internal:
        readers = col(Flag.readers)
        statement = statement.where((readers == []) | readers.contains([caller.organisation]))
    for flag in await session.scalars(statement):
        flags[flag.screening_id].append(flag)
    people = sorted({str(screening.returnee_id) for screening in screenings if flags[screening.id]})
    for person in people:
        audit.record(session, caller, "read-vulnerabilities", "returnee", person)
    return flags
