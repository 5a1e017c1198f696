"""Grants are requested by a person, a plan or a journey, and changed before the first payment."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlmodel import col, or_, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import (
    CONFLICT,
    NOT_FOUND,
    STATE_CONFLICT,
    FieldError,
    Problem,
    invalid,
    state_conflict,
)
from chassis.ids import new_id
from chassis.loading import id_taken
from contracts import grants as events
from contracts.codes import CaseState
from participation.aliases import same_person
from services.grants import people
from services.grants.awards.grants import funding
from services.grants.awards.grants.eligibility import (
    GrantRequest,
    GrantShare,
    check_eligibility,
)
from services.grants.awards.grants.events import publish_grant_event, split_by_shares
from services.grants.awards.grants.loading import (
    load_grant,
    lock_everybody_of,
    lock_grant,
    lock_people,
    participant_of,
)
from services.grants.awards.grants.rules import MACHINE, Action
from services.grants.books import ledger
from services.grants.books.ledger import Cause
from services.grants.codes import GrantSource, Movement
from services.grants.models import AppliedPlan, Grant, Participant, Payment
from services.grants.programmes.data import assistance
from services.grants.states import GIVEN_UP, GrantState


async def request_grant(session: Session, request: GrantRequest) -> Grant:
    """Request help: within the ceilings and the budget, its amount is reserved.

    Raises:
        Problem: 409 `ceiling-exceeded`, `programme-rule`, `budget-exhausted`, or the id is taken;
            422.
    """
    person = request.participant
    everybody = [share.participant for share in request.shares] or [person]
    await lock_people(session, *(member.returnee_id for member in everybody))
    for member in everybody:
        await _refresh_participant(session, member)
    if any(member.case_state is CaseState.CLOSED for member in everybody):
        raise state_conflict(CaseState.CLOSED, [], "request")
    existing = await session.get(Grant, request.id) if request.id is not None else None
    if existing is not None:
        return _same_request(existing, request)
    await _check_plan_line(session, request)
    result = await check_eligibility(session, request)
    budget = await funding.lock_budget_with(
        session,
        programme=person.programme,
        organisation=person.implementer,
        amount=request.amount,
        currency=request.currency,
        budget_id=request.budget_id,
    )
    grant = _new_grant(
        request,
        package=result.package,
        state=GrantState.REQUESTED,
        budget_id=budget.id,
        outside_window=result.outside_window,
    )
    session.add(grant)
    try:
        await session.flush()
    except IntegrityError:
        raise id_taken() from None
    cause = Cause(request.requester, grant.id)
    await ledger.move(session, budget, Movement.RESERVE, grant.amount, cause)
    publish_grant_event(session, grant, events.GrantRequested)
    audit.record(session, request.caller, "request", MACHINE.resource, grant.id)
    return grant


def _same_request(existing: Grant, request: GrantRequest) -> Grant:
    """The grant that was requested before under the same id.

    Raises:
        Problem: 409, it is another one.
    """
    person = request.participant
    before = (existing.case_id, existing.returnee_id, existing.kind, existing.amount)
    if before != (person.case_id, person.returnee_id, request.kind, request.amount):
        raise id_taken()
    return existing


async def _refresh_participant(session: Session, person: Participant) -> None:
    """See a locked person in a case as they are now.

    Raises:
        Problem: 404, they were erased; 409, another partner took the case over meanwhile.
    """
    partner = person.implementer
    try:
        await session.refresh(person)
    except InvalidRequestError:
        raise Problem(NOT_FOUND) from None
    if person.implementer != partner:
        raise Problem(CONFLICT, "another partner took the case over")


async def _check_plan_line(session: Session, request: GrantRequest) -> None:
    """Refuse a line that is not of the plan in force, or for which something is granted already.

    Raises:
        Problem: 409, 422.
    """
    if request.plan_line_id is None:
        return
    if request.source is GrantSource.HAND:
        plan = await session.get(AppliedPlan, request.participant.case_id)
        line = plan.lines.get(str(request.plan_line_id)) if plan is not None else None
        ids = {str(i) for i in await same_person(session, request.participant.returnee_id)}
        if line is None or line["kind"] != request.kind or line["beneficiary"] not in ids:
            right = "a line for this person and kind of help of the plan in force"
            raise invalid(FieldError(pointer="/plan_line_id", code="unknown_line", detail=right))
    existing = await session.scalar(
        select(col(Grant.id)).where(
            col(Grant.plan_line_id) == request.plan_line_id, col(Grant.state).not_in(GIVEN_UP)
        )
    )
    if existing is not None or await joint_grant_lines(session, [request.plan_line_id]):
        raise Problem(CONFLICT, "the line of the plan has a grant")


async def joint_grant_lines(session: Session, line_ids: Iterable[UUID]) -> set[UUID]:
    """Those of some lines of plans that a joint grant fulfils."""
    wanted = sorted({str(line_id) for line_id in line_ids})
    if not wanted:
        return set()
    query = select(Grant.parts).where(
        col(Grant.state).not_in(GIVEN_UP),
        or_(*(col(Grant.parts).contains([{"plan_line_id": line_id}]) for line_id in wanted)),
    )
    lines = {part["plan_line_id"] for parts in await session.scalars(query) for part in parts}
    return {UUID(line_id) for line_id in wanted if line_id in lines}


async def refuse_request(
    session: Session, request: GrantRequest, reason: events.GrantReason
) -> Grant:
    """Note that something that was planned is not granted; nothing is reserved."""
    person = request.participant
    allowed = assistance(person.programme, person.programme_version)
    grant = _new_grant(
        request,
        package=request.package or allowed.package_of(request.kind) or next(iter(allowed.packages)),
        state=GrantState.REJECTED,
        reason=reason,
    )
    session.add(grant)
    await session.flush()
    publish_grant_event(session, grant, events.GrantRejected, reason=reason)
    audit.record(session, request.caller, "refuse", MACHINE.resource, grant.id, {"reason": reason})
    return grant


def _new_grant(
    request: GrantRequest,
    *,
    package: str,
    state: GrantState,
    budget_id: UUID | None = None,
    reason: events.GrantReason | None = None,
    outside_window: bool = False,
) -> Grant:
    person = request.participant
    allowed = assistance(person.programme, person.programme_version)
    return Grant(
        id=request.id or new_id(),
        case_id=person.case_id,
        returnee_id=person.returnee_id,
        household_id=person.household_id,
        programme=person.programme,
        programme_version=person.programme_version,
        implementer=person.implementer,
        package=package,
        kind=request.kind,
        housing=request.housing,
        description=request.description,
        amount=request.amount,
        counted=request.amount,
        currency=request.currency,
        budget_id=budget_id,
        state=state,
        reason=reason,
        requester=request.requester,
        preparers=sorted({request.requester, *request.preparers}),
        source=request.source,
        plan_id=request.plan_id,
        plan_line_id=request.plan_line_id,
        travel_id=request.travel_id,
        approvers_needed=allowed.approvers_needed(request.amount),
        quotes_needed=allowed.quotes_needed(request.kind, request.amount),
        outside_window=outside_window,
        parts=[
            {
                "returnee_id": str(share.participant.returnee_id),
                "case_id": str(share.participant.case_id),
                "household_id": _text(share.participant.household_id),
                "plan_line_id": _text(share.plan_line_id),
                "share": str(share.share),
            }
            for share in request.shares
        ],
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


async def amend(
    session: Session,
    caller: Caller,
    grant_id: UUID,
    precondition: Precondition,
    *,
    amount: Decimal,
    currency: str,
    description: str | None,
) -> Grant:
    """Change the amount before anything was released: it is checked and has to be approved again.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    seen = await load_grant(session, caller, grant_id)
    await lock_everybody_of(session, seen)
    grant = await lock_grant(session, caller, grant_id)
    precondition.check(grant.version)
    requester = people.actor(caller.require_person())
    await change_amount(
        session, caller, grant, requester, amount=amount, currency=currency, description=description
    )
    return grant


