"""After submission: what the persons may be known as already, what is amended, and what both sides
write.
"""

from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import CONFLICT, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import (
    Amendment,
    HouseholdChange,
    HouseholdChanged,
    ReferralAmended,
    Registration,
    ReturneeUpdated,
)
from contracts.codes import CaseState, Member, NeedsPriority
from participation import aliases
from participation.access import Role, grant
from services.cases.casework.access import lock_present_case
from services.cases.casework.cases.service import add_members, open_case
from services.cases.casework.records import event_ids
from services.cases.intake.referrals import rules, service
from services.cases.intake.referrals.pending import referred_alike
from services.cases.intake.referrals.schemas import (
    AmendIn,
    Correction,
    MessageIn,
    PersonCandidates,
    PersonIn,
    ReferralContent,
)
from services.cases.intake.travel.schemas import MOST_PERSONS
from services.cases.intake.travel.service import senders_referral
from services.cases.models import (
    CaseFile,
    HouseholdMember,
    Referral,
    ReferralMessage,
    ReferralPerson,
    Returnee,
)
from services.cases.people.matching import duplicates
from services.cases.people.returnees import service as returnees
from services.cases.people.returnees.schemas import AccessRequestIn, AccessRequestOut
from services.cases.people.rights import service as rights
from services.cases.programmes import rules_of

OF_THE_RETURN = (
    "programme",
    "programme_version",
    "programme_office",
    "return_kind",
    "country_of_return",
    "referral_id",
    "household_id",
    "referrer",
    "implementer",
    "governorate",
    "district",
    "address",
)
"""What the case of somebody who is followed for themselves has from their family's."""


async def candidates(session: Session, referral_id: UUID, caller: Caller) -> list[PersonCandidates]:
    """Who each person of a referral may be: before acceptance among everybody, afterwards besides
    themselves.

    Raises:
        Problem: 404.
    """
    referral = await service.find(session, referral_id, caller)
    rows = await session.scalars(
        select(ReferralPerson).where(ReferralPerson.referral_id == referral.id)
    )
    bound = {row.index: row.returnee_id for row in rows}
    people = {
        index: PersonIn.model_validate(person)
        for index, person in enumerate(referral.content["people"])
        if not person.get("erased")
    }
    undecided = referral.state in rules.UNDECIDED
    referred = await referred_alike(session, referral, people, caller) if undecided else {}
    found = []
    for index, entry in people.items():
        own = bound.get(index)
        shown = await duplicates.candidates(
            session, referral.id, entry, caller, besides=[own] if own else []
        )
        found.append(
            PersonCandidates(index=index, candidates=shown, referred=referred.get(index, []))
        )
    audit.record(session, caller, "read-duplicates", "referral", referral.id)
    return found


async def request_access(
    session: Session, referral_id: UUID, candidate_id: UUID, body: AccessRequestIn, caller: Caller
) -> AccessRequestOut:
    """Ask those who know of a masked candidate, before it is decided who the persons are.

    Raises:
        Problem: 404, there is no such candidate; 409, it is not masked.
    """
    referral = await service.find(session, referral_id, caller)
    people = [
        PersonIn.model_validate(person)
        for person in referral.content["people"]
        if not person.get("erased")
    ]
    found = [row for person in people for row, _ in await duplicates.alike(session, person)]
    return await duplicates.ask(session, referral.id, candidate_id, found, body, caller)


async def messages(session: Session, referral_id: UUID, caller: Caller) -> list[ReferralMessage]:
    """What was written about a referral, oldest first.

    Raises:
        Problem: 404.
    """
    referral = await service.find(session, referral_id, caller)
    audit.record(session, caller, "read-messages", "referral", referral.id)
    statement = select(ReferralMessage).where(ReferralMessage.referral_id == referral.id)
    return list(await session.scalars(statement.order_by(col(ReferralMessage.id))))


async def write(
    session: Session, referral_id: UUID, body: MessageIn, caller: Caller
) -> ReferralMessage:
    """Write to the other side.

    Raises:
        Problem: 404.
    """
    referral = await service.find(session, referral_id, caller)
    row = ReferralMessage(
        referral_id=referral.id,
        organisation=caller.organisation,
        written_by=caller.person,
        body=body.body,
    )
    session.add(row)
    await session.flush()
    audit.record(
        session, caller, "write-message", "referral", referral.id, {"message": str(row.id)}
    )
    return row


