"""What is done to arrivals: each function is one step of a request's transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Date, DateTime, Select, Text, cast, false, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from chassis import audit, beneficiaries
from chassis.access import Role, grant, participation, visible
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import CONFLICT, NOT_FOUND, STATE_CONFLICT, FieldError, Problem, ProblemType, invalid
from chassis.events import EventData
from chassis.ids import new_id
from chassis.outbox import publish
from chassis.pagination import Rows, page
from contracts import reception as facts
from contracts.codes import (
    ArrivalState,
    AssistanceGroup,
    AssistanceKind,
    DeadlineKind,
    Money,
    NeedsPriority,
    ReturnKind,
)
from contracts.programmes import HandoverReason, Per, Rules, Silence
from services.reception import identities
from services.reception.arrivals.rules import (
    CLOCK_TOLERANCE,
    GROUPS,
    Action,
    age_on,
    clock_suspect,
    entitled,
    handover_due,
    published_kind,
    transitions,
)
from services.reception.arrivals.schemas import Entitled, Guidance
from services.reception.facts import ids_of
from services.reception.flights.schemas import Remark
from services.reception.flights.service import details_of
from services.reception.flights.service import find as find_flight
from services.reception.house import House
from services.reception.identities import Copy
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
from services.reception.uniting import unite

RESOURCE = "arrival"
HELD = "held_by_authorities"
PARTICULARS_REQUIRED = ProblemType(
    "particulars-required",
    409,
    "It is not known who this is",
    "The manifest gives a seat, or a name without enough to know the person by. Bind the arrival to a returnee or to "
    "entered particulars first.",
)
HANDOVER_REQUIRED = ProblemType(
    "handover-required",
    409,
    "Somebody has to sign for this person first",
    "A child without an adult of their family, or a patient with an escort, is not completed before a named adult or "
    "authority has signed for them: record the handover. `reasons` says why, `source` where the rule is published.",
)
NOT_ENTITLED = ProblemType(
    "not-entitled",
    409,
    "The programme does not give this",
    "`code` says whether the programme does not give it to this person at all or has given it as often as it does; "
    "`source` says where the rule is published.",
)
FRESH = {"synchronize_session": False, "populate_existing": True}
"""What a statement returns is what is there now, not what the session has seen before."""

Step = TypeVar("Step", Assistance, OnwardTransport)


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
        returnee_id: Only this person's.
        flight_id: Only those on this flight.
        restricted: Whether the caller is shown who is held by the authorities.
        updated_since: Only those changed since.
        after: Cursor of the page before.
        limit: How many in a page.
    """
    query: Select[Any] = select(Arrival).where(visible(Arrival.seen_through, caller))
    if port is not None:
        query = query.where(Arrival.port_of_entry == port)
    if day is not None:
        query = query.where(*_on_day(day, port, ports))
    if state == HELD:
        query = query.where(Arrival.held_at.is_not(None))
    elif state is not None:
        query = query.where(Arrival.state == state)
        if restricted:
            query = query.where(Arrival.held_at.is_(None))
    if flight_id is not None:
        query = query.where(Arrival.flight_id == flight_id)
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
    query = select(Arrival).where(Arrival.id == _now_called(arrival_id), visible(Arrival.seen_through, caller))
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


async def handovers(session: Session, arrival_id: UUID) -> Sequence[Handover]:
    """The handovers of an arrival, oldest first."""
    query = select(Handover).where(Handover.arrival_id == arrival_id).order_by(Handover.occurred_at, Handover.id)
    return (await session.scalars(query)).all()


async def guidance(session: Session, house: House, arrival: Arrival) -> Guidance:
    """What may be done with somebody, and what their programme says."""
    rules, return_kind = await rules_of(session, house, arrival)
    counted = select(Assistance.kind, func.count()).where(Assistance.arrival_id == arrival.id).group_by(Assistance.kind)
    given = dict((await session.execute(counted)).all())
    left = [
        Entitled(
            kind=kind,
            left=None if rule.at_most is None else max(0, rule.at_most - given.get(kind, 0)),
            source=rule.source,
            verified=rule.verified,
        )
        for kind, rule in (rules.reception.assistance if rules else {}).items()
        if entitled(rule, return_kind, 0) is None
    ]
    reasons, _ = await handover_reasons(session, house, arrival)
    if reasons and await _handed_over(session, arrival.id):
        reasons = frozenset()
    contact = rules.reception.safe_contact if rules else None
    return Guidance(
        allowed=words_now(arrival),
        assistance=left,
        handover_required=sorted(reasons),
        post_arrival_until=post_arrival_until(house, rules, arrival) if rules else None,
        relatives=contact.relatives if contact else None,
        only_in_safe_hours=contact.only_in_safe_hours if contact else None,
    )


