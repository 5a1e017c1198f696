"""What all that is done with a referral has in common: what it says, its version, its persons, and
who goes on seeing it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy import select as sql_select
from sqlmodel import col, delete, select

from chassis.db import Session, current_time
from contracts.codes import DeadlineKind
from contracts.programmes import Decider
from participation.access import Role, grant, participation
from services.cases.access.cases import load_cases_of_referral, load_members
from services.cases.casework.deadlines import service as deadlines
from services.cases.intake.referrals import pending
from services.cases.intake.referrals.schemas import BecameOut, ReferralContent
from services.cases.intake.travel import journeys
from services.cases.models import (
    CaseFile,
    CaseMember,
    Journey,
    JourneyPerson,
    Referral,
    ReferralPerson,
)
from services.cases.states.casework import DeadlineState

DECISIONS = {
    Decider.PARTNER: DeadlineKind.REFERRAL_DECISION,
    Decider.PROGRAMME_OFFICE: DeadlineKind.OFFICE_DECISION,
    Decider.REFERRER: DeadlineKind.RETROACTIVE_DECISION,
}
"""What runs while somebody is asked to decide."""


def people_of(referral: Referral) -> dict[int, dict[str, Any]]:
    """The persons of a referral by their index in it, without those who were erased."""
    return {
        index: person
        for index, person in enumerate(referral.content["people"])
        if not person.get("erased")
    }


def content_of(referral: Referral) -> ReferralContent | None:
    """What a referral says, without persons who were erased; None if all of them were."""
    people = list(people_of(referral).values())
    return ReferralContent.model_validate(referral.content | {"people": people}) if people else None


def event_ids_of(referral: Referral) -> dict[str, Any]:
    """The ids that relate an event to a referral."""
    return {
        "referral_id": referral.id,
        "programme": referral.programme,
        "referrer": referral.sender,
    }


async def load_version(session: Session, referral: Referral) -> int:
    """The version of a referral together with what is shown of its journeys and its cases.

    None of them ever counts down, so that every change of any of them is another sum.
    """
    versions = select(func.coalesce(func.sum(Journey.version), 0)).where(
        Journey.referral_id == referral.id
    )
    cases = await load_cases_of_referral(session, referral.id)
    return (
        referral.version
        + int(await session.scalar(versions) or 0)
        + sum(case.version for case in cases.values())
    )


async def load_people(session: Session, referral_id: UUID) -> Sequence[ReferralPerson]:
    """Load the rows of a referral's persons, in their order."""
    rows = await session.scalars(
        select(ReferralPerson)
        .where(ReferralPerson.referral_id == referral_id)
        .order_by(col(ReferralPerson.index))
    )
    return rows.all()


async def await_decision(session: Session, referral: Referral) -> None:
    """Let the clock of who decides begin to run."""
    kind = DECISIONS[referral.decider]
    await deadlines.set_for_referral(session, referral, kind, await current_time(session))


async def keep_partner(session: Session, referral: Referral) -> None:
    """Let only the partner that implements a referral, or who submitted it, go on seeing it.

    Whom it is about, what was written and what was uploaded is no concern any more of who was asked
    in vain; nor are its people looked for among those of undecided ones.
    """
    await pending.forget_keys(session, referral.id)
    asked = participation.c
    await session.execute(
        delete(participation).where(
            asked.subject_id == referral.id,
            asked.role == Role.PARTNER,
            asked.organisation != (referral.implementer or referral.submitter),
        )
    )
    if referral.implementer is not None:
        await grant(session, [referral.id], Role.PARTNER, referral.implementer)


async def load_outcomes(session: Session, referral: Referral) -> list[BecameOut]:
    """Load what became of each person of a referral."""
    people = await load_people(session, referral.id)
    cases = await load_cases_of_referral(session, referral.id)
    members: dict[UUID | None, CaseMember] = {
        member.returnee_id: member
        for rows in (await load_members(session, cases)).values()
        for member in rows
    }
    opened = next(iter(cases.values()), None)
    last_journeys = await _load_last_journeys(session, referral.id)
    roles = [person["role"] for person in referral.content["people"]]
    outcomes = []
    for person in people:
        member = members.get(person.returnee_id)
        case = cases[member.case_id] if member else opened
        journey = last_journeys.get(person.index)
        outcomes.append(_render_outcome(person, roles[person.index], journey, member, case))
    return outcomes


def _render_outcome(
    person: ReferralPerson,
    role: str,
    journey: Journey | None,
    member: CaseMember | None,
    case: CaseFile | None,
) -> BecameOut:
    became: dict[str, Any] = {}
    if journey is not None:
        departs_on = journeys.legs_of(journey)[0].departs_on
        became |= {"travel_state": journey.state, "departs_on": departs_on}
    if member is not None:
        became |= {"arrival_state": member.arrival_state, "arrived_on": member.arrived_on}
    if case is not None:
        reason = case.closure_reason
        became |= {"case_id": case.id, "case_state": case.state, "closure_reason": reason}
    nothing = dict.fromkeys(BecameOut.model_fields)
    said = {"index": person.index, "role": role, "returnee_id": person.returnee_id}
    return BecameOut.model_validate(nothing | said | became)


async def _load_last_journeys(session: Session, referral_id: UUID) -> dict[int, Journey]:
    rows: Iterable[Any] = await session.execute(
        sql_select(col(JourneyPerson.index), Journey)
        .join(Journey, col(Journey.id) == JourneyPerson.journey_id)
        .where(col(Journey.referral_id) == referral_id)
        .order_by(col(Journey.id))
    )
    return {index: journey for index, journey in rows}  # noqa: C416 - rows are no pairs to mypy


async def settle_all(
    session: Session, referral: Referral, met: Collection[DeadlineKind] = ()
) -> None:
    """End what runs on a referral: what was done in time is met, the rest is cancelled."""
    if met:
        await deadlines.settle(session, DeadlineState.MET, referral_id=referral.id, kinds=list(met))
    await deadlines.settle(session, DeadlineState.CANCELLED, referral_id=referral.id)
