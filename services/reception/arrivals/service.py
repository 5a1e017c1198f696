"""What is done to arrivals: each function is one step of a request's transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Date, DateTime, Select, exists, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import cast, col, or_, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import (
    CONFLICT,
    NOT_FOUND,
    STATE_CONFLICT,
    FieldError,
    Problem,
    ProblemType,
    invalid,
)
from chassis.events import EventData
from chassis.ids import new_id
from chassis.outbox import publish
from chassis.pagination import Rows, page
from contracts import reception as events
from contracts.codes import (
    ArrivalState,
    AssistanceGroup,
    AssistanceKind,
    DeadlineKind,
    Member,
    Money,
    NeedsPriority,
    ReturnKind,
)
from contracts.programmes import HandoverReason, Rules, SafeContactRule, Silence
from participation import aliases, beneficiaries
from participation.access import visible
from services.reception.arrival_matching import unite
from services.reception.arrivals.batch import FRESH, ArrivalBatch, day_of, handed_to
from services.reception.arrivals.rules import age_on, clock_suspect, entitled, is_safe, transitions
from services.reception.arrivals.schemas import Entitled, Guidance, Reachable
from services.reception.context import ReceptionContext
from services.reception.event_payloads import ids_of
from services.reception.flights.passengers import details_of
from services.reception.flights.service import find as find_flight
from services.reception.identities import IdentityCopy
from services.reception.models import (
    Alias,
    Arrival,
    Assistance,
    Handover,
    OnwardTransport,
    Passenger,
    Profile,
)
from services.reception.ports import Ports
from services.reception.states import ArrivalAction

RESOURCE = "arrival"
HELD = "held_by_authorities"
PARTICULARS_REQUIRED = ProblemType(
    "particulars-required",
    409,
    "It is not known who this is",
    "The manifest gives a seat, or a name without enough to know the person by. "
    "Bind the arrival to a returnee or to entered particulars first.",
)
HANDOVER_REQUIRED = ProblemType(
    "handover-required",
    409,
    "Somebody has to sign for this person first",
    "A child without an adult of their family, or a patient with an escort, is not completed "
    "before a named adult or authority has signed for them: record the handover. `reasons` says "
    "why, `source` where the rule is published.",
)
NOT_ENTITLED = ProblemType(
    "not-entitled",
    409,
    "The programme does not give this",
    "`code` says whether the programme does not give it to this person at all or has given it as "
    "often as it does; `source` says where the rule is published.",
)


async def board(
    session: Session,
    caller: Caller,
    *,
    ports: Ports,
    port: str | None,
    day: date | None,
    state: str | None,
    returnee_id: UUID | None,
    flight_id: UUID | None = None,
    restricted: bool = False,
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
        state: Only those in this state, as the caller is shown it.
        returnee_id: Only this person's, by any of their ids.
        flight_id: Only those on this flight.
        restricted: Whether the caller is shown who is held by the authorities.
        updated_since: Only those changed since.
        after: Cursor of the page before.
        limit: How many in a page.
    """
    query: Select[Any] = select(Arrival).where(visible(col(Arrival.seen_through), caller))
    if port is not None:
        query = query.where(col(Arrival.port_of_entry) == port)
    if day is not None:
        query = query.where(*_on_day(day, port, ports))
    if state == HELD:
        query = query.where(col(Arrival.held_at).is_not(None))
    elif state is not None:
        query = query.where(col(Arrival.state) == state)
        if restricted:
            query = query.where(col(Arrival.held_at).is_(None))
    if flight_id is not None:
        query = query.where(col(Arrival.flight_id) == flight_id)
    if returnee_id is not None:
        query = query.where(
            col(Arrival.returnee_id).in_(await aliases.same_person(session, returnee_id))
        )
    if updated_since is not None:
        query = query.where(col(Arrival.updated_at) >= updated_since)
    return await page(
        session,
        query,
        keys=[col(Arrival.listed_at), col(Arrival.id)],
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
    there = cast(func.timezone(ports.zone_in_sql(col(Arrival.port_of_entry)), dated), Date)
    return [
        col(Arrival.listed_at).between(
            noon - timedelta(days=1, hours=3), noon + timedelta(days=1, hours=3)
        ),
        func.coalesce(there, Arrival.departs_on) == day,
    ]


async def get(session: Session, caller: Caller, arrival_id: UUID) -> Arrival:
    """An arrival, if the caller takes part in the person's return.

    Raises:
        Problem: 404, absent or not for the caller.
    """
    query = select(Arrival).where(
        Arrival.id == _now_called(arrival_id), visible(col(Arrival.seen_through), caller)
    )
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
        select(Assistance)
        .where(Assistance.arrival_id == arrival_id)
        .order_by(col(Assistance.occurred_at), col(Assistance.id))
    )
    transport = await session.scalars(
        select(OnwardTransport)
        .where(OnwardTransport.arrival_id == arrival_id)
        .order_by(col(OnwardTransport.occurred_at), col(OnwardTransport.id))
    )
    return profile, given.all(), transport.all()


