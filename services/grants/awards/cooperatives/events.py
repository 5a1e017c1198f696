"""What is published of a cooperative: once of each of its members."""

from typing import Any

from chassis.db import Session
from chassis.outbox import publish
from contracts import grants as events
from services.grants.awards.cooperatives.loading import load_members
from services.grants.models import Cooperative, Participant
from services.grants.programmes.data import zone_of


async def publish_cooperative_event(
    session: Session, cooperative: Cooperative, model: type[events.CooperativeFact], **more: Any
) -> None:
    """Publish an event about a cooperative; of somebody who was erased nothing is published."""
    members = await load_members(session, cooperative.id)
    for member in members:
        if member.returnee_id is None or member.case_id is None:
            continue
        person = await session.get(Participant, (member.case_id, member.returnee_id))
        event = model(
            cooperative_id=cooperative.id,
            returnee_id=member.returnee_id,
            case_id=member.case_id,
            household_id=person.household_id if person else None,
            programme=cooperative.programme,
            members=len(members),
            **more,
        )
        publish(session, event, zone=zone_of(cooperative.programme, cooperative.implementer))
