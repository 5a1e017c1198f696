"""What the gateway does with every event of every service: one entry of a timeline, and who may see
it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import text

from chassis.db import Session
from chassis.events import REGISTRY, Envelope, Event, EventData, parse
from contracts import cases, grants, reception, training
from participation import aliases, beneficiaries
from participation.access import Role

SOURCES = ("cases", "reception", "grants", "training")
"""The services whose facts make the timeline."""
EVENTS = {model.event_type: model for model in REGISTRY.values() if model.service in SOURCES}
CONTRACTS = (cases, reception, grants, training)

OPENED = cases.CaseOpened.event_type
ACCEPTED = cases.ReferralAccepted.event_type
SUBMITTED = cases.ReferralSubmitted.event_type
MOVED = frozenset(
    model.event_type
    for model in (
        cases.CaseProgressed,
        cases.CaseSuspended,
        cases.CaseResumed,
        cases.CaseClosed,
        cases.CaseReopened,
    )
)
TRANSFERRED = cases.CaseTransferred.event_type
ERASED = cases.ReturneeErased.event_type
RESTRICTED = cases.ReturneeRestricted.event_type

BENEFICIARY = {
    "returnee_id": "uuid",
    "case_id": "uuid",
    "referral_id": "uuid",
    "household_id": "uuid",
    "programme": "text",
    "programme_version": "integer",
    "return_kind": "text",
    "referrer": "text",
    "implementer": "text",
    "state": "text",
}
PARTICIPATION = {"subject_id": "uuid", "role": "text", "organisation": "text"}
PARTICIPATION_SINCE = PARTICIPATION | {"since": "bigint"}
ENTRY = {
    "source": "text",
    "position": "bigint",
    "epoch": "uuid",
    "id": "uuid",
    "subject": "uuid",
    "type": "text",
    "occurred_at": "timestamptz",
    "recorded_at": "timestamptz",
    "data": "text",
    "audience": "text",
}
RELATION = {"subject": "uuid", "returnee_id": "uuid"}

Row = Mapping[str, Any]


def unnest(columns: Mapping[str, str]) -> str:
    """Rows as one array a column, which costs one round trip however many they are."""
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
    return f"unnest({arrays}) AS e ({', '.join(columns)})"


def names(columns: Iterable[str], prefix: str = "") -> str:
    """Column names of a statement."""
    return ", ".join(prefix + name for name in columns)


# A position is taken again only in a new epoch: what it held was lost at its source.
INSERT_ENTRIES = text(f"""
    INSERT INTO timeline ({names(ENTRY)})
    SELECT source, position, epoch, id, subject, type, occurred_at, recorded_at,
           CAST(data AS jsonb), CAST(audience AS text[])
    FROM {unnest(ENTRY)} ORDER BY source, position
    ON CONFLICT (source, position) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in ENTRY if name not in {"source", "position"})}
    WHERE timeline.epoch <> excluded.epoch
""")  # noqa: S608 - only names of our own columns are filled in
EPOCHS = text("""
    SELECT source, epochs FROM inbox_source
    WHERE source = ANY(CAST(:sources AS text[])) AND jsonb_array_length(epochs) > 1
""")
FORGET_LOST = text("""
    DELETE FROM timeline WHERE source = :source AND position > :position AND epoch = ANY(CAST(:earlier AS uuid[]))
""")
INSERT_RELATIONS = text(f"""
    INSERT INTO relation ({names(RELATION)}) SELECT {names(RELATION)} FROM {unnest(RELATION)}
    ORDER BY {names(RELATION)} ON CONFLICT DO NOTHING
""")  # noqa: S608 - only names of our own columns are filled in
PEOPLE = text(f"""
    INSERT INTO beneficiary ({names(BENEFICIARY)}, updated_at)
    SELECT {names(BENEFICIARY)}, clock_timestamp() FROM {unnest(BENEFICIARY)} ORDER BY returnee_id
    ON CONFLICT (returnee_id) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in BENEFICIARY if name != "returnee_id")},
        updated_at = excluded.updated_at
    WHERE beneficiary.state <> 'erased'
""")  # noqa: S608 - only names of our own columns are filled in
STATES = text("""
    UPDATE beneficiary SET state = e.state, updated_at = clock_timestamp()
    FROM unnest(CAST(:returnee_id AS uuid[]), CAST(:case_id AS uuid[]), CAST(:state AS text[]))
        AS e (returnee_id, case_id, state)
    WHERE beneficiary.returnee_id = e.returnee_id AND beneficiary.case_id = e.case_id AND beneficiary.state <> 'erased'
