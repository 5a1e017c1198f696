"""People and households: registered, found, read and corrected."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, exists, func
from sqlmodel import col, or_, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.datetimes import has_come
from chassis.db import Session, now
from chassis.errors import FORBIDDEN, NOT_FOUND, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import (
    HouseholdChange,
    HouseholdChanged,
    Registration,
    ReturneeField,
    ReturneeRegistered,
    ReturneeUpdated,
)
from contracts.codes import CaseState, Member, SharedCategory
from contracts.scopes import Scope
from participation import aliases
from participation.access import Role, holds, roles_of, visible
from services.cases.models import (
    CaseFile,
    CaseMember,
    Household,
    HouseholdMember,
    Referral,
    ReferralPerson,
    Returnee,
    Share,
)
from services.cases.people.matching.keys import keys
from services.cases.people.matching.zones import zone_errors
from services.cases.people.returnees.schemas import Person, ReturneePatch, as_written, stored
from services.cases.people.search import lookup, queries

FOUND_BY = 2
"""Counts up when the rules change by which `terms` or `keys` are made."""
COLUMNS: Mapping[str, ReturneeField] = {
    "names": ReturneeField.NAMES,
    "sex": ReturneeField.SEX,
    "birth": ReturneeField.BIRTH,
    "nationality": ReturneeField.NATIONALITY,
    "documents": ReturneeField.DOCUMENTS,
    "languages": ReturneeField.LANGUAGES,
    "contacts": ReturneeField.CONTACTS,
    "identifiers": ReturneeField.IDENTIFIERS,
}


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


def write(session: Session, returnee: Returnee, person: Mapping[str, Any]) -> None:
    """Put particulars into a returnee's columns; `person` holds models of `schemas` by name."""
    for name, value in person.items():
        match name:
            case "names":
                returnee.names = stored(value)
            case "birth":
                returnee.birth_date, returnee.birth_precision = value.date, value.precision
            case "documents" | "contacts" | "identifiers":
                setattr(returnee, name, stored(value))
            case _:
                setattr(returnee, name, value)
    make_findable(session, returnee)


def make_findable(session: Session, returnee: Returnee) -> None:
    """Make anew what somebody is found by."""
    person = person_of(returnee)
    terms = lookup.terms(person)
    queries.learn(session, returnee.terms or [], terms)
    returnee.terms, returnee.keys, returnee.found_by = terms, keys(person), FOUND_BY


def check_corrected(before: Person, changed: Mapping[str, Any], at: str) -> None:
    """Returns 422 if somebody is born in the future, or a document is put beside them whose zone
    is another's.
    """
    after = before.model_copy(update=dict(changed))
    errors = zone_errors(after, at) if "documents" in changed else []
    if not has_come(after.birth.date):
        right = "a day that has come"
        errors.append(FieldError(pointer=f"{at}/birth/date", code="birth_in_future", detail=right))
    if errors:
        raise invalid(*errors)


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
    returnee = Returnee(id=returnee_id or new_id())
    write(session, returnee, {name: getattr(person, name) for name in Person.model_fields})
    session.add(returnee)
    await session.flush()
    publish(
        session,
        ReturneeRegistered(
            returnee_id=returnee.id, referral_id=referral_id, programme=programme, via=via
        ),
    )
    return returnee


async def find(
    session: Session, returnee_id: UUID, caller: Caller, *, lock: bool = False
) -> Returnee:
    """A returnee whom the caller may know of, by any of their ids.

    Raises:
        Problem: 404.
    """
    ids = await aliases.same_person(session, returnee_id)
    if not await known_ids(session, ids, caller):
        raise Problem(NOT_FOUND)
    root = await aliases.resolve(session, returnee_id)
    statement = select(Returnee).where(Returnee.id == root, col(Returnee.erased_at).is_(None))
    if lock:
        statement = statement.with_for_update(of=Returnee)
    returnee: Returnee | None = await session.scalar(statement)
    if returnee is None:
        raise Problem(NOT_FOUND)
    return returnee


def united(person: Person, others: Sequence[Person]) -> Person:
    """Returns who somebody is with what other records of them say beside: other spellings, other
    documents and numbers.
    """
    both = [person, *others]

    def all_of(name: str) -> list[Any]:
        found: list[Any] = []
        for each in both:
            found += [value for value in getattr(each, name) if value not in found]
        return found

    # How somebody is reached is what was last said of the record that they are found under.
    lists = ("names", "documents", "identifiers")
    return person.model_copy(update={name: all_of(name) for name in lists}) if others else person


async def _merged_into(session: Session, returnee: Returnee) -> list[Person]:
    """What the records say that were merged into somebody's."""
    ids = [each for each in await aliases.same_person(session, returnee.id) if each != returnee.id]
    if not ids:
        return []
    rows = await session.scalars(
        select(Returnee)
        .where(col(Returnee.id).in_(ids), col(Returnee.erased_at).is_(None))
        .order_by(col(Returnee.id))
    )
    return [person_of(row) for row in rows]


