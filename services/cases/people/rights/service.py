"""What a person may ask for: sharing, consents, restrictions, holds, who looked, and all that is
held.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, or_, select, update

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import CONFLICT, NOT_FOUND, FieldError, Problem, invalid
from chassis.outbox import publish
from contracts.cases import ConsentChanged, ReturneeShared, ReturneeUnshared
from contracts.codes import CaseState, ConsentPurpose, LegalBasis
from participation.access import Role, grant, participation, revoke
from services.cases.documents.service import check_documents
from services.cases.models import (
    AccessRequest,
    CaseFile,
    CaseMember,
    Deadline,
    HouseholdMember,
    LegalHold,
    PersonConsent,
    Referral,
    ReferralPerson,
    Restriction,
    ServiceReferral,
    Share,
    StoredDocument,
    Survey,
)
from services.cases.people.returnees import service as returnees
from services.cases.people.rights import restricted
from services.cases.people.rights.schemas import (
    ConsentIn,
    LegalHoldIn,
    RestrictionIn,
    ShareIn,
    UnshareIn,
)

LONGEST_SHARE = timedelta(days=731)


async def clock(session: Session) -> datetime:
    """The time by the database's clock."""
    at: datetime = (await session.execute(select(now()))).scalar_one()
    return at


async def share(session: Session, returnee_id: UUID, body: ShareIn, caller: Caller) -> Share:
    """Let another organisation know of somebody; again with other terms takes the place of what
    was.

    Raises:
        Problem: 404, 403, 422; 409 where it is kept from them.
    """
    returnee, ids = await returnees.to_work_on(session, returnee_id, caller)
    await restricted.check(session, ids, body.organisation)
    at = await clock(session)
    wrong = []
    if not at < body.until <= at + LONGEST_SHARE:
        right = f"a time ahead, at most {LONGEST_SHARE.days} days"
        wrong.append(FieldError(pointer="/until", code="bad_until", detail=right))
    if body.organisation == caller.organisation:
        wrong.append(
            FieldError(
                pointer="/organisation", code="own_organisation", detail="another organisation"
            )
        )
    if body.legal_basis is LegalBasis.CONSENT and not await _consents_to_sharing(session, ids):
        right = "a ground that holds: of consent only while one for sharing is in force"
        wrong.append(FieldError(pointer="/legal_basis", code="consent_missing", detail=right))
    if wrong:
        raise invalid(*wrong)
    # What is shared under another id of theirs would outlast these terms.
    await _unshare(session, [each for each in ids if each != returnee.id], body.organisation)
    await _end(session, [returnee.id], body.organisation)
    row = Share(
        returnee_id=returnee.id,
        organisation=body.organisation,
        purpose=body.purpose,
        legal_basis=body.legal_basis,
        categories=sorted(set(body.categories)),
        until=body.until,
        shared_by=caller.organisation,
    )
    session.add(row)
    await session.flush()
    await grant(
        session,
        [returnee.id],
        Role.SHARED,
        body.organisation,
        until=body.until,
        categories=body.categories,
    )
    await session.execute(
        update(AccessRequest)
        .where(
            col(AccessRequest.returnee_id).in_(ids),
            col(AccessRequest.organisation) == body.organisation,
        )
        .values(state="shared", updated_at=now())
    )
    publish(
        session,
        ReturneeShared(
            returnee_id=returnee.id,
            organisation=body.organisation,
            purpose=body.purpose,
            legal_basis=body.legal_basis,
            categories=tuple(row.categories),
            until=body.until.astimezone(UTC),
        ),
    )
    details = {
        "organisation": body.organisation,
        "purpose": body.purpose,
        "categories": row.categories,
    }
    audit.record(session, caller, "share", "returnee", returnee.id, details)
    return row


async def _consents_to_sharing(session: Session, ids: Sequence[UUID]) -> bool:
    in_force = select(PersonConsent.id).where(
        col(PersonConsent.returnee_id).in_(ids),
        PersonConsent.purpose == ConsentPurpose.SHARING,
        col(PersonConsent.withdrawn_on).is_(None),
    )
    return await session.scalar(in_force.limit(1)) is not None


async def _end(session: Session, ids: Sequence[UUID], organisation: str) -> list[UUID]:
    ended = await session.scalars(
        update(Share)
        .where(
            col(Share.returnee_id).in_(ids),
            col(Share.organisation) == organisation,
            col(Share.ended_at).is_(None),
        )
        .values(ended_at=now(), updated_at=now(), version=col(Share.version) + 1)
        .returning(col(Share.returnee_id))
        .execution_options(synchronize_session=False)
    )
    return sorted(set(ended))


