"""Arrivals that are worked on: locked, with what the rules ask about them, read and written for all
of them at once.

One arrival at a desk and the thousand entries of a tablet's log take the same way: what is decided
is decided in memory, on rows that are locked in the order of their ids; the number of statements
does not grow with the entries.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ScalarResult, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis.auth import Caller
from chassis.db import Session, before_commit
from chassis.errors import CONFLICT, Problem
from chassis.ids import new_id
from contracts.codes import ArrivalState, AssistanceKind
from contracts.programmes import Per
from participation.access import Role, grant, participation
from services.reception import identities
from services.reception.arrivals.families import Families
from services.reception.arrivals.loaded_arrivals import LoadedArrivals
from services.reception.arrivals.rules import clock_suspect
from services.reception.context import ReceptionContext
from services.reception.identities import IdentityCopy
from services.reception.models import (
    Arrival,
    Assistance,
    Base,
    Handover,
    OnwardTransport,
    Profile,
)
from services.reception.states import ARRIVAL, ArrivalAction

Step = TypeVar("Step", Assistance, OnwardTransport, Handover)
StepModel = type[Assistance | OnwardTransport | Handover]


@dataclass(frozen=True)
class _Minted:
    returnee_id: UUID
    copy: IdentityCopy
    programme: str | None


class ArrivalBatch(LoadedArrivals):
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
        super().__init__(session, caller, context, lock=lock)
        self.families = Families(self)
        self.ahead = timedelta(0)
        """By how much the clock of the device that tells this is ahead of it, where that is too
        much to be believed.
        """
        self.clock_doubtful = False
        """Whether that clock is wrong, also where what it said was corrected."""
        self._given: dict[UUID, Counter[AssistanceKind]] = {}
        self._new_given: dict[UUID, Counter[AssistanceKind]] = defaultdict(Counter)
        self._steps: dict[tuple[type[Base], UUID], Any] = {}
        self._new_steps: dict[type[Base], list[Any]] = defaultdict(list)
        self._new_profiles: dict[UUID, Profile] = {}
        self._minted: list[_Minted] = []
        if lock:
            before_commit(session, f"arrival batch {id(self)}", self._write)

    def add_new(self, arrival: Arrival) -> None:
        """An arrival has come to be, of somebody who came without being expected."""
        self.arrivals[arrival.id] = arrival
        self._visible_ids.add(arrival.id)
        self._worked_on_ids.add(arrival.id)
        self._given[arrival.id], self._seats[arrival.id], self._profiles[arrival.id] = (
            Counter(),
            None,
            None,
        )

    async def replace_with(self, before: Arrival, after: Arrival) -> None:
        """An arrival of a seat became the one that was expected of somebody already."""
        self.arrivals.pop(before.id, None)
        self._aliases[before.id] = after.id
        self.arrivals.pop(after.id, None)
        self.families.forget(after)
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

    async def given(self, arrival: Arrival, kind: AssistanceKind, per: Per) -> int:
        """How often something was given: to the person on this arrival, or to the household, which
        must be taken.
        """
        if arrival.id not in self._given:
            missing = self.arrivals.keys() - self._given.keys()
            counted = (
                select(Assistance.arrival_id, Assistance.kind, func.count().label("times"))
                .where(col(Assistance.arrival_id).in_(missing))
                .group_by(col(Assistance.arrival_id), Assistance.kind)
            )
            self._given |= {arrival_id: Counter() for arrival_id in missing}
            for row in await self.session.execute(counted):
                self._given[row.arrival_id][row.kind] = row.times
        arrivals = [arrival]
        if per is Per.HOUSEHOLD and arrival.household_id is not None:
            arrivals = [
                other
                for other in self.arrivals.values()
                if other.household_id == arrival.household_id
            ]
        return sum(self._given[who.id][kind] + self._new_given[who.id][kind] for who in arrivals)

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
        self._cases[arrival.returnee_id] = None
        self.families.add_minted(arrival, copy)
        self._minted.append(_Minted(arrival.returnee_id, copy, arrival.programme))

    async def copy_of(self, returnee_id: UUID) -> IdentityCopy | None:
        """Who somebody is, as the desk keeps it. The caller of this audits the reading."""
        minted = next((new.copy for new in self._minted if new.returnee_id == returnee_id), None)
        return minted or await identities.read_copy(self.session, returnee_id, self.context.keyring)

    async def load_steps(self, model: StepModel, ids: Iterable[UUID]) -> None:
        """Find out which of these ids steps have already."""
        missing = {step_id for step_id in ids if (model, step_id) not in self._steps}
        if missing:
            self._steps |= {(model, step_id): None for step_id in missing}
            identifier: Any = model.__table__.c.id
            rows: ScalarResult[Any] = await self.session.scalars(
                select(model).where(identifier.in_(missing))
            )
            self._steps |= {(model, row.id): row for row in rows}

    async def existing_step(self, row: Step) -> Step | None:
        """The step that has a step's id already."""
        await self.load_steps(type(row), [row.id])
        existing: Step | None = self._steps[type(row), row.id]
        return existing

    async def insert_once(self, row: Step, same: Sequence[str]) -> tuple[Step, bool]:
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
        existing = await self.existing_step(row)
        if existing is not None:
            if any(getattr(existing, name) != getattr(row, name) for name in same):
                raise Problem(CONFLICT, "the id is taken by something else")
            return existing, False
        self._steps[model, row.id] = row
        self._new_steps[model].append(row)
        if isinstance(row, Assistance):
            self._new_given[row.arrival_id][row.kind] += 1
        elif isinstance(row, Handover):
            self.families.sign(row)
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
        people = [minted.returnee_id for minted in self._minted]
        copies = {minted.returnee_id: minted.copy for minted in self._minted}
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
        for minted in self._minted:
            if minted.programme is not None:
                programmes[minted.programme].append(minted.returnee_id)
        for programme, returnee_ids in sorted(programmes.items()):
            await grant(session, returnee_ids, Role.PROGRAMME, programme)


def _values(row: Base) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.c}
