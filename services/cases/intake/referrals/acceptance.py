"""A referral is accepted: its persons become returnees of a household, and their cases open."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, current_time
from chassis.errors import FieldError, invalid
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import ReferralAccepted, Registration
from contracts.codes import CaseState, Member
from contracts.programmes import Decider
from participation.access import Role, grant
from services.cases.access.cases import load_cases_of_referral, load_members
from services.cases.access.referrals import require_decider
from services.cases.casework.cases.service import open_case, progress
from services.cases.casework.deadlines import service as deadlines
from services.cases.intake.referrals import rules, service
from services.cases.intake.referrals.bindings import load_bound
from services.cases.intake.referrals.schemas import Binding, Consent, ReferralContent
from services.cases.intake.travel import journeys
from services.cases.models import CaseFile, Referral, Returnee
from services.cases.people.duplicates.service import check_second_records
from services.cases.people.households.memberships import Place, form_household
from services.cases.people.returnees.service import register
from services.cases.people.rights.consent import GivenConsent, give_consents
from services.cases.programmes import programmes, rules_of
from services.cases.states.intake import REFERRAL, ReferralAction


async def accept(
    session: Session,
    caller: Caller,
    referral_id: UUID,
    precondition: Precondition,
    *,
    implementer: str | None,
    bindings: Sequence[Binding],
    comment: str,
) -> Referral:
    """Accept a referral: its persons become returnees of a household, and their case opens.

    Args:
        session: The session.
        caller: Whose turn it is to decide.
        referral_id: The referral.
        precondition: What the caller has seen of it.
        implementer: Who implements it; None for who follows from the referral.
        bindings: Who its persons are, of those of whom it is said.
        comment: For its sender.

    Raises:
        Problem: 404, 403, 412, 422, 428; 409 also where somebody of whom nothing is said is likely
            to be known already.
    """
    referral = await require_decider(session, caller, referral_id)
    precondition.check(await service.load_version(session, referral))
    REFERRAL.check(referral.state, ReferralAction.ACCEPT)
    content = ReferralContent.model_validate(referral.content)
    possible = _possible_implementers(caller, referral)
    chosen = implementer or _default_implementer(referral, possible)
    known = await _check(session, caller, referral, content, bindings, possible, chosen)
    returnee_ids = await _register(session, referral, content, known)
    bound = {index: returnee.id for index, returnee in known.items()}
    await REFERRAL.move(
        session,
        caller,
        referral,
        ReferralAction.ACCEPT,
        details={
            "implementer": chosen,
            "returnees": [str(returnee_id) for returnee_id in returnee_ids],
            "known": [str(returnee_id) for returnee_id in bound.values()],
            "said_to_be_new": sorted({binding.index for binding in bindings} - bound.keys()),
        },
        implementer=chosen,
        comment=comment or None,
        decided_by=caller.require_person(),
        decided_at=await current_time(session),
    )
    await service.settle_all(session, referral, met=service.DECISIONS.values())
    await grant(session, returnee_ids, Role.REFERRER, referral.sender)
    await grant(session, returnee_ids, Role.PROGRAMME, referral.programme)
    await grant(session, returnee_ids, Role.PARTNER, chosen)
    await service.keep_partner(session, referral)
    await give_consents(session, returnee_ids, given_consents(content.consents))
    await _open_cases(session, referral, content, returnee_ids, chosen)
    await journeys.publish_all(session, referral)
    if referral.arrived_on is not None:
        await _begin_after_arrival(session, referral)
    return referral


def given_consents(consents: Sequence[Consent]) -> list[GivenConsent]:
    """The consents of a referral as its persons gave them."""
    return [
        GivenConsent(consent.purpose, consent.version, consent.given_on, consent.legal_basis)
        for consent in consents
    ]


def _possible_implementers(caller: Caller, referral: Referral) -> tuple[str, ...]:
    """Who may implement a referral: a partner that decides does so itself."""
    if referral.retroactive:
        return (referral.submitter,)
    programme = rules_of(referral.programme, referral.programme_version)
    possible = programme.implementers(referral.country_of_return)
    if referral.decider is Decider.PARTNER:
        return tuple(name for name in possible if name == caller.organisation)
    return possible


def _default_implementer(referral: Referral, possible: Sequence[str]) -> str:
    asked = referral.requested_partner
    return asked if asked is not None and asked in possible else next(iter(possible), "")


async def _check(
    session: Session,
    caller: Caller,
    referral: Referral,
    content: ReferralContent,
    bindings: Sequence[Binding],
    possible: Sequence[str],
    implementer: str,
) -> Mapping[int, Returnee]:
    """Check who implements a referral and who its persons are said to be.

    Returns:
        Those who are known already, locked, by their index in the referral.

    Raises:
        Problem: 422; 409, somebody of whom nothing is said is likely to be known already.
    """
    errors = rules.binding_errors([binding.index for binding in bindings], len(content.people))
    if implementer not in possible:
        right = "an organisation that may implement: " + (", ".join(possible) or "none")
        errors.append(
            FieldError(pointer="/implementer", code="implementer_outside_programme", detail=right)
        )
    taking_part = {referral.sender, implementer}
    bound = await load_bound(session, caller, content.people, bindings, taking_part)
    errors += bound.errors
    if errors:
        raise invalid(*errors)
    named = {binding.index for binding in bindings}
    unnamed = {index: person for index, person in enumerate(content.people) if index not in named}
    await check_second_records(session, caller, referral.id, unnamed)
    return bound.returnees


async def _register(
    session: Session,
    referral: Referral,
    content: ReferralContent,
    known: Mapping[int, Returnee],
) -> list[UUID]:
    """Note who each person of a referral is, and register those who are not known; their ids."""
    returnee_ids = []
    rows = await service.load_people(session, referral.id)
    for row, person in zip(rows, content.people, strict=True):
        returnee = known.get(row.index)
        if returnee is None:
            returnee = await register(
                session,
                person,
                via=Registration.REFERRAL,
                referral_id=referral.id,
                programme=referral.programme,
            )
        else:
            returnee.changed()  # another case, perhaps another household
        row.returnee_id = returnee.id
        returnee_ids.append(returnee.id)
    return returnee_ids


async def _open_cases(
    session: Session,
    referral: Referral,
    content: ReferralContent,
    returnee_ids: Sequence[UUID],
    implementer: str,
) -> None:
    """Form the household and open its case, and one more for each grown child where the programme
    says so.
    """
    today = (await current_time(session)).date()
    on = content.travel.departs_on if content.travel else today
    members = [rules.member_of_household(person, on) for person in content.people]
    household, changes = await form_household(
        session,
        [
            Place(returnee_id, person.role, member)
            for returnee_id, person, member in zip(
                returnee_ids, content.people, members, strict=True
            )
        ],
        referral_id=referral.id,
        programme=referral.programme,
    )
    programme = rules_of(referral.programme, referral.programme_version)
    followed_alone = [
        index
        for index, person in enumerate(content.people)
        if rules.has_own_file(person, members[index], programme)
    ]
    family = [index for index in range(len(members)) if index not in followed_alone]
    opened: list[CaseFile] = []
    followed_in: dict[UUID, CaseFile] = {}
    for indices in (family, *([index] for index in followed_alone)):
        case = CaseFile(
            id=new_id(),
            state=CaseState.PRE_DEPARTURE,
            programme=referral.programme,
            programme_version=referral.programme_version,
            programme_office=programmes()[referral.programme].office,
            return_kind=referral.return_kind,
            country_of_return=referral.country_of_return,
            referral_id=referral.id,
            household_id=household.id,
            split_from=opened[0].id if opened else None,
            referrer=referral.sender,
            implementer=implementer,
            governorate=content.destination.governorate,
            district=content.destination.district,
            address=content.destination.address,
            needs_priority=referral.needs_priority,
        )
        opened.append(case)
        followed_in |= {returnee_ids[index]: case for index in indices}
        people = [(returnee_ids[index], members[index]) for index in indices]
        publish_accepted(session, referral, case, people)
        await open_case(session, case, people, referral.arrived_on)
    for change in changes:
        case = followed_in.get(change.returnee_id, opened[0])
        publish(session, change.model_copy(update={"case_id": case.id}))


def publish_accepted(
    session: Session, referral: Referral, case: CaseFile, people: Sequence[tuple[UUID, Member]]
) -> None:
    """Publish for each of some people that the referral was accepted, and in which case they are
    followed.
    """
    for returnee_id, member in people:
        publish(
            session,
            ReferralAccepted(
                returnee_id=returnee_id,
                case_id=case.id,
                referral_id=referral.id,
                household_id=case.household_id,
                programme=referral.programme,
                programme_version=referral.programme_version,
                return_kind=referral.return_kind,
                member=member,
                referrer=referral.sender,
                implementer=case.implementer,
                needs_priority=referral.needs_priority,
            ),
        )


async def _begin_after_arrival(session: Session, referral: Referral) -> None:
    """Of a retroactive referral the persons have returned: their windows began that day."""
    assert referral.arrived_on is not None
    cases = await load_cases_of_referral(session, referral.id, lock=True)
    for case_id, members in (await load_members(session, cases)).items():
        case = cases[case_id]
        for member in members:
            member.arrived_on = referral.arrived_on
        case.arrived_on = referral.arrived_on
        await progress(session, case, members, CaseState.ARRIVED)
        await session.flush()
        await deadlines.set_for_case(session, case, members, referral.arrived_on)
