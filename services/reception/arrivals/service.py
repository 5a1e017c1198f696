"""What is done to arrivals: each function is one step of a request's transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Date, DateTime, Select, Text, cast, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from chassis import audit
from chassis.access import visible
from chassis.auth import Caller
from chassis.db import Session, now
from chassis.errors import CONFLICT, NOT_FOUND, STATE_CONFLICT, FieldError, Problem, invalid
from chassis.events import EventData
from chassis.ids import new_id
from chassis.outbox import publish
from chassis.pagination import Rows, page
from contracts import reception as facts
from contracts.codes import ArrivalState, Money, NeedsPriority
from services.reception.arrivals.rules import (
    CLOCK_TOLERANCE,
    GROUPS,
    Action,
    AssistanceKind,
    clock_suspect,
    published_kind,
    transitions,
)
from services.reception.models import Arrival, Assistance, OnwardTransport, Profile
from services.reception.ports import Ports

RESOURCE = "arrival"
FRESH = {"synchronize_session": False, "populate_existing": True}
"""What a statement returns is what is there now, not what the session has seen before."""

Step = TypeVar("Step", Assistance, OnwardTransport)


def ids_of(arrival: Arrival) -> dict[str, Any]:
    """What every fact about an arrival carries."""
    return {
        "arrival_id": arrival.id,
        "returnee_id": arrival.returnee_id,
        "travel_id": arrival.travel_id,
        "case_id": arrival.case_id,
        "referral_id": arrival.referral_id,
        "household_id": arrival.household_id,
        "programme": arrival.programme,
    }


async def board(
    session: Session,
    caller: Caller,
    *,
    ports: Ports,
    port: str | None,
    day: date | None,
    state: ArrivalState | None,
    returnee_id: UUID | None,
    updated_since: datetime | None,
    after: str | None,
    limit: int,
) -> Rows[Arrival]:
    """Who is expected or has arrived, in the order in which they are expected.

    Args:
        session: The session.
        caller: Who asks; they see those in whose return they take part.
        ports: The time zones of ports.
        port: Only those of this port of entry.
        day: Only those of this day in the time zone of their port.
        state: Only those in this state.
        returnee_id: Only this person's.
        updated_since: Only those changed since.
        after: Cursor of the page before.
        limit: How many in a page.
    """
    query: Select[Any] = select(Arrival).where(visible(Arrival.returnee_id, caller))
    if port is not None:
        query = query.where(Arrival.port_of_entry == port)
    if day is not None:
        query = query.where(*_on_day(day, port, ports))
    if state is not None:
        query = query.where(Arrival.state == state)
    if returnee_id is not None:
        query = query.where(Arrival.returnee_id == returnee_id)
    if updated_since is not None:
        query = query.where(Arrival.updated_at >= updated_since)
    return await page(
        session,
        query,
        keys=[Arrival.listed_at, Arrival.id],
        parsers=[datetime.fromisoformat, UUID],
        after=after,
        limit=limit,
    )


def _on_day(day: date, port: str | None, ports: Ports) -> list[Any]:
    dated = func.coalesce(Arrival.met_at, Arrival.expected_at)
    if port is not None:
        zone = ports.zone(port)
        begins, ends = (datetime.combine(d, time(), zone) for d in (day, day + timedelta(days=1)))
        return [
            Arrival.listed_at >= begins,
            Arrival.listed_at < ends,
            func.coalesce(dated, cast(Arrival.departs_on, DateTime(timezone=True))).is_not(None),
        ]
    noon = datetime.combine(day, time(12), UTC)
    there = cast(func.timezone(ports.zone_in_sql(Arrival.port_of_entry), dated), Date)
    return [
        Arrival.listed_at.between(noon - timedelta(days=1, hours=3), noon + timedelta(days=1, hours=3)),
        func.coalesce(there, Arrival.departs_on) == day,
    ]


async def get(session: Session, caller: Caller, arrival_id: UUID) -> Arrival:
    """An arrival, if the caller takes part in the person's return.

    Raises:
        Problem: 404, absent or not for the caller.
    """
    query = select(Arrival).where(Arrival.id == arrival_id, visible(Arrival.returnee_id, caller))
    arrival = await session.scalar(query)
    if arrival is None:
        raise Problem(NOT_FOUND)
    return arrival


async def steps(
    session: Session, arrival_id: UUID
) -> tuple[Profile | None, Sequence[Assistance], Sequence[OnwardTransport]]:
    """What was done at the port of entry, oldest first."""
    profile = await session.get(Profile, arrival_id)
    given = await session.scalars(
        select(Assistance).where(Assistance.arrival_id == arrival_id).order_by(Assistance.occurred_at, Assistance.id)
    )
    transport = await session.scalars(
        select(OnwardTransport)
        .where(OnwardTransport.arrival_id == arrival_id)
        .order_by(OnwardTransport.occurred_at, OnwardTransport.id)
    )
    return profile, given.all(), transport.all()


def _since(arrival: Arrival) -> str:
    by = arrival.state_by_person or arrival.state_by
    return f"{arrival.state} since {arrival.state_at.isoformat()}" + (f" by {by}" if by else "")


def _conflict(arrival: Arrival, action: Action, errors: Sequence[FieldError] = ()) -> Problem:
    allowed = sorted(transitions(arrival.state, met=arrival.met_at is not None))
    said: dict[str, Any] = {
        "since": arrival.state_at.isoformat(),
        "by": arrival.state_by,
        "person": arrival.state_by_person,
    }
    return Problem(
        STATE_CONFLICT,
        f"{action} is not possible: {_since(arrival)}",
        errors=errors,
        state=arrival.state,
        allowed=allowed,
        **{name: value for name, value in said.items() if value is not None},
    )


async def check_in(
    session: Session,
    caller: Caller,
    arrival_ids: Sequence[UUID],
    *,
    occurred_at: datetime | None,
    port: str | None,
    ports: Ports,
) -> list[Arrival]:
    """Note that people were met at the desk: all of them, or none.

    One statement for one person: of two tablets the second waits for the first, then finds the state changed.

    Args:
        session: The session.
        caller: The desk.
        arrival_ids: Whose arrivals.
        occurred_at: When, by the desk's clock; now if not given.
        port: Where the desk is; as expected if not given.
        ports: The time zones of ports.

    Returns:
        The arrivals in the order that was asked for.

    Raises:
        Problem: 404; 409 with the state, since when and by whom; 422, nobody knows the port.
    """
    wanted = sorted(set(arrival_ids))
    mine = (Arrival.id.in_(wanted), visible(Arrival.returnee_id, caller))
    everything = select(Arrival).where(*mine).order_by(Arrival.id)
    if len(wanted) > 1:
        _refuse_check_in((await session.scalars(everything.with_for_update())).all(), arrival_ids, port)
    claimed = literal(occurred_at, DateTime(timezone=True)) if occurred_at else func.statement_timestamp()
    here = literal(port, Text) if port else Arrival.port_of_entry
    credible = func.least(claimed, now())
    met = await session.scalars(
        update(Arrival)
        .where(*mine, Arrival.state == ArrivalState.EXPECTED, here.is_not(None))
        .values(
            met_at=claimed,
            arrived_on=cast(func.timezone(ports.zone_in_sql(here), credible), Date),
            port_of_entry=here,
            **_reached(caller, ArrivalState.MET, claimed, claimed > now() + CLOCK_TOLERANCE),
        )
        .returning(Arrival),
        execution_options=FRESH,
    )
    arrivals = {arrival.id: arrival for arrival in met}
    if len(arrivals) != len(wanted):
        _refuse_check_in((await session.scalars(everything)).all(), arrival_ids, port)
        raise AssertionError("an arrival that could have been checked in was not")
    for arrival in arrivals.values():
        assert arrival.port_of_entry is not None
        assert arrival.arrived_on is not None
        audit.record(session, caller, Action.CHECK_IN, RESOURCE, arrival.id)
        received = facts.ArrivalReceived(
            **ids_of(arrival), port_of_entry=arrival.port_of_entry, arrived_on=arrival.arrived_on
        )
        publish(session, received, occurred_at=arrival.met_at)
    return [arrivals[arrival_id] for arrival_id in dict.fromkeys(arrival_ids)]


def _refuse_check_in(found: Sequence[Arrival], asked: Sequence[UUID], port: str | None) -> None:
    """Raise what stands against checking these in, if anything does."""
    known = {arrival.id: arrival for arrival in found}
    if not known.keys() >= set(asked):
        raise Problem(NOT_FOUND)
    in_the_way = [
        (place, known[arrival_id])
        for place, arrival_id in enumerate(asked)
        if Action.CHECK_IN not in transitions(known[arrival_id].state, met=known[arrival_id].met_at is not None)
    ]
    if in_the_way:
        errors = [
            FieldError(pointer=f"/arrivals/{place}", code="state_conflict", detail=_since(arrival))
            for place, arrival in in_the_way
        ]
        raise _conflict(in_the_way[0][1], Action.CHECK_IN, errors if len(asked) > 1 else ())
    if port is None and any(arrival.port_of_entry is None for arrival in found):
        detail = "where the desk is: the journey did not say"
        raise invalid(FieldError(pointer="/port_of_entry", code="port_required", detail=detail))


async def _lock(session: Session, caller: Caller, arrival_id: UUID, action: Action) -> tuple[Arrival, datetime]:
    """The arrival, locked, and the database's clock; refused unless the state allows the action."""
    query = (
        select(Arrival, now())
        .where(Arrival.id == arrival_id, visible(Arrival.returnee_id, caller))
        .with_for_update(of=Arrival)
    )
    row = (await session.execute(query)).first()
    if row is None:
        raise Problem(NOT_FOUND)
    arrival, clock = row
    if action not in transitions(arrival.state, met=arrival.met_at is not None):
        raise _conflict(arrival, action)
    return arrival, clock


