"""Payees: proposed by one person, verified by another, every change again."""

from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, select, true, update

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.crypto import Keyring
from chassis.db import Session, now
from chassis.errors import FOUR_EYES, FieldError, Problem, invalid, state_conflict
from chassis.ids import new_id
from chassis.loading import id_taken, load_or_404
from participation import beneficiaries
from services.grants import people
from services.grants.codes import PayeeKind
from services.grants.models import Payee
from services.grants.payees.rules import MACHINE, Action
from services.grants.payees.schemas import Details
from services.grants.states import PayeeState


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Payees of the caller's organisation; those who are returnees only while it works on their
    return.
    """
    if caller.is_internal:
        return true()
    return (col(Payee.organisation) == caller.organisation) & people.works_for(
        col(Payee.returnee_id), caller
    )


async def load_payee(session: Session, caller: Caller, payee_id: UUID) -> Payee:
    """A payee of the caller's organisation.

    Raises:
        Problem: 404.
    """
    return await load_or_404(
        session, select(Payee).where(col(Payee.id) == payee_id, visible_to(caller))
    )


async def lock_payee(session: Session, caller: Caller, payee_id: UUID) -> Payee:
    """A payee of the caller's organisation, locked.

    Raises:
        Problem: 404.
    """
    query = select(Payee).where(col(Payee.id) == payee_id, visible_to(caller))
    return await load_or_404(session, query.with_for_update())


async def require_payee(session: Session, payee_id: UUID, organisation: str) -> Payee:
    """A payee that something names in its body.

    Raises:
        Problem: 422, the organisation does not have it.
    """
    payee: Payee | None = await session.scalar(
        select(Payee).where(Payee.id == payee_id, Payee.organisation == organisation)
    )
    if payee is None:
        detail = "a payee of the organisation"
        raise invalid(FieldError(pointer="/payee_id", code="unknown_payee", detail=detail))
    return payee


def _seal(keyring: Keyring, payee_id: UUID, details: Details) -> bytes:
    return keyring.encrypt(details.model_dump_json().encode(), f"payee/{payee_id}")


def details_of(keyring: Keyring, payee_id: UUID, sealed: bytes | None) -> Details | None:
    """Name and account in clear. The caller of this audits the reading."""
    return (
        Details.model_validate_json(keyring.decrypt(sealed, f"payee/{payee_id}"))
        if sealed
        else None
    )


async def propose(
    session: Session,
    caller: Caller,
    keyring: Keyring,
    kind: PayeeKind,
    details: Details,
    *,
    returnee_id: UUID | None,
    payee_id: UUID | None,
    caught_up: bool,
) -> Payee:
    """Note somebody who is to be paid; nothing is paid to the account before another person
    verifies it.

    Raises:
        Problem: 404, 403, 409.
    """
    person = people.actor(caller.require_person())
    if returnee_id is not None:
        await beneficiaries.require(session, returnee_id, caller, caught_up=caught_up)
        await people.require_worker(session, caller, returnee_id)
    existing = await session.get(Payee, payee_id) if payee_id is not None else None
    if existing is not None:
        if (existing.organisation, existing.kind) != (caller.organisation, kind):
            raise id_taken()
        return existing
    payee_id = payee_id or new_id()
    payee = Payee(
        id=payee_id,
        organisation=caller.organisation,
        kind=kind,
        returnee_id=returnee_id,
        state=PayeeState.UNVERIFIED,
        pending=_seal(keyring, payee_id, details),
        proposed_by=person,
    )
    session.add(payee)
    await session.flush()
    audit.record(session, caller, "propose", MACHINE.resource, payee.id)
    return payee


async def change(
    session: Session, caller: Caller, keyring: Keyring, payee_id: UUID, details: Details
) -> Payee:
    """Propose another account; while it waits, nothing is paid to the old one either.

    Raises:
        Problem: 404, 403, 409.
    """
    payee = await lock_payee(session, caller, payee_id)
    person = people.actor(caller.require_person())
    await MACHINE.move(
        session,
        caller,
        payee,
        Action.CHANGE,
        pending=_seal(keyring, payee.id, details),
        proposed_by=person,
        verified_by=None,
    )
    return payee


async def verify(
    session: Session, caller: Caller, payee_id: UUID, precondition: Precondition
) -> Payee:
    """Verify the account that another person proposed.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    payee = await lock_payee(session, caller, payee_id)
    person = _require_another(caller, payee, Action.VERIFY, precondition)
    await MACHINE.move(
        session,
        caller,
        payee,
        Action.VERIFY,
        sealed=payee.pending,
        pending=None,
        verified_by=person,
        verified_at=now(),
        details_version=payee.details_version + 1,
    )
    return payee


async def refuse(
    session: Session, caller: Caller, payee_id: UUID, precondition: Precondition
) -> Payee:
    """Refuse the account that another person proposed; the verified one counts again.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    payee = await lock_payee(session, caller, payee_id)
    person = _require_another(caller, payee, Action.REFUSE, precondition)
    await MACHINE.move(session, caller, payee, Action.REFUSE, pending=None, verified_by=person)
    return payee


def _require_another(
    caller: Caller, payee: Payee, action: Action, precondition: Precondition
) -> UUID:
    """The person who decides about an account that waits, and did not propose it.

    Raises:
        Problem: 403 `four-eyes`, 409, 412, 428.
    """
    MACHINE.require(payee, action, precondition)
    if payee.pending is None:  # it was refused
        raise state_conflict(payee.state, [Action.CHANGE], action)
    person = people.actor(caller.require_person())
    if person == payee.proposed_by:
        raise Problem(FOUR_EYES)
    return person


async def scrub(session: Session, returnee_id: UUID) -> None:
    """Keep that somebody was paid, without who and where."""
    await session.execute(
        update(Payee)
        .where(col(Payee.returnee_id) == returnee_id)
        .values(
            returnee_id=None,
            sealed=None,
            pending=None,
            version=Payee.version + 1,
            **MACHINE.bulk(Action.SCRUB),
        )
    )