async def handovers(session: Session, arrival_id: UUID) -> Sequence[Handover]:
    """The handovers of an arrival, oldest first."""
    query = (
        select(Handover)
        .where(Handover.arrival_id == arrival_id)
        .order_by(col(Handover.occurred_at), col(Handover.id))
    )
    return (await session.scalars(query)).all()


async def guidance(
    session: Session, caller: Caller, context: ReceptionContext, arrival: Arrival
) -> Guidance:
    """What may be done with somebody, and what their programme says."""
    batch = await ArrivalBatch.on(
        session, caller, context, [arrival.id], households=True, lock=False
    )
    rules, return_kind = await batch.rules_of(arrival)
    left = [
        Entitled(
            kind=kind,
            left=None
            if rule.at_most is None
            else max(0, rule.at_most - await batch.given(arrival, kind, rule.per)),
            source=rule.source,
            verified=rule.verified,
        )
        for kind, rule in (rules.reception.assistance if rules else {}).items()
        if entitled(rule, return_kind, 0) is None
    ]
    reasons, _ = await batch.handover_due(arrival)
    contact = rules.reception.safe_contact if rules else None
    return Guidance(
        allowed=words_now(arrival),
        assistance=left,
        handover_required=sorted(reasons),
        post_arrival_until=post_arrival_until(context, rules, arrival) if rules else None,
        relatives=contact.relatives if contact else None,
        only_in_safe_hours=contact.only_in_safe_hours if contact else None,
        contacts=await _reachable(batch, arrival, contact),
    )


async def _reachable(
    batch: ArrivalBatch, arrival: Arrival, rule: SafeContactRule | None
) -> list[Reachable]:
    """How somebody may be reached; where no programme says, nobody but themselves and only when it
    is safe.
    """
    copy = await batch.copy_of(arrival.returnee_id) if arrival.returnee_id is not None else None
    relatives = rule.relatives if rule is not None else "never"
    here = batch.clock.astimezone(batch.context.ports.zone(arrival.port_of_entry or "")).time()
    shown = []
    for contact in copy.contacts if copy is not None else ():
        own = contact.owner == "self"
        if not own and relatives == "never":
            continue
        safe = is_safe(contact.safe_hours, here) or (
            rule is not None and not rule.only_in_safe_hours
        )
        asked = not own and relatives == "with_consent"
        shown.append(Reachable(**contact.model_dump(), safe_now=safe, needs_consent=asked))
    return shown


def _now_called(arrival_id: UUID) -> Any:
    """The id itself, or that of the arrival which it turned out to be."""
    return func.coalesce(
        select(Alias.arrival_id).where(Alias.id == arrival_id).scalar_subquery(), arrival_id
    )


def allowed_now(
    arrival: Arrival, done_at: datetime | None = None
) -> Mapping[ArrivalAction, ArrivalState]:
    """What may be done with an arrival now, and where it leads; or what may be told that was done
    at another time.
    """
    return transitions(
        arrival.state,
        met=arrival.met_at is not None,
        held=arrival.held_at is not None,
        before_end=done_at is not None and done_at <= arrival.state_at,
    )


def words_now(arrival: Arrival) -> list[str]:
    """What may be posted to an arrival now; a correction is no word, it is a PATCH."""
    return sorted(action for action in allowed_now(arrival) if action is not ArrivalAction.CORRECT)


def _since(arrival: Arrival) -> str:
    by = arrival.state_by_person or arrival.state_by
    return f"{arrival.state} since {arrival.state_at.isoformat()}" + (f" by {by}" if by else "")