async def readable(
    session: Session, returnee: Returnee, known: Sequence[UUID], caller: Caller
) -> Person | None:
    """Who somebody is, as far as the caller may read it: all of it, or the categories that were
    shared with it.

    Args:
        session: The session.
        returnee: Who.
        known: Their ids under which the caller takes part.
        caller: Who reads.
    """
    if Scope.RETURNEES_IDENTITY not in caller.scopes:
        return None
    person = united(person_of(returnee), await _merged_into(session, returnee))
    if caller.is_internal or await roles(session, known, caller) - {Role.SHARED}:
        return person
    shares = await session.scalars(
        select(Share.categories).where(
            col(Share.returnee_id).in_(known),
            Share.organisation == caller.organisation,
            col(Share.ended_at).is_(None),
        )
    )
    categories = {category for each in shares for category in each}
    if SharedCategory.IDENTITY not in categories:
        return None
    without: dict[str, Any] = {}
    if SharedCategory.CONTACTS not in categories:
        without["contacts"] = []
    if SharedCategory.DOCUMENTS not in categories:
        without |= {"documents": [], "identifiers": []}
    return person.model_copy(update=without)


async def known_ids(session: Session, ids: Sequence[UUID], caller: Caller) -> list[UUID]:
    """Those of a person's ids under which the caller takes part in their return."""
    return list(
        await session.scalars(
            select(Returnee.id)
            .where(
                col(Returnee.id).in_(ids),
                col(Returnee.erased_at).is_(None),
                visible(col(Returnee.id), caller),
            )
            .order_by(col(Returnee.id))
        )
    )


async def roles(session: Session, ids: Iterable[UUID], caller: Caller) -> frozenset[Role]:
    """In what capacities the caller takes part in a person's return, under any of their ids."""
    found: frozenset[Role] = frozenset()
    for returnee_id in ids:
        found |= await roles_of(session, returnee_id, caller)
    return found


async def works_with(session: Session, ids: Sequence[UUID], caller: Caller) -> bool:
    """Whether the caller is a programme office of a person, or implements their present return.

    That is a case of theirs that is open, the last one where none is. Who implemented an earlier
    one still knows of them, and decides nothing any more.
    """
    held = await roles(session, ids, caller)
    if Role.PARTNER not in held:
        return Role.PROGRAMME in held
    rows = await session.execute(
        select(CaseFile.implementer, CaseFile.state, CaseMember.left_on)
        .join(CaseMember, col(CaseMember.case_id) == CaseFile.id)
        .where(col(CaseMember.returnee_id).in_(ids))
        .order_by(col(CaseFile.id).desc())
    )
    cases = [
        (row.implementer, row.state != CaseState.CLOSED and row.left_on is None) for row in rows
    ]
    present = {who for who, is_open in cases if is_open} or {who for who, _ in cases[:1]}
    return Role.PROGRAMME in held or not present or caller.organisation in present


def works_under(returnee_id: Any, caller: Caller) -> ColumnElement[bool]:
    """The same of the one id in a column, in SQL."""
    present = (
        select(CaseFile.implementer)
        .join(CaseMember, col(CaseMember.case_id) == CaseFile.id)
        .where(CaseMember.returnee_id == returnee_id)
        .order_by(
            or_(CaseFile.state == CaseState.CLOSED, col(CaseMember.left_on).is_not(None)),
            col(CaseFile.id).desc(),
        )
        .limit(1)
        .scalar_subquery()
    )
    implements = func.coalesce(present, caller.organisation) == caller.organisation
    partner = holds(returnee_id, {Role.PARTNER}, caller) & implements
    return holds(returnee_id, {Role.PROGRAMME}, caller) | partner


async def to_work_on(
    session: Session, returnee_id: UUID, caller: Caller
) -> tuple[Returnee, list[UUID]]:
    """A returnee, locked, and all their ids, for those who implement the return and for the
    programme office.

    Raises:
        Problem: 404, or 403 for who only referred them, was told of them or implemented an earlier
            return.
    """
    returnee = await find(session, returnee_id, caller, lock=True)
    ids = await aliases.same_person(session, returnee.id)
    if not await works_with(session, ids, caller):
        raise Problem(
            FORBIDDEN, "the implementing organisation and the programme office decide on returnees"
        )
    return returnee, ids


async def current_households(
    session: Session, returnee_ids: Iterable[UUID]
) -> dict[UUID, HouseholdMember]:
    """Where each person belongs now."""
    rows = await session.scalars(
        select(HouseholdMember).where(
            col(HouseholdMember.returnee_id).in_(list(returnee_ids)),
            col(HouseholdMember.until).is_(None),
        )
    )
    return {row.returnee_id: row for row in rows}


async def cases_of(session: Session, ids: Sequence[UUID]) -> list[UUID]:
    """The cases of a person by their ids, oldest first."""
    return list(
        await session.scalars(
            select(CaseMember.case_id)
            .where(col(CaseMember.returnee_id).in_(ids))
            .order_by(col(CaseMember.case_id))
            .distinct()
        )
    )