def _now_called(arrival_id: UUID) -> Any:
    """The id itself, or that of the arrival which it turned out to be."""
    return func.coalesce(select(Alias.arrival_id).where(Alias.id == arrival_id).scalar_subquery(), arrival_id)


def allowed_now(arrival: Arrival, done_at: datetime | None = None) -> Mapping[Action, ArrivalState]:
    """What may be done with an arrival now, and where it leads; or what may be told that was done at another time."""
    return transitions(
        arrival.state,
        met=arrival.met_at is not None,
        held=arrival.held_at is not None,
        before_end=done_at is not None and done_at <= arrival.state_at,
    )


def words_now(arrival: Arrival) -> list[str]:
    """What may be posted to an arrival now; a correction is no word, it is a PATCH."""
    return sorted(action for action in allowed_now(arrival) if action is not Action.CORRECT)


def _since(arrival: Arrival) -> str:
    by = arrival.state_by_person or arrival.state_by
    return f"{arrival.state} since {arrival.state_at.isoformat()}" + (f" by {by}" if by else "")


def _conflict(arrival: Arrival, action: Action, errors: Sequence[FieldError] = ()) -> Problem:
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
    session: Session,
    caller: Caller,
    house: House,
    arrival_ids: Sequence[UUID],
    *,
    occurred_at: datetime | None,
    port: str | None,
    identity_doubtful: bool = False,
    clock_doubtful: bool = False,
) -> list[Arrival]:
    """Note that people were met at the desk: all of them, or none.

    One statement for one person: of two tablets the second waits for the first, then finds the state changed.

    Args:
        session: The session.
        caller: The desk.
        house: Time zones of ports, and keys.
        arrival_ids: Whose arrivals.
        occurred_at: When, by the desk's clock; now if not given.
        port: Where the desk is; as expected if not given.
        identity_doubtful: Whether it is not sure that they are who they are expected to be.
        clock_doubtful: Whether the desk's clock is known to be wrong.

    Returns:
        The arrivals in the order that was asked for.

    Raises:
        Problem: 404; 409 with the state, since when and by whom, or that it is not known who they are; 422, nobody
            knows the port.
    """
    asked = list(arrival_ids)
    mine = visible(Arrival.seen_through, caller)
    claimed = literal(occurred_at, DateTime(timezone=True)) if occurred_at else func.statement_timestamp()
    here = literal(port, Text) if port else Arrival.port_of_entry

    async def meet(wanted: Sequence[UUID]) -> dict[UUID, Arrival]:
        met = await session.scalars(
            update(Arrival)
            .where(
                Arrival.id.in_(wanted),
                mine,
                Arrival.state.in_(CAN_COME),
                Arrival.returnee_id.is_not(None),
                here.is_not(None),
            )
            .values(
                met_at=claimed,
                met_by=caller.organisation,
                identity_doubtful=identity_doubtful,
                arrived_on=cast(func.timezone(house.ports.zone_in_sql(here), func.least(claimed, now())), Date),
                port_of_entry=here,
                **_reached(caller, ArrivalState.MET, claimed, (claimed > now() + CLOCK_TOLERANCE) | clock_doubtful),
            )
            .returning(Arrival),
            execution_options=FRESH,
        )
        return {arrival.id: arrival for arrival in met}

    arrivals = await meet(asked) if len(asked) == 1 else {}
    if len(arrivals) != len(set(asked)):
        aliases = {row.id: row.arrival_id for row in await session.scalars(select(Alias).where(Alias.id.in_(asked)))}
        asked = [aliases.get(arrival_id, arrival_id) for arrival_id in asked]
        everything = select(Arrival).where(Arrival.id.in_(asked), mine).order_by(Arrival.id).with_for_update()
        found = (await session.scalars(everything, execution_options=FRESH)).all()
        _refuse_check_in(found, asked, port)
        for arrival in found:
            if arrival.returnee_id is None:
                await _become_somebody(session, caller, house, arrival)
        arrivals = await meet(asked)
        if len(arrivals) != len(set(asked)):
            raise AssertionError("an arrival that could have been checked in was not")
    for arrival in arrivals.values():
        assert arrival.port_of_entry is not None
        assert arrival.arrived_on is not None
        audit.record(session, caller, Action.CHECK_IN, RESOURCE, arrival.id)
        publish(session, _received(arrival), occurred_at=arrival.met_at)
    return [arrivals[arrival_id] for arrival_id in dict.fromkeys(asked)]


