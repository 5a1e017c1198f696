"""Counselling, and trying to reach people: either ends the wait for the first contact."""

from uuid import UUID

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.outbox import publish
from contracts.cases import ContactAttempted, SessionHeld
from contracts.codes import DeadlineKind
from services.cases.casework.cases import service as cases
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.deadlines.schemas import DeadlineState
from services.cases.follow_up.contact.schemas import AttemptIn, Outcome, SessionIn
from services.cases.models import CaseFile, ContactAttempt, CounsellingSession


async def reached(session: Session, case: CaseFile) -> None:
    """Somebody of a case was reached: there is no first contact to wait for any more."""
    await deadlines.settle(
        session, DeadlineState.MET, case_id=case.id, kinds=[DeadlineKind.FIRST_CONTACT]
    )


async def hold(
    session: Session, case_id: UUID, body: SessionIn, caller: Caller
) -> CounsellingSession:
    """Take down a counselling session.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await cases.to_work_on(session, case_id, caller)
    cases.check_open(case, "hold a session")
    present = [
        await cases.load_member(session, members, person, f"/attended/{place}")
        for place, person in enumerate(body.attended)
    ]
    attended = sorted({member.returnee_id for member in present})
    held, is_new = await cases.take_down(
        session,
        CounsellingSession(
            id=body.id,
            case_id=case_id,
            phase=body.phase,
            method=body.method,
            topics=list(body.topics),
            language=body.language,
            interpreter=body.interpreter,
            attended=attended,
            notes=body.notes or None,
            organisation=caller.organisation,
            held_by=caller.person,
            occurred_at=body.occurred_at,
            clock_suspect=await cases.is_ahead(session, body.occurred_at),
        ),
    )
    if not is_new:
        return held
    for member in {member.returnee_id: member for member in present}.values():
        fact = SessionHeld(
            **cases.ids_of(case, member), session_id=held.id, phase=body.phase, method=body.method
        )
        publish(session, fact, occurred_at=body.occurred_at)
    await reached(session, case)
    audit.record(session, caller, "hold-session", "case", case_id, {"session": str(held.id)})
    return held


async def attempt(
    session: Session, case_id: UUID, body: AttemptIn, caller: Caller
) -> ContactAttempt:
    """Take down an attempt to reach somebody.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await cases.to_work_on(session, case_id, caller)
    cases.check_open(case, "note a contact attempt")
    member = await cases.load_member(session, members, body.returnee_id, "/returnee_id")
    row, is_new = await cases.take_down(
        session,
        ContactAttempt(
            id=body.id,
            case_id=case_id,
            returnee_id=member.returnee_id,
            method=body.method,
            outcome=body.outcome,
            notes=body.notes or None,
            organisation=caller.organisation,
            tried_by=caller.person,
            occurred_at=body.occurred_at,
            clock_suspect=await cases.is_ahead(session, body.occurred_at),
        ),
    )
    if not is_new:
        return row
    was_reached = body.outcome is Outcome.REACHED
    fact = ContactAttempted(**cases.ids_of(case, member), method=body.method, reached=was_reached)
    publish(session, fact, occurred_at=body.occurred_at)
    if was_reached:
        await reached(session, case)
    audit.record(session, caller, "attempt-contact", "case", case_id, {"attempt": str(row.id)})
    return row