async def amend(session: Session, referral_id: UUID, body: AmendIn, caller: Caller) -> Referral:
    """Amend an accepted referral: add somebody, or correct what was said of somebody.

    Raises:
        Problem: 404, 403, 409 where it is not accepted or its case is closed, 422.
    """
    referral = await senders_referral(session, referral_id, caller)
    referral.state = rules.after(referral.state, "amend")
    opened = select(CaseFile).where(
        CaseFile.referral_id == referral.id, col(CaseFile.split_from).is_(None)
    )
    case = await session.scalar(opened.with_for_update())
    if case is None or case.state == CaseState.CLOSED:
        raise Problem(CONFLICT, "its case is closed")
    rows = await session.scalars(
        select(ReferralPerson).where(ReferralPerson.referral_id == referral.id)
    )
    places = {row.index: row.returnee_id for row in rows}
    people = [dict(person) for person in referral.content["people"]]
    errors = [
        FieldError(
            pointer=f"/correct/{place}/index",
            code="no_such_person",
            detail=f"a place from 0 to {len(people) - 1}",
        )
        for place, each in enumerate(body.correct)
        if each.index >= len(people) or people[each.index].get("erased")
    ]
    errors += [
        FieldError(
            pointer=f"/add/{place}/role",
            code="one_principal",
            detail="another role than the principal's",
        )
        for place, person in enumerate(body.add)
        if rules.member_of_household(person, person.birth.date) is Member.PRINCIPAL
    ]
    additions, repeated = rules.additions(people, body.add, await service.today(session))
    if additions and len(people) + len(body.add) > MOST_PERSONS:
        right = f"at most {MOST_PERSONS} persons in a referral; refer others anew"
        errors.append(FieldError(pointer="/add", code="too_many_persons", detail=right))
    errors += repeated
    if not body.add and not body.correct:
        errors.append(
            FieldError(pointer="", code="nothing_amended", detail="somebody to add or to correct")
        )
    if errors:
        raise invalid(*errors)
    if not additions and not body.correct:
        return referral  # it was sent before
    for each in body.correct:
        returnee_id = places[each.index]
        assert returnee_id is not None
        theirs = await lock_present_case(session, case, returnee_id)
        await _correct(session, referral, theirs, returnee_id, each, people)
    for person in additions:
        index = len(people)
        people.append(person.model_dump(mode="json"))
        await _add(session, referral, case, index, person)
    referral.content = referral.content | {"people": people}
    referral.changed()
    case.changed()
    details = {"added": len(additions), "corrected": [each.index for each in body.correct]}
    audit.record(session, caller, "amend", "referral", referral.id, details)
    await session.flush()
    return referral


async def _correct(
    session: Session,
    referral: Referral,
    case: CaseFile,
    returnee_id: UUID,
    correction: Correction,
    people: list[dict[str, object]],
) -> None:
    # Of a merged person everybody reads what is recorded under the id they are found under.
    root = await aliases.resolve(session, returnee_id)
    returnee = await session.scalar(select(Returnee).where(Returnee.id == root).with_for_update())
    assert returnee is not None
    sent = {
        name: getattr(correction.person, name)
        for name in sorted(correction.person.model_fields_set)
    }
    before = returnees.person_of(returnee)
    changed = {name: value for name, value in sent.items() if value != getattr(before, name)}
    dumped = correction.person.model_dump(mode="json", exclude_unset=True)
    people[correction.index] = people[correction.index] | dumped
    if not changed:
        return
    returnees.check_corrected(before, changed, f"/correct/{correction.index}/person")
    returnees.write(session, returnee, changed)
    returnee.changed()
    ids = {
        "returnee_id": returnee_id,
        "case_id": case.id,
        "referral_id": referral.id,
        "household_id": case.household_id,
        "programme": referral.programme,
    }
    updated = ids | {"returnee_id": root}
    publish(
        session,
        ReturneeUpdated(**updated, changed=tuple(returnees.COLUMNS[name] for name in changed)),
    )
    publish(session, ReferralAmended(**ids, change=Amendment.CORRECTED))
    await session.flush()


async def _add(
    session: Session, referral: Referral, case: CaseFile, index: int, person: PersonIn
) -> None:
    """Somebody more: registered, in the household, and a member of the case, or of one of their
    own.
    """
    assert referral.implementer is not None
    returnee = await returnees.register(
        session,
        person,
        via=Registration.REFERRAL,
        referral_id=referral.id,
        programme=referral.programme,
    )
    session.add(
        ReferralPerson(referral_id=referral.id, index=index, returnee_id=returnee.id, keys=[])
    )
    for role, organisation in (
        (Role.REFERRER, referral.sender),
        (Role.PROGRAMME, referral.programme),
        (Role.PARTNER, case.implementer),
    ):
        await grant(session, [returnee.id], role, organisation)
    consents = ReferralContent.model_validate(
        referral.content
        | {"people": [each for each in referral.content["people"] if not each.get("erased")]}
    ).consents
    await rights.give_consents(session, [returnee.id], consents)
    member = rules.member_of_household(person, await service.today(session))
    session.add(
        HouseholdMember(
            household_id=case.household_id,
            returnee_id=returnee.id,
            relationship=person.role,
            member=member,
        )
    )
    programme = rules_of(referral.programme, referral.programme_version)
    joining = [(returnee.id, member)]
    if rules.has_own_file(person, member, programme):
        own = CaseFile(
            id=new_id(),
            state=CaseState.PRE_DEPARTURE,
            needs_priority=NeedsPriority(referral.needs_priority),
            split_from=case.id,
            **{name: getattr(case, name) for name in OF_THE_RETURN},
        )
        service.tell_accepted(session, referral, own, joining)
        (row,) = await open_case(session, own, joining)
        ids = event_ids(own, row)
    else:
        service.tell_accepted(session, referral, case, joining)
        (row,) = await add_members(session, case, joining)
        ids = event_ids(case, row)
    publish(session, HouseholdChanged(**ids, change=HouseholdChange.JOINED, member=member))
    publish(session, ReferralAmended(**ids, change=Amendment.ADDED))