CAN_COME = tuple(state for state in ArrivalState if Action.CHECK_IN in transitions(state, met=False))


def _received(arrival: Arrival) -> facts.ArrivalReceived:
    assert arrival.port_of_entry is not None
    assert arrival.arrived_on is not None
    return facts.ArrivalReceived(
        **ids_of(arrival), port_of_entry=arrival.port_of_entry, arrived_on=arrival.arrived_on, walk_in=arrival.walk_in
    )


async def _become_somebody(session: Session, caller: Caller, house: House, arrival: Arrival) -> None:
    """Mint a returnee id for a passenger of whom the manifest says enough.

    Raises:
        Problem: 409 `particulars-required`.
    """
    passenger = await session.scalar(select(Passenger).where(Passenger.arrival_id == arrival.id).with_for_update())
    details = details_of(passenger, house.keyring) if passenger is not None else None
    latin = details is not None and (details.given_names or details.family_name)
    if passenger is None or details is None or details.birth_date is None or not (latin or details.name_arab):
        raise Problem(PARTICULARS_REQUIRED)
    names = []
    if latin:
        names.append({"script": "Latn", "given": details.given_names or "", "family": details.family_name or ""})
    if details.name_arab:
        names.append({"script": "Arab", "given": details.name_arab})
    documents = []
    if details.document_number and details.document_kind:
        kind, number = details.document_kind, details.document_number
        documents.append({"kind": kind, "number": number, "issuer": passenger.nationality})
    copy = Copy.model_validate(
        {
            "names": names,
            "sex": details.sex or "unknown",
            "birth": {"date": details.birth_date.isoformat(), "precision": "day"},
            "nationality": passenger.nationality,
            "documents": documents,
        }
    )
    await _mint(session, caller, house, arrival, copy)


async def _mint(session: Session, caller: Caller, house: House, arrival: Arrival, copy: Copy) -> None:
    """Give somebody whom no referral names an id; whoever sees the flight sees them, and so does the desk."""
    returnee_id = new_id()
    await identities.keep(session, returnee_id, copy, house.keyring)
    await identities.mark(session, returnee_id, [house.marks.document(each.number) for each in copy.documents])
    if arrival.flight_id is not None:
        parts = select(
            literal(returnee_id), participation.c.role, participation.c.organisation, participation.c.until
        ).where(participation.c.subject_id == arrival.flight_id)
        await session.execute(
            insert(participation)
            .from_select(["subject_id", "role", "organisation", "until"], parts)
            .on_conflict_do_nothing()
        )
    await grant(session, [returnee_id], Role.PARTNER, caller.organisation)
    if arrival.programme is not None:
        await grant(session, [returnee_id], Role.PROGRAMME, arrival.programme)
    await _change(session, arrival.id, {"returnee_id": returnee_id, "walk_in": True} | _touched())


def _refuse_check_in(found: Sequence[Arrival], asked: Sequence[UUID], port: str | None) -> None:
    """Raise what stands against checking these in, if anything does."""
    known = {arrival.id: arrival for arrival in found}
    if not known.keys() >= set(asked):
        raise Problem(NOT_FOUND)
    in_the_way = [
        (place, known[arrival_id])
        for place, arrival_id in enumerate(asked)
        if Action.CHECK_IN not in allowed_now(known[arrival_id])
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


async def _lock(
    session: Session, caller: Caller, arrival_id: UUID, action: Action, done_at: datetime | None = None
) -> tuple[Arrival, datetime]:
    """The arrival, locked, and the database's clock; refused unless the state allows the action."""
    query = (
        select(Arrival, now())
        .where(Arrival.id == _now_called(arrival_id), visible(Arrival.seen_through, caller))
        .with_for_update(of=Arrival)
    )
    row = (await session.execute(query, execution_options=FRESH)).first()
    if row is None:
        raise Problem(NOT_FOUND)
    arrival, clock = row
    if action not in allowed_now(arrival, done_at):
        raise _conflict(arrival, action)
    if arrival.returnee_id is None and action not in OF_A_SEAT:
        raise Problem(PARTICULARS_REQUIRED)
    return arrival, clock


OF_A_SEAT = frozenset({Action.BIND, Action.NO_SHOW, Action.NOT_DEPARTED, Action.HOLD, Action.REDIRECT, Action.REOPEN})
"""What can be said of somebody without knowing who they are."""


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
    clock_doubtful: bool = False,
    **values: Any,
) -> Arrival:
    arrival, clock = await _lock(session, caller, arrival_id, action)
    target = allowed_now(arrival)[action]
    at = occurred_at or clock
    reached = _reached(caller, target, at, clock_doubtful or clock_suspect(at, clock))
    audit.record(session, caller, action, RESOURCE, arrival.id, {"from": arrival.state, "to": target})
    return await _change(session, arrival.id, reached | values)


