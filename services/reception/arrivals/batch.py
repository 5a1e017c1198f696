"""Arrivals that are worked on: locked, with what the rules ask about them, read and written for all
of them at once.

One arrival at a desk and the thousand entries of a tablet's log take the same way: what is decided
is decided in memory, on rows that are locked in the order of their ids; the number of statements
does not grow with the entries.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Row, ScalarResult, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, or_, select, tuple_

from chassis.auth import Caller
from chassis.db import Session, before_commit, now
from chassis.errors import CONFLICT, FORBIDDEN, NOT_FOUND, Problem
from chassis.ids import new_id
from contracts.codes import ArrivalState, AssistanceKind, ReturnKind
from contracts.programmes import HandoverReason, HandoverRule, Per, Rules
from participation import beneficiaries
from participation.access import Role, grant, holds, participation, visible
from services.reception import identities
from services.reception.arrivals.rules import age_on, clock_suspect, handover_due
from services.reception.context import ReceptionContext
from services.reception.flights.passengers import details_of
from services.reception.flights.schemas import Remark
from services.reception.identities import Identity, IdentityCopy
from services.reception.models import (
    Alias,
    Arrival,
    Assistance,
    Base,
    Handover,
    OnwardTransport,
    Passenger,
    Profile,
)
from services.reception.states import ARRIVAL, ArrivalAction

FRESH = {"synchronize_session": False, "populate_existing": True}
"""What a statement returns is what is there now, not what the session has seen before."""
WORKERS = frozenset({Role.PARTNER, Role.PROGRAMME})
WHO_RECEIVES = "the organisation that receives them and the programme office work on arrivals"
TOGETHER = timedelta(days=1)
"""How many days apart a family may be met and be on the same journey: before midnight, and after
it.
"""
REMARKS_THAT_COUNT = {
    Remark.MEDICAL_ESCORT: HandoverReason.MEDICAL_ESCORT,
    Remark.UNACCOMPANIED_CHILD: HandoverReason.UNACCOMPANIED_CHILD,
}

Step = TypeVar("Step", Assistance, OnwardTransport, Handover)
StepModel = type[Assistance | OnwardTransport | Handover]
Together = tuple[UUID, str]
"""A household, or a family group on a flight."""


@dataclass(frozen=True)
class _Minted:
    returnee_id: UUID
    copy: IdentityCopy
    programme: str | None


class ArrivalBatch:
    """What is done to arrivals in one transaction. It is written just before the commit.

    Args:
        session: The session.
        caller: Whose work it is.
        context: Keys, ports and programmes.
        lock: Whether anything is going to be changed.
    """

    def __init__(
        self, session: Session, caller: Caller, context: ReceptionContext, *, lock: bool = True
    ) -> None:
        self.session, self.caller, self.context = session, caller, context
        self.clock: datetime
        """The database's, as the arrivals were taken."""
        self.ahead = timedelta(0)
        """By how much the clock of the device that tells this is ahead of it, where that is too
        much to be believed.
        """
        self.clock_doubtful = False
        """Whether that clock is wrong, also where what it said was corrected."""
        self._lock = lock
        self._arrivals: dict[UUID, Arrival] = {}
        self._mine: set[UUID] = set()
        self._worked: set[UUID] = set()
        self._aliases: dict[UUID, UUID] = {}
        self._cases: dict[UUID, Row[Any] | None] = {}
        self._given: dict[UUID, Counter[AssistanceKind]] = {}
        self._new_given: dict[UUID, Counter[AssistanceKind]] = defaultdict(Counter)
        self._seats: dict[UUID, Passenger | None] = {}
        self._profiles: dict[UUID, Profile | None] = {}
        self._signed: dict[UUID, set[HandoverReason]] = defaultdict(set)
        self._births: dict[UUID, date | None] = {}
        self._looked_at: set[UUID] = set()
        self._together: dict[Together, dict[UUID, Arrival]] = defaultdict(dict)
        self._steps: dict[tuple[type[Base], UUID], Any] = {}
        self._new_steps: dict[type[Base], list[Any]] = defaultdict(list)
        self._new_profiles: dict[UUID, Profile] = {}
        self._minted: list[_Minted] = []
        if lock:
            before_commit(session, f"arrival batch {id(self)}", self._write)

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
    ) -> "ArrivalBatch":
        """Take arrivals; see `take`."""
        batch = cls(session, caller, context, lock=lock)
        await batch.take(arrival_ids, households=households)
        return batch

    async def take(self, arrival_ids: Collection[UUID], *, households: bool = False) -> None:
        """Lock arrivals in the order of their ids, also by the ids that they had before they became
        another's.

        Args:
            arrival_ids: Which; one that is not there is found missing when it is asked for.
            households: Whether the arrivals of their households are taken too, so that what was
                given to them counts.
        """
        wanted = set(arrival_ids) - self._arrivals.keys() - self._aliases.keys()
        clock: datetime | None = None
        for _ in range(2):
            if wanted:
                clock = await self._take(wanted, households=households) or clock
                wanted -= self._arrivals.keys()
            if wanted:
                known = await self.session.execute(
                    select(Alias.id, Alias.arrival_id).where(col(Alias.id).in_(wanted))
                )
                found = {row.id: row.arrival_id for row in known}
                self._aliases |= found
                wanted = set(found.values()) - self._arrivals.keys()
        self.clock = clock or (await self.session.execute(select(now()))).scalar_one()

    async def _take(self, wanted: Collection[UUID], *, households: bool) -> datetime | None:
        which: Any = col(Arrival.id).in_(wanted)
        if households:
            theirs = select(Arrival.household_id).where(
                col(Arrival.id).in_(wanted), col(Arrival.household_id).is_not(None)
            )
            which = or_(which, col(Arrival.household_id).in_(theirs))
        mine = visible(col(Arrival.seen_through), self.caller)
        worked = holds(col(Arrival.seen_through), WORKERS, self.caller)
        query = select(Arrival, mine, worked, now()).where(which).order_by(col(Arrival.id))
        if self._lock:
            query = query.with_for_update(of=Arrival)
        clock = None
        for arrival, is_mine, is_worked, at in await self.session.execute(
            query, execution_options=FRESH
        ):
            clock = at
            self._arrivals[arrival.id] = arrival
            if is_mine:
                self._mine.add(arrival.id)
            if is_worked:
                self._worked.add(arrival.id)
        return clock

    def find(self, arrival_id: UUID) -> Arrival:
        """One of the arrivals, if the caller takes part in the person's return; to change it, as
        who receives them.

        Raises:
            Problem: 404, absent or not for the caller; 403, it is theirs to look at.
        """
        arrival = self.known(arrival_id)
        if arrival is None or arrival.id not in self._mine:
            raise Problem(NOT_FOUND)
        if self._lock and arrival.id not in self._worked:
            raise Problem(FORBIDDEN, WHO_RECEIVES)
        return arrival

    def known(self, arrival_id: UUID) -> Arrival | None:
        """One of the arrivals, whoever may see it."""
        return self._arrivals.get(self._aliases.get(arrival_id, arrival_id))

    def is_mine(self, arrival: Arrival) -> bool:
        """Whether the caller takes part in the person's return."""
        return arrival.id in self._mine

    def add_new(self, arrival: Arrival) -> None:
        """An arrival has come to be, of somebody who came without being expected."""
        self._arrivals[arrival.id] = arrival
        self._mine.add(arrival.id)
        self._worked.add(arrival.id)
        self._given[arrival.id], self._seats[arrival.id], self._profiles[arrival.id] = (
            Counter(),
            None,
            None,
        )

    async def replace_with(self, before: Arrival, after: Arrival) -> None:
        """An arrival of a seat became the one that was expected of somebody already."""
        self._arrivals.pop(before.id, None)
        self._aliases[before.id] = after.id
        self._arrivals.pop(after.id, None)
        self._looked_at.discard(after.id)
        self._seats.pop(after.id, None)
        await self.take([after.id])

    def touch(self, arrival: Arrival) -> None:
        """Note that an arrival has changed."""
        arrival.version += 1
        arrival.updated_at = self.clock

    def transition(
        self,
        arrival: Arrival,
        action: ArrivalAction,
        at: datetime,
        to: ArrivalState | None = None,
    ) -> None:
        """Move an arrival by an action, in the caller's name.

        Args:
            arrival: Which.
            action: What was done.
            at: When, by the clock of whoever tells it.
            to: Which of several states it leads to.
        """
        ARRIVAL.apply(
            arrival,
            action,
            to=to,
            state_at=at,
            state_recorded_at=self.clock,
            state_by=self.caller.organisation,
            state_by_person=self.caller.person,
            clock_suspect=self.is_suspect(at),
            updated_at=self.clock,
        )

    def is_suspect(self, at: datetime) -> bool:
        """Whether a time is by a clock that is wrong."""
        return self.clock_doubtful or clock_suspect(at, self.clock)

    async def _know_cases(self) -> None:
        people = {
            each.returnee_id for each in self._arrivals.values() if each.returnee_id is not None
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
            await self._know_cases()
        row = self._cases.get(arrival.returnee_id) if arrival.returnee_id is not None else None
        day = day_of(arrival)
        if row is not None and row.programme is not None:
            kind = ReturnKind(row.return_kind) if row.return_kind else arrival.return_kind
            return self.context.rules(row.programme, row.programme_version, day), kind
        return self.context.rules(arrival.programme, None, day), arrival.return_kind

    async def given(self, arrival: Arrival, kind: AssistanceKind, per: Per) -> int:
        """How often something was given: to the person on this arrival, or to the household, which
        must be taken.
        """
        if arrival.id not in self._given:
            missing = self._arrivals.keys() - self._given.keys()
            counted = (
                select(Assistance.arrival_id, Assistance.kind, func.count().label("times"))
                .where(col(Assistance.arrival_id).in_(missing))
                .group_by(col(Assistance.arrival_id), Assistance.kind)
            )
            self._given |= {arrival_id: Counter() for arrival_id in missing}
            for row in await self.session.execute(counted):
                self._given[row.arrival_id][row.kind] = row.times
        whose = [arrival]
        if per is Per.HOUSEHOLD and arrival.household_id is not None:
            whose = [
                each
                for each in self._arrivals.values()
                if each.household_id == arrival.household_id
            ]
        return sum(self._given[each.id][kind] + self._new_given[each.id][kind] for each in whose)

    async def seat(self, arrival: Arrival) -> Passenger | None:
        """The line of a manifest that an arrival is on."""
        if arrival.id not in self._seats:
            missing = self._arrivals.keys() - self._seats.keys()
            self._seats |= dict.fromkeys(missing)
            query = (
                select(Passenger)
                .where(col(Passenger.arrival_id).in_(missing))
                .order_by(col(Passenger.id))
            )
            rows = (await self.session.scalars(query)).all()
            rows = sorted(
                rows, key=lambda row: row.flight_id == self._arrivals[row.arrival_id].flight_id
            )
            self._seats |= {
                row.arrival_id: row for row in rows
            }  # of two manifests the one of their flight
        return self._seats[arrival.id]

    async def profile(self, arrival: Arrival) -> Profile | None:
        """What was taken down about somebody."""
        if arrival.id not in self._profiles:
            missing = self._arrivals.keys() - self._profiles.keys()
            self._profiles |= dict.fromkeys(missing)
            query = select(Profile).where(col(Profile.arrival_id).in_(missing))
            self._profiles |= {row.arrival_id: row for row in await self.session.scalars(query)}
        return self._profiles[arrival.id]

    async def handover_due(
        self, arrival: Arrival
    ) -> tuple[frozenset[HandoverReason], HandoverRule]:
        """Why somebody still has to be handed over to a person who signs for them, and the rule
        that says so.
        """
        rules, _ = await self.rules_of(arrival)
        rule = rules.reception.handover if rules else self.context.strictest_handover
        if arrival.id not in self._looked_at:
            await self._know_families()
        day = day_of(arrival)
        age = await self._age(arrival, day)
        noted = await self._noted(arrival, age)
        with_them = [
            each
            for key in await self._keys(arrival)
            for each in self._together[key].values()
            if each.id != arrival.id and is_with(each, arrival)
        ]
        ages = [await self._age(each, day) for each in with_them]
        with_adult = any(theirs is not None and theirs >= rule.adult_at for theirs in ages)
        due = handover_due(rule, age=age, with_adult=with_adult, noted=noted)
        return due - self._signed[arrival.id], rule

    async def _age(self, arrival: Arrival, day: date) -> int | None:
        """As the desk's copy says; without one, as the manifest does."""
        born = self._births.get(arrival.returnee_id) if arrival.returnee_id is not None else None
        if born is None and arrival.id in self._arrivals:
            passenger = await self.seat(arrival)
            born = (
                details_of(passenger, self.context.keyring).born_at_latest
                if passenger is not None
                else None
            )
        return age_on(day, born) if born is not None else None

    async def _noted(self, arrival: Arrival, age: int | None) -> set[HandoverReason]:
        """What the manifest and the desk noted about a person that only few may read."""
        noted: set[HandoverReason] = set()
        passenger, taken = await self.seat(arrival), await self.profile(arrival)
        if passenger is not None:
            remarks = details_of(passenger, self.context.keyring).remarks
            noted |= {reason for remark, reason in REMARKS_THAT_COUNT.items() if remark in remarks}
        if taken is not None:
            noted |= restricted_of(taken, self.context)
            came = taken.household
            if age is None and not came["women"] + came["men"] and came["girls"] + came["boys"]:
                noted.add(HandoverReason.UNACCOMPANIED_CHILD)
        return noted

    async def _keys(self, arrival: Arrival) -> list[Together]:
        keys = [(arrival.household_id, "")] if arrival.household_id is not None else []
        passenger = await self.seat(arrival)
        if passenger is not None and passenger.family_group is not None:
            keys.append((passenger.flight_id, passenger.family_group))
        return keys

    async def _know_families(self) -> None:
        """Read who belongs together, whom somebody has signed for, and how old they are."""
        fresh = [each for each in self._arrivals.values() if each.id not in self._looked_at]
        ids = [each.id for each in fresh]
        self._looked_at |= set(ids)
        for handover in await self.session.scalars(
            select(Handover).where(col(Handover.arrival_id).in_(ids))
        ):
            self._signed[handover.arrival_id] |= signed_for(handover, self.context)
        keys = {key for each in fresh for key in await self._keys(each)}
        households = {each for each, group in keys if not group}
        if households:
            query = select(Arrival).where(col(Arrival.household_id).in_(households))
            for row in await self.session.scalars(query):
                assert row.household_id is not None
                self._together[row.household_id, ""][row.id] = row
        groups = [key for key in keys if key[1]]
        if groups:
            of_group = tuple_(Passenger.flight_id, Passenger.family_group).in_(groups)
            joined = select(Arrival, Passenger.flight_id, Passenger.family_group).join(
                Passenger, col(Passenger.arrival_id) == Arrival.id
            )
            for row, flight_id, group in await self.session.execute(joined.where(of_group)):
                self._together[flight_id, str(group)][row.id] = row
        for each in fresh:
            for key in await self._keys(each):
                self._together[key][each.id] = each
        people = {
            each.returnee_id for family in self._together.values() for each in family.values()
        }
        people |= {each.returnee_id for each in fresh}
        missing = [who for who in people if who is not None and who not in self._births]
        known = await identities.read(self.session, missing, self.context.keyring)
        self._births |= dict.fromkeys(missing)
        self._births |= {who: _born(identity) for who, identity in known.items()}

    def mint(self, arrival: Arrival, copy: IdentityCopy, returnee_id: UUID | None = None) -> None:
        """Give somebody whom no referral names an id; whoever sees the flight sees them, and so
        does the desk.

        Args:
            arrival: Theirs.
            copy: Who they are.
            returnee_id: The id, if they have it already.
        """
        arrival.returnee_id = returnee_id or new_id()
        arrival.walk_in = True
        self._births[arrival.returnee_id] = _born(copy)
        self._cases[arrival.returnee_id] = None
        if arrival.household_id is not None:
            self._together[arrival.household_id, ""][arrival.id] = arrival
        self._minted.append(_Minted(arrival.returnee_id, copy, arrival.programme))

    async def copy_of(self, returnee_id: UUID) -> IdentityCopy | None:
        """Who somebody is, as the desk keeps it. The caller of this audits the reading."""
        minted = next((each.copy for each in self._minted if each.returnee_id == returnee_id), None)
        return minted or await identities.read_copy(self.session, returnee_id, self.context.keyring)

    async def know_steps(self, model: StepModel, ids: Iterable[UUID]) -> None:
        """Find out which of these ids steps have already."""
        missing = {each for each in ids if (model, each) not in self._steps}
        if missing:
            self._steps |= {(model, each): None for each in missing}
            identifier: Any = model.__table__.c.id
            rows: ScalarResult[Any] = await self.session.scalars(
                select(model).where(identifier.in_(missing))
            )
            self._steps |= {(model, row.id): row for row in rows}

    async def there(self, row: Step) -> Step | None:
        """The step that has a step's id already."""
        await self.know_steps(type(row), [row.id])
        found: Step | None = self._steps[type(row), row.id]
        return found

    async def step(self, row: Step, same: Sequence[str]) -> tuple[Step, bool]:
        """Add a step under the id that the client chose; told again with the same content, it is
        there already.

        Args:
            row: The step.
            same: The columns that are its content.

        Returns:
            The step, and whether it is new.

        Raises:
            Problem: 409, the id is taken by something else.
        """
        model = type(row)
        there = await self.there(row)
        if there is not None:
            if any(getattr(there, name) != getattr(row, name) for name in same):
                raise Problem(CONFLICT, "the id is taken by something else")
            return there, False
        self._steps[model, row.id] = row
        self._new_steps[model].append(row)
        if isinstance(row, Assistance):
            self._new_given[row.arrival_id][row.kind] += 1
        elif isinstance(row, Handover):
            self._signed[row.arrival_id] |= signed_for(row, self.context)
        return row, True

    def replace_profile(self, profile: Profile) -> None:
        """Put a profile in the place of the one before."""
        self._profiles[profile.arrival_id] = self._new_profiles[profile.arrival_id] = profile

    async def _write(self, session: Session) -> None:
        for model, rows in self._new_steps.items():
            values = [_values(row) for row in rows]
            identifier: Any = model.__table__.c.id
            new = await session.scalars(
                insert(model).on_conflict_do_nothing().returning(identifier), values
            )
            if len(new.all()) < len(rows):
                raise Problem(CONFLICT, "the id is taken by something else")
        if self._new_profiles:
            upsert = insert(Profile)
            replaced = {column.name: upsert.excluded[column.name] for column in Profile.__table__.c}
            del replaced["arrival_id"]
            statement = upsert.on_conflict_do_update(index_elements=["arrival_id"], set_=replaced)
            await session.execute(statement, [_values(row) for row in self._new_profiles.values()])
        if self._minted:
            await self._write_minted(session)

    async def _write_minted(self, session: Session) -> None:
        people = [each.returnee_id for each in self._minted]
        copies = {each.returnee_id: each.copy for each in self._minted}
        await identities.keep_new(session, copies, self.context.keyring, self.context.marks)
        parts = (
            select(
                Arrival.returnee_id,
                participation.c.role,
                participation.c.organisation,
                participation.c.until,
            )
            .join(participation, participation.c.subject_id == Arrival.flight_id)
            .where(col(Arrival.returnee_id).in_(people))
        )
        columns = ["subject_id", "role", "organisation", "until"]
        await session.execute(
            insert(participation).from_select(columns, parts).on_conflict_do_nothing()
        )
        await grant(session, people, Role.PARTNER, self.caller.organisation)
        programmes = defaultdict(list)
        for each in self._minted:
            if each.programme is not None:
                programmes[each.programme].append(each.returnee_id)
        for programme, theirs in sorted(programmes.items()):
            await grant(session, theirs, Role.PROGRAMME, programme)


def day_of(arrival: Arrival) -> date:
    """The day for which the rules are asked."""
    return arrival.arrived_on or (arrival.expected_at or arrival.created_at).date()


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


def restricted_of(profile: Profile, context: ReceptionContext) -> set[HandoverReason]:
    """What a profile says that only few may read."""
    if profile.restricted is None:
        return set()
    plain = context.keyring.decrypt(profile.restricted, f"profile/{profile.arrival_id}")
    return {HandoverReason(word) for word in json.loads(plain)}


def handed_to(handover: Handover, context: ReceptionContext) -> dict[str, Any] | None:
    """To whom; None after an erasure. The caller of this audits the reading."""
    if handover.sealed is None:
        return None
    to: dict[str, Any] = json.loads(
        context.keyring.decrypt(handover.sealed, f"handover/{handover.id}")
    )
    return to


def signed_for(handover: Handover, context: ReceptionContext) -> set[HandoverReason]:
    """For what reasons somebody has signed; for any, where it was erased."""
    to = handed_to(handover, context)
    return {HandoverReason(to["reason"])} if to is not None else set(HandoverReason)


def _born(identity: Identity) -> date | None:
    return date.fromisoformat(identity.birth.date) if identity.birth is not None else None


def _values(row: Base) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.c}