def _conflict(
    arrival: Arrival, action: ArrivalAction, errors: Sequence[FieldError] = ()
) -> Problem:
    allowed = words_now(arrival)
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
    batch: ArrivalBatch,
    arrival_ids: Sequence[UUID],
    *,
    occurred_at: datetime | None,
    port: str | None,
    identity_doubtful: bool = False,
) -> list[Arrival]:
    """Note that people were met at the desk: all of them, or none.

    Of two tablets the second waits for the first, then finds the state changed.

    Args:
        batch: With the arrivals.
        arrival_ids: Whose.
        occurred_at: When, by the desk's clock; now if not given.
        port: Where the desk is; as expected if not given.
        identity_doubtful: Whether it is not sure that they are who they are expected to be.

    Returns:
        The arrivals in the order that was asked for.

    Raises:
        Problem: 404; 409 with the state, since when and by whom, or that it is not known who they
            are; 422, nobody knows the port.
    """
    arrivals = [batch.find(arrival_id) for arrival_id in arrival_ids]
    _refuse_check_in(arrivals, port)
    arrivals = list({arrival.id: arrival for arrival in arrivals}.values())
    copies = {
        each.id: await _copy_on_manifest(batch, each)
        for each in arrivals
        if each.returnee_id is None
    }
    at = occurred_at or batch.clock
    for arrival in arrivals:
        if arrival.id in copies:
            await _mint(batch, arrival, copies[arrival.id])
        here = port or arrival.port_of_entry
        assert here is not None
        arrival.met_at, arrival.met_by, arrival.port_of_entry = at, batch.caller.organisation, here
        arrival.identity_doubtful = identity_doubtful
        arrival.arrived_on = _day_at(batch, at, here)
        batch.transition(arrival, ArrivalAction.CHECK_IN, at)
        audit.record(batch.session, batch.caller, ArrivalAction.CHECK_IN, RESOURCE, arrival.id)
        publish(batch.session, _received(arrival), occurred_at=arrival.met_at)
    return arrivals


def _day_at(batch: ArrivalBatch, at: datetime, port: str) -> date:
    """The day at a port, by a clock that is right; of a time that is still to come, today."""
    return min(at - batch.ahead, batch.clock).astimezone(batch.context.ports.zone(port)).date()


def _received(arrival: Arrival) -> events.ArrivalReceived:
    assert arrival.port_of_entry is not None
    assert arrival.arrived_on is not None
    return events.ArrivalReceived(
        **ids_of(arrival),
        port_of_entry=arrival.port_of_entry,
        arrived_on=arrival.arrived_on,
        walk_in=arrival.walk_in,
    )


async def _copy_on_manifest(batch: ArrivalBatch, arrival: Arrival) -> IdentityCopy:
    """Who sits on a seat, where the manifest says enough.

    Raises:
        Problem: 409 `particulars-required`.
    """
    passenger = await batch.seat(arrival)
    details = details_of(passenger, batch.context.keyring) if passenger is not None else None
    latin = details is not None and (details.given_names or details.family_name)
    if (
        passenger is None
        or details is None
        or details.birth_date is None
        or not (latin or details.name_arab)
    ):
        raise Problem(PARTICULARS_REQUIRED)
    names = []
    if latin:
        names.append(
            {
                "script": "Latn",
                "given": details.given_names or "",
                "family": details.family_name or "",
            }
        )
    if details.name_arab:
        names.append({"script": "Arab", "given": details.name_arab})
    documents = []
    if details.document_number and details.document_kind:
        kind, number = details.document_kind, details.document_number
        documents.append({"kind": kind, "number": number, "issuer": passenger.nationality})
    return IdentityCopy.model_validate(
        {
            "names": names,
            "sex": details.sex or "unknown",
            "birth": {
                "date": details.birth_date.isoformat(),
                "precision": details.birth_precision or "day",
            },
            "nationality": passenger.nationality,
            "documents": documents,
        }
    )


async def _mint(batch: ArrivalBatch, arrival: Arrival, copy: IdentityCopy) -> None:
    """Give somebody an id; those of a family on a manifest whom no referral names are one
    household.
    """
    passenger = await batch.seat(arrival)
    if (
        arrival.household_id is None
        and passenger is not None
        and passenger.family_group is not None
    ):
        arrival.household_id = uuid5(passenger.flight_id, passenger.family_group)
    batch.mint(arrival, copy)


def _refuse_check_in(found: Sequence[Arrival], port: str | None) -> None:
    """Raise what stands against checking these in, if anything does."""
    in_the_way = [
        (place, arrival)
        for place, arrival in enumerate(found)
        if ArrivalAction.CHECK_IN not in allowed_now(arrival)
    ]
    if in_the_way:
        errors = [
            FieldError(pointer=f"/arrivals/{place}", code="state_conflict", detail=_since(arrival))
            for place, arrival in in_the_way
        ]
        raise _conflict(in_the_way[0][1], ArrivalAction.CHECK_IN, errors if len(found) > 1 else ())
    if port is None and any(arrival.port_of_entry is None for arrival in found):
        detail = "where the desk is: the journey did not say"
        raise invalid(FieldError(pointer="/port_of_entry", code="port_required", detail=detail))