ENDS: Mapping[Action, type[facts.ArrivalFact]] = {
    Action.COMPLETE: facts.ArrivalCompleted,
    Action.NO_SHOW: facts.ArrivalNoShow,
    Action.NOT_DEPARTED: facts.ArrivalNotDeparted,
    Action.DECLINE: facts.ArrivalDeclined,
}
"""Actions that end an arrival without saying more, and the fact that tells it."""


async def end(
    session: Session,
    caller: Caller,
    house: House,
    arrival_id: UUID,
    action: Action,
    occurred_at: datetime | None,
    *,
    clock_doubtful: bool = False,
) -> Arrival:
    """Complete an arrival, or note that the person did not show up, did not depart, or declines.

    Args:
        session: The session.
        caller: The desk.
        house: Keys and programmes.
        arrival_id: Whose arrival.
        action: One of `ENDS`.
        occurred_at: When, by the desk's clock; now if not given.
        clock_doubtful: Whether the desk's clock is known to be wrong.

    Raises:
        Problem: 404; 409 with the state, since when and by whom, or that somebody has to sign for them first.
    """
    if action is Action.COMPLETE:
        arrival, _ = await _lock(session, caller, arrival_id, action)
        reasons, rule = await handover_reasons(session, house, arrival)
        if reasons and not await _handed_over(session, arrival.id):
            raise Problem(HANDOVER_REQUIRED, reasons=sorted(reasons), source=rule.source)
    arrival = await _move(session, caller, arrival_id, action, occurred_at, clock_doubtful)
    if arrival.returnee_id is not None:
        publish(session, ENDS[action](**ids_of(arrival)), occurred_at=arrival.state_at)
    return arrival


async def _handed_over(session: Session, arrival_id: UUID) -> bool:
    return await session.scalar(select(Handover.id).where(Handover.arrival_id == arrival_id).limit(1)) is not None


async def rules_of(session: Session, house: House, arrival: Arrival) -> tuple[Rules | None, ReturnKind | None]:
    """The programme's rules for an arrival and how the person returned, where they are known."""
    known = beneficiaries.beneficiary.c
    row = (
        await session.execute(
            select(known.programme, known.programme_version, known.return_kind).where(
                known.returnee_id == arrival.returnee_id
            )
        )
    ).first()
    day = arrival.arrived_on or (arrival.expected_at or arrival.created_at).date()
    if row is not None and row.programme is not None:
        kind = ReturnKind(row.return_kind) if row.return_kind else arrival.return_kind
        return house.rules(row.programme, row.programme_version, day), kind
    return house.rules(arrival.programme, None, day), arrival.return_kind


async def handover_reasons(session: Session, house: House, arrival: Arrival) -> tuple[frozenset[HandoverReason], Any]:
    """Why somebody has to be handed over, and the rule that says so."""
    rules, _ = await rules_of(session, house, arrival)
    rule = rules.reception.handover if rules else house.strictest_handover
    day = arrival.arrived_on or (arrival.expected_at or arrival.created_at).date()
    noted = await noted_about(session, house, arrival)
    companions = await session.scalars(_companions(arrival))
    people = [arrival.returnee_id, *companions]
    known = await identities.read(session, [who for who in people if who is not None], house.keyring)

    def age_of(who: UUID | None) -> int | None:
        identity = known.get(who) if who is not None else None
        if identity is None or identity.birth is None:
            return None
        return age_on(day, date.fromisoformat(identity.birth.date))

    ages = [age_of(who) for who in people[1:]]
    with_adult = any(age is not None and age >= rule.adult_at for age in ages)
    return handover_due(rule, age=age_of(arrival.returnee_id), with_adult=with_adult, noted=noted), rule