async def unshare(
    session: Session, returnee_id: UUID, body: UnshareIn, caller: Caller
) -> list[Share]:
    """End what was shared with an organisation.

    Raises:
        Problem: 404, 403; 409 where nothing is shared with it.
    """
    returnee, ids = await returnees.to_work_on(session, returnee_id, caller)
    if not await _unshare(session, ids, body.organisation):
        raise Problem(CONFLICT, "nothing is shared with this organisation")
    audit.record(
        session, caller, "unshare", "returnee", returnee.id, {"organisation": body.organisation}
    )
    return await shares(session, ids)


async def _unshare(session: Session, ids: Sequence[UUID], organisation: str) -> bool:
    ended = await _end(session, ids, organisation)
    for each in ended:
        await revoke(session, each, Role.SHARED, organisation)
        publish(session, ReturneeUnshared(returnee_id=each, organisation=organisation))
    return bool(ended)


async def shares(session: Session, ids: Sequence[UUID]) -> list[Share]:
    """With whom somebody is or was shared, oldest first."""
    statement = select(Share).where(col(Share.returnee_id).in_(ids)).order_by(col(Share.id))
    return list(await session.scalars(statement.execution_options(populate_existing=True)))


async def give_consents(
    session: Session, returnee_ids: Sequence[UUID], given: Sequence[Any]
) -> None:
    """Note the consents of a referral for each of its persons; what is in force already stays.

    Args:
        session: The session.
        returnee_ids: The persons.
        given: `referrals.schemas.Consent`s.
    """
    rows = [
        {
            "version": 1,
            "returnee_id": returnee_id,
            "purpose": each.purpose,
            "consent_version": each.version,
            "given_on": each.given_on,
            "legal_basis": each.legal_basis,
        }
        for returnee_id in returnee_ids
        for each in given
    ]
    if rows:
        await session.execute(insert(PersonConsent).values(rows).on_conflict_do_nothing())


async def consents(session: Session, ids: Sequence[UUID]) -> list[PersonConsent]:
    """What a person agreed to, oldest first."""
    rows = (
        select(PersonConsent)
        .where(col(PersonConsent.returnee_id).in_(ids))
        .order_by(col(PersonConsent.id))
    )
    return list(await session.scalars(rows))


async def record_consent(
    session: Session, returnee_id: UUID, body: ConsentIn, caller: Caller
) -> PersonConsent:
    """Note that a person gave or withdrew a consent; a new one takes the place of the one in force.

    What is shared on the ground of consent ends with the consent to sharing.

    Raises:
        Problem: 404, 403, 422; 409 where there is nothing to withdraw.
    """
    returnee, ids = await returnees.to_work_on(session, returnee_id, caller)
    today = (await clock(session)).astimezone(UTC).date()
    wrong = []
    if body.given_on > today:
        wrong.append(FieldError(pointer="/given_on", code="in_future", detail="today or before"))
    if body.withdrawn_on is not None and not body.given_on <= body.withdrawn_on <= today:
        right = "a day from when it was given until today"
        wrong.append(FieldError(pointer="/withdrawn_on", code="bad_withdrawal", detail=right))
    if wrong:
        raise invalid(*wrong)
    await check_documents(session, caller, {"/document_id": body.document_id})
    in_force = list(
        await session.scalars(
            select(PersonConsent)
            .where(
                col(PersonConsent.returnee_id).in_(ids),
                PersonConsent.purpose == body.purpose,
                col(PersonConsent.withdrawn_on).is_(None),
            )
            .order_by(col(PersonConsent.id))
            .with_for_update()
        )
    )
    if body.withdrawn_on is not None and not in_force:
        raise Problem(CONFLICT, "no consent for this purpose is in force")
    for each in in_force:
        each.withdrawn_on = max(each.given_on, body.withdrawn_on or body.given_on)
        each.changed()
    await session.flush()
    row = in_force[-1] if in_force else None
    if body.withdrawn_on is None:
        row = PersonConsent(
            returnee_id=returnee.id,
            purpose=body.purpose,
            consent_version=body.version,
            given_on=body.given_on,
            legal_basis=body.legal_basis,
            document_id=body.document_id,
        )
        session.add(row)
        await session.flush()
    assert row is not None
    publish(
        session,
        ConsentChanged(
            returnee_id=returnee.id,
            purpose=row.purpose,
            legal_basis=row.legal_basis,
            in_force=row.withdrawn_on is None,
        ),
    )
    if row.purpose == ConsentPurpose.SHARING and row.withdrawn_on is not None:
        for told in await shares(session, ids):
            if told.legal_basis == LegalBasis.CONSENT and told.ended_at is None:
                await _unshare(session, ids, told.organisation)
    details = {"purpose": body.purpose, "given": row.withdrawn_on is None}
    audit.record(session, caller, "consent", "returnee", returnee.id, details)
    return row