def _allowed(
    batch: ArrivalBatch, arrival_id: UUID, action: ArrivalAction, done_at: datetime | None = None
) -> Arrival:
    """The arrival; refused unless the state allows the action."""
    arrival = batch.find(arrival_id)
    if action not in allowed_now(arrival, done_at):
        raise _conflict(arrival, action)
    if arrival.returnee_id is None and action not in OF_A_SEAT:
        raise Problem(PARTICULARS_REQUIRED)
    return arrival


OF_A_SEAT = frozenset(
    {
        ArrivalAction.BIND,
        ArrivalAction.NO_SHOW,
        ArrivalAction.NOT_DEPARTED,
        ArrivalAction.HOLD,
        ArrivalAction.REDIRECT,
        ArrivalAction.REOPEN,
    }
)
"""What can be said of somebody without knowing who they are."""


def _move(batch: ArrivalBatch, arrival: Arrival, action: ArrivalAction, at: datetime) -> None:
    target = allowed_now(arrival)[action]
    audit.record(
        batch.session,
        batch.caller,
        action,
        RESOURCE,
        arrival.id,
        {"from": arrival.state, "to": target},
    )
    batch.transition(arrival, action, at, to=target)


ENDS: Mapping[ArrivalAction, type[events.ArrivalFact]] = {
    ArrivalAction.COMPLETE: events.ArrivalCompleted,
    ArrivalAction.NO_SHOW: events.ArrivalNoShow,
    ArrivalAction.NOT_DEPARTED: events.ArrivalNotDeparted,
    ArrivalAction.DECLINE: events.ArrivalDeclined,
}
"""Actions that end an arrival without saying more, and the fact that tells it."""


async def end(
    batch: ArrivalBatch, arrival_id: UUID, action: ArrivalAction, occurred_at: datetime | None
) -> Arrival:
    """Complete an arrival, or note that the person did not show up, did not depart, or declines.

    Args:
        batch: With the arrival.
        arrival_id: Whose.
        action: One of `ENDS`.
        occurred_at: When, by the desk's clock; now if not given.

    Raises:
        Problem: 404; 409 with the state, since when and by whom, or that somebody has to sign for
            them first.
    """
    arrival = _allowed(batch, arrival_id, action)
    await _refuse_without_handover(batch, arrival, action)
    _move(batch, arrival, action, occurred_at or batch.clock)
    if arrival.returnee_id is not None:
        publish(batch.session, ENDS[action](**ids_of(arrival)), occurred_at=arrival.state_at)
    return arrival


async def _refuse_without_handover(
    batch: ArrivalBatch, arrival: Arrival, action: ArrivalAction
) -> None:
    """Raise that somebody has to sign first: no child goes alone, and whoever is completed is
    handed over.
    """
    if action not in ENDS_AT_THE_PORT or arrival.returnee_id is None:
        return
    reasons, rule = await batch.handover_due(arrival)
    if action is not ArrivalAction.COMPLETE:
        reasons &= {HandoverReason.UNACCOMPANIED_CHILD}
    if reasons:
        raise Problem(HANDOVER_REQUIRED, reasons=sorted(reasons), source=rule.source)


ENDS_AT_THE_PORT = frozenset({ArrivalAction.COMPLETE, ArrivalAction.DECLINE, ArrivalAction.CONFIRM})
"""Actions after which nobody at the port looks after a person any more."""


async def confirm(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    arrived_on: date,
    method: events.ConfirmationMethod,
    evidence: str,
) -> Arrival:
    """Note that somebody arrived who walked past the desk; again corrects it, and the deadlines
    follow.

    Raises:
        Problem: 404; 409 with the state; 422, the day has not come yet.
    """
    if arrived_on > (batch.clock + timedelta(days=1)).date():  # a day ahead of UTC somewhere
        raise invalid(
            FieldError(pointer="/arrived_on", code="in_future", detail="a day that has come")
        )
    arrival = _allowed(batch, arrival_id, ArrivalAction.CONFIRM)
    await _refuse_without_handover(batch, arrival, ArrivalAction.CONFIRM)
    _move(batch, arrival, ArrivalAction.CONFIRM, batch.clock)
    arrival.arrived_on, arrival.confirmation_method, arrival.confirmation_evidence = (
        arrived_on,
        method,
        evidence,
    )
    fact = events.ArrivalConfirmed(**ids_of(arrival), arrived_on=arrived_on, method=method)
    publish(batch.session, fact, occurred_at=arrival.state_at)
    return arrival