def _companions(arrival: Arrival) -> Select[Any]:
    """The returnees of the same household or family group who were met too."""
    together = []
    if arrival.household_id is not None:
        together.append(Arrival.household_id == arrival.household_id)
    if arrival.flight_id is not None:
        group = select(Passenger.family_group).where(Passenger.arrival_id == arrival.id).scalar_subquery()
        members = select(Passenger.arrival_id).where(
            Passenger.flight_id == arrival.flight_id, Passenger.family_group == group
        )
        together.append(Arrival.id.in_(members))
    return select(Arrival.returnee_id).where(
        or_(false(), *together),
        Arrival.id != arrival.id,
        Arrival.returnee_id.is_not(None),
        Arrival.state.in_([ArrivalState.MET, ArrivalState.COMPLETED]),
    )


REMARKS_THAT_COUNT = {
    Remark.MEDICAL_ESCORT: HandoverReason.MEDICAL_ESCORT,
    Remark.UNACCOMPANIED_CHILD: HandoverReason.UNACCOMPANIED_CHILD,
}


async def noted_about(session: Session, house: House, arrival: Arrival) -> set[HandoverReason]:
    """What the manifest and the desk noted about a person that only few may read."""
    noted = set()
    passenger = await session.scalar(select(Passenger).where(Passenger.arrival_id == arrival.id))
    if passenger is not None:
        remarks = details_of(passenger, house.keyring).remarks
        noted |= {reason for remark, reason in REMARKS_THAT_COUNT.items() if remark in remarks}
    taken = await session.get(Profile, arrival.id)
    if taken is not None:
        noted |= restricted_of(taken, house)
    return noted


def restricted_of(profile: Profile, house: House) -> set[HandoverReason]:
    """What a profile says that only few may read."""
    if profile.restricted is None:
        return set()
    plain = house.keyring.decrypt(profile.restricted, f"profile/{profile.arrival_id}")
    return {HandoverReason(word) for word in json.loads(plain)}


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


async def reopen(
    session: Session,
    caller: Caller,
    arrival_id: UUID,
    occurred_at: datetime | None,
    *,
    clock_doubtful: bool = False,
) -> Arrival:
    """Lead an arrival that had ended back to where it was before, or undo a check-in, after a mistake.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    before, _ = await _lock(session, caller, arrival_id, Action.REOPEN)
    previous = before.state
    undone: dict[str, Any] = {}
    if before.met_at is None:
        undone = {"arrived_on": None, "confirmation_method": None, "confirmation_evidence": None}
    elif previous == ArrivalState.MET:
        undone = {"arrived_on": None, "met_at": None, "met_by": None, "identity_doubtful": False}
    arrival = await _move(session, caller, arrival_id, Action.REOPEN, occurred_at, clock_doubtful, **undone)
    if arrival.returnee_id is not None:
        fact = facts.ArrivalReopened(**ids_of(arrival), previous_state=previous, state=arrival.state)
        publish(session, fact, occurred_at=arrival.state_at)
    return arrival


async def correct(
    session: Session,
    caller: Caller,
    house: House,
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
    arrival, clock = await _lock(session, caller, arrival_id, Action.CORRECT)
    precondition.check(arrival.version)
    assert arrival.met_at is not None
    at, here = met_at or arrival.met_at, port or arrival.port_of_entry
    assert here is not None
    values = {
        "met_at": at,
        "port_of_entry": here,
        "arrived_on": min(at, clock).astimezone(house.ports.zone(here)).date(),
        "clock_suspect": clock_suspect(at, clock),
        "identity_doubtful": arrival.identity_doubtful if identity_doubtful is None else identity_doubtful,
    }
    changed = sorted(name for name, value in values.items() if getattr(arrival, name) != value)
    if not changed:
        return arrival
    told = {"port_of_entry", "arrived_on"} & set(changed)
    audit.record(session, caller, Action.CORRECT, RESOURCE, arrival.id, {"changed": changed})
    arrival = await _change(session, arrival.id, values | _touched())
    if told:
        fact = facts.ArrivalCorrected(**ids_of(arrival), port_of_entry=here, arrived_on=arrival.arrived_on)
        publish(session, fact)
    return arrival


async def hold(
    session: Session, caller: Caller, arrival_id: UUID, occurred_at: datetime | None, *, clock_doubtful: bool = False
) -> Arrival:
    """Note that the authorities hold somebody. Nothing is published, and only few are shown it.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    arrival, clock = await _lock(session, caller, arrival_id, Action.HOLD)
    audit.record(session, caller, Action.HOLD, RESOURCE, arrival.id)
    at = occurred_at or clock
    suspect = arrival.clock_suspect or clock_doubtful or clock_suspect(at, clock)
    values = {"held_at": at, "held_by": caller.organisation, "clock_suspect": suspect}
    return await _change(session, arrival.id, values | _touched())


