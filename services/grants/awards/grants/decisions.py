"""What is decided about a grant: approved or refused, ordered, delivered, given up, closed."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func
from sqlmodel import col, select, update

from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import STATE_CONFLICT, FieldError, Problem, invalid
from contracts import grants as events
from services.grants import people, supporting_documents
from services.grants.awards.grants import consequences, funding, rules
from services.grants.awards.grants.events import publish_grant_event
from services.grants.awards.grants.loading import (
    local_today,
    lock_grant,
    lock_payments_on_their_way,
)
from services.grants.awards.grants.rules import MACHINE, Action
from services.grants.books import ledger
from services.grants.books.ledger import Cause
from services.grants.codes import Account, Movement
from services.grants.models import Approval, Delivery, Grant, Payment
from services.grants.schemas import money
from services.grants.states import HAVE_LEFT, GrantState


def select_approvers(grant: Grant) -> Select[Any]:
    """Who said yes to the grant as it is now, in that order; null where nobody did."""
    in_order = func.array_agg(Approval.actor).aggregate_order_by(
        col(Approval.at), col(Approval.actor)
    )
    return select(in_order).where(
        col(Approval.grant_id) == grant.id, col(Approval.round) == grant.round
    )


async def approve(
    session: Session, caller: Caller, grant_id: UUID, precondition: Precondition
) -> Grant:
    """One person's yes; with enough of them the money is committed.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409 (also `quotes-missing`, `papers-pending`), 412,
            428.
    """
    grant = await lock_grant(session, caller, grant_id)
    MACHINE.require(grant, Action.APPROVE, precondition)
    approver = people.actor(caller.require_person())
    given = (await session.execute(select_approvers(grant))).scalar_one() or []
    rules.check_approver(approver, grant.preparers, given)
    if (
        grant.quotes_needed
        and await supporting_documents.count_quotes(session, grant) < grant.quotes_needed
    ):
        too_few = Problem(rules.QUOTES_MISSING, needed=grant.quotes_needed)
        raise await supporting_documents.refused_without_papers(session, grant.id, too_few)
    session.add(Approval(grant_id=grant.id, round=grant.round, actor=approver))
    if len(given) + 1 < grant.approvers_needed:
        await MACHINE.move(session, caller, grant, Action.APPROVE, to=grant.state)
        return grant
    assert grant.budget_id is not None
    await funding.check_budget_open(session, grant, grant.budget_id)
    await MACHINE.move(session, caller, grant, Action.APPROVE, to=GrantState.APPROVED)
    budget = await ledger.lock_budget(session, grant.budget_id)
    await ledger.move(session, budget, Movement.COMMIT, grant.amount, Cause(approver, grant.id))
    publish_grant_event(session, grant, events.GrantApproved)
    await consequences.follow_approval(session, grant)
    return grant


async def reject(
    session: Session,
    caller: Caller,
    grant_id: UUID,
    precondition: Precondition,
    reason: events.GrantReason,
) -> Grant:
    """Refuse what was requested; it is available again.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    grant = await lock_grant(session, caller, grant_id)
    MACHINE.require(grant, Action.REJECT, precondition)
    approver = people.actor(caller.require_person())
    rules.check_approver(approver, grant.preparers, ())
    details = {"reason": reason}
    await MACHINE.move(session, caller, grant, Action.REJECT, details=details, reason=reason)
    await funding.give_back(session, grant, approver)
    publish_grant_event(session, grant, events.GrantRejected, reason=reason)
    return grant


async def order(session: Session, caller: Caller, grant_id: UUID) -> Grant:
    """Note that what was approved is ordered.

    Raises:
        Problem: 404, 403, 409.
    """
    grant = await lock_grant(session, caller, grant_id)
    await MACHINE.move(session, caller, grant, Action.ORDER)
    publish_grant_event(session, grant, events.GrantOrdered)
    return grant