async def references_of(session: Session, returnee_id: UUID) -> list[tuple[str, int]]:
    """The person's places in referrals, under their senders' references."""
    rows = await session.execute(
        select(Referral.external_reference, ReferralPerson.index)
        .join(ReferralPerson, col(ReferralPerson.referral_id) == Referral.id)
        .where(ReferralPerson.returnee_id == returnee_id)
        .order_by(col(Referral.id))
    )
    return [(reference, index) for reference, index in rows]


async def correct(
    session: Session,
    returnee_id: UUID,
    patch: ReturneePatch,
    caller: Caller,
    precondition: Precondition,
) -> Returnee:
    """Correct particulars of a returnee; who keeps a copy is told to fetch it again.

    Raises:
        Problem: 404, 403 for who only referred them, 412, 428.
    """
    returnee = await find(session, returnee_id, caller, lock=True)
    precondition.check(returnee.version)
    ids = await aliases.same_person(session, returnee.id)
    if not await works_with(session, ids, caller):
        raise Problem(
            FORBIDDEN, "the implementing organisation and the programme office correct returnees"
        )
    sent = {name: getattr(patch, name) for name in sorted(patch.model_fields_set)}
    before = person_of(returnee)
    changed = {name: value for name, value in sent.items() if value != getattr(before, name)}
    if not changed:
        return returnee
    check_corrected(before, changed, "")
    write(session, returnee, changed)
    returnee.changed()
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
            changed=tuple(COLUMNS[name] for name in changed),
        ),
    )
    audit.record(session, caller, "correct", "returnee", returnee.id, {"changed": list(changed)})
    await session.flush()
    return returnee


async def form_household(
    session: Session,
    people: Sequence[tuple[UUID, str, Member]],
    *,
    referral_id: UUID | None,
    programme: str,
) -> tuple[Household, list[HouseholdChanged]]:
    """Bring people together in a household: the principal's present one, or a new one.

    Args:
        session: The session.
        people: Returnee, relationship to the principal, and coarse place; the principal among them.
        referral_id: The referral by which they return.
        programme: Its programme.

    Returns:
        The household, and what is to be published of it once the case is open.
    """
    current = await current_households(session, [returnee_id for returnee_id, _, _ in people])
    principal = next(returnee_id for returnee_id, _, member in people if member is Member.PRINCIPAL)
    known = current.get(principal)
    household = (
        await session.get(Household, known.household_id, with_for_update=True) if known else None
    )
    if household is None:
        household = Household()
        session.add(household)
    else:
        household.changed()
    await session.flush()
    facts = []
    for returnee_id, relationship, member in people:
        here = current.get(returnee_id)

        def fact(
            household_id: UUID,
            change: HouseholdChange,
            returnee_id: UUID = returnee_id,
            member: Member = member,
        ) -> HouseholdChanged:
            return HouseholdChanged(
                returnee_id=returnee_id,
                household_id=household_id,
                referral_id=referral_id,
                programme=programme,
                change=change,
                member=member,
            )

        if here is not None and here.household_id == household.id:
            if (here.relationship, here.member) != (relationship, member):
                here.relationship, here.member = relationship, member
                facts.append(fact(household.id, HouseholdChange.MEMBER_CHANGED))
            continue
        if here is not None:
            here.until = now()
            left = await session.get(Household, here.household_id, with_for_update=True)
            if left is not None:
                left.changed()
            facts.append(fact(here.household_id, HouseholdChange.LEFT))
            await session.flush()
        session.add(
            HouseholdMember(
                household_id=household.id,
                returnee_id=returnee_id,
                relationship=relationship,
                member=member,
            )
        )
        facts.append(fact(household.id, HouseholdChange.JOINED))
    await session.flush()
    return household, facts


async def household(
    session: Session, household_id: UUID, caller: Caller
) -> tuple[Household, list[HouseholdMember]]:
    """A household with those of its members, now and before, whom the caller may know of.

    Raises:
        Problem: 404.
    """
    seen = (
        select(HouseholdMember)
        .where(
            HouseholdMember.household_id == household_id,
            visible(col(HouseholdMember.returnee_id), caller),
        )
        .order_by(col(HouseholdMember.since), col(HouseholdMember.id))
    )
    members = list(await session.scalars(seen))
    row = await session.get(Household, household_id)
    if row is None or not members:
        raise Problem(NOT_FOUND)
    return row, members


async def has_open_case(session: Session, returnee_id: UUID) -> bool:
    """Whether the person is, under any of their ids, in a case that is not closed, and has not left
    it for good.
    """
    ids = await aliases.same_person(session, returnee_id)
    return bool(
        await session.scalar(
            select(
                exists().where(
                    col(CaseMember.returnee_id).in_(ids),
                    col(CaseMember.left_on).is_(None),
                    col(CaseFile.id) == CaseMember.case_id,
                    col(CaseFile.state) != CaseState.CLOSED,
                )
            )
        )
    )
