"""Arrivals that were taken in one transaction, with what the rules ask about them.

What is asked of one is read for all of them at once: the number of statements does not grow with
them.
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import Row
from sqlmodel import col, or_, select

from chassis.auth import Caller
from chassis.db import Session, now
from chassis.errors import FORBIDDEN, NOT_FOUND, Problem
from contracts.codes import ReturnKind
from contracts.programmes import Rules
from participation import beneficiaries
from participation.access import Role, holds, visible
from services.reception.context import ReceptionContext
from services.reception.models import (
    Alias,
    Arrival,
    Passenger,
    Profile,
)

FRESH = {"synchronize_session": False, "populate_existing": True}
"""What a statement returns is what is there now, not what the session has seen before."""
WORKERS = frozenset({Role.PARTNER, Role.PROGRAMME})
WHO_RECEIVES = "the organisation that receives them and the programme office work on arrivals"


class LoadedArrivals:
    """Arrivals, and their manifests, profiles and rules as they are asked for.

    Args:
        session: The session.
        caller: Who asks.
        context: Keys, ports and programmes.
        lock: Whether anything is going to be changed.
    """

    def __init__(
        self, session: Session, caller: Caller, context: ReceptionContext, *, lock: bool = True
    ) -> None:
        self.session, self.caller, self.context = session, caller, context
        self.clock: datetime
        """The database's, as the arrivals were taken."""
        self.arrivals: dict[UUID, Arrival] = {}
        """Those that were taken, whoever may see them."""
        self._lock = lock
        self._visible_ids: set[UUID] = set()
        self._worked_on_ids: set[UUID] = set()
        self._aliases: dict[UUID, UUID] = {}
        self._cases: dict[UUID, Row[Any] | None] = {}
        self._seats: dict[UUID, Passenger | None] = {}
        self._profiles: dict[UUID, Profile | None] = {}

    @classmethod
    async def on(
        cls,
        session: Session,
        caller: Caller,
        context: ReceptionContext,
        arrival_ids: Collection[UUID],
        *,
        households: bool = False,
        lock: bool = True,
    ) -> Self:
        """Take arrivals; see `take`."""
        loaded = cls(session, caller, context, lock=lock)
        await loaded.take(arrival_ids, households=households)
        return loaded

    async def take(self, arrival_ids: Collection[UUID], *, households: bool = False) -> None:
        """Lock arrivals in the order of their ids, also by the ids that they had before they became
        another's.

        Args:
            arrival_ids: Which; one that is not there is found missing when it is asked for.
            households: Whether the arrivals of their households are taken too, so that what was
                given to them counts.
        """
        wanted = set(arrival_ids) - self.arrivals.keys() - self._aliases.keys()
        clock: datetime | None = None
        for _ in range(2):
            if wanted:
                clock = await self._take(wanted, households=households) or clock
                wanted -= self.arrivals.keys()
            if wanted:
                known = await self.session.execute(
                    select(Alias.id, Alias.arrival_id).where(col(Alias.id).in_(wanted))
                )
                current_ids = {row.id: row.arrival_id for row in known}
                self._aliases |= current_ids
                wanted = set(current_ids.values()) - self.arrivals.keys()
        self.clock = clock or (await self.session.execute(select(now()))).scalar_one()

    async def _take(self, wanted: Collection[UUID], *, households: bool) -> datetime | None:
        which: Any = col(Arrival.id).in_(wanted)
        if households:
            households_of = select(Arrival.household_id).where(
                col(Arrival.id).in_(wanted), col(Arrival.household_id).is_not(None)
            )
            which = or_(which, col(Arrival.household_id).in_(households_of))
        may_see = visible(col(Arrival.seen_through), self.caller)
        may_work_on = holds(col(Arrival.seen_through), WORKERS, self.caller)
        query = select(Arrival, may_see, may_work_on, now()).where(which).order_by(col(Arrival.id))
        if self._lock:
            query = query.with_for_update(of=Arrival)
        clock = None
        for arrival, is_visible, is_worked_on, at in await self.session.execute(
            query, execution_options=FRESH
        ):
            clock = at
            self.arrivals[arrival.id] = arrival
            if is_visible:
                self._visible_ids.add(arrival.id)
            if is_worked_on:
                self._worked_on_ids.add(arrival.id)
        return clock

    def find(self, arrival_id: UUID) -> Arrival:
        """One of the arrivals, if the caller takes part in the person's return; to change it, as
        who receives them.

        Raises:
            Problem: 404, absent or not for the caller; 403, it is theirs to look at.
        """
        arrival = self.known(arrival_id)
        if arrival is None or arrival.id not in self._visible_ids:
            raise Problem(NOT_FOUND)
        if self._lock and arrival.id not in self._worked_on_ids:
            raise Problem(FORBIDDEN, WHO_RECEIVES)
        return arrival

    def known(self, arrival_id: UUID) -> Arrival | None:
        """One of the arrivals, whoever may see it."""
        return self.arrivals.get(self._aliases.get(arrival_id, arrival_id))

    def is_visible(self, arrival: Arrival) -> bool:
        """Whether the caller takes part in the person's return."""
        return arrival.id in self._visible_ids

    async def _load_cases(self) -> None:
        people = {
            arrival.returnee_id
            for arrival in self.arrivals.values()
            if arrival.returnee_id is not None
        }
        people -= self._cases.keys()
        known = beneficiaries.beneficiary.c
        columns = (known.returnee_id, known.programme, known.programme_version, known.return_kind)
        rows = await self.session.execute(select(*columns).where(known.returnee_id.in_(people)))
        self._cases |= dict.fromkeys(people)
        self._cases |= {row.returnee_id: row for row in rows}

    async def rules_of(self, arrival: Arrival) -> tuple[Rules | None, ReturnKind | None]:
        """The programme's rules and how the person returned, where they are known."""
        if arrival.returnee_id is not None and arrival.returnee_id not in self._cases:
            await self._load_cases()
        row = self._cases.get(arrival.returnee_id) if arrival.returnee_id is not None else None
        day = day_of(arrival)
        if row is not None and row.programme is not None:
            kind = ReturnKind(row.return_kind) if row.return_kind else arrival.return_kind
            return self.context.rules(row.programme, row.programme_version, day), kind
        return self.context.rules(arrival.programme, None, day), arrival.return_kind

    async def seat(self, arrival: Arrival) -> Passenger | None:
        """The line of a manifest that an arrival is on."""
        if arrival.id not in self._seats:
            missing = self.arrivals.keys() - self._seats.keys()
            self._seats |= dict.fromkeys(missing)
            query = (
                select(Passenger)
                .where(col(Passenger.arrival_id).in_(missing))
                .order_by(col(Passenger.id))
            )
            rows = (await self.session.scalars(query)).all()
            rows = sorted(
                rows, key=lambda row: row.flight_id == self.arrivals[row.arrival_id].flight_id
            )
            self._seats |= {
                row.arrival_id: row for row in rows
            }  # of two manifests the one of their flight
        return self._seats[arrival.id]

    async def profile(self, arrival: Arrival) -> Profile | None:
        """What was taken down about somebody."""
        if arrival.id not in self._profiles:
            missing = self.arrivals.keys() - self._profiles.keys()
            self._profiles |= dict.fromkeys(missing)
            query = select(Profile).where(col(Profile.arrival_id).in_(missing))
            self._profiles |= {row.arrival_id: row for row in await self.session.scalars(query)}
        return self._profiles[arrival.id]


def day_of(arrival: Arrival) -> date:
    """The day for which the rules are asked."""
    return arrival.arrived_on or (arrival.expected_at or arrival.created_at).date()
