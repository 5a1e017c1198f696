"""Who belongs to which household: read, and formed anew when people return together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from chassis.auth import Caller
from chassis.db import Session, current_time
from chassis.errors import or_404
from contracts.cases import HouseholdChange, HouseholdChanged
from contracts.codes import Member
from participation.access import visible
from services.cases.models import Household, HouseholdMember


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody's place in a household that is formed.

    Attributes:
        returnee_id: Who.
        relationship: To the principal.
        member: Their place, as coarsely as the work needs.
    """

    returnee_id: UUID
    relationship: str
    member: Member


async def load_present_households(
    session: Session, returnee_ids: Iterable[UUID]
) -> dict[UUID, HouseholdMember]:
    """Load where each person belongs now."""
    rows = await session.scalars(
        select(HouseholdMember).where(
            col(HouseholdMember.returnee_id).in_(list(returnee_ids)),
            col(HouseholdMember.until).is_(None),
        )
    )
    return {row.returnee_id: row for row in rows}


async def load_household(
    session: Session, caller: Caller, household_id: UUID
) -> tuple[Household, list[HouseholdMember]]:
    """Load a household with those of its members, now and before, whom the caller may know of.

    Raises:
        Problem: 404.
    """
    rows = await session.scalars(
        select(HouseholdMember)
        .where(
            HouseholdMember.household_id == household_id,
            visible(col(HouseholdMember.returnee_id), caller),
        )
        .order_by(col(HouseholdMember.since), col(HouseholdMember.id))
    )
    members = or_404(list(rows) or None)
    return or_404(await session.get(Household, household_id)), members


async def form_household(
    session: Session, places: Sequence[Place], *, referral_id: UUID | None, programme: str
) -> tuple[Household, list[HouseholdChanged]]:
    """Bring people together in a household: the principal's present one, or a new one.

    Args:
        session: The session.
        places: The people, the principal among them.
        referral_id: The referral by which they return.
        programme: Its programme.

    Returns:
        The household, and what is to be published of it once the case is open.
    """
    present = await load_present_households(session, [place.returnee_id for place in places])
    household = await _lock_or_add_household(session, places, present)
    events = []
    for place in places:
        before = present.get(place.returnee_id)
        for household_id, change in await _join(session, household, place, before):
            events.append(
                HouseholdChanged(
                    returnee_id=place.returnee_id,
                    household_id=household_id,
                    referral_id=referral_id,
                    programme=programme,
                    change=change,
                    member=place.member,
                )
            )
    await session.flush()
    return household, events


async def _lock_or_add_household(
    session: Session, places: Sequence[Place], present: Mapping[UUID, HouseholdMember]
) -> Household:
    principal = next(place for place in places if place.member is Member.PRINCIPAL)
    known = present.get(principal.returnee_id)
    household = (
        await session.get(Household, known.household_id, with_for_update=True) if known else None
    )
    if household is None:
        household = Household()
        session.add(household)
    else:
        household.changed()
    await session.flush()
    return household


async def _join(
    session: Session, household: Household, place: Place, before: HouseholdMember | None
) -> list[tuple[UUID, HouseholdChange]]:
    """Let somebody be in a household, and in no other; what changed in which household."""
    if before is not None and before.household_id == household.id:
        if (before.relationship, before.member) == (place.relationship, place.member):
            return []
        before.relationship, before.member = place.relationship, place.member
        return [(household.id, HouseholdChange.MEMBER_CHANGED)]
    changes = []
    if before is not None:
        before.until = await current_time(session)
        left = await session.get(Household, before.household_id, with_for_update=True)
        if left is not None:
            left.changed()
        changes.append((before.household_id, HouseholdChange.LEFT))
        await session.flush()
    session.add(
        HouseholdMember(
            household_id=household.id,
            returnee_id=place.returnee_id,
            relationship=place.relationship,
            member=place.member,
        )
    )
    return [*changes, (household.id, HouseholdChange.JOINED)]
