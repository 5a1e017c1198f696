"""What the gateway does with every event of every service: one entry of a timeline, and who may see
it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from chassis.db import Session
from chassis.events import REGISTRY, Envelope
from contracts import cases, grants, reception, training
from participation.projection import (
    ERASED,
    RESTRICTED,
    Projection,
    columns_of,
    names,
    unnest,
)

SOURCES = ("cases", "reception", "grants", "training")
"""The services whose facts make the timeline."""
EVENTS = {model.event_type: model for model in REGISTRY.values() if model.service in SOURCES}
CONTRACTS = (cases, reception, grants, training)

ENTRY_KEY = {"source", "position"}
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


# A position is taken again only in a new epoch: what it held was lost at its source.
INSERT_ENTRIES = text(f"""
    INSERT INTO timeline ({names(ENTRY)})
    SELECT source, position, epoch, id, subject, type, occurred_at, recorded_at,
           CAST(data AS jsonb), CAST(audience AS text[])
    FROM {unnest(ENTRY)} ORDER BY source, position
    ON CONFLICT (source, position) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in ENTRY if name not in ENTRY_KEY)}
    WHERE timeline.epoch <> excluded.epoch
""")  # noqa: S608 - only names of our own columns are filled in
EPOCHS = text("""
    SELECT source, epochs FROM inbox_source
    WHERE source = ANY(CAST(:sources AS text[])) AND jsonb_array_length(epochs) > 1
""")
FORGET_LOST = text("""
    DELETE FROM timeline WHERE source = :source AND position > :position AND epoch =
        ANY(CAST(:earlier AS uuid[]))
""")
INSERT_RELATIONS = text(f"""
    INSERT INTO relation ({names(RELATION)}) SELECT {names(RELATION)} FROM {unnest(RELATION)}
    ORDER BY {names(RELATION)} ON CONFLICT DO NOTHING
""")  # noqa: S608 - only names of our own columns are filled in
DECIDED = text(
    "SELECT DISTINCT subject::text FROM relation WHERE subject = ANY(CAST(:referrals AS uuid[]))"
)
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
              SELECT mine.subject FROM relation mine WHERE mine.returnee_id = :returnee_id AND NOT
                  EXISTS (
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
        WHERE subject_id = :subject AND (until IS NULL OR until > clock_timestamp()) ORDER BY role,
            organisation)
    WHERE source = :source AND position = :position AND still_for IS NULL
""")
TOMBSTONES = text("""
    SELECT returnee_id FROM beneficiary WHERE returnee_id = ANY(CAST(:subjects AS uuid[])) AND
        state = 'erased'
""")
# Amounts, codes and dates stay, to be counted; whom they are about does not.
SCRUB = text(r"""
    UPDATE timeline SET subject = NULL, data = coalesce(
        (SELECT jsonb_object_agg(key, value) FROM jsonb_each(data) WHERE key NOT LIKE '%\_id'),
            '{}')
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
    await session.execute(INSERT_ENTRIES, columns_of(ENTRY, [_entry(e) for e in envelopes]))
    relations = {relation for e in envelopes for relation in _relations(e)}
    if relations:
        rows = [
            {"subject": subject, "returnee_id": returnee} for subject, returnee in sorted(relations)
        ]
        await session.execute(INSERT_RELATIONS, columns_of(RELATION, rows))
    await PROJECTION.apply(session, envelopes)
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


async def _decided(session: Session, referrals: list[str]) -> set[str]:
    """Referrals whose people are known, since they were accepted."""
    return set((await session.scalars(DECIDED, {"referrals": referrals})).all())


async def _remember(session: Session, envelope: Envelope) -> None:
    """Note who takes part until an erasure: they must hear of it."""
    subject = {
        "subject": UUID(envelope.subject),
        "source": envelope.service,
        "position": envelope.position,
    }
    await session.execute(REMEMBER, subject)


async def _restrict_related(session: Session, envelope: Envelope) -> None:
    """Who may not know of a person may not know of their case and referral either."""
    data = envelope.data
    part = {
        "returnee_id": UUID(data["returnee_id"]),
        "organisation": data["organisation"],
        "roles": list(data["roles"]),
        "position": envelope.position,
    }
    await session.execute(RESTRICT if data["restricted"] else LIFT, part)


PROJECTION = Projection(
    subjects=("returnee_id", "case_id", "referral_id"),
    decided=_decided,
    further={ERASED: _remember, RESTRICTED: _restrict_related},
)


async def _scrub(session: Session, subjects: set[str]) -> None:
    erased = (await session.scalars(TOMBSTONES, {"subjects": sorted(subjects)})).all()
    if erased:
        await session.execute(SCRUB, {"subjects": erased})
        await session.execute(SCRUB_RELATIONS, {"subjects": erased})