async def deliver(
    session: Session,
    caller: Caller,
    grant_id: UUID,
    *,
    delivered_on: date,
    certificate: UUID,
    complete: bool,
) -> Grant:
    """Note what was handed over, with the certificate that the returnee signed; in parts too.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    grant = await lock_grant(session, caller, grant_id)
    MACHINE.require(grant, Action.DELIVER)
    if delivered_on > await local_today(session, grant.programme, grant.implementer):
        detail = "a day that has come"
        raise invalid(FieldError(pointer="/delivered_on", code="in_future", detail=detail))
    session.add(
        Delivery(
            grant_id=grant.id, delivered_on=delivered_on, certificate=certificate, complete=complete
        )
    )
    await supporting_documents.cite(session, grant.id, [certificate])
    await MACHINE.move(
        session,
        caller,
        grant,
        Action.DELIVER,
        to=GrantState.DELIVERED if complete else grant.state,
        delivered_on=delivered_on if complete else grant.delivered_on,
    )
    publish_grant_event(
        session, grant, events.GrantDelivered, delivered_on=delivered_on, complete=complete
    )
    return grant


async def cancel(
    session: Session, caller: Caller, grant_id: UUID, reason: events.GrantReason
) -> Grant:
    """Give up a grant of which nothing was released; what it held is available again.

    Raises:
        Problem: 404, 403, 409.
    """
    grant = await lock_grant(session, caller, grant_id)
    MACHINE.require(grant, Action.CANCEL)
    await lock_payments_on_their_way(session, grant.id)
    released = await session.scalar(
        select(col(Payment.id))
        .where(col(Payment.grant_id) == grant.id, col(Payment.state).in_(HAVE_LEFT))
        .limit(1)
    )
    if released is not None:
        raise Problem(
            STATE_CONFLICT,
            "something of it was released: close it",
            state=grant.state,
            allowed=[Action.CLOSE],
        )
    await consequences.follow_cancellation(session, caller, grant)
    await cancel_locked(session, caller, grant, reason)
    return grant


async def cancel_locked(
    session: Session, caller: Caller, grant: Grant, reason: events.GrantReason
) -> None:
    """Cancel a locked grant that no payment is on its way of."""
    details = {"reason": reason}
    await MACHINE.move(session, caller, grant, Action.CANCEL, details=details, reason=reason)
    await funding.give_back(session, grant, people.actor_of(caller))
    publish_grant_event(session, grant, events.GrantCancelled, reason=reason)


async def close(
    session: Session, caller: Caller, grant_id: UUID, precondition: Precondition
) -> Grant:
    """Close a grant with nothing on its way; what was not spent is available again, and its
    ceilings too.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    grant = await lock_grant(session, caller, grant_id)
    MACHINE.require(grant, Action.CLOSE, precondition)
    if await lock_payments_on_their_way(session, grant.id):
        raise Problem(STATE_CONFLICT, "a payment is on its way", state=grant.state, allowed=[])
    await close_locked(session, caller, grant)
    return grant


async def close_locked(session: Session, caller: Caller, grant: Grant) -> None:
    """Close a locked grant of which no payment is on its way."""
    held = await ledger.of_grant(session, grant.id)
    paid = held[Account.PAID] + held[Account.RECOVERED]
    await MACHINE.move(session, caller, grant, Action.CLOSE, counted=paid)
    await funding.give_back(session, grant, people.actor_of(caller))
    publish_grant_event(session, grant, events.GrantClosed, paid=money(paid, grant.currency))


async def scrub(session: Session, returnee_id: UUID) -> None:
    """Keep the amounts of grants without the person."""
    joint = select(Grant).where(col(Grant.parts).contains([{"returnee_id": str(returnee_id)}]))
    nobody = {"returnee_id": None, "case_id": None, "household_id": None, "plan_line_id": None}
    for grant in await session.scalars(joint.order_by(col(Grant.id)).with_for_update()):
        grant.parts = [
            part | nobody if part["returnee_id"] == str(returnee_id) else part
            for part in grant.parts
        ]
    await session.flush()
    await session.execute(
        update(Grant)
        .where(col(Grant.returnee_id) == returnee_id)
        .values(returnee_id=None, household_id=None, description=None, housing=None, unsettled=[])
    )
