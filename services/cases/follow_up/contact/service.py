"""Counselling, and trying to reach people: either ends the wait for the first contact."""

from uuid import UUID

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.outbox import publish
from contracts.cases import ContactAttempted, SessionHeld
from contracts.codes import DeadlineKind
from services.cases.casework.access import require_worker
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.records import (
    event_ids,
    insert_once,
    is_ahead,
    require_member,
    require_open,
)
from services.cases.codes import Outcome
from services.cases.follow_up.contact.schemas import AttemptIn, SessionIn
from services.cases.models import CaseFile, ContactAttempt, CounsellingSession
from services.cases.states.casework import DeadlineState


async def end_wait_for_contact(session: Session, case: CaseFile) -> None:
    """Meet the deadline of the first contact: somebody of the case was reached."""
    await deadlines.settle(
        session, DeadlineState.MET, case_id=case.id, kinds=[DeadlineKind.FIRST_CONTACT]
    )


async def hold_session(
    session: Session, caller: Caller, case_id: UUID, counselled: SessionIn
) -> CounsellingSession:
    """Take down a counselling session.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await require_worker(session, caller, case_id)
    require_open(case, "hold a session")
    present = [
        await require_member(session, members, person, f"/attended/{index}")
        for index, person in enumerate(counselled.attended)
    ]
    attended = sorted({member.returnee_id for member in present})
    row, is_new = await insert_once(
        session,
        CounsellingSession(
            id=counselled.id,
            case_id=case_id,
            phase=counselled.phase,
            method=counselled.method,
            topics=list(counselled.topics),
            language=counselled.language,
            interpreter=counselled.interpreter,
            attended=attended,
            notes=counselled.notes or None,
            organisation=caller.organisation,
            held_by=caller.person,
            occurred_at=counselled.occurred_at,
            clock_suspect=await is_ahead(session, counselled.occurred_at),
        ),
    )
    if not is_new:
        return row
    for member in {member.returnee_id: member for member in present}.values():
        held = SessionHeld(
            **event_ids(case, member), session_id=row.id, phase=row.phase, method=row.method
        )
        publish(session, held, occurred_at=row.occurred_at)
    await end_wait_for_contact(session, case)
    audit.record(session, caller, "hold-session", "case", case_id, {"session": str(row.id)})
    return row


async def attempt_contact(
    session: Session, caller: Caller, case_id: UUID, attempt: AttemptIn
) -> ContactAttempt:
    """Take down an attempt to reach somebody.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await require_worker(session, caller, case_id)
    require_open(case, "note a contact attempt")
    member = await require_member(session, members, attempt.returnee_id, "/returnee_id")
    row, is_new = await insert_once(
        session,
        ContactAttempt(
            id=attempt.id,
            case_id=case_id,
            returnee_id=member.returnee_id,
            method=attempt.method,
            outcome=attempt.outcome,
            notes=attempt.notes or None,
            organisation=caller.organisation,
            tried_by=caller.person,
            occurred_at=attempt.occurred_at,
            clock_suspect=await is_ahead(session, attempt.occurred_at),
        ),
    )
    if not is_new:
        return row
    was_reached = row.outcome is Outcome.REACHED
    attempted = ContactAttempted(**event_ids(case, member), method=row.method, reached=was_reached)
    publish(session, attempted, occurred_at=row.occurred_at)
    if was_reached:
        await end_wait_for_contact(session, case)
    audit.record(session, caller, "attempt-contact", "case", case_id, {"attempt": str(row.id)})
    return row