async def restrict(
    session: Session, returnee_id: UUID, body: RestrictionIn, caller: Caller
) -> Restriction:
    """Let an organisation that took part know of somebody no more, or again; under each id by which
    it knew them.

    What was shared with it ends as well, and is not shared again when the restriction is lifted.

    Returns:
        The last of the restrictions, one for each such id.

    Raises:
        Problem: 404, 403; 409 where it does not take part, implements an open case, or is not
            restricted.
    """
    returnee, ids = await returnees.to_work_on(session, returnee_id, caller)
    standing = list(
        await session.scalars(
            select(Restriction)
            .where(
                col(Restriction.returnee_id).in_(ids),
                Restriction.organisation == body.organisation,
                col(Restriction.lifted_at).is_(None),
            )
            .order_by(col(Restriction.id))
            .with_for_update()
        )
    )
    if body.lifted:
        return await _lift(session, returnee.id, ids, standing, caller)
    if await _implements(session, ids, body.organisation):
        raise Problem(
            CONFLICT, "this organisation implements an open case; transfer or close that first"
        )
    part = await session.execute(
        select(participation.c.subject_id, participation.c.role)
        .where(
            participation.c.subject_id.in_(ids),
            participation.c.organisation == body.organisation,
            participation.c.role.not_in([Role.PROGRAMME, Role.SHARED]),
        )
        .order_by(participation.c.subject_id, participation.c.role)
    )
    taken: dict[UUID, list[str]] = {}
    for each, role in part:
        taken.setdefault(each, []).append(role)
    if not taken and standing:
        raise Problem(CONFLICT, "this organisation is restricted already")
    if not taken:
        raise Problem(
            CONFLICT,
            "this organisation takes no part in the return; what is shared with it is unshared",
        )
    await _unshare(session, ids, body.organisation)
    # What was submitted about them names them too, and whoever else is in it.
    submitted = await session.scalars(
        select(ReferralPerson.referral_id)
        .where(col(ReferralPerson.returnee_id).in_(ids))
        .distinct()
    )
    about = sorted(submitted)
    rows, there = [], {row.returnee_id: row for row in standing}
    for each, roles in taken.items():
        for role, subject in product(roles, [each, *about]):
            await revoke(session, subject, Role(role), body.organisation)
        row = there.get(each)
        if row is None:
            row = Restriction(
                returnee_id=each, organisation=body.organisation, reason=body.reason, roles=roles
            )
            session.add(row)
        else:
            row.roles = sorted({*row.roles, *roles})
            row.changed()
        rows.append(row)
    await session.flush()
    for row in rows:
        restricted.tell(session, row)
    audit.record(
        session, caller, "restrict", "returnee", returnee.id, {"organisation": body.organisation}
    )
    return rows[-1]


async def _lift(
    session: Session,
    returnee_id: UUID,
    ids: Sequence[UUID],
    standing: Sequence[Restriction],
    caller: Caller,
) -> Restriction:
    if not standing:
        raise Problem(CONFLICT, "this organisation is not restricted")
    for row in standing:
        for role in row.roles:
            await grant(session, [row.returnee_id], Role(role), row.organisation)
        row.lifted_at = await clock(session)
        row.changed()
    await session.flush()
    for row in standing:
        await _give_back_referrals(session, ids, row)
        restricted.tell(session, row)
    details = {"organisation": standing[-1].organisation}
    audit.record(session, caller, "lift-restriction", "returnee", returnee_id, details)
    await session.flush()
    return standing[-1]


async def _give_back_referrals(session: Session, ids: Sequence[UUID], lifted: Restriction) -> None:
    """Let an organisation know again of the referrals it took part in, of whose persons none is
    kept from it still.
    """
    kept = select(ReferralPerson.referral_id).join(
        Restriction,
        (col(Restriction.returnee_id) == ReferralPerson.returnee_id)
        & (Restriction.organisation == lifted.organisation)
        & col(Restriction.lifted_at).is_(None),
    )
    mine = select(ReferralPerson.referral_id).where(col(ReferralPerson.returnee_id).in_(ids))
    part = {Role.REFERRER: Referral.sender, Role.PARTNER: Referral.implementer}
    for role in sorted(part.keys() & set(lifted.roles)):
        rows = select(Referral.id).where(
            col(Referral.id).in_(mine),
            col(Referral.id).not_in(kept),
            part[role] == lifted.organisation,
        )
        await grant(session, sorted(await session.scalars(rows)), role, lifted.organisation)


