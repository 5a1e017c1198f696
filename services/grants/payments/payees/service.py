"""Payees: proposed by one person, verified by another, every change again."""

from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, select, true, update

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.crypto import Keyring
from chassis.db import Session, now
from chassis.errors import (
    CONFLICT,
    FOUR_EYES,
    NOT_FOUND,
    FieldError,
    Problem,
    invalid,
    state_conflict,
)
from chassis.ids import new_id
from participation import beneficiaries
from services.grants import people
from services.grants.models import Payee
from services.grants.payments.payees.schemas import Details, PayeeIn

RESOURCE = "payee"


def seen_by(caller: Caller) -> ColumnElement[bool]:
    """Payees of the caller's organisation; those who are returnees only while it works on their
    return.
    """
    if caller.is_internal:
        return true()
    return (col(Payee.organisation) == caller.organisation) & people.works_for(
        col(Payee.returnee_id), caller
    )


async def find(session: Session, payee_id: UUID, caller: Caller, *, lock: bool = False) -> Payee:
    """A payee of the caller's organisation.

    Raises:
        Problem: 404.
    """
    query = select(Payee).where(Payee.id == payee_id, seen_by(caller))
    if lock:
        query = query.with_for_update()
    payee: Payee | None = await session.scalar(query, execution_options={"populate_existing": True})
    if payee is None:
        raise Problem(NOT_FOUND)
    return payee


async def of_organisation(session: Session, payee_id: UUID, organisation: str) -> None:
    """Refuse a payee that the organisation does not have.

    Raises:
        Problem: 422.
    """
    found = await session.scalar(
        select(Payee.id).where(Payee.id == payee_id, Payee.organisation == organisation)
    )
    if found is None:
        raise invalid(
            FieldError(
                pointer="/payee_id", code="unknown_payee", detail="a payee of the organisation"
            )
        )


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
    session: Session, body: PayeeIn, caller: Caller, keyring: Keyring, *, caught_up: bool
) -> Payee:
    """Note somebody who is to be paid; nothing is paid to the account before another person
    verifies it.

    Raises:
        Problem: 404, 403, 409.
    """
    person = people.actor(caller.require_person())
    if body.returnee_id is not None:
        await beneficiaries.require(session, body.returnee_id, caller, caught_up=caught_up)
        await people.must_work_for(session, body.returnee_id, caller)
    payee_id = body.id or new_id()
    there = await session.get(Payee, payee_id)
    if there is not None:
        if there.organisation != caller.organisation or there.kind != body.kind:
            raise Problem(CONFLICT, "the id is taken by something else")
        return there
    payee = Payee(
        id=payee_id,
        organisation=caller.organisation,
        kind=body.kind,
        returnee_id=body.returnee_id,
        state="unverified",
        pending=_seal(keyring, payee_id, body.details),
        proposed_by=person,
    )
    session.add(payee)
    await session.flush()
    audit.record(session, caller, "propose", RESOURCE, payee.id)
    return payee


async def change(
    session: Session, payee_id: UUID, details: Details, caller: Caller, keyring: Keyring
) -> Payee:
    """Propose another account; while it waits, nothing is paid to the old one either.

    Raises:
        Problem: 404, 403, 409.
    """
    payee = await find(session, payee_id, caller, lock=True)
    person = people.actor(caller.require_person())
    if payee.state == "scrubbed":
        raise state_conflict(payee.state, [], "change")
    payee.pending, payee.proposed_by = _seal(keyring, payee.id, details), person
    payee.verified_by = None
    payee.state = "changing" if payee.sealed else "unverified"
    payee.changed()
    await session.flush()
    audit.record(session, caller, "change", RESOURCE, payee.id)
    return payee


async def verify(
    session: Session, payee_id: UUID, caller: Caller, precondition: Precondition
) -> Payee:
    """Verify the account that another person proposed.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    payee = await find(session, payee_id, caller, lock=True)
    precondition.check(payee.version)
    if payee.pending is None:
        raise state_conflict(payee.state, ["change"], "verify")
    person = people.actor(caller.require_person())
    if person == payee.proposed_by:
        raise Problem(FOUR_EYES)
    payee.sealed, payee.pending = payee.pending, None
    payee.state, payee.verified_by, payee.verified_at = "verified", person, now()
    payee.details_version += 1
    payee.changed()
    await session.flush()
    audit.record(session, caller, "verify", RESOURCE, payee.id)
    return payee


async def refuse(
    session: Session, payee_id: UUID, caller: Caller, precondition: Precondition
) -> Payee:
    """Refuse the account that another person proposed; the verified one counts again.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    payee = await find(session, payee_id, caller, lock=True)
    precondition.check(payee.version)
    if payee.pending is None:
        raise state_conflict(payee.state, ["change"], "refuse")
    person = people.actor(caller.require_person())
    if person == payee.proposed_by:
        raise Problem(FOUR_EYES)
    payee.pending, payee.verified_by = None, person
    payee.state = "verified" if payee.sealed else "unverified"
    payee.changed()
    await session.flush()
    audit.record(session, caller, "refuse", RESOURCE, payee.id)
    return payee


async def scrub(session: Session, returnee_id: UUID) -> None:
    """Keep that somebody was paid, without who and where."""
    await session.execute(
        update(Payee)
        .where(col(Payee.returnee_id) == returnee_id)
        .values(
            returnee_id=None, sealed=None, pending=None, state="scrubbed", version=Payee.version + 1
        )
    )