async def redirect(
    session: Session,
    caller: Caller,
    arrival_id: UUID,
    *,
    port: str,
    expected_at: datetime | None,
    occurred_at: datetime | None,
    clock_doubtful: bool = False,
) -> Arrival:
    """Expect somebody at another port, or later at the same one after a missed connection; the others stay.

    Raises:
        Problem: 404; 409 with the state, since when and by whom; 422, neither the port nor the time is another.
    """
    arrival, clock = await _lock(session, caller, arrival_id, Action.REDIRECT)
    if port == arrival.port_of_entry and expected_at in (None, arrival.expected_at):
        detail = "another port, or another time at the same one"
        raise invalid(FieldError(pointer="/port_of_entry", code="nothing_changed", detail=detail))
    elsewhere = port != arrival.port_of_entry
    state = ArrivalState.DIVERTED if elsewhere else arrival.state
    at = occurred_at or clock
    values = {"port_of_entry": port, "expected_at": expected_at or arrival.expected_at}
    if elsewhere:
        values |= _reached(caller, state, at, clock_doubtful or clock_suspect(at, clock))
    audit.record(session, caller, Action.REDIRECT, RESOURCE, arrival.id, {"elsewhere": elsewhere})
    arrival = await _change(session, arrival.id, values | _touched())
    if arrival.returnee_id is not None:
        when = {"port_of_entry": port, "expected_at": arrival.expected_at}
        fact = (
            facts.ArrivalDiverted(**ids_of(arrival), **when)
            if elsewhere
            else facts.ArrivalExpected(**ids_of(arrival), **when, confirmed=arrival.confirmed)
        )
        publish(session, fact, occurred_at=at)
    return arrival


async def bind(
    session: Session,
    caller: Caller,
    house: House,
    arrival_id: UUID,
    *,
    returnee_id: UUID | None,
    copy: Copy | None,
    caught_up: bool = True,
) -> Arrival:
    """Say who sits on a seat: a returnee who is known, or somebody whose particulars were entered.

    Args:
        session: The session.
        caller: The desk.
        house: Keys.
        arrival_id: Of an arrival that nobody is bound to.
        returnee_id: Who it is, if they are known.
        copy: Who it is, if not.
        caught_up: Whether the projection of people was already waited for.

    Returns:
        The arrival; that of the returnee's own journey where it ends with this flight.

    Raises:
        Problem: 404, 409.
    """
    arrival, _ = await _lock(session, caller, arrival_id, Action.BIND)
    if arrival.returnee_id is not None:
        if arrival.returnee_id == returnee_id:
            return arrival
        raise Problem(CONFLICT, "somebody is bound to it already")
    if returnee_id is None:
        assert copy is not None
        await _mint(session, caller, house, arrival, copy)
        bound = await _change(session, arrival.id, _touched())
    else:
        person = await beneficiaries.require(session, returnee_id, caller, caught_up=caught_up)
        united = await unite(session, arrival.id, returnee_id)
        if united is None:
            related = {name: getattr(person, name) for name in ("case_id", "referral_id", "household_id", "programme")}
            united = await _change(session, arrival.id, {"returnee_id": returnee_id} | related | _touched())
        bound = united
    audit.record(session, caller, Action.BIND, RESOURCE, bound.id)
    publish(session, facts.ArrivalBound(**ids_of(bound)))
    return bound