async def _change(session: Session, arrival_id: UUID, values: Mapping[str, Any]) -> Arrival:
    result = await session.scalars(
        update(Arrival).where(Arrival.id == arrival_id).values(**values).returning(Arrival), execution_options=FRESH
    )
    return result.one()


async def _move(
    session: Session,
    caller: Caller,
    arrival_id: UUID,
    action: Action,
    occurred_at: datetime | None,
    **values: Any,
) -> Arrival:
    arrival, clock = await _lock(session, caller, arrival_id, action)
    target = transitions(arrival.state, met=arrival.met_at is not None)[action]
    at = occurred_at or clock
    reached = _reached(caller, target, at, clock_suspect(at, clock))
    audit.record(session, caller, action, RESOURCE, arrival_id, {"from": arrival.state, "to": target})
    return await _change(session, arrival_id, reached | values)


ENDS: Mapping[Action, type[facts.ArrivalFact]] = {
    Action.COMPLETE: facts.ArrivalCompleted,
    Action.NO_SHOW: facts.ArrivalNoShow,
    Action.NOT_DEPARTED: facts.ArrivalNotDeparted,
    Action.DECLINE: facts.ArrivalDeclined,
}
"""Actions that end an arrival without saying more, and the fact that tells it."""


async def end(
    session: Session, caller: Caller, arrival_id: UUID, action: Action, occurred_at: datetime | None
) -> Arrival:
    """Complete an arrival, or note that the person did not show up, did not depart, or declines.

    Args:
        session: The session.
        caller: The desk.
        arrival_id: Whose arrival.
        action: One of `ENDS`.
        occurred_at: When, by the desk's clock; now if not given.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    arrival = await _move(session, caller, arrival_id, action, occurred_at)
    publish(session, ENDS[action](**ids_of(arrival)), occurred_at=arrival.state_at)
    return arrival


async def confirm(
    session: Session,
    caller: Caller,
    arrival_id: UUID,
    *,
    arrived_on: date,
    method: facts.ConfirmationMethod,
    evidence: str,
) -> Arrival:
    """Note that somebody arrived who walked past the desk; again corrects it, and the deadlines follow.

    Raises:
        Problem: 404; 409 with the state; 422, the day has not come yet.
    """
    tomorrow = (await session.execute(select(cast(now() + timedelta(days=1), Date)))).scalar_one()
    if arrived_on > tomorrow:  # a day ahead of UTC somewhere
        raise invalid(FieldError(pointer="/arrived_on", code="in_future", detail="a day that has come"))
    arrival = await _move(
        session,
        caller,
        arrival_id,
        Action.CONFIRM,
        None,
        arrived_on=arrived_on,
        confirmation_method=method,
        confirmation_evidence=evidence,
    )
    fact = facts.ArrivalConfirmed(**ids_of(arrival), arrived_on=arrived_on, method=method)
    publish(session, fact, occurred_at=arrival.state_at)
    return arrival


async def reopen(session: Session, caller: Caller, arrival_id: UUID, occurred_at: datetime | None) -> Arrival:
    """Lead an arrival that had ended back to where it was before, after a mistake.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    before, _ = await _lock(session, caller, arrival_id, Action.REOPEN)
    previous = before.state
    undone = (
        {"arrived_on": None, "confirmation_method": None, "confirmation_evidence": None}
        if before.met_at is None
        else {}
    )
    arrival = await _move(session, caller, arrival_id, Action.REOPEN, occurred_at, **undone)
    fact = facts.ArrivalReopened(**ids_of(arrival), previous_state=previous, state=arrival.state)
    publish(session, fact, occurred_at=arrival.state_at)
    return arrival