async def reopen(batch: ArrivalBatch, arrival_id: UUID, occurred_at: datetime | None) -> Arrival:
    """Lead an arrival that had ended back to where it was before, or undo a check-in, after a
    mistake.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    arrival = _allowed(batch, arrival_id, ArrivalAction.REOPEN)
    previous = arrival.state
    _move(batch, arrival, ArrivalAction.REOPEN, occurred_at or batch.clock)
    if arrival.met_at is None:
        arrival.arrived_on = arrival.confirmation_method = arrival.confirmation_evidence = None
    elif previous == ArrivalState.MET:
        arrival.arrived_on = arrival.met_at = arrival.met_by = None
        arrival.identity_doubtful = False
    if arrival.returnee_id is not None:
        fact = events.ArrivalReopened(
            **ids_of(arrival), previous_state=previous, state=arrival.state
        )
        publish(batch.session, fact, occurred_at=arrival.state_at)
    return arrival


async def correct(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    met_at: datetime | None,
    port: str | None,
    identity_doubtful: bool | None,
    precondition: Precondition,
) -> Arrival:
    """Correct where or when somebody was met, or whether they are surely who they were taken for.

    Raises:
        Problem: 404, 409, 412, 428.
    """
    arrival = _allowed(batch, arrival_id, ArrivalAction.CORRECT)
    precondition.check(arrival.version)
    assert arrival.met_at is not None
    at, here = met_at or arrival.met_at, port or arrival.port_of_entry
    assert here is not None
    values = {
        "met_at": at,
        "port_of_entry": here,
        "arrived_on": _day_at(batch, at, here),
        "clock_suspect": clock_suspect(at, batch.clock),
        "identity_doubtful": arrival.identity_doubtful
        if identity_doubtful is None
        else identity_doubtful,
    }
    changed = sorted(name for name, value in values.items() if getattr(arrival, name) != value)
    if not changed:
        return arrival
    audit.record(
        batch.session,
        batch.caller,
        ArrivalAction.CORRECT,
        RESOURCE,
        arrival.id,
        {"changed": changed},
    )
    for name, value in values.items():
        setattr(arrival, name, value)
    batch.touch(arrival)
    if {"port_of_entry", "arrived_on"} & set(changed):
        fact = events.ArrivalCorrected(
            **ids_of(arrival), port_of_entry=here, arrived_on=values["arrived_on"]
        )
        publish(batch.session, fact)
    return arrival


async def hold(batch: ArrivalBatch, arrival_id: UUID, occurred_at: datetime | None) -> Arrival:
    """Note that the authorities hold somebody. Nothing is published, and only few are shown it.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    arrival = _allowed(batch, arrival_id, ArrivalAction.HOLD)
    audit.record(batch.session, batch.caller, ArrivalAction.HOLD, RESOURCE, arrival.id)
    at = occurred_at or batch.clock
    arrival.held_at, arrival.held_by = at, batch.caller.organisation
    arrival.clock_suspect = arrival.clock_suspect or batch.is_suspect(at)
    batch.touch(arrival)
    return arrival


async def redirect(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    port: str,
    expected_at: datetime | None,
    carrier: str | None,
    flight_number: str | None,
    occurred_at: datetime | None,
) -> Arrival:
    """Expect somebody at another port, or later at the same one after a missed connection; the
    others stay.

    They are not on the flight any more: what becomes of it is not their concern, and the manifest
    of the next one finds them.

    Raises:
        Problem: 404; 409 with the state, since when and by whom; 422, neither the port nor the time
            is another.
    """
    arrival = _allowed(batch, arrival_id, ArrivalAction.REDIRECT)
    if port == arrival.port_of_entry and expected_at in (None, arrival.expected_at):
        detail = "another port, or another time at the same one"
        raise invalid(FieldError(pointer="/port_of_entry", code="nothing_changed", detail=detail))
    elsewhere = port != arrival.port_of_entry
    at = occurred_at or batch.clock
    audit.record(
        batch.session,
        batch.caller,
        ArrivalAction.REDIRECT,
        RESOURCE,
        arrival.id,
        {"elsewhere": elsewhere},
    )
    arrival.port_of_entry, arrival.expected_at = port, expected_at or arrival.expected_at
    arrival.carrier, arrival.flight_number = carrier, flight_number
    if arrival.returnee_id is not None:
        arrival.flight_id = None
    if elsewhere:
        batch.transition(arrival, ArrivalAction.REDIRECT, at)
    else:
        batch.touch(arrival)
    if arrival.returnee_id is not None:
        when = {"port_of_entry": port, "expected_at": arrival.expected_at}
        fact = (
            events.ArrivalDiverted(**ids_of(arrival), **when)
            if elsewhere
            else events.ArrivalExpected(**ids_of(arrival), **when, confirmed=arrival.confirmed)
        )
        publish(batch.session, fact, occurred_at=at)
    return arrival