""")
IMPLEMENTERS = text("""
    UPDATE beneficiary SET implementer = e.implementer, updated_at = clock_timestamp()
    FROM unnest(CAST(:returnee_id AS uuid[]), CAST(:case_id AS uuid[]), CAST(:implementer AS text[]))
        AS e (returnee_id, case_id, implementer)
    WHERE beneficiary.returnee_id = e.returnee_id AND beneficiary.case_id = e.case_id AND beneficiary.state <> 'erased'
""")
TAKE_NO_PART = text(f"""
    DELETE FROM participation USING {unnest(PARTICIPATION)}
    WHERE participation.subject_id = e.subject_id AND participation.role = e.role
          AND participation.organisation = e.organisation
""")  # noqa: S608 - only names of our own columns are filled in
# Of the partners that were asked about a referral, only these go on seeing it.
KEEP_PARTNERS = text(f"""
    DELETE FROM participation WHERE role = '{Role.PARTNER}' AND subject_id = ANY(CAST(:referrals AS uuid[]))
        AND subject_id || '/' || organisation <> ALL(CAST(:kept AS text[]))
""")  # noqa: S608 - only a word of our own is filled in
DECIDED = text(
    "SELECT DISTINCT subject::text FROM relation WHERE subject = ANY(CAST(:referrals AS uuid[]))"
)
TAKE_PART = text(f"""
    INSERT INTO participation ({names(PARTICIPATION_SINCE)})
    SELECT {names(PARTICIPATION_SINCE)} FROM {unnest(PARTICIPATION_SINCE)}
    WHERE NOT EXISTS (SELECT FROM beneficiary b WHERE b.returnee_id = e.subject_id AND b.state = 'erased')
    ORDER BY {names(PARTICIPATION)}
    ON CONFLICT (subject_id, role, organisation) DO UPDATE SET until = NULL, since = excluded.since
    WHERE participation.until IS NOT NULL AND participation.since < excluded.since
""")  # noqa: S608 - only names of our own columns are filled in
# What was over has to begin anew for the feed; what the chassis then inserts has no beginning yet.
ENDED = text("""
    DELETE FROM participation WHERE subject_id = :subject AND until <= clock_timestamp()
""")
BEGUN = text("UPDATE participation SET since = :position WHERE subject_id = :subject AND since = 0")
# Who may not know of a person may not know of their case and referral either. The row stays, so
# that it can be lifted.
RESTRICT = text("""
    UPDATE participation SET until = clock_timestamp(), since = :position
    WHERE organisation = :organisation AND role = ANY(CAST(:roles AS text[])) AND until IS NULL
          AND subject_id IN (SELECT subject FROM relation WHERE returnee_id = :returnee_id)
""")
LIFT = text(f"""
    UPDATE participation SET until = NULL, since = :position
    WHERE organisation = :organisation AND role = ANY(CAST(:roles AS text[])) AND until IS NOT NULL
          AND subject_id IN (
              SELECT mine.subject FROM relation mine WHERE mine.returnee_id = :returnee_id AND NOT EXISTS (
                  SELECT FROM relation other
                  WHERE other.subject = mine.subject AND other.returnee_id <> :returnee_id AND (
                      SELECT CAST(data ->> 'restricted' AS boolean) FROM timeline
                      WHERE subject = other.returnee_id AND type = '{RESTRICTED}'
                            AND data ->> 'organisation' = :organisation
                      ORDER BY position DESC LIMIT 1)))
""")  # noqa: S608 - only a name of our own is filled in
# Who must hear that a person was erased takes part no more as soon as that is noted.
REMEMBER = text("""
    UPDATE timeline SET still_for = ARRAY(
        SELECT role || '/' || organisation FROM participation
        WHERE subject_id = :subject AND (until IS NULL OR until > clock_timestamp()) ORDER BY role, organisation)
    WHERE source = :source AND position = :position AND still_for IS NULL
""")
TOMBSTONES = text("""
    SELECT returnee_id FROM beneficiary WHERE returnee_id = ANY(CAST(:subjects AS uuid[])) AND state = 'erased'
""")
# Amounts, codes and dates stay, to be counted; whom they are about does not.
SCRUB = text(r"""
    UPDATE timeline SET subject = NULL, data = coalesce(
        (SELECT jsonb_object_agg(key, value) FROM jsonb_each(data) WHERE key NOT LIKE '%\_id'), '{}')
    WHERE subject = ANY(CAST(:subjects AS uuid[])) AND still_for IS NULL
