"""How much of a grant can still be paid, in which form, and who may have a part in it."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from chassis.db import Session
from chassis.errors import FOUR_EYES, FieldError, Problem, invalid
from contracts.codes import HelpKind, PaymentMethod
from participation.aliases import same_person
from services.grants import people
from services.grants.awards.grants.rules import check_cash
from services.grants.codes import PayeeKind
from services.grants.models import Grant, Payment
from services.grants.payments.payments import rules
from services.grants.programmes.data import assistance


async def used_of_grant(session: Session, grant_id: UUID) -> Decimal:
    """What is on its way or was spent of a grant."""
    query = select(func.coalesce(func.sum(Payment.amount), 0)).where(
        Payment.grant_id == grant_id, Payment.live
    )
    return Decimal((await session.execute(query)).scalar_one())


async def given_in_cash(session: Session, grant: Grant) -> Decimal:
    """What the person of a grant was given of its package in cash, or is going to be."""
    ids = await same_person(session, grant.returnee_id) if grant.returnee_id else []
    query = (
        select(func.coalesce(func.sum(Payment.amount), 0))
        .join(Grant, col(Grant.id) == Payment.grant_id)
        .where(col(Payment.returnee_id).in_(ids), Payment.as_cash, Payment.live)
        .where(Grant.package == grant.package)
    )
    return Decimal((await session.execute(query)).scalar_one())


async def counts_as_cash(
    session: Session,
    grant: Grant,
    method: PaymentMethod,
    payee_kind: PayeeKind | None,
    amount: Decimal,
    *,
    reimbursement: bool,
) -> bool:
    """Whether the returnee gets money, which counts as cash; refused where the package gives none,
    or no more.

    Raises:
        Problem: 409 `programme-rule`, `ceiling-exceeded`; 422, what is no reimbursement.
    """
    to_returnee = rules.goes_to_returnee(method, payee_kind)
    if reimbursement:
        if not to_returnee or method is PaymentMethod.CASH:
            detail = "only for what goes to the returnee's own account"
            raise invalid(
                FieldError(pointer="/reimbursement", code="no_reimbursement", detail=detail)
            )
        return False
    if to_returnee:
        package = assistance(grant.programme, grant.programme_version).packages[grant.package]
        already = await given_in_cash(session, grant)
        check_cash(grant.package, package, grant.kind, already, amount, grant.currency)
    return to_returnee


def is_allowance(grant: Grant, payment: Payment) -> bool:
    """Whether attendance earned it: the programme itself says how an allowance reaches who
    attended.
    """
    return grant.kind is HelpKind.LIVING_ALLOWANCE and payment.session is not None


async def check_sender(session: Session, grant: Grant, person: UUID) -> None:
    """Refuse that who said of money of a grant that it did not arrive or came back has a part in
    sending more of it.

    Raises:
        Problem: 403 `four-eyes`.
    """
    query = (
        select(Payment.id)
        .where(Payment.grant_id == grant.id, col(Payment.undone_by).contains([person]))
        .limit(1)
    )
    if person != people.SYSTEM_ACTOR and await session.scalar(query) is not None:
        raise Problem(FOUR_EYES, "who said that money is back does not send it again")
