"""Timelines and summaries, from what the services have published."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, CompoundSelect, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import and_, col, delete, false, literal, or_, select, true, union_all
from sqlmodel.sql.expression import SelectOfScalar

from chassis import inbox
from chassis.auth import Caller
from chassis.db import Session
from chassis.events import EventData
from chassis.pagination import Rows, page
from contracts import cases, grants, reception, training
from contracts.codes import Money
from gateway.handlers import EVENTS, SOURCES
from gateway.models import Relation, TimelineEntry
from gateway.positions import Positions
from gateway.timeline.schemas import (
    ArrivalNow,
    CaseNow,
    DeadlineNow,
    EnrolmentNow,
    GrantNow,
    PaymentNow,
    PlacementNow,
    PlanNow,
    Totals,
    TravelNow,
)
from participation import aliases
from participation.access import Role, participation, roles_of
from participation.beneficiaries import beneficiary

TEXTS = ARRAY(Text)


@dataclass(frozen=True)
class Reader:
    """Whose timeline is read, by whom.

    Attributes:
        returnee_id: Whose.
        parts: Every id of the person under which the caller takes part, and in what capacities;
            None for our own services, which see everything.
    """

    returnee_id: UUID
    parts: tuple[tuple[UUID, tuple[str, ...] | None], ...]

    @property
    def roles(self) -> tuple[str, ...] | None:
        """In what capacities the caller takes part at all."""
        if any(roles is None for _, roles in self.parts):
            return None
        return tuple(sorted({role for _, roles in self.parts for role in roles or ()}))


@dataclass(frozen=True)
class Filters:
    """Which entries.

    Attributes:
        happened_from: From this moment on, as claimed.
        happened_to: Before this moment, as claimed.
        as_of: As the timeline was known then.
        services: Of these services; all if empty.
        types: Of these event types; all if empty.
    """

    happened_from: datetime | None = None
    happened_to: datetime | None = None
    as_of: datetime | None = None
    services: Collection[str] = ()
    types: Collection[str] = ()


async def reader(session: Session, returnee_id: UUID, caller: Caller) -> Reader:
    """The caller as a reader of a timeline; `beneficiaries.require` has let them in."""
    ids = await aliases.same_person(session, returnee_id)
    if caller.is_internal:
        return Reader(returnee_id, tuple((each, None) for each in ids))
    parts = {each: await roles_of(session, each, caller) for each in ids}
    # Who was told of somebody is shown what partners are shown.
    shown = {
        each: {Role.PARTNER if role is Role.SHARED else role for role in roles}
        for each, roles in parts.items()
    }
    return Reader(
        returnee_id, tuple((each, tuple(sorted(roles))) for each, roles in shown.items() if roles)
    )


def entries(who: Reader) -> SelectOfScalar[TimelineEntry]:
    """The facts about a returnee, and about their referral and case as a whole, that the reader may
    see.

    The subjects are one `IN` of a union: as an `OR` of an id and a subquery PostgreSQL reads the
    whole table, however long it is.
    """
    subject = col(TimelineEntry.subject)
    visible = or_(false(), *(_visible(returnee_id, roles) for returnee_id, roles in who.parts))
    ids = [returnee_id for returnee_id, _ in who.parts]
    return select(TimelineEntry).where(subject.in_(_subjects(ids)), visible)


def _subjects(returnee_ids: Sequence[UUID]) -> CompoundSelect[UUID]:
    """Some ids of a person, and their referrals and cases."""
    own = [sqlalchemy.select(literal(returnee_id)) for returnee_id in returnee_ids]
    related = sqlalchemy.select(col(Relation.subject)).where(
        col(Relation.returnee_id).in_(returnee_ids)
    )
    return union_all(*own, related)


def _visible(returnee_id: UUID, roles: tuple[str, ...] | None) -> ColumnElement[bool]:
    """Whether a fact that concerns one id of the person is meant for one of the roles in which the
    caller takes part under that id.
    """
    if roles is None:
        return true()
    concerns = col(TimelineEntry.subject).in_(_subjects([returnee_id]))
    return concerns & col(TimelineEntry.audience).bool_op("&&")(sqlalchemy.cast(list(roles), TEXTS))


async def read(
    session: Session,
    who: Reader,
    filters: Filters,
    *,
    after: str | None,
    limit: int,
    descending: bool,
) -> Rows[TimelineEntry]:
    """A page of a timeline, by when things happened, then by when they were recorded."""
    statement = entries(who)
    if filters.happened_from is not None:
        statement = statement.where(col(TimelineEntry.occurred_at) >= filters.happened_from)
    if filters.happened_to is not None:
        statement = statement.where(col(TimelineEntry.occurred_at) < filters.happened_to)
    if filters.as_of is not None:
        statement = statement.where(col(TimelineEntry.recorded_at) <= filters.as_of)
    if filters.services:
        statement = statement.where(col(TimelineEntry.source).in_(filters.services))
    if filters.types:
        statement = statement.where(col(TimelineEntry.type).in_(filters.types))
    return await page(
        session,
        statement,
        keys=[
            col(TimelineEntry.occurred_at),
            col(TimelineEntry.recorded_at),
            col(TimelineEntry.source),
            col(TimelineEntry.position),
        ],
        parsers=[datetime.fromisoformat, datetime.fromisoformat, str, int],
        after=after,
        limit=limit,
        descending=descending,
    )


async def since(session: Session, who: Reader, positions: Positions) -> Sequence[TimelineEntry]:
    """What came after these positions, in the order of recording."""
    beyond = [
        and_(TimelineEntry.source == source, TimelineEntry.position > positions[source])
        for source in SOURCES
    ]
    statement = entries(who).where(or_(*beyond))
    order = (col(TimelineEntry.recorded_at), col(TimelineEntry.source), col(TimelineEntry.position))
    return (await session.scalars(statement.order_by(*order))).all()


CASE = {
    model.event_type
    for model in (
        cases.CaseOpened,
        cases.CaseProgressed,
        cases.CaseSuspended,
        cases.CaseResumed,
        cases.CaseClosed,
        cases.CaseReopened,
    )
}
TRAVEL = {
    model.event_type
    for model in (
        cases.TravelPlanned,
        cases.TravelConfirmed,
        cases.TravelChanged,
        cases.TravelDeparted,
        cases.TravelNotDeparted,
        cases.TravelCancelled,
    )
}
PLAN = {
    model.event_type
    for model in (
        cases.PlanSubmitted,
        cases.PlanAgreed,
        cases.PlanApproved,
        cases.PlanReturned,
        cases.PlanAmended,
    )
}
DEADLINE = {
    model.event_type
    for model in (
        cases.DeadlineSet,
        cases.DeadlineExtended,
        cases.DeadlineWaived,
        cases.DeadlineMissed,
        cases.DeadlineMet,
        cases.DeadlineCancelled,
    )
}
DEADLINE_ENDED = {
    model.event_type for model in (cases.DeadlineWaived, cases.DeadlineMet, cases.DeadlineCancelled)
}
ARRIVAL = {
    model.event_type
    for model in (
        reception.ArrivalExpected,
        reception.ArrivalReceived,
        reception.ArrivalProfiled,
        reception.ArrivalCompleted,
        reception.ArrivalNoShow,
        reception.ArrivalNotDeparted,
        reception.ArrivalDeclined,
        reception.ArrivalConfirmed,
        reception.ArrivalReopened,
        reception.ArrivalDiverted,
        reception.ArrivalCorrected,
    )
}
BESIDE = {reception.ArrivalProfiled.event_type, reception.ArrivalCorrected.event_type}
"""What is said of an arrival without moving it."""


def _facts(base: type[EventData], *but: type[EventData]) -> set[str]:
    return {
        name
        for name, model in EVENTS.items()
        if issubclass(model, base) and not issubclass(model, but)
    }


GRANT = _facts(grants.GrantFact)
PAYMENT = _facts(grants.PaymentFact)
PLACEMENT = _facts(training.PlacementFact)
ENROLMENT = _facts(
    training.EnrolmentFact,
    training.AttendanceFact,
    training.EnrolmentAssessed,
    training.EnrolmentQuestioned,
)
GRANTED = {"approved", "ordered", "delivered", "closed"}
TAKEN_BACK = {"failed", "reversed", "recovered"}


async def standing(session: Session, who: Reader, case_id: UUID) -> dict[str, Any]:
    """Where a returnee stands with each service, from the last facts that the reader may see.

    Args:
        session: The session.
        who: Whose summary, for whom.
        case_id: The case that they are in, or were in last.
    """
    told = CASE | TRAVEL | PLAN | DEADLINE | ARRIVAL | GRANT | PAYMENT | ENROLMENT | PLACEMENT
    statement = entries(who).where(col(TimelineEntry.type).in_(told))
    order = (col(TimelineEntry.recorded_at), col(TimelineEntry.source), col(TimelineEntry.position))
    rows = (await session.scalars(statement.order_by(*order))).all()
    granted, paid = _each(rows, GRANT, "grant_id"), _each(rows, PAYMENT, "payment_id")
    enrolments = _each(rows, ENROLMENT, "enrolment_id")
    return {
        "case": _case(
            [row for row in rows if row.type in CASE and row.data["case_id"] == str(case_id)]
        ),
        "grants": [GrantNow.model_validate(item) for item in granted],
        "payments": [PaymentNow.model_validate(item) for item in paid],
        "enrolments": [EnrolmentNow.model_validate(item) for item in enrolments],
        "placements": [
            PlacementNow.model_validate(item) for item in _each(rows, PLACEMENT, "placement_id")
        ],
        "totals": Totals(
            granted=_sums(item["amount"] for item in granted if item["state"] in GRANTED),
            paid=_sums(
                i["amount"] for i in paid if i.get("confirmed_on") and i["state"] not in TAKEN_BACK
            ),
            enrolments_completed=sum(item["state"] == "completed" for item in enrolments),
        ),
        "travel": _travel([row for row in rows if row.type in TRAVEL]),
        "plan": _plan([row for row in rows if row.type in PLAN]),
        "arrival": _arrival([row for row in rows if row.type in ARRIVAL]),
        "deadlines": _deadlines([row for row in rows if row.type in DEADLINE]),
        "updated_at": rows[-1].recorded_at if rows else None,
    }


def _word(row: TimelineEntry) -> str:
    """What happened, by the last word of the type: `no_show`."""
    return row.type.rsplit(".", 2)[1]


def _together(rows: Sequence[TimelineEntry], identity: str) -> dict[str, Any] | None:
    """What was said of the last of several journeys, arrivals or plans, later words replacing
    earlier ones.
    """
    if not rows:
        return None
    last = rows[-1].data[identity]
    known: dict[str, Any] = {}
    for row in rows:
        if row.data[identity] == last:
            known |= row.data
    return known


def _each(
    rows: Sequence[TimelineEntry], types: Collection[str], identity: str
) -> list[dict[str, Any]]:
    """What was said of each grant, payment or enrolment, in the order in which they were first
    spoken of.
    """
    known: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.type in types:
            about = known.setdefault(row.data[identity], {})
            about |= row.data | {"id": row.data[identity], "state": _word(row)}
    return list(known.values())


def _sums(amounts: Iterable[Mapping[str, str]]) -> list[Money]:
    sums: dict[str, Decimal] = {}
    for money in amounts:
        sums[money["currency"]] = sums.get(money["currency"], Decimal(0)) + Decimal(money["amount"])
    return [Money(amount=amount, currency=currency) for currency, amount in sorted(sums.items())]


def _case(rows: Sequence[TimelineEntry]) -> CaseNow | None:
    known = _together(rows, "case_id")
    if known is None:
        return None
    reason = known.get("reason") if known["state"] == "closed" else None
    return CaseNow(
        id=known["case_id"], state=known["state"], since=rows[-1].occurred_at, reason=reason
    )


def _travel(rows: Sequence[TimelineEntry]) -> TravelNow | None:
    known = _together(rows, "travel_id")
    if known is None:
        return None
    return TravelNow(
        id=known["travel_id"],
        state=_word(rows[-1]),
        departs_on=known.get("departed_on") or known.get("departs_on"),
        arrives_at=known.get("arrives_at"),
        port_of_entry=known.get("port_of_entry"),
    )


def _plan(rows: Sequence[TimelineEntry]) -> PlanNow | None:
    known = _together(rows, "plan_id")
    if known is None:
        return None
    return PlanNow(id=known["plan_id"], version=known["plan_version"], state=_word(rows[-1]))


def _arrival(rows: Sequence[TimelineEntry]) -> ArrivalNow | None:
    known = _together(rows, "arrival_id")
    if known is None:
        return None
    told = [row for row in rows if row.type not in BESIDE] or rows
    reopened = told[-1].type == reception.ArrivalReopened.event_type
    return ArrivalNow(
        id=known["arrival_id"],
        state=told[-1].data["state"] if reopened else _word(told[-1]),
        port_of_entry=known.get("port_of_entry"),
        expected_at=known.get("expected_at"),
        arrived_on=known.get("arrived_on"),
        needs_priority=known.get("needs_priority"),
    )


def _deadlines(rows: Sequence[TimelineEntry]) -> list[DeadlineNow]:
    """The deadlines that are still to be kept, or were missed; one that ended may be set again."""
    known: dict[str, DeadlineNow] = {}
    for row in rows:
        deadline_id = row.data["deadline_id"]
        if row.type in DEADLINE_ENDED:
            known.pop(deadline_id, None)
        else:
            known[deadline_id] = DeadlineNow(
                id=deadline_id,
                kind=row.data["kind"],
                due_at=row.data["due_at"],
                missed=row.type == cases.DeadlineMissed.event_type,
            )
    now = datetime.now(UTC)
    open_or_missed = [
        deadline for deadline in known.values() if deadline.missed or deadline.due_at > now
    ]
    return sorted(open_or_missed, key=lambda deadline: deadline.due_at)


async def rebuild(session: Session) -> None:
    """Forget every timeline and who may see it, and have the worker fetch all of it again from the
    services' logs.
    """
    for source in sorted(SOURCES):
        await inbox.rewind(session, source)
    for table in (TimelineEntry, Relation, beneficiary, participation, aliases.alias):
        await session.execute(delete(table))