""")
SCRUB_RELATIONS = text("DELETE FROM relation WHERE returnee_id = ANY(CAST(:subjects AS uuid[]))")


async def on_events(session: Session, envelopes: Sequence[Envelope]) -> None:
    """Put events on the timelines, and keep what says who may see them; all in a few statements.

    Args:
        session: The session.
        envelopes: Events in the order of each subject. One that is on its timeline already changes
            nothing.
    """
    await _forget_lost(session, envelopes)
    await session.execute(INSERT_ENTRIES, _columns(ENTRY, [_entry(e) for e in envelopes]))
    relations = {relation for e in envelopes for relation in _relations(e)}
    if relations:
        rows = [
            {"subject": subject, "returnee_id": returnee} for subject, returnee in sorted(relations)
        ]
        await session.execute(INSERT_RELATIONS, _columns(RELATION, rows))
    await _project(session, envelopes)
    await _scrub(session, {e.subject for e in envelopes})


async def _forget_lost(session: Session, envelopes: Sequence[Envelope]) -> None:
    """After a source began a new epoch: what it had lost is beyond what it says now."""
    last = {e.service: e for e in envelopes}
    for source, epochs in await session.execute(EPOCHS, {"sources": sorted(last)}):
        order = [epoch for epoch, _ in epochs]
        newest = last[source]
        earlier = order[: order.index(str(newest.epoch))] if str(newest.epoch) in order else []
        if earlier:
            await session.execute(
                FORGET_LOST,
                {
                    "source": source,
                    "position": newest.position,
                    "earlier": list(map(UUID, earlier)),
                },
            )


def _entry(envelope: Envelope) -> Row:
    model = EVENTS.get(envelope.type)
    return {
        "source": envelope.service,
        "position": envelope.position,
        "epoch": envelope.epoch,
        "id": envelope.id,
        "subject": envelope.subject,
        "type": envelope.type,
        "occurred_at": envelope.occurred_at,
        "recorded_at": envelope.recorded_at,
        "data": json.dumps(envelope.data, ensure_ascii=False),
        # A type that is newer than this process is for our own services until its audience is
        # known.
        "audience": "{" + ",".join(sorted(model.audience if model else ())) + "}",
    }


def _relations(envelope: Envelope) -> list[tuple[str, str]]:
    returnee = envelope.data.get("returnee_id")
    if returnee is None or envelope.type == ERASED:
        return []
    others = (envelope.data.get(name) for name in ("referral_id", "case_id"))
    return [(other, returnee) for other in others if other is not None]


async def _project(session: Session, envelopes: Sequence[Envelope]) -> None:
    """Keep the chassis' projection of people and participation, as `participation.beneficiaries`
    does one by one.
    """
    decided = await _decided(session, envelopes)
    for seldom, run in groupby(envelopes, key=lambda e: e.type in SELDOM or e.type == ERASED):
        if seldom:
            for e in run:
                await _project_one(session, e)
        else:
            several = list(run)
            await _project_people(session, several)
            await _project_parts(session, several, decided)


async def _project_one(session: Session, e: Envelope) -> None:
    """What happens to a person, not to a plane."""
    if e.type == ERASED:
        subject = {"subject": UUID(e.subject), "source": e.service, "position": e.position}
        await session.execute(REMEMBER, subject)
        await beneficiaries.on_erased(session, parse(e, cases.ReturneeErased))
        return
    model, apply = SELDOM[e.type]
    begins = {"subject": UUID(e.subject), "position": e.position}
    await session.execute(ENDED, begins)
    await apply(session, parse(e, model))
    await session.execute(BEGUN, begins)


async def _on_restricted(session: Session, event: Event[cases.ReturneeRestricted]) -> None:
    await beneficiaries.on_restricted(session, event)
    data = event.data
    part = {
        "returnee_id": data.returnee_id,
        "organisation": data.organisation,
        "roles": list(data.roles),
    }
    await session.execute(
        RESTRICT if data.restricted else LIFT, part | {"position": event.envelope.position}
    )


ONE_BY_ONE: tuple[tuple[type[EventData], Any], ...] = (
    (cases.ReturneeMerged, aliases.on_merged),
    (cases.ReturneeUnmerged, aliases.on_unmerged),
    (cases.ReturneeShared, beneficiaries.on_shared),
    (cases.ReturneeUnshared, beneficiaries.on_unshared),
    (cases.ReturneeRestricted, _on_restricted),
)
SELDOM = {model.event_type: (model, apply) for model, apply in ONE_BY_ONE}
"""What is projected one by one, after what came before it and before what comes after."""


async def _project_people(session: Session, envelopes: Sequence[Envelope]) -> None:
    people: dict[str, dict[str, Any]] = {}
    later: dict[str, dict[tuple[str, str], str]] = {"state": {}, "implementer": {}}
    for e in envelopes:
        returnee = e.data.get("returnee_id", "")
        if e.type == OPENED:
            people[returnee] = {name: e.data.get(name) for name in BENEFICIARY}
            continue
        changed = "state" if e.type in MOVED else "implementer" if e.type == TRANSFERRED else None
        if changed is None:
            continue
        if returnee not in people:
            later[changed][returnee, e.data["case_id"]] = e.data[changed]
        elif (
            people[returnee]["case_id"] == e.data["case_id"]
        ):  # what an earlier case comes to is not where they stand
            people[returnee][changed] = e.data[changed]
    if people:
        await session.execute(PEOPLE, _columns(BENEFICIARY, list(people.values())))
    for name, statement in (("state", STATES), ("implementer", IMPLEMENTERS)):
        if later[name]:
            returnees, case_ids = zip(*later[name], strict=True)
            values = {
                "returnee_id": list(returnees),
                "case_id": list(case_ids),
                name: list(later[name].values()),
            }
            await session.execute(statement, values)


async def _project_parts(
    session: Session, envelopes: Sequence[Envelope], decided: set[str]
) -> None:
    parts: dict[tuple[str, str, str], int] = {}
    ended: set[tuple[str, str, str]] = set()
    partners: dict[str, list[str]] = {}
    for e in envelopes:
        late = e.type == SUBMITTED and e.subject in decided
        begins, ends = set(_parts(e, decided=late)), set(_parts_ended(e))
        if e.type in {SUBMITTED, ACCEPTED} and not late:
            referral = e.data["referral_id"]
            partners[referral] = [
                who for subject, role, who in begins if (subject, role) == (referral, Role.PARTNER)
            ]
            parts = {
                part: since for part, since in parts.items() if part[:2] != (referral, Role.PARTNER)
            }
        since = dict.fromkeys(begins, e.position or 0) | parts  # the first fact counts
        parts, ended = (
            {part: since[part] for part in since if part not in ends},
            (ended | ends) - begins,
        )
    if partners:
        kept = [f"{referral}/{who}" for referral, those in partners.items() for who in those]
        await session.execute(KEEP_PARTNERS, {"referrals": list(partners), "kept": kept})
    if ended:
        over = [dict(zip(PARTICIPATION, part, strict=True)) for part in sorted(ended)]
        await session.execute(TAKE_NO_PART, _columns(PARTICIPATION, over))
    if parts:
        rows: list[Row] = [
            {**dict(zip(PARTICIPATION, part, strict=True)), "since": parts[part]}
            for part in sorted(parts)
        ]
        await session.execute(TAKE_PART, _columns(PARTICIPATION_SINCE, rows))


async def _decided(session: Session, envelopes: Sequence[Envelope]) -> set[str]:
    """Referrals that were submitted and, as is known already, accepted: the people of one have news
    of their own.
    """
    submitted = [e.subject for e in envelopes if e.type == SUBMITTED]
    return (
        set((await session.scalars(DECIDED, {"referrals": submitted})).all())
        if submitted
        else set()
    )


def _parts(envelope: Envelope, *, decided: bool) -> list[tuple[str, str, str]]:
    """Who takes part from this event on: (subject, role, organisation).

    Args:
        envelope: The event.
        decided: Whether it submits a referral that was accepted meanwhile: who was asked has no
            part in it any more.
    """
    data = envelope.data
    if envelope.type == SUBMITTED:
        subjects, partners = [data["referral_id"]], [] if decided else data.get("partners", [])
    elif envelope.type in {ACCEPTED, OPENED}:
        subjects, partners = _of_case(data), [data["implementer"]]
    elif envelope.type == TRANSFERRED:
        return [(subject, Role.PARTNER, data["implementer"]) for subject in _of_case(data)]
    else:
        return []
    found = [(Role.REFERRER, data.get("referrer")), (Role.PROGRAMME, data["programme"])]
    found += [(Role.PARTNER, partner) for partner in partners]
    return [(subject, role, who) for subject in subjects for role, who in found if who]


def _of_case(data: Mapping[str, Any]) -> list[str]:
    """What a fact about a case is about, where it has an id."""
    return [data[name] for name in ("returnee_id", "case_id", "referral_id") if data.get(name)]


def _parts_ended(envelope: Envelope) -> list[tuple[str, str, str]]:
    """Who takes part no more from this event on: who implemented a case before another took it."""
    if envelope.type != TRANSFERRED:
        return []
    data = envelope.data
    kept = {data["returnee_id"]} if data.get("keeps_part") else set()
    return [
        (s, Role.PARTNER, data["previous_implementer"]) for s in _of_case(data) if s not in kept
    ]


async def _scrub(session: Session, subjects: set[str]) -> None:
    erased = (await session.scalars(TOMBSTONES, {"subjects": sorted(subjects)})).all()
    if erased:
        await session.execute(SCRUB, {"subjects": erased})
        await session.execute(SCRUB_RELATIONS, {"subjects": erased})


def _columns(columns: Iterable[str], rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in columns}
