"""`/v1/deadlines`."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from fastapi import Request, Response
from pydantic import TypeAdapter
from sqlmodel import col

from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.codes import DeadlineKind, Slug
from contracts.scopes import Scope
from services.cases.casework.access import ids_worked_on
from services.cases.casework.deadlines import decisions, queries, rules
from services.cases.casework.deadlines.schemas import DeadlineOut, ExtendIn, RuleOut, WaiveIn
from services.cases.fields import UserIdFilter
from services.cases.models import CaseFile, Deadline
from services.cases.programmes import zone_of
from services.cases.states.casework import DeadlineState

MOMENT: TypeAdapter[datetime] = TypeAdapter(Since)

MOST_ENTRIES = 1000

router = Router(prefix="/v1/deadlines", tags=["deadlines"])


class CalendarResponse(Response):
    """An iCalendar file."""

    media_type = "text/calendar"


def render_deadline(
    deadline: Deadline, case: CaseFile | None, worked_on: Collection[UUID]
) -> DeadlineOut:
    """Render a deadline. Why it was put off is only for those who work on the case, one of
    `worked_on`.
    """
    return DeadlineOut(
        id=deadline.id,
        kind=deadline.kind,
        state=deadline.state,
        due_at=deadline.due_at,
        programme=deadline.programme,
        referral_id=deadline.referral_id,
        case_id=deadline.case_id,
        visit_id=deadline.visit_id,
        office=case.office if case else None,
        assignee=case.focal_point if case else None,
        rule=RuleOut.model_validate(deadline.rule),
        shifted_days=deadline.shifted_days,
        decision_reason=deadline.decision_reason if deadline.case_id in worked_on else None,
        created_at=deadline.created_at,
        updated_at=deadline.updated_at,
    )


@router.get("")
@requires(Scope.CASES_READ)
async def deadlines(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    office: Slug | None = None,
    assignee: UserIdFilter | None = None,
    due_before: Since | None = None,
    state: DeadlineState | None = None,
    kind: DeadlineKind | None = None,
    case_id: UUID | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[DeadlineOut]:
    """What is due, soonest first; each with the rule it follows from and its source."""
    statement = queries.select_due(caller, office, assignee, due_before)
    for column, value in (
        (Deadline.state, state),
        (Deadline.kind, kind),
        (Deadline.case_id, case_id),
    ):
        if value is not None:
            statement = statement.where(col(column) == value)
    if updated_since is not None:
        statement = statement.where(col(Deadline.updated_at) >= updated_since)
    rows = await page(
        session,
        statement,
        keys=[col(Deadline.due_at), col(Deadline.id)],
        parsers=[MOMENT.validate_python, UUID],
        after=after,
        limit=limit,
    )
    cases = await queries.load_cases_of(session, rows.items)
    worked_on = await ids_worked_on(session, caller, cases)
    link_next(request, response, rows.next)
    return Page(
        items=[render_deadline(row, cases.get(row.case_id), worked_on) for row in rows.items],
        next=rows.next,
    )


@router.get("/{deadline_id}")
@requires(Scope.CASES_READ)
async def deadline(
    deadline_id: UUID, response: Response, session: SessionDep, caller: CallerDep
) -> DeadlineOut:
    """One deadline."""
    row = await queries.load_deadline(session, caller, deadline_id)
    return await answer(session, caller, row, response)


async def answer(
    session: Session, caller: Caller, row: Deadline, response: Response
) -> DeadlineOut:
    """Answer with a deadline and its ETag."""
    cases = await queries.load_cases_of(session, [row])
    case = cases.get(row.case_id) if row.case_id else None
    # The office and the assignee are the case's. Neither version ever counts down.
    set_etag(response, row.version + (case.version if case else 0))
    return render_deadline(row, case, await ids_worked_on(session, caller, cases))


@router.post("/{deadline_id}/extend")
@requires(Scope.CASES_WRITE, person=True, if_match=True)
async def extend(
    deadline_id: UUID,
    body: ExtendIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> DeadlineOut:
    """Give more time, as somebody who is not, and was not, the focal point of the case."""
    row = await decisions.extend(
        session,
        caller,
        deadline_id,
        precondition,
        until=body.until,
        reason=body.reason,
        comment=body.comment,
    )
    return await answer(session, caller, row, response)


@router.post("/{deadline_id}/waive")
@requires(Scope.CASES_WRITE, person=True, if_match=True)
async def waive(
    deadline_id: UUID,
    body: WaiveIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> DeadlineOut:
    """Decide that it need not be kept, as somebody who is not, and was not, the focal point of the
    case.
    """
    row = await decisions.waive(
        session, caller, deadline_id, precondition, reason=body.reason, comment=body.comment
    )
    return await answer(session, caller, row, response)


calendar = Router(tags=["deadlines"])


@calendar.get("/v1/deadlines.ics", response_class=CalendarResponse)
@requires(Scope.CASES_READ)
async def ics(
    session: SessionDep,
    caller: CallerDep,
    office: Slug | None = None,
    assignee: UserIdFilter | None = None,
    due_before: Since | None = None,
) -> CalendarResponse:
    """What is still to be done, as a calendar file: kinds and ids, no names; at most the next
    thousand.
    """
    statement = queries.select_due(caller, office, assignee, due_before).where(
        col(Deadline.state) == DeadlineState.OPEN
    )
    in_order = statement.order_by(col(Deadline.due_at), col(Deadline.id))
    rows = (await session.scalars(in_order.limit(MOST_ENTRIES))).all()
    cases = await queries.load_cases_of(session, rows)
    entries = []
    for row in rows:
        case = cases.get(row.case_id) if row.case_id else None
        zone = (
            zone_of(case.programme, case.programme_version, case.country_of_return) if case else UTC
        )
        about = f"case {row.case_id}" if row.case_id else f"referral {row.referral_id}"
        entries.append(
            (
                str(row.id),
                row.kind,
                row.due_at.astimezone(zone),
                row.updated_at.astimezone(UTC),
                about,
            )
        )
    return CalendarResponse(rules.calendar(entries))
