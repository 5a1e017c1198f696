"""What a person agreed to, for how long, and what ends with a consent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session, current_time
from chassis.errors import CONFLICT, FieldError, Problem, invalid
from chassis.outbox import publish
from contracts.cases import ConsentChanged
from contracts.codes import ConsentPurpose, LegalBasis
from services.cases.access.people import require_worker_with
from services.cases.documents.service import check_documents
from services.cases.models import PersonConsent
from services.cases.people.rights.sharing import end_shares_by_consent


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """A consent as it was given.

    Attributes:
        purpose: To what.
        version: Of the sheet that was signed.
        given_on: The day.
        legal_basis: The ground.
    """

    purpose: ConsentPurpose
    version: str
    given_on: date
    legal_basis: LegalBasis


async def give_consents(
    session: Session, returnee_ids: Sequence[UUID], given: Sequence[GivenConsent]
) -> None:
    """Note the consents of a referral for each of its persons; what is in force already stays."""
    rows = [
        {
            "version": 1,
            "returnee_id": returnee_id,
            "purpose": consent.purpose,
            "consent_version": consent.version,
            "given_on": consent.given_on,
            "legal_basis": consent.legal_basis,
        }
        for returnee_id in returnee_ids
        for consent in given
    ]
    if rows:
        await session.execute(insert(PersonConsent).values(rows).on_conflict_do_nothing())


async def load_consents(session: Session, ids: Sequence[UUID]) -> list[PersonConsent]:
    """Load what a person agreed to, oldest first."""
    rows = (
        select(PersonConsent)
        .where(col(PersonConsent.returnee_id).in_(ids))
        .order_by(col(PersonConsent.id))
    )
    return list(await session.scalars(rows))


async def record_consent(
    session: Session,
    caller: Caller,
    returnee_id: UUID,
    *,
    given: GivenConsent,
    withdrawn_on: date | None,
    document_id: UUID | None,
) -> PersonConsent:
    """Note that a person gave or withdrew a consent; a new one takes the place of the one in force.

    What is shared on the ground of consent ends with the consent to sharing.

    Args:
        session: The session.
        caller: Who notes it.
        returnee_id: Of whom.
        given: What they agreed to.
        withdrawn_on: The day on which they withdrew it; None where they gave it.
        document_id: The signed sheet.

    Raises:
        Problem: 404, 403, 422; 409 where there is nothing to withdraw.
    """
    returnee, ids = await require_worker_with(session, caller, returnee_id)
    _check_days(given.given_on, withdrawn_on, (await current_time(session)).date())
    await check_documents(session, caller, {"/document_id": document_id})
    row = await _end_consent(session, ids, given, withdrawn_on)
    if withdrawn_on is None:
        row = PersonConsent(
            returnee_id=returnee.id,
            purpose=given.purpose,
            consent_version=given.version,
            given_on=given.given_on,
            legal_basis=given.legal_basis,
            document_id=document_id,
        )
        session.add(row)
        await session.flush()
    elif row is None:
        raise Problem(CONFLICT, "no consent for this purpose is in force")
    assert row is not None
    in_force = row.withdrawn_on is None
    publish(
        session,
        ConsentChanged(
            returnee_id=returnee.id,
            purpose=row.purpose,
            legal_basis=row.legal_basis,
            in_force=in_force,
        ),
    )
    if row.purpose is ConsentPurpose.SHARING and not in_force:
        await end_shares_by_consent(session, ids)
    details = {"purpose": given.purpose, "given": in_force}
    audit.record(session, caller, "consent", "returnee", returnee.id, details)
    return row


def _check_days(given_on: date, withdrawn_on: date | None, today: date) -> None:
    errors = []
    if given_on > today:
        errors.append(FieldError(pointer="/given_on", code="in_future", detail="today or before"))
    if withdrawn_on is not None and not given_on <= withdrawn_on <= today:
        right = "a day from when it was given until today"
        errors.append(FieldError(pointer="/withdrawn_on", code="bad_withdrawal", detail=right))
    if errors:
        raise invalid(*errors)


async def _end_consent(
    session: Session, ids: Sequence[UUID], given: GivenConsent, withdrawn_on: date | None
) -> PersonConsent | None:
    """End the consent in force for a purpose, on the day on which it was withdrawn or another was
    given; the last of them, where there was any.
    """
    in_force = list(
        await session.scalars(
            select(PersonConsent)
            .where(
                col(PersonConsent.returnee_id).in_(ids),
                PersonConsent.purpose == given.purpose,
                col(PersonConsent.withdrawn_on).is_(None),
            )
            .order_by(col(PersonConsent.id))
            .with_for_update()
        )
    )
    for consent in in_force:
        consent.withdrawn_on = max(consent.given_on, withdrawn_on or given.given_on)
        consent.changed()
    await session.flush()
    return in_force[-1] if in_force else None