async def change_amount(
    session: Session,
    caller: Caller,
    grant: Grant,
    requester: UUID,
    *,
    amount: Decimal,
    currency: str,
    description: str | None,
    preparers: Iterable[UUID] = (),
) -> None:
    """Give a locked grant of locked people another amount, to be approved again by who had no part
    in any of it.

    Raises:
        Problem: 409, 422.
    """
    MACHINE.require(grant, Action.AMEND)
    person = await participant_of(session, grant)
    released = await session.scalar(
        select(col(Payment.id))
        .where(
            col(Payment.grant_id) == grant.id,
            or_(col(Payment.released_by).is_not(None), col(Payment.live)),
        )
        .limit(1)
    )
    if person is None or released is not None or grant.budget_id is None:
        raise Problem(
            STATE_CONFLICT,
            "a grant is amended before its first payment",
            state=grant.state,
            allowed=[],
        )
    request = GrantRequest(
        participant=person,
        kind=grant.kind,
        amount=amount,
        currency=currency,
        requester=requester,
        caller=caller,
        package=grant.package,
        shares=await _shares_of(session, grant, amount),
    )
    await check_eligibility(session, request, excluding=grant.id)
    await funding.give_back(session, grant, requester)
    budget = await ledger.lock_budget(session, grant.budget_id)
    await ledger.move(session, budget, Movement.RESERVE, amount, Cause(requester, grant.id))
    allowed = assistance(grant.programme, grant.programme_version)
    await MACHINE.move(
        session,
        caller,
        grant,
        Action.AMEND,
        amount=amount,
        counted=amount,
        description=description if description is not None else grant.description,
        requester=requester,
        round=grant.round + 1,
        preparers=sorted({*grant.preparers, requester, *preparers}),
        planned=None,
        approvers_needed=allowed.approvers_needed(amount),
        quotes_needed=allowed.quotes_needed(grant.kind, amount),
    )
    publish_grant_event(session, grant, events.GrantAmended)


async def _shares_of(session: Session, grant: Grant, amount: Decimal) -> tuple[GrantShare, ...]:
    """The parts of a joint grant, as they are of another amount; those of whom is still known."""
    shares = []
    amounts = split_by_shares(grant, amount) if grant.parts else ()
    for part, of_part in zip(grant.parts, amounts, strict=True):
        if part["returnee_id"] is not None:
            key = UUID(part["case_id"]), UUID(part["returnee_id"])
            person = await session.get(Participant, key)
            if person is not None:
                shares.append(GrantShare(person, Decimal(part["share"]), of_part))
    return tuple(shares)
