"""People whom an airport's desk met without a referral: adopted under the id that reception gave
them.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func
from sqlmodel import col, select

from chassis import jobs
from chassis.db import Session
from chassis.http import ServiceClient
from chassis.ids import new_id
from chassis.jobs import JobKind, Payload
from chassis.outbox import publish
from contracts.cases import HouseholdChange, HouseholdChanged, Registration
from contracts.codes import ArrivalState, CaseState, Member, NeedsPriority, ReturnKind
from contracts.programmes import Rules
from contracts.reception import ArrivalFact
from participation.access import Role, grant
from services.cases.casework.cases.service import add_members, note_arrival, open_case
from services.cases.intake.referrals.rules import higher
from services.cases.models import CaseFile, Household, HouseholdMember, Returnee
from services.cases.people.returnees import service as returnees
from services.cases.people.returnees.schemas import as_written
from services.cases.programmes import programmes

ADOPT = "cases.walk_in.adopt"

log = structlog.get_logger("homeward.cases")


async def adopt_later(
    session: Session, fact: ArrivalFact, state: ArrivalState, arrived_on: date | None
) -> None:
    """Have somebody fetched from reception and adopted, with what is known of their arrival by
    then.
    """
    before = await waiting(session, fact.returnee_id) or {}
    payload = dict(before) | {
        "returnee_id": str(fact.returnee_id),
        "arrival_id": str(fact.arrival_id),
        "state": state,
        "arrived_on": arrived_on.isoformat() if arrived_on else None,
    }
    await jobs.schedule(session, ADOPT, payload, key=str(fact.returnee_id))


async def note_needs(session: Session, returnee_id: UUID, priority: NeedsPriority) -> None:
    """Have the case of somebody who is still to be adopted opened with the needs that were found;
    else nothing.
    """
    before = await waiting(session, returnee_id)
    if before is not None:
        needs = higher(before.get("needs_priority", NeedsPriority.ROUTINE), priority)
        await jobs.schedule(
            session, ADOPT, dict(before) | {"needs_priority": needs}, key=str(returnee_id)
        )


async def waiting(session: Session, returnee_id: UUID) -> Payload | None:
    """What is noted for somebody who is still to be adopted; None where nobody is."""
    query = select(jobs.job.c.payload).where(
        jobs.job.c.kind == ADOPT, jobs.job.c.key == str(returnee_id)
    )
    payload: Payload | None = await session.scalar(query.with_for_update())
    return payload


async def call(client: ServiceClient, payload: Payload) -> Any:
    """Ask reception who it is; None where it does not know them any more."""
    return await client.find("reception", f"/v1/arrivals/{payload['arrival_id']}/identity")


async def apply(session: Session, payload: Payload, document: Any) -> None:
    """Register the person and, where their programme can be told, open their case."""
    returnee_id = UUID(payload["returnee_id"])
    if document is None or await session.get(Returnee, returnee_id) is not None:
        log.info("nobody to adopt", returnee=str(returnee_id))
        return
    await returnees.register(
        session,
        as_written(document),
        via=Registration.WALK_IN,
        referral_id=None,
        programme=document["programme"],
        returnee_id=returnee_id,
    )
    await grant(session, [returnee_id], Role.PARTNER, document["organisation"])
    if document["programme"] in programmes():
        await grant(session, [returnee_id], Role.PROGRAMME, document["programme"])
    arrived_on = date.fromisoformat(payload["arrived_on"]) if payload["arrived_on"] else None
    rules = _rules(document, arrived_on)
    if rules is None:
        log.info("a walk-in without a programme: no case is opened", returnee=str(returnee_id))
        return
    needs = NeedsPriority(payload.get("needs_priority", NeedsPriority.ROUTINE))
    case = await _open(session, returnee_id, document, rules, arrived_on, needs)
    await note_arrival(
        session,
        case.id,
        returnee_id,
        arrival_id=UUID(payload["arrival_id"]),
        state=ArrivalState(payload["state"]),
        arrived_on=arrived_on,
    )


def _rules(document: Mapping[str, Any], arrived_on: date | None) -> Rules | None:
    programme = programmes().get(document["programme"] or "")
    if programme is None or arrived_on is None or document["return_kind"] is None:
        return None
    rules = programme.version_at(arrived_on)
    return (
        rules
        if rules is not None and rules.implementers(document["country_of_return"] or "")
        else None
    )


async def _open(
    session: Session,
    returnee_id: UUID,
    document: Mapping[str, Any],
    rules: Rules,
    arrived_on: date | None,
    needs: NeedsPriority,
) -> CaseFile:
    programme = programmes()[document["programme"]]
    possible = rules.implementers(document["country_of_return"])
    implementer = document["organisation"] if document["organisation"] in possible else possible[0]
    await grant(session, [returnee_id], Role.PARTNER, implementer)
    member = Member(document["member"])
    case = await _case_of_family(session, document, implementer)
    if case is not None:
        session.add(_place(case.household_id, returnee_id, member))
        case.needs_priority = higher(case.needs_priority, needs)
        case.changed()
        await add_members(session, case, [(returnee_id, member)], arrived_on)
    else:
        household = await _household(session, document)
        session.add(_place(household.id, returnee_id, member))
        case = CaseFile(
            id=new_id(),
            programme=programme.id,
            programme_version=rules.version,
            programme_office=programme.office,
            return_kind=ReturnKind(document["return_kind"]),
            country_of_return=document["country_of_return"],
            household_id=household.id,
            implementer=implementer,
            governorate="",
            district="",
            address="",
            state=CaseState.PRE_DEPARTURE,
            needs_priority=needs,
        )
        await open_case(session, case, [(returnee_id, member)], arrived_on)
    joined = HouseholdChanged(
        returnee_id=returnee_id,
        case_id=case.id,
        household_id=case.household_id,
        programme=programme.id,
        change=HouseholdChange.JOINED,
        member=member,
    )
    publish(session, joined)
    return case


def _place(household_id: UUID, returnee_id: UUID, member: Member) -> HouseholdMember:
    return HouseholdMember(
        household_id=household_id,
        returnee_id=returnee_id,
        relationship=member.value,
        member=member.value,
    )


async def _case_of_family(
    session: Session, document: Mapping[str, Any], implementer: str
) -> CaseFile | None:
    """The case that was opened for those of the family who were adopted before; whoever asks first
    is first.
    """
    if document["household_id"] is None:
        return None
    household_id = UUID(document["household_id"])
    await session.execute(select(func.pg_advisory_xact_lock(household_id.int >> 65)))
    query = select(CaseFile).where(
        CaseFile.household_id == household_id,
        col(CaseFile.referral_id).is_(None),
        CaseFile.programme == document["programme"],
        CaseFile.implementer == implementer,
        CaseFile.state != CaseState.CLOSED,
    )
    case: CaseFile | None = await session.scalar(
        query.order_by(col(CaseFile.id)).limit(1).with_for_update()
    )
    return case


async def _household(session: Session, document: Mapping[str, Any]) -> Household:
    """A new household, under the id that the desk gave the family where no household has it."""
    wanted = UUID(document["household_id"]) if document["household_id"] is not None else None
    taken = wanted is None or await session.get(Household, wanted) is not None
    household = Household() if taken else Household(id=wanted)
    session.add(household)
    await session.flush()
    return household


JOB = JobKind(ADOPT, apply, call)