async def _implements(session: Session, ids: Sequence[UUID], organisation: str) -> bool:
    open_case = await session.scalar(
        select(col(CaseFile.id))
        .join(CaseMember, col(CaseMember.case_id) == CaseFile.id)
        .where(
            col(CaseMember.returnee_id).in_(ids),
            col(CaseFile.implementer) == organisation,
            col(CaseFile.state) != CaseState.CLOSED,
        )
        .limit(1)
    )
    return open_case is not None


async def restrictions(session: Session, ids: Sequence[UUID]) -> list[Restriction]:
    """Who may know of somebody no more, oldest first."""
    rows = (
        select(Restriction)
        .where(col(Restriction.returnee_id).in_(ids))
        .order_by(col(Restriction.id))
    )
    return list(await session.scalars(rows))


async def hold(session: Session, returnee_id: UUID, body: LegalHoldIn, caller: Caller) -> LegalHold:
    """Have somebody's data kept.

    Raises:
        Problem: 404, 403.
    """
    returnee, _ = await returnees.to_work_on(session, returnee_id, caller)
    row = LegalHold(
        returnee_id=returnee.id,
        reason=body.reason,
        comment=body.comment,
        organisation=caller.organisation,
        placed_by=caller.require_person(),
    )
    session.add(row)
    await session.flush()
    audit.record(session, caller, "hold", "returnee", returnee.id, {"reason": body.reason})
    return row


async def find_hold(
    session: Session, returnee_id: UUID, hold_id: UUID, caller: Caller
) -> LegalHold:
    """A hold, locked.

    Raises:
        Problem: 404, 403.
    """
    _, ids = await returnees.to_work_on(session, returnee_id, caller)
    row = await session.scalar(
        select(LegalHold)
        .where(col(LegalHold.id) == hold_id, col(LegalHold.returnee_id).in_(ids))
        .with_for_update()
    )
    if row is None:
        raise Problem(NOT_FOUND)
    return row


async def release(
    session: Session, returnee_id: UUID, hold_id: UUID, caller: Caller, precondition: Precondition
) -> LegalHold:
    """Release a hold.

    Raises:
        Problem: 404, 403, 412, 428; 409 where it is released already.
    """
    row = await find_hold(session, returnee_id, hold_id, caller)
    precondition.check(row.version)
    if row.released_at is not None:
        raise Problem(CONFLICT, "it was released already")
    row.released_at, row.released_by = await clock(session), caller.require_person()
    row.changed()
    audit.record(session, caller, "release-hold", "returnee", returnee_id, {"hold": str(hold_id)})
    await session.flush()
    return row


async def holds(
    session: Session, ids: Sequence[UUID], *, standing: bool = False
) -> list[LegalHold]:
    """Legal holds on somebody, oldest first."""
    rows = select(LegalHold).where(col(LegalHold.returnee_id).in_(ids)).order_by(col(LegalHold.id))
    if standing:
        rows = rows.where(col(LegalHold.released_at).is_(None))
    return list(await session.scalars(rows))


async def accesses(session: Session, ids: Sequence[UUID], limit: int) -> list[Any]:
    """Who read or changed something about a person in this service, newest first: organisations,
    never persons.
    """
    cases = select(CaseMember.case_id).where(col(CaseMember.returnee_id).in_(ids))
    referrals = select(ReferralPerson.referral_id).where(col(ReferralPerson.returnee_id).in_(ids))
    paper, deadline = StoredDocument, Deadline
    about: dict[str, Select[Any]] = {
        "case": cases,
        "referral": referrals,
        "household": select(HouseholdMember.household_id).where(
            col(HouseholdMember.returnee_id).in_(ids)
        ),
        "document": select(paper.id).where(
            paper.returnee_id.in_(ids) | paper.case_id.in_(cases) | paper.referral_id.in_(referrals)
        ),
        "survey": select(Survey.id).where(col(Survey.returnee_id).in_(ids)),
        "service-referral": select(ServiceReferral.id).where(
            col(ServiceReferral.returnee_id).in_(ids)
        ),
        "deadline": select(deadline.id).where(
            deadline.case_id.in_(cases) | deadline.referral_id.in_(referrals)
        ),
    }
    log = audit.audit.c
    # Asked one after another, so that the log is read by its index.
    found = {"returnee": list(ids)} | {
        name: list(await session.scalars(rows)) for name, rows in about.items()
    }
    wanted = [
        (log.resource == name) & log.resource_id.in_([str(each) for each in those])
        for name, those in found.items()
    ]
    rows = await session.execute(
        select(audit.audit).where(or_(*wanted)).order_by(log.id.desc()).limit(limit)
    )
    return list(rows)