async def profile(
    session: Session,
    caller: Caller,
    arrival_id: UUID,
    *,
    occurred_at: datetime | None,
    household: Mapping[str, int],
    skills: Sequence[str],
    reasons_for_return: Sequence[str],
    immediate_needs: Sequence[str],
    needs_priority: NeedsPriority,
) -> tuple[Arrival, Profile]:
    """Take down needs and skills; taken again, they replace what was taken before. Only the urgency is published.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    arrival, clock = await _lock(session, caller, arrival_id, Action.PROFILE)
    values = _when(caller, occurred_at, clock) | {
        "household": dict(household),
        "skills": list(skills),
        "reasons_for_return": list(reasons_for_return),
        "immediate_needs": list(immediate_needs),
        "needs_priority": needs_priority,
        "recorded_at": now(),
    }
    statement = insert(Profile).values(arrival_id=arrival_id, **values)
    taken = await session.scalars(
        statement.on_conflict_do_update(index_elements=["arrival_id"], set_=values).returning(Profile),
        execution_options=FRESH,
    )
    row = taken.one()
    fact = facts.ArrivalProfiled(**ids_of(arrival), needs_priority=needs_priority)
    return await _did(session, caller, arrival, Action.PROFILE, fact, row.occurred_at), row


async def assist(
    session: Session,
    caller: Caller,
    arrival_id: UUID,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    occurred_at: datetime | None,
    kind: AssistanceKind,
    amount: Money | None,
) -> tuple[Arrival, Assistance]:
    """Note something that was given at the desk. Kinds that disclose health or a child are published as a group only.

    Raises:
        Problem: 404; 409, the state does not allow it or the id is taken by something else.
    """
    arrival, clock = await _lock(session, caller, arrival_id, Action.ASSIST)
    content = {
        "arrival_id": arrival_id,
        "kind": kind,
        "amount": amount.amount if amount else None,
        "currency": amount.currency if amount else None,
    }
    row, new = await _insert_once(session, Assistance, id, content, _when(caller, occurred_at, clock))
    if not new:
        return arrival, row
    fact = facts.AssistanceProvided(
        **ids_of(arrival), assistance_id=row.id, group=GROUPS[kind], kind=published_kind(kind), amount=amount
    )
    return await _did(session, caller, arrival, Action.ASSIST, fact, row.occurred_at), row


async def arrange_transport(
    session: Session,
    caller: Caller,
    arrival_id: UUID,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    occurred_at: datetime | None,
    mode: facts.TransportMode,
    governorate: str,
    district: str | None,
    departs_at: datetime | None,
    cost: Money | None,
) -> tuple[Arrival, OnwardTransport]:
    """Note how somebody travels on.

    Raises:
        Problem: 404; 409, the state does not allow it or the id is taken by something else.
    """
    arrival, clock = await _lock(session, caller, arrival_id, Action.ARRANGE_TRANSPORT)
    content = {
        "arrival_id": arrival_id,
        "mode": mode,
        "governorate": governorate,
        "district": district,
        "departs_at": departs_at,
        "cost": cost.amount if cost else None,
        "currency": cost.currency if cost else None,
    }
    row, new = await _insert_once(session, OnwardTransport, id, content, _when(caller, occurred_at, clock))
    if not new:
        return arrival, row
    fact = facts.OnwardTransportArranged(**ids_of(arrival), mode=mode, departs_at=departs_at, cost=cost)
    return await _did(session, caller, arrival, Action.ARRANGE_TRANSPORT, fact, row.occurred_at), row


def _when(caller: Caller, occurred_at: datetime | None, clock: datetime) -> dict[str, Any]:
    at = occurred_at or clock
    return {"occurred_at": at, "clock_suspect": clock_suspect(at, clock), "recorded_by": caller.organisation}


async def _insert_once(
    session: Session, model: type[Step], chosen: UUID | None, content: Mapping[str, Any], when: Mapping[str, Any]
) -> tuple[Step, bool]:
    """Insert a row under the id that the client chose; told again with the same content, it is there already."""
    statement = insert(model).values(id=chosen or new_id(), **content, **when)
    inserted = await session.scalars(statement.on_conflict_do_nothing().returning(model), execution_options=FRESH)
    row = inserted.one_or_none()
    if row is not None:
        return row, True
    there = await session.get_one(model, chosen)
    if any(getattr(there, name) != value for name, value in content.items()):
        raise Problem(CONFLICT, "the id is taken by something else")
    return there, False


async def _did(
    session: Session, caller: Caller, arrival: Arrival, action: Action, fact: EventData, occurred_at: datetime
) -> Arrival:
    audit.record(session, caller, action, RESOURCE, arrival.id)
    publish(session, fact, occurred_at=occurred_at)
    return await _change(session, arrival.id, _touched())


def _reached(caller: Caller, state: ArrivalState, at: Any, suspect: Any) -> dict[str, Any]:
    """The columns that say that the caller brought an arrival to a state."""
    return {
        "state": state,
        "state_at": at,
        "state_recorded_at": now(),
        "state_by": caller.organisation,
        "state_by_person": caller.person,
        "clock_suspect": suspect,
        **_touched(),
    }


def _touched() -> dict[str, Any]:
    return {"version": Arrival.version + 1, "updated_at": now()}
