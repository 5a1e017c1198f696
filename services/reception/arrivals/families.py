"""Who came with whom, and for whom somebody has to sign before they go."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from uuid import UUID

from sqlmodel import col, select, tuple_

from contracts.codes import ArrivalState
from contracts.programmes import HandoverReason, HandoverRule
from services.reception import identities
from services.reception.arrivals.loaded_arrivals import LoadedArrivals, day_of
from services.reception.arrivals.rules import age_on, handover_due
from services.reception.arrivals.sealed import restricted_of, signed_for
from services.reception.flights.passengers import details_of
from services.reception.flights.schemas import Remark
from services.reception.identities import Identity, IdentityCopy
from services.reception.models import (
    Arrival,
    Handover,
    Passenger,
)

TOGETHER = timedelta(days=1)
"""How many days apart a family may be met and be on the same journey: before midnight, and after
it.
"""
REMARKS_THAT_COUNT = {
    Remark.MEDICAL_ESCORT: HandoverReason.MEDICAL_ESCORT,
    Remark.UNACCOMPANIED_CHILD: HandoverReason.UNACCOMPANIED_CHILD,
}
Together = tuple[UUID, str]
"""A household, or a family group on a flight."""


class Families:
    """The families of arrivals that were taken, and who has signed for their members.

    Args:
        loaded: The arrivals.
    """

    def __init__(self, loaded: LoadedArrivals) -> None:
        self._loaded, self._context = loaded, loaded.context
        self._signed: dict[UUID, set[HandoverReason]] = defaultdict(set)
        self._births: dict[UUID, date | None] = {}
        self._looked_at: set[UUID] = set()
        self._together: dict[Together, dict[UUID, Arrival]] = defaultdict(dict)

    def sign(self, handover: Handover) -> None:
        """Somebody signs for a person in this transaction."""
        self._signed[handover.arrival_id] |= signed_for(handover, self._context)

    def add_minted(self, arrival: Arrival, copy: IdentityCopy) -> None:
        """Somebody was given an id in this transaction."""
        assert arrival.returnee_id is not None
        self._births[arrival.returnee_id] = _born(copy)
        if arrival.household_id is not None:
            self._together[arrival.household_id, ""][arrival.id] = arrival

    def forget(self, arrival: Arrival) -> None:
        """Look again when it is asked for next: it is not what it was."""
        self._looked_at.discard(arrival.id)

    async def handover_due(
        self, arrival: Arrival
    ) -> tuple[frozenset[HandoverReason], HandoverRule]:
        """Why somebody still has to be handed over to a person who signs for them, and the rule
        that says so.
        """
        rules, _ = await self._loaded.rules_of(arrival)
        rule = rules.reception.handover if rules else self._context.strictest_handover
        if arrival.id not in self._looked_at:
            await self._load_families()
        day = day_of(arrival)
        age = await self._age(arrival, day)
        noted = await self._noted(arrival, age)
        with_them = [
            other
            for key in await self._keys(arrival)
            for other in self._together[key].values()
            if other.id != arrival.id and is_with(other, arrival)
        ]
        ages = [await self._age(other, day) for other in with_them]
        with_adult = any(years is not None and years >= rule.adult_at for years in ages)
        due = handover_due(rule, age=age, with_adult=with_adult, noted=noted)
        return due - self._signed[arrival.id], rule

    async def _age(self, arrival: Arrival, day: date) -> int | None:
        """As the desk's copy says; without one, as the manifest does."""
        born = self._births.get(arrival.returnee_id) if arrival.returnee_id is not None else None
        if born is None and arrival.id in self._loaded.arrivals:
            passenger = await self._loaded.seat(arrival)
            born = (
                details_of(passenger, self._context.keyring).born_at_latest
                if passenger is not None
                else None
            )
        return age_on(day, born) if born is not None else None

    async def _noted(self, arrival: Arrival, age: int | None) -> set[HandoverReason]:
        """What the manifest and the desk noted about a person that only few may read."""
        noted: set[HandoverReason] = set()
        passenger, taken = await self._loaded.seat(arrival), await self._loaded.profile(arrival)
        if passenger is not None:
            remarks = details_of(passenger, self._context.keyring).remarks
            noted |= {reason for remark, reason in REMARKS_THAT_COUNT.items() if remark in remarks}
        if taken is not None:
            noted |= restricted_of(taken, self._context)
            came = taken.household
            if age is None and not came["women"] + came["men"] and came["girls"] + came["boys"]:
                noted.add(HandoverReason.UNACCOMPANIED_CHILD)
        return noted

    async def _keys(self, arrival: Arrival) -> list[Together]:
        keys = [(arrival.household_id, "")] if arrival.household_id is not None else []
        passenger = await self._loaded.seat(arrival)
        if passenger is not None and passenger.family_group is not None:
            keys.append((passenger.flight_id, passenger.family_group))
        return keys

    async def _load_families(self) -> None:
        """Read who belongs together, whom somebody has signed for, and how old they are."""
        session = self._loaded.session
        fresh = [
            arrival
            for arrival in self._loaded.arrivals.values()
            if arrival.id not in self._looked_at
        ]
        ids = [arrival.id for arrival in fresh]
        self._looked_at |= set(ids)
        for handover in await session.scalars(
            select(Handover).where(col(Handover.arrival_id).in_(ids))
        ):
            self.sign(handover)
        keys = {key for arrival in fresh for key in await self._keys(arrival)}
        await self._load_households({household for household, group in keys if not group})
        await self._load_groups([key for key in keys if key[1]])
        for arrival in fresh:
            for key in await self._keys(arrival):
                self._together[key][arrival.id] = arrival
        await self._load_births(
            arrival
            for family in (*self._together.values(), {a.id: a for a in fresh})
            for arrival in family.values()
        )

    async def _load_households(self, households: Collection[UUID]) -> None:
        if not households:
            return
        query = select(Arrival).where(col(Arrival.household_id).in_(households))
        for row in await self._loaded.session.scalars(query):
            assert row.household_id is not None
            self._together[row.household_id, ""][row.id] = row

    async def _load_groups(self, groups: Collection[Together]) -> None:
        if not groups:
            return
        of_group = tuple_(Passenger.flight_id, Passenger.family_group).in_(groups)
        joined = select(Arrival, Passenger.flight_id, Passenger.family_group).join(
            Passenger, col(Passenger.arrival_id) == Arrival.id
        )
        for row, flight_id, group in await self._loaded.session.execute(joined.where(of_group)):
            self._together[flight_id, str(group)][row.id] = row

    async def _load_births(self, arrivals: Iterable[Arrival]) -> None:
        people = {arrival.returnee_id for arrival in arrivals}
        missing = [who for who in people if who is not None and who not in self._births]
        known = await identities.read(self._loaded.session, missing, self._context.keyring)
        self._births |= dict.fromkeys(missing)
        self._births |= {who: _born(identity) for who, identity in known.items()}


def is_with(other: Arrival, arrival: Arrival) -> bool:
    """Whether somebody of the same family is at hand: met at the same port on the same journey, and
    held by nobody.
    """
    return (
        other.state in ArrivalState.AT_THE_PORT
        and other.held_at is None
        and other.port_of_entry == arrival.port_of_entry
        and abs(day_of(other) - day_of(arrival)) <= TOGETHER
    )


def _born(identity: Identity) -> date | None:
    return date.fromisoformat(identity.birth.date) if identity.birth is not None else None
