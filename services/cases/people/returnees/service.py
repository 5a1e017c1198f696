"""Returnees: registered, read as far as who asks may, and corrected."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.datetimes import has_come
from chassis.db import Session
from chassis.errors import FORBIDDEN, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import (
    Registration,
    ReturneeField,
    ReturneeRegistered,
    ReturneeUpdated,
)
from contracts.codes import SharedCategory
from contracts.scopes import Scope
from participation import aliases
from participation.access import Role
from services.cases.access.people import load_roles, lock_returnee, works_with
from services.cases.models import (
    CaseFile,
    CaseMember,
    Referral,
    ReferralPerson,
    Returnee,
    Share,
)
from services.cases.people.matching.keys import keys
from services.cases.people.matching.zones import zone_errors
from services.cases.people.particulars import Person, as_written, stored
from services.cases.people.search import lookup, queries

FOUND_BY = 2
"""Counts up when the rules change by which `terms` or `keys` are made."""


def person_of(returnee: Returnee | Row[Any]) -> Person:
    """Who a returnee is, as it was written."""
    return as_written(
        {
            "names": returnee.names,
            "sex": returnee.sex,
            "birth": {"date": str(returnee.birth_date), "precision": returnee.birth_precision},
            "nationality": returnee.nationality,
            "documents": returnee.documents,
            "languages": returnee.languages,
            "contacts": returnee.contacts,
            "identifiers": returnee.identifiers,
        }
    )


def columns_of(particulars: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that hold particulars.

    Args:
        particulars: Members of `Person` by name.
    """
    columns: dict[str, Any] = {}
    for name, value in particulars.items():
        match name:
            case "birth":
                columns |= {"birth_date": value.date, "birth_precision": value.precision}
            case "names" | "documents" | "contacts" | "identifiers":
                columns[name] = stored(value)
            case _:
                columns[name] = value
    return columns


def make_findable(session: Session, returnee: Returnee) -> None:
    """Make anew what somebody is found by."""
    person = person_of(returnee)
    terms = lookup.terms(person)
    queries.learn(session, returnee.terms or [], terms)
    returnee.terms, returnee.keys, returnee.found_by = terms, keys(person), FOUND_BY


def correct_particulars(
    session: Session, returnee: Returnee, sent: Mapping[str, Any], pointer: str
) -> tuple[ReturneeField, ...]:
    """Correct particulars of a locked returnee; which of them are other than before.

    Args:
        session: The session.
        returnee: Who.
        sent: Members of `Person` by name.
        pointer: Where they were sent.

    Raises:
        Problem: 422, somebody is born in the future, or a document is put beside them whose zone is
            another's.
    """
    before = person_of(returnee)
    changed = {name: value for name, value in sent.items() if value != getattr(before, name)}
    if not changed:
        return ()
    after = before.model_copy(update=changed)
    errors = zone_errors(after, pointer) if "documents" in changed else []
    if not has_come(after.birth.date):
        at, right = f"{pointer}/birth/date", "a day that has come"
        errors.append(FieldError(pointer=at, code="birth_in_future", detail=right))
    if errors:
        raise invalid(*errors)
    for name, value in columns_of(changed).items():
        setattr(returnee, name, value)
    make_findable(session, returnee)
    returnee.changed()
    return tuple(ReturneeField(name) for name in changed)


async def register(
    session: Session,
    person: Person,
    *,
    via: Registration,
    referral_id: UUID | None,
    programme: str | None,
    returnee_id: UUID | None = None,
) -> Returnee:
    """Register somebody who is not known yet, under the id that an airport's desk gave them if
    there is one.
    """
    particulars = {name: getattr(person, name) for name in Person.model_fields}
    returnee = Returnee(id=returnee_id or new_id(), **columns_of(particulars))
    make_findable(session, returnee)
    session.add(returnee)
    await session.flush()
    publish(
        session,
        ReturneeRegistered(
            returnee_id=returnee.id, referral_id=referral_id, programme=programme, via=via
        ),
    )
    return returnee