async def walk_in(
    session: Session,
    caller: Caller,
    house: House,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    flight_id: UUID | None,
    port: str,
    programme: str | None,
    return_kind: ReturnKind | None,
    copy: Copy,
    identity_doubtful: bool,
    occurred_at: datetime | None,
    clock_doubtful: bool = False,
) -> tuple[Arrival, bool]:
    """Meet somebody whom nobody expected: they get an id here, under which cases adopts them.

    Returns:
        The arrival, and whether it is new; told again under the same id it is there already.

    Raises:
        Problem: 404, the flight; 409, the id is taken by something else; 422, there is no such programme.
    """
    if programme is not None and programme not in house.programmes:
        detail = "one of: " + ", ".join(sorted(house.programmes))
        raise invalid(FieldError(pointer="/programme", code="unknown_programme", detail=detail))
    if flight_id is not None:
        await find_flight(session, caller, flight_id)
    if id is not None:
        there = await session.scalar(
            select(Arrival).where(Arrival.id == _now_called(id), visible(Arrival.seen_through, caller))
        )
        if there is not None and there.returnee_id is not None and there.walk_in:
            known = await identities.read_copy(session, there.returnee_id, house.keyring)
            if known is not None and known.names == copy.names:
                return there, False
    clock = (await session.execute(select(now()))).scalar_one()
    at, arrival_id, returnee_id = occurred_at or clock, id or new_id(), new_id()
    values = {
        "id": arrival_id,
        "returnee_id": returnee_id,
        "walk_in": True,
        "flight_id": flight_id,
        "programme": programme,
        "return_kind": return_kind,
        "port_of_entry": port,
        "expected_at": None,
        "confirmed": True,
        "met_at": at,
        "met_by": caller.organisation,
        "identity_doubtful": identity_doubtful,
        "arrived_on": min(at, clock).astimezone(house.ports.zone(port)).date(),
        "state": ArrivalState.MET,
        "state_at": at,
        "state_by": caller.organisation,
        "state_by_person": caller.person,
        "clock_suspect": clock_doubtful or clock_suspect(at, clock),
    }
    statement = insert(Arrival).values(values).on_conflict_do_nothing().returning(Arrival)
    made = (await session.scalars(statement, execution_options=FRESH)).one_or_none()
    if made is None:
        raise Problem(CONFLICT, "the id is taken by something else")
    await identities.keep(session, returnee_id, copy, house.keyring)
    await identities.mark(session, returnee_id, [house.marks.document(each.number) for each in copy.documents])
    await grant(session, [returnee_id], Role.PARTNER, caller.organisation)
    if programme is not None:
        await grant(session, [returnee_id], Role.PROGRAMME, programme)
    audit.record(session, caller, "walk-in", RESOURCE, arrival_id)
    publish(session, _received(made), occurred_at=at)
    return made, True


async def hand_over(
    session: Session,
    caller: Caller,
    house: House,
    arrival_id: UUID,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    to: Mapping[str, Any],
    occurred_at: datetime | None,
    clock_doubtful: bool = False,
) -> tuple[Arrival, Handover]:
    """Note to whom a child or a patient was handed over. Who signed stays here, encrypted.

    Args:
        session: The session.
        caller: The desk.
        house: Keys.
        arrival_id: Who was handed over.
        id: Chosen by the client.
        to: The receiving adult or authority, and the signature; JSON values.
        occurred_at: When, by the desk's clock; now if not given.
        clock_doubtful: Whether the desk's clock is known to be wrong.

    Raises:
        Problem: 404; 409, the state does not allow it or the id is taken by something else.
    """
    arrival, clock = await _lock(session, caller, arrival_id, Action.HANDOVER, occurred_at)
    chosen = id or new_id()
    sealed = house.keyring.encrypt(json.dumps(dict(to), ensure_ascii=False).encode(), f"handover/{chosen}")
    values = {"id": chosen, "arrival_id": arrival.id, "sealed": sealed}
    values |= _when(caller, occurred_at, clock, clock_doubtful)
    statement = insert(Handover).values(values).on_conflict_do_nothing().returning(Handover)
    row = (await session.scalars(statement, execution_options=FRESH)).one_or_none()
    if row is None:
        there = await session.get_one(Handover, chosen)
        if there.arrival_id != arrival.id or handed_to(there, house) != dict(to):
            raise Problem(CONFLICT, "the id is taken by something else")
        return arrival, there
    fact = facts.HandoverRecorded(**ids_of(arrival), handover_id=row.id, group=AssistanceGroup.CARE)
    return await _did(session, caller, arrival, Action.HANDOVER, fact, row.occurred_at), row


def handed_to(handover: Handover, house: House) -> dict[str, Any] | None:
    """To whom; None after an erasure. The caller of this audits the reading."""
    if handover.sealed is None:
        return None
    to: dict[str, Any] = json.loads(house.keyring.decrypt(handover.sealed, f"handover/{handover.id}"))
    return to


