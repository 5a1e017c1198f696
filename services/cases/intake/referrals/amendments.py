"""Accepted referrals are amended: somebody is added, or what was said of somebody is corrected."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from chassis.auth import Caller
from chassis.db import Session, current_time
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
from contracts.codes import CaseState, Member
from participation import aliases
from participation.access import Role, grant
from services.cases.access.cases import lock_present_case
from services.cases.access.referrals import require_sender
from services.cases.casework.cases.service import add_members, open_case
from services.cases.intake.referrals import rules, service
from services.cases.intake.referrals.acceptance import given_consents, publish_accepted
from services.cases.intake.referrals.schemas import Correction, PersonIn
from services.cases.intake.travel.schemas import MOST_PERSONS
from services.cases.models import (
    CaseFile,
    CaseMember,
    HouseholdMember,
    Referral,
    ReferralPerson,
    Returnee,
)
from services.cases.people.returnees.service import correct_particulars, register
from services.cases.people.rights.consent import give_consents
from services.cases.programmes import rules_of
from services.cases.records import event_ids
from services.cases.states.intake import REFERRAL, ReferralAction

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


async def _lock_open_case(session: Session, referral: Referral) -> CaseFile:
    """Lock the case that a referral opened.

    Raises:
        Problem: 409, it is closed.
    """
    case: CaseFile | None = await session.scalar(
        select(CaseFile)
        .where(CaseFile.referral_id == referral.id, col(CaseFile.split_from).is_(None))
        .with_for_update()
    )
    if case is None or case.state is CaseState.CLOSED:
        raise Problem(CONFLICT, "its case is closed")
    return case


async def amend(
    session: Session,
    caller: Caller,
    referral_id: UUID,
    *,
    add: Sequence[PersonIn],
    correct: Sequence[Correction],
) -> Referral:
    """Amend an accepted referral. What was sent before is not added again.

    Args:
        session: The session.
        caller: Who sent it.
        referral_id: The referral.
        add: Who joins it.
        correct: What is corrected about its persons.

    Raises:
        Problem: 404, 403, 409 where it is not accepted or its case is closed, 422.
    """
    referral = await require_sender(session, caller, referral_id)
    REFERRAL.check(referral.state, ReferralAction.AMEND)
    case = await _lock_open_case(session, referral)
    people = [dict(person) for person in referral.content["people"]]
    today = (await current_time(session)).date()
    additions = _check(people, add, correct, rules.additions(people, add, today))
    if not additions and not correct:
        return referral  # it was sent before
    returnee_ids = {
        row.index: row.returnee_id for row in await service.load_people(session, referral.id)
    }
    for correction in correct:
        returnee_id = returnee_ids[correction.index]
        assert returnee_id is not None
        own_case = await lock_present_case(session, case, returnee_id)
        await _correct(session, referral, own_case, returnee_id, correction)
        sent = correction.person.model_dump(mode="json", exclude_unset=True)
        people[correction.index] = people[correction.index] | sent
    for person in additions:
        await _add(session, referral, case, len(people), person)
        people.append(person.model_dump(mode="json"))
    case.changed()
    await REFERRAL.move(
        session,
        caller,
        referral,
        ReferralAction.AMEND,
        details={
            "added": len(additions),
            "corrected": [correction.index for correction in correct],
        },
        content=referral.content | {"people": people},
    )
    return referral


def _check(
    people: Sequence[Mapping[str, Any]],
    add: Sequence[PersonIn],
    correct: Sequence[Correction],
    additions: tuple[list[PersonIn], list[FieldError]],
) -> list[PersonIn]:
    """Those of who is to be added who are new.

    Raises:
        Problem: 422.
    """
    new, repeated = additions
    errors = _misplaced(people, add, correct)
    if new and len(people) + len(add) > MOST_PERSONS:
        right = f"at most {MOST_PERSONS} persons in a referral; refer others anew"
        errors.append(FieldError(pointer="/add", code="too_many_persons", detail=right))
    errors += repeated
    if not add and not correct:
        right = "somebody to add or to correct"
        errors.append(FieldError(pointer="", code="nothing_amended", detail=right))
    if errors:
        raise invalid(*errors)
    return new


def _misplaced(
    people: Sequence[Mapping[str, Any]], add: Sequence[PersonIn], correct: Sequence[Correction]
) -> list[FieldError]:
    """Corrections of nobody, and principals beside the one that there is."""
    errors = [
        FieldError(
            pointer=f"/correct/{position}/index",
            code="no_such_person",
            detail=f"a place from 0 to {len(people) - 1}",
        )
        for position, correction in enumerate(correct)
        if correction.index >= len(people) or people[correction.index].get("erased")
    ]
    errors += [
        FieldError(
            pointer=f"/add/{position}/role",
            code="one_principal",
            detail="another role than the principal's",
        )
        for position, person in enumerate(add)
        if rules.member_of_household(person, person.birth.date) is Member.PRINCIPAL
    ]
    return errors


async def _correct(
    session: Session,
    referral: Referral,
    case: CaseFile,
    returnee_id: UUID,
    correction: Correction,
) -> None:
    # Of a merged person everybody reads what is recorded under the id they are found under.
    root = await aliases.resolve(session, returnee_id)
    returnee = await session.scalar(select(Returnee).where(Returnee.id == root).with_for_update())
    assert returnee is not None
    sent = {
        name: getattr(correction.person, name)
        for name in sorted(correction.person.model_fields_set)
    }
    changed = correct_particulars(session, returnee, sent, f"/correct/{correction.index}/person")
    if not changed:
        return
    ids = {
        "returnee_id": returnee_id,
        "case_id": case.id,
        "referral_id": referral.id,
        "household_id": case.household_id,
        "programme": referral.programme,
    }
    publish(session, ReturneeUpdated(**ids | {"returnee_id": root}, changed=changed))
    publish(session, ReferralAmended(**ids, change=Amendment.CORRECTED))
    await session.flush()


async def _add(
    session: Session, referral: Referral, case: CaseFile, index: int, person: PersonIn
) -> None:
    """Let somebody join: registered, in the household, and a member of the case, or of one of their
    own.
    """
    returnee = await register(
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
    content = service.content_of(referral)
    if content is not None:
        await give_consents(session, [returnee.id], given_consents(content.consents))
    today = (await current_time(session)).date()
    member = rules.member_of_household(person, today)
    session.add(
        HouseholdMember(
            household_id=case.household_id,
            returnee_id=returnee.id,
            relationship=person.role,
            member=member,
        )
    )
    programme = rules_of(referral.programme, referral.programme_version)
    is_followed_alone = rules.has_own_file(person, member, programme)
    joined, row = await _join_case(
        session, referral, case, returnee.id, member, alone=is_followed_alone
    )
    ids = event_ids(joined, row)
    publish(session, HouseholdChanged(**ids, change=HouseholdChange.JOINED, member=member))
    publish(session, ReferralAmended(**ids, change=Amendment.ADDED))


async def _join_case(
    session: Session,
    referral: Referral,
    case: CaseFile,
    returnee_id: UUID,
    member: Member,
    *,
    alone: bool,
) -> tuple[CaseFile, CaseMember]:
    joining = [(returnee_id, member)]
    if not alone:
        publish_accepted(session, referral, case, joining)
        (row,) = await add_members(session, case, joining)
        return case, row
    own = CaseFile(
        id=new_id(),
        state=CaseState.PRE_DEPARTURE,
        needs_priority=referral.needs_priority,
        split_from=case.id,
        **{name: getattr(case, name) for name in OF_THE_RETURN},
    )
    publish_accepted(session, referral, own, joining)
    (row,) = await open_case(session, own, joining)
    return own, row