async def bind(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    returnee_id: UUID | None,
    copy: IdentityCopy | None,
    caught_up: bool = True,
) -> Arrival:
    """Say who sits on a seat: a returnee who is known, or somebody whose particulars were entered.

    Args:
        batch: With the arrival.
        arrival_id: Of an arrival that nobody is bound to.
        returnee_id: Who it is, if they are known.
        copy: Who it is, if not.
        caught_up: Whether the projection of people was already waited for.

    Returns:
        The arrival; that of the returnee's own journey where it ends with this flight.

    Raises:
        Problem: 404, 409.
    """
    arrival = _allowed(batch, arrival_id, ArrivalAction.BIND)
    if arrival.returnee_id is not None:
        if arrival.returnee_id == returnee_id:
            return arrival
        raise Problem(CONFLICT, "somebody is bound to it already")
    if returnee_id is None:
        assert copy is not None
        await _mint(batch, arrival, copy)
        batch.touch(arrival)
    else:
        person = await beneficiaries.require(
            batch.session, returnee_id, batch.caller, caught_up=caught_up
        )
        united = await unite(batch.session, arrival.id, returnee_id)
        if united is not None:
            await batch.replace_with(arrival, united)
            arrival = united
        else:
            arrival.returnee_id = returnee_id
            for name in ("case_id", "referral_id", "household_id", "programme"):
                setattr(arrival, name, getattr(person, name))
            batch.touch(arrival)
    audit.record(batch.session, batch.caller, ArrivalAction.BIND, RESOURCE, arrival.id)
    publish(batch.session, events.ArrivalBound(**ids_of(arrival)))
    return arrival


async def walk_in(
    batch: ArrivalBatch,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    flight_id: UUID | None,
    port: str,
    programme: str | None,
    return_kind: ReturnKind | None,
    copy: IdentityCopy,
    household_id: UUID | None,
    member: Member,
    identity_doubtful: bool,
    occurred_at: datetime | None,
) -> tuple[Arrival, bool]:
    """Meet somebody whom nobody expected: they get an id here, under which cases adopts them.

    Returns:
        The arrival, and whether it is new; told again under the same id it is there already.

    Raises:
        Problem: 404, the flight; 409, the id is taken by something else; 422, there is no such
            programme.
    """
    if programme is not None and programme not in batch.context.programmes:
        detail = "one of: " + ", ".join(sorted(batch.context.programmes))
        raise invalid(FieldError(pointer="/programme", code="unknown_programme", detail=detail))
    if flight_id is not None:
        await find_flight(batch.session, batch.caller, flight_id)
    if household_id is not None:
        await _refuse_anothers_household(batch, household_id)
    there = batch.known(id) if id is not None else None
    if (
        there is not None
        and there.returnee_id is not None
        and there.walk_in
        and batch.is_mine(there)
    ):
        known = await batch.copy_of(there.returnee_id)
        if known is not None and known.names == copy.names:
            return there, False
    at, returnee_id = occurred_at or batch.clock, new_id()
    values = {
        "id": id or new_id(),
        "returnee_id": returnee_id,
        "walk_in": True,
        "flight_id": flight_id,
        "household_id": household_id,
        "member": member,
        "programme": programme,
        "return_kind": return_kind,
        "port_of_entry": port,
        "expected_at": None,
        "confirmed": True,
        "met_at": at,
        "met_by": batch.caller.organisation,
        "identity_doubtful": identity_doubtful,
        "arrived_on": _day_at(batch, at, port),
        "state": ArrivalState.MET,
        "state_at": at,
        "state_by": batch.caller.organisation,
        "state_by_person": batch.caller.person,
        "clock_suspect": batch.is_suspect(at),
    }
    statement = insert(Arrival).values(values).on_conflict_do_nothing().returning(Arrival)
    made = (await batch.session.scalars(statement, execution_options=FRESH)).one_or_none()
    if made is None:
        raise Problem(CONFLICT, "the id is taken by something else")
    batch.add_new(made)
    batch.mint(made, copy, returnee_id)
    audit.record(batch.session, batch.caller, "walk-in", RESOURCE, made.id)
    publish(batch.session, _received(made), occurred_at=at)
    return made, True