async def profile(
    session: Session,
    caller: Caller,
    house: House,
    arrival_id: UUID,
    *,
    occurred_at: datetime | None,
    restricted: Sequence[HandoverReason] = (),
    clock_doubtful: bool = False,
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
    arrival, clock = await _lock(session, caller, arrival_id, Action.PROFILE, occurred_at)
    sealed = house.keyring.encrypt(json.dumps(sorted(restricted)).encode(), f"profile/{arrival.id}")
    values = _when(caller, occurred_at, clock, clock_doubtful) | {
        "restricted": sealed if restricted else None,
        "household": dict(household),
        "skills": list(skills),
        "reasons_for_return": list(reasons_for_return),
        "immediate_needs": list(immediate_needs),
        "needs_priority": needs_priority,
        "recorded_at": now(),
    }
    statement = insert(Profile).values(arrival_id=arrival.id, **values)
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
    house: House,
    arrival_id: UUID,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    occurred_at: datetime | None,
    kind: AssistanceKind,
    amount: Money | None,
    clock_doubtful: bool = False,
) -> tuple[Arrival, Assistance]:
    """Note something that was given at the desk. Kinds that disclose health or a child are published as a group only.

    Raises:
        Problem: 404; 409, the state does not allow it, the programme does not give it, or the id is taken by something
            else.
    """
    arrival, clock = await _lock(session, caller, arrival_id, Action.ASSIST, occurred_at)
    if id is None or await session.get(Assistance, id) is None:
        await _refuse_beyond_the_programme(session, house, arrival, kind, occurred_at or clock)
    content = {
        "arrival_id": arrival.id,
        "kind": kind,
        "amount": amount.amount if amount else None,
        "currency": amount.currency if amount else None,
    }
    row, new = await _insert_once(session, Assistance, id, content, _when(caller, occurred_at, clock, clock_doubtful))
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
    clock_doubtful: bool = False,
) -> tuple[Arrival, OnwardTransport]:
    """Note how somebody travels on.

    Raises:
        Problem: 404; 409, the state does not allow it or the id is taken by something else.
    """
    arrival, clock = await _lock(session, caller, arrival_id, Action.ARRANGE_TRANSPORT, occurred_at)
    content = {
        "arrival_id": arrival.id,
        "mode": mode,
        "governorate": governorate,
        "district": district,
        "departs_at": departs_at,
        "cost": cost.amount if cost else None,
        "currency": cost.currency if cost else None,
    }
    row, new = await _insert_once(
        session, OnwardTransport, id, content, _when(caller, occurred_at, clock, clock_doubtful)
    )
    if not new:
        return arrival, row
    fact = facts.OnwardTransportArranged(**ids_of(arrival), mode=mode, departs_at=departs_at, cost=cost)
    return await _did(session, caller, arrival, Action.ARRANGE_TRANSPORT, fact, row.occurred_at), row


async def _refuse_beyond_the_programme(
    session: Session, house: House, arrival: Arrival, kind: AssistanceKind, at: datetime
) -> None:
    """Raise why the programme does not give something to this person now, if it does not.

    The arrivals of a household are locked while what it was given is counted.
    """
    rules, return_kind = await rules_of(session, house, arrival)
    if rules is None:
        return
    entitlement = rules.reception.assistance.get(kind)
    given = 0
    if entitlement is not None and entitlement.at_most is not None:
        whose = Arrival.id == arrival.id
        if entitlement.per is Per.HOUSEHOLD and arrival.household_id is not None:
            whose = Arrival.household_id == arrival.household_id
        ids = (await session.scalars(select(Arrival.id).where(whose).order_by(Arrival.id).with_for_update())).all()
        counted = select(func.count()).where(Assistance.arrival_id.in_(ids), Assistance.kind == kind)
        given = (await session.execute(counted)).scalar_one()
    code = entitled(entitlement, return_kind, given)
    if code is not None:
        source = entitlement.source if entitlement else rules.period.source
        raise Problem(NOT_ENTITLED, code=code, source=source)
    ends = post_arrival_until(house, rules, arrival)
    if ends is not None and at > ends and rules.deadlines[DeadlineKind.POST_ARRIVAL].then is not Silence.WARN:
        source = rules.deadlines[DeadlineKind.POST_ARRIVAL].source
        raise Problem(NOT_ENTITLED, code="post_arrival_window_over", source=source)


def post_arrival_until(house: House, rules: Rules, arrival: Arrival) -> datetime | None:
    """When the post-arrival window of somebody who has arrived ends; None where the programme sets none."""
    country = house.country_of(arrival.port_of_entry or "")
    if country is None or arrival.arrived_on is None or country not in rules.countries_of_return:
        return None
    return rules.due(DeadlineKind.POST_ARRIVAL, country, arrival.arrived_on)


def _when(
    caller: Caller, occurred_at: datetime | None, clock: datetime, clock_doubtful: bool = False
) -> dict[str, Any]:
    at = occurred_at or clock
    return {
        "occurred_at": at,
        "clock_suspect": clock_doubtful or clock_suspect(at, clock),
        "recorded_by": caller.organisation,
    }


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
        "held_at": None,
        "held_by": None,
        **_touched(),
    }


def _touched() -> dict[str, Any]:
    return {"version": Arrival.version + 1, "updated_at": now()}