def united(person: Person, others: Sequence[Person]) -> Person:
    """Returns who somebody is with what other records of them say beside: other spellings, other
    documents and numbers.
    """
    records = [person, *others]

    def all_of(name: str) -> list[Any]:
        values: list[Any] = []
        for record in records:
            values += [value for value in getattr(record, name) if value not in values]
        return values

    # How somebody is reached is what was last said of the record that they are found under.
    lists = ("names", "documents", "identifiers")
    return person.model_copy(update={name: all_of(name) for name in lists}) if others else person


async def _load_merged(session: Session, returnee: Returnee) -> list[Person]:
    """Load what the records say that were merged into somebody's."""
    ids = await aliases.same_person(session, returnee.id)
    ids = [other for other in ids if other != returnee.id]
    if not ids:
        return []
    rows = await session.scalars(
        select(Returnee)
        .where(col(Returnee.id).in_(ids), col(Returnee.erased_at).is_(None))
        .order_by(col(Returnee.id))
    )
    return [person_of(row) for row in rows]


async def load_readable(
    session: Session, caller: Caller, returnee: Returnee, known: Sequence[UUID]
) -> Person | None:
    """Who somebody is, as far as the caller may read it: all of it, or the categories that were
    shared with it.

    Args:
        session: The session.
        caller: Who reads.
        returnee: Who.
        known: Their ids under which the caller takes part.
    """
    if Scope.RETURNEES_IDENTITY not in caller.scopes:
        return None
    person = united(person_of(returnee), await _load_merged(session, returnee))
    if caller.is_internal or await load_roles(session, caller, known) - {Role.SHARED}:
        return person
    shares = await session.scalars(
        select(Share.categories).where(
            col(Share.returnee_id).in_(known),
            Share.organisation == caller.organisation,
            col(Share.ended_at).is_(None),
        )
    )
    categories = {category for shared in shares for category in shared}
    if SharedCategory.IDENTITY not in categories:
        return None
    without: dict[str, Any] = {}
    if SharedCategory.CONTACTS not in categories:
        without["contacts"] = []
    if SharedCategory.DOCUMENTS not in categories:
        without |= {"documents": [], "identifiers": []}
    return person.model_copy(update=without)


async def load_case_ids(session: Session, ids: Sequence[UUID]) -> list[UUID]:
    """Load the cases of a person by their ids, oldest first."""
    return list(
        await session.scalars(
            select(CaseMember.case_id)
            .where(col(CaseMember.returnee_id).in_(ids))
            .order_by(col(CaseMember.case_id))
            .distinct()
        )
    )


async def load_references(session: Session, returnee_id: UUID) -> list[tuple[str, int]]:
    """Load the person's places in referrals, under their senders' references."""
    rows = await session.execute(
        select(Referral.external_reference, ReferralPerson.index)
        .join(ReferralPerson, col(ReferralPerson.referral_id) == Referral.id)
        .where(ReferralPerson.returnee_id == returnee_id)
        .order_by(col(Referral.id))
    )
    return [(reference, index) for reference, index in rows]


async def correct(
    session: Session,
    caller: Caller,
    returnee_id: UUID,
    sent: Mapping[str, Any],
    precondition: Precondition,
) -> Returnee:
    """Correct particulars of a returnee; who keeps a copy is told to fetch it again.

    Raises:
        Problem: 404, 412, 422, 428; 403 if the caller only referred them.
    """
    returnee = await lock_returnee(session, caller, returnee_id)
    precondition.check(returnee.version)
    ids = await aliases.same_person(session, returnee.id)
    if not await works_with(session, caller, ids):
        raise Problem(
            FORBIDDEN, "the implementing organisation and the programme office correct returnees"
        )
    changed = correct_particulars(session, returnee, sent, "")
    if not changed:
        return returnee
    case = await session.scalar(
        select(CaseFile)
        .join(CaseMember, col(CaseMember.case_id) == CaseFile.id)
        .where(col(CaseMember.returnee_id) == returnee.id)
        .order_by(col(CaseFile.id).desc())
        .limit(1)
    )
    publish(
        session,
        ReturneeUpdated(
            returnee_id=returnee.id,
            case_id=case.id if case else None,
            referral_id=case.referral_id if case else None,
            household_id=case.household_id if case else None,
            programme=case.programme if case else None,
            changed=changed,
        ),
    )
    audit.record(session, caller, "correct", "returnee", returnee.id, {"changed": list(changed)})
    await session.flush()
    return returnee