async def member_of(session: Session, context: ReceptionContext, arrival: Arrival) -> Member:
    """A walk-in's place in their family: as the desk said, or else by the ages on the manifest.

    The oldest of a family on a manifest is taken for its principal until somebody who knows better
    says otherwise.
    """
    if arrival.member is not None:
        return arrival.member
    passengers = (
        await session.scalars(_family_on_manifest(arrival))
        if arrival.household_id is not None
        else ()
    )
    born = {row.arrival_id: details_of(row, context.keyring).born_at_latest for row in passengers}
    known = {arrival_id: day for arrival_id, day in born.items() if day is not None}
    if arrival.id not in known or arrival.id == min(known, key=lambda each: (known[each], each)):
        return Member.PRINCIPAL
    adult = age_on(day_of(arrival), known[arrival.id]) >= context.strictest_handover.adult_at
    return Member.ADULT if adult else Member.CHILD


def _family_on_manifest(arrival: Arrival) -> Select[Any]:
    group = (
        select(Passenger.family_group).where(Passenger.arrival_id == arrival.id).scalar_subquery()
    )
    together = Passenger.family_group == group
    same = Arrival.household_id == arrival.household_id
    joined = select(Passenger).join(Arrival, col(Arrival.id) == Passenger.arrival_id)
    return joined.where(
        Passenger.flight_id == arrival.flight_id,
        together,
        or_(col(Arrival.returnee_id).is_(None), same),
    )


async def _refuse_anothers_household(batch: ArrivalBatch, household_id: UUID) -> None:
    others = or_(~visible(col(Arrival.seen_through), batch.caller), ~col(Arrival.walk_in))
    if await batch.session.scalar(
        select(exists().where(col(Arrival.household_id) == household_id, others))
    ):
        raise Problem(CONFLICT, "the household's id is taken by something else")


async def hand_over(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    to: Mapping[str, Any],
    occurred_at: datetime | None,
) -> tuple[Arrival, Handover]:
    """Note to whom a child or a patient was handed over. Who signed stays here, encrypted.

    Args:
        batch: With the arrival.
        arrival_id: Of whom was handed over.
        id: Chosen by the client.
        to: The receiving adult or authority, and the signature; JSON values.
        occurred_at: When, by the desk's clock; now if not given.

    Raises:
        Problem: 404; 409, the state does not allow it or the id is taken by something else.
    """
    arrival = _allowed(batch, arrival_id, ArrivalAction.HANDOVER, occurred_at)
    chosen = id or new_id()
    sealed = batch.context.keyring.encrypt(
        json.dumps(dict(to), ensure_ascii=False).encode(), f"handover/{chosen}"
    )
    when = _when(batch, occurred_at)
    row, new = await batch.step(
        Handover(id=chosen, arrival_id=arrival.id, sealed=sealed, **when), same=["arrival_id"]
    )
    if not new:
        if handed_to(row, batch.context) != dict(to):
            raise Problem(CONFLICT, "the id is taken by something else")
        return arrival, row
    fact = events.HandoverRecorded(
        **ids_of(arrival), handover_id=row.id, group=AssistanceGroup.CARE
    )
    _did(batch, arrival, ArrivalAction.HANDOVER, fact, row.occurred_at)
    return arrival, row


async def profile(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    occurred_at: datetime | None,
    restricted: Sequence[HandoverReason] = (),
    household: Mapping[str, int],
    skills: Sequence[str],
    reasons_for_return: Sequence[str],
    immediate_needs: Sequence[str],
    needs_priority: NeedsPriority,
) -> tuple[Arrival, Profile]:
    """Take down needs and skills; taken again, they replace what was taken before. Only the urgency
    is published.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    arrival = _allowed(batch, arrival_id, ArrivalAction.PROFILE, occurred_at)
    sealed = None
    if restricted:
        sealed = batch.context.keyring.encrypt(
            json.dumps(sorted(restricted)).encode(), f"profile/{arrival.id}"
        )
    row = Profile(
        arrival_id=arrival.id,
        restricted=sealed,
        household=dict(household),
        skills=list(skills),
        reasons_for_return=list(reasons_for_return),
        immediate_needs=list(immediate_needs),
        needs_priority=needs_priority,
        **_when(batch, occurred_at),
    )
    batch.replace_profile(row)
    fact = events.ArrivalProfiled(**ids_of(arrival), needs_priority=needs_priority)
    _did(batch, arrival, ArrivalAction.PROFILE, fact, row.occurred_at)
    return arrival, row


async def assist(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    occurred_at: datetime | None,
    kind: AssistanceKind,
    amount: Money | None,
) -> tuple[Arrival, Assistance]:
    """Note something that was given at the desk. Kinds that disclose health or a child are
    published as a group only.

    Args:
        batch: With the arrival and those of the household.
        arrival_id: Of whom was given it.
        id: Chosen by the client.
        occurred_at: When, by the desk's clock; now if not given.
        kind: What.
        amount: Of pocket money.

    Raises:
        Problem: 404; 409, the state does not allow it, the programme does not give it, or the id is
            taken by something else.
    """
    arrival = _allowed(batch, arrival_id, ArrivalAction.ASSIST, occurred_at)
    row = Assistance(
        id=id or new_id(),
        arrival_id=arrival.id,
        kind=kind,
        amount=amount.amount if amount else None,
        currency=amount.currency if amount else None,
        **_when(batch, occurred_at),
    )
    if await batch.there(row) is None:
        await _refuse_beyond_the_programme(batch, arrival, kind, row.occurred_at)
    row, new = await batch.step(row, same=["arrival_id", "kind", "amount", "currency"])
    if not new:
        return arrival, row
    fact = events.AssistanceProvided(
        **ids_of(arrival),
        assistance_id=row.id,
        group=kind.group,
        kind=kind.published,
        amount=amount,
    )
    _did(batch, arrival, ArrivalAction.ASSIST, fact, row.occurred_at)
    return arrival, row


async def arrange_transport(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    occurred_at: datetime | None,
    mode: events.TransportMode,
    governorate: str,
    district: str | None,
    departs_at: datetime | None,
    cost: Money | None,
) -> tuple[Arrival, OnwardTransport]:
    """Note how somebody travels on.

    Raises:
        Problem: 404; 409, the state does not allow it or the id is taken by something else.
    """
    arrival = _allowed(batch, arrival_id, ArrivalAction.ARRANGE_TRANSPORT, occurred_at)
    content = {
        "arrival_id": arrival.id,
        "mode": mode,
        "governorate": governorate,
        "district": district,
        "departs_at": departs_at,
        "cost": cost.amount if cost else None,
        "currency": cost.currency if cost else None,
    }
    row = OnwardTransport(id=id or new_id(), **content, **_when(batch, occurred_at))
    row, new = await batch.step(row, same=list(content))
    if not new:
        return arrival, row
    fact = events.OnwardTransportArranged(
        **ids_of(arrival), mode=mode, departs_at=departs_at, cost=cost
    )
    _did(batch, arrival, ArrivalAction.ARRANGE_TRANSPORT, fact, row.occurred_at)
    return arrival, row


async def _refuse_beyond_the_programme(
    batch: ArrivalBatch, arrival: Arrival, kind: AssistanceKind, at: datetime
) -> None:
    """Raise why the programme does not give something to this person now, if it does not."""
    rules, return_kind = await batch.rules_of(arrival)
    if rules is None:
        return
    entitlement = rules.reception.assistance.get(kind)
    given = 0
    if entitlement is not None and entitlement.at_most is not None:
        given = await batch.given(arrival, kind, entitlement.per)
    code = entitled(entitlement, return_kind, given)
    if code is not None:
        source = entitlement.source if entitlement else rules.period.source
        raise Problem(NOT_ENTITLED, code=code, source=source)
    ends = post_arrival_until(batch.context, rules, arrival)
    if (
        ends is not None
        and at > ends
        and rules.deadlines[DeadlineKind.POST_ARRIVAL].then is not Silence.WARN
    ):
        source = rules.deadlines[DeadlineKind.POST_ARRIVAL].source
        raise Problem(NOT_ENTITLED, code="post_arrival_window_over", source=source)


def post_arrival_until(
    context: ReceptionContext, rules: Rules, arrival: Arrival
) -> datetime | None:
    """When the post-arrival window of somebody who has arrived ends; None where the programme sets
    none.
    """
    country = context.country_of(arrival.port_of_entry or "")
    if country is None or arrival.arrived_on is None or country not in rules.countries_of_return:
        return None
    return rules.due(DeadlineKind.POST_ARRIVAL, country, arrival.arrived_on)


def _when(batch: ArrivalBatch, occurred_at: datetime | None) -> dict[str, Any]:
    at = occurred_at or batch.clock
    return {
        "occurred_at": at,
        "recorded_at": batch.clock,
        "clock_suspect": batch.is_suspect(at),
        "recorded_by": batch.caller.organisation,
    }


def _did(
    batch: ArrivalBatch,
    arrival: Arrival,
    action: ArrivalAction,
    fact: EventData,
    occurred_at: datetime,
) -> None:
    audit.record(batch.session, batch.caller, action, RESOURCE, arrival.id)
    publish(batch.session, fact, occurred_at=occurred_at)
    batch.touch(arrival)
