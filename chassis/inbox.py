"""What a service has heard from the others: which positions, up to where, and what waits or could
not be applied.

`inbox` notes what was received above the watermark of its source; up to the watermark everything
was. Received means: applied, or kept whole in `parked` or `dead_letter`. An event counts as applied
when it was received and is in neither.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    case,
    delete,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from chassis.db import Session, metadata, now
from chassis.events import Envelope, from_json
from chassis.ids import new_id

QUIET = timedelta(seconds=15)
"""A source that was not heard for longer may have said something that we do not know."""

FIRST_TRY_SECONDS = 1
LAST_TRY_SECONDS = 60

log = structlog.get_logger("homeward.inbox")

inbox_source = Table(
    "inbox_source",
    metadata,
    Column("source", Text, primary_key=True),
    Column("epochs", JSONB, nullable=False),
    Column("watermark", BigInteger, nullable=False, server_default="0"),
    Column("head", BigInteger, nullable=False, server_default="0"),
    Column("heard_at", DateTime(timezone=True), nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("source", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
)

parked = Table(
    "parked",
    metadata,
    Column("source", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("subject", Text, nullable=False),
    Column("previous", BigInteger),
    Column("envelope", JSONB, nullable=False),
    Column("reason", Text, nullable=False),
    Column("parked_at", DateTime(timezone=True), nullable=False, server_default=now()),
    Column("next_try_at", DateTime(timezone=True), nullable=False, server_default=now()),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Index("ix_parked_subject", "subject"),
    Index("ix_parked_next_try_at", "next_try_at"),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("source", Text),
    Column("position", BigInteger),
    Column("subject", Text),
    Column("type", Text),
    Column("envelope", JSONB),
    Column("raw", Text),
    Column("error", Text, nullable=False),
    Column("failed_at", DateTime(timezone=True), nullable=False, server_default=now()),
    Column("replayed_at", DateTime(timezone=True)),
    Index(
        "uq_dead_letter_position",
        "source",
        "position",
        unique=True,
        postgresql_where=text("replayed_at IS NULL"),
    ),
)

Key = tuple[str, int]
"""An event: its source and its position there."""
Epochs = Sequence[tuple[UUID, int]]
"""Epochs of a log and the position up to which each shares the log of the one before; the oldest
first.
"""

LOCK = text("""
    SELECT source, epochs FROM inbox_source WHERE source = ANY(CAST(:sources AS text[]))
    ORDER BY source FOR KEY SHARE
""")
# The second statement sees what was compacted while the first waited for another replica's note of
# the same position.
NOTE = text("""
    INSERT INTO inbox (source, position)
    SELECT e.source, e.position
    FROM unnest(CAST(:sources AS text[]), CAST(:positions AS bigint[])) AS e (source, position)
    ORDER BY e.source, e.position
    ON CONFLICT DO NOTHING RETURNING source, position
""")
WATERMARKS = text(
    "SELECT source, watermark FROM inbox_source WHERE source = ANY(CAST(:sources AS text[]))"
)
NOT_APPLIED = text("""
    SELECT e.source, e.position
    FROM unnest(CAST(:sources AS text[]), CAST(:positions AS bigint[])) AS e (source, position)
    JOIN inbox_source s ON s.source = e.source
    WHERE (e.position > s.watermark
           AND NOT EXISTS (SELECT FROM inbox i WHERE i.source = e.source AND i.position =
               e.position))
       OR EXISTS (SELECT FROM parked p WHERE p.source = e.source AND p.position = e.position)
       OR EXISTS (SELECT FROM dead_letter d
                  WHERE d.source = e.source AND d.position = e.position AND d.replayed_at IS NULL)
""")
COMPACT = text("""
    WITH here AS (
        SELECT source, watermark FROM inbox_source WHERE source = ANY(CAST(:sources AS text[]))
        FOR NO KEY UPDATE SKIP LOCKED
    ), numbered AS (
        SELECT i.source, i.position, here.watermark,
               row_number() OVER (PARTITION BY i.source ORDER BY i.position) AS n
        FROM inbox i JOIN here ON here.source = i.source AND i.position > here.watermark
    ), top AS (
        SELECT source, max(position) AS position FROM numbered WHERE position = watermark + n GROUP
            BY source
    ), cleared AS (
        DELETE FROM inbox i USING top WHERE i.source = top.source AND i.position <= top.position
    )
    UPDATE inbox_source s SET watermark = top.position, head = greatest(s.head, top.position)
    FROM top WHERE s.source = top.source
""")
PARK = text("""
    INSERT INTO parked (source, position, subject, previous, envelope, reason, next_try_at)
    VALUES (:source, :position, :subject, :previous, CAST(:envelope AS jsonb), :reason,
            clock_timestamp() + make_interval(secs => CAST(:wait AS float)))
    ON CONFLICT (source, position) DO UPDATE SET
        reason = excluded.reason,
        attempts = parked.attempts + 1,
        next_try_at = clock_timestamp()
            + make_interval(secs => least(CAST(:longest AS float),
                                          CAST(:wait AS float) * 2 ^ least(10, parked.attempts +
                                              1)))
""")
READY = text("""
    SELECT p.source, p.position
    FROM parked p JOIN inbox_source s ON s.source = p.source
    WHERE p.next_try_at <= clock_timestamp()
      AND (p.previous IS NULL OR (
        (p.previous <= s.watermark
         OR EXISTS (SELECT FROM inbox i WHERE i.source = p.source AND i.position = p.previous))
        AND NOT EXISTS (SELECT FROM parked q WHERE q.source = p.source AND q.position = p.previous)
        AND NOT EXISTS (SELECT FROM dead_letter d
                        WHERE d.source = p.source AND d.position = p.previous AND d.replayed_at IS
                            NULL)))
    ORDER BY p.source, p.position LIMIT :limit
""")
CLAIM = text("""
    SELECT p.envelope FROM parked p
    JOIN unnest(CAST(:sources AS text[]), CAST(:positions AS bigint[])) AS e (source, position)
      ON e.source = p.source AND e.position = p.position
    ORDER BY p.source, p.position FOR UPDATE OF p SKIP LOCKED
""")
UNPARK = text("""
    DELETE FROM parked p
    USING unnest(CAST(:sources AS text[]), CAST(:positions AS bigint[])) AS e (source, position)
    WHERE e.source = p.source AND e.position = p.position
""")
FRESHNESS = text("""
    SELECT s.source, s.head, s.heard_at, clock_timestamp() - s.heard_at AS silent,
           coalesce((SELECT max(r.position)
                     FROM (SELECT i.position, row_number() OVER (ORDER BY i.position) AS n
                           FROM inbox i WHERE i.source = s.source AND i.position > s.watermark) r
                     WHERE r.position = s.watermark + r.n), s.watermark) AS received,
           least((SELECT min(p.position) FROM parked p WHERE p.source = s.source),
                 (SELECT min(d.position) FROM dead_letter d
                  WHERE d.source = s.source AND d.replayed_at IS NULL)) AS first_waiting
    FROM inbox_source s WHERE CAST(:source AS text) IS NULL OR s.source = :source
""")


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far this service has applied what a source has said."""

    applied: int
    """Everything up to this position is applied."""
    head: int
    """The last position that the source is known to have."""
    complete: bool
    """Whether all up to the head is applied and the source was heard within the last 15 seconds."""
    heard_at: datetime
    """When, by the source's clock, the head was where it is."""


@dataclass(frozen=True, slots=True)
class Source:
    """How far a source is received."""

    watermark: int
    head: int
    quiet: timedelta


async def freshness(session: Session) -> dict[str, Freshness]:
    """Freshness of every source that was ever heard, by its name."""
    result = {}
    for row in await session.execute(FRESHNESS, {"source": None}):
        applied = (
            row.received if row.first_waiting is None else min(row.received, row.first_waiting - 1)
        )
        complete = applied >= row.head and row.silent <= QUIET
        result[row.source] = Freshness(applied, max(row.head, row.received), complete, row.heard_at)
    return result


async def heard_until(session: Session, source: str) -> datetime | None:
    """The moment, by the source's clock, up to which everything that it had said is received; None
    if that is unknown.

    What waits about somebody else is no reason to keep anybody from an answer: see `waits_for`.
    """
    row = (await session.execute(FRESHNESS, {"source": source})).first()
    if row is None or row.received < row.head or row.silent > QUIET:
        return None
    heard_at: datetime = row.heard_at
    return heard_at


async def waits_for(session: Session, source: str, subject: UUID | str) -> bool:
    """Whether something that a source said about a subject is received and not applied."""
    waits = select(parked.c.position).where(
        parked.c.source == source, parked.c.subject == str(subject)
    )
    dead = select(dead_letter.c.position).where(
        dead_letter.c.source == source,
        dead_letter.c.subject == str(subject),
        dead_letter.c.replayed_at.is_(None),
    )
    return bool(await session.scalar(select(or_(waits.exists(), dead.exists()))))


async def sources_of(session: Session) -> dict[str, Source]:
    """How far every source is received."""
    table = inbox_source.c
    rows = await session.execute(
        select(table.source, table.watermark, table.head, now() - table.heard_at)
    )
    return {source: Source(watermark, head, quiet) for source, watermark, head, quiet in rows}


async def observe_head(
    session: Session, source: str, epochs: Epochs, position: int, time: datetime
) -> None:
    """Take note of how far a source's log goes, and follow it into a new epoch.

    Args:
        session: The session.
        source: Name of the source.
        epochs: The epochs of its log.
        position: Its last position.
        time: When it was there, by its clock. A head of another epoch is followed only if it is
            newer than the last.
    """
    table = inbox_source.c
    theirs = [[str(epoch), base] for epoch, base in epochs]
    known = (await session.execute(select(inbox_source).where(table.source == source))).first()
    heard_at = func.least(time, now())  # one of tomorrow would keep us from hearing any of today
    if known is None:
        row = {"source": source, "epochs": theirs, "head": position, "heard_at": heard_at}
        await session.execute(insert(inbox_source).values(row).on_conflict_do_nothing())
        return
    if known.epochs[-1][0] == theirs[-1][0]:
        _watch_length(source, position, time, known)
        await session.execute(
            update(inbox_source)
            .where(table.source == source, table.epochs == known.epochs)
            .values(
                # The newest counts, so that one that was wrong is forgotten.
                head=func.greatest(
                    position, case((table.heard_at <= time, table.watermark), else_=table.head)
                ),
                heard_at=func.greatest(table.heard_at, heard_at),
                epochs=theirs,
            )
        )
        return
    # FOR UPDATE waits for every batch of this source that is being applied; they hold KEY SHARE.
    locked = await session.execute(
        select(inbox_source).where(table.source == source).with_for_update()
    )
    known = locked.one()
    if time > known.heard_at and known.epochs[-1][0] != theirs[-1][0]:
        await _begin_epoch(session, known, theirs, position, heard_at)


SHORTER_FOR = timedelta(seconds=30)
_shorter_since: dict[str, datetime] = {}


def _watch_length(source: str, position: int, time: datetime, known: Any) -> None:
    """Raise an alarm when a source goes on saying that its log is shorter than what we have.

    One such head says nothing: it was read before an event that overtook it on the way. A log that
    lost its end without a new epoch says so from then on.
    """
    if time <= known.heard_at:
        return
    if position >= known.head:
        _shorter_since.pop(source, None)
    elif time - _shorter_since.setdefault(source, time) > SHORTER_FOR:
        log.error(
            "the log of a source became shorter without a new epoch", source=source, head=position
        )


async def _begin_epoch(
    session: Session, known: Any, epochs: list[Any], position: int, heard_at: Any
) -> None:
    source, base = known.source, shared_until(known.epochs, epochs)
    gone = await session.execute(
        delete(inbox)
        .where(inbox.c.source == source, inbox.c.position > base)
        .returning(inbox.c.position)
    )
    lost = max([known.watermark, *gone.scalars()])
    await session.execute(delete(parked).where(parked.c.source == source, parked.c.position > base))
    await session.execute(
        update(dead_letter)
        .where(dead_letter.c.source == source, dead_letter.c.position > base)
        .values(position=None)
    )
    await session.execute(
        update(inbox_source)
        .where(inbox_source.c.source == source)
        .values(
            epochs=epochs, watermark=min(known.watermark, base), head=position, heard_at=heard_at
        )
    )
    if lost > base:
        log.error(
            "a source lost facts that were applied here", source=source, kept=base, applied=lost
        )
    else:
        log.warning("a source began a new epoch", source=source, base=base)


def shared_until(ours: Sequence[Any], theirs: Sequence[Any]) -> int:
    """The last position that two histories of a log have in common.

    Args:
        ours: Epochs and their bases as far as we know them, the oldest first.
        theirs: The same, as the source says now.
    """
    for index, (epoch, _) in enumerate(theirs):
        if epoch == ours[-1][0]:
            return int(min(base for _, base in theirs[index + 1 :]))
    common = 0
    for (our_epoch, _), (their_epoch, _) in zip(ours, theirs, strict=False):
        if our_epoch != their_epoch:
            break
        common += 1
    return int(min(base for _, base in [*ours[common:], *theirs[common:]]))


def belongs(epochs: Sequence[Any], epoch: UUID | None, position: int) -> bool:
    """Whether an event is part of a log, and not of what was lost when an epoch ended."""
    for index, (known, _) in enumerate(epochs):
        if known == str(epoch):
            return all(position <= base for _, base in epochs[index + 1 :])
    return False


async def note(session: Session, envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Note events as received.

    Args:
        session: The session.
        envelopes: Events with positions, in any order.

    Returns:
        Those that were not received before and belong to the log of their source, by source and
        position.
    """
    unique = {(e.service, e.position or 0): e for e in envelopes}
    locked = await session.execute(LOCK, {"sources": sorted({source for source, _ in unique})})
    epochs: dict[str, Any] = {row.source: row.epochs for row in locked}
    wanted = sorted(
        key for key, e in unique.items() if belongs(epochs.get(key[0], []), e.epoch, key[1])
    )
    if not wanted:
        return []
    noted = {
        (source, position) for source, position in await session.execute(NOTE, columns(wanted))
    }
    reread = await session.execute(WATERMARKS, {"sources": sorted(epochs)})
    watermarks: dict[str, int] = {row.source: row.watermark for row in reread}
    return [unique[key] for key in wanted if key in noted and key[1] > watermarks[key[0]]]


async def not_applied(session: Session, keys: Collection[Key]) -> set[Key]:
    """Which of these events are not applied."""
    if not keys:
        return set()
    return {
        (source, position)
        for source, position in await session.execute(NOT_APPLIED, columns(sorted(keys)))
    }


async def compact(session: Session, sources: Collection[str]) -> None:
    """Move the watermarks over what was received without a gap, and forget the single notes."""
    await session.execute(COMPACT, {"sources": sorted(sources)})


async def park(
    session: Session, envelopes: Sequence[Envelope], reason: str, *, wait: float = FIRST_TRY_SECONDS
) -> None:
    """Keep events until they can be applied.

    Args:
        session: The session.
        envelopes: The events.
        reason: Why they wait.
        wait: Seconds until the timer tries them; twice as long each time that was in vain, up to a
            minute.
    """
    rows = [
        {
            "source": e.service,
            "position": e.position,
            "subject": e.subject,
            "previous": e.previous,
            "envelope": json.dumps(e.to_json()),
            "reason": reason,
            "wait": wait,
            "longest": LAST_TRY_SECONDS,
        }
        for e in envelopes
    ]
    if rows:
        await session.execute(PARK, rows)


async def ready(session: Session, limit: int) -> list[Key]:
    """Parked events whose time has come and whose previous event is applied."""
    return [
        (source, position) for source, position in await session.execute(READY, {"limit": limit})
    ]


async def parked_of(session: Session, subjects: Collection[str], limit: int) -> list[Key]:
    """Parked events about these subjects, of any source."""
    statement = (
        select(parked.c.source, parked.c.position)
        .where(parked.c.subject.in_(subjects))
        .order_by(parked.c.source, parked.c.position)
        .limit(limit)
    )
    return [(source, position) for source, position in await session.execute(statement)]


async def claim(session: Session, keys: Collection[Key]) -> list[Envelope]:
    """Lock parked events and give them back; those that another replica is trying are left to
    it.
    """
    if not keys:
        return []
    return [from_json(document) for document in await session.scalars(CLAIM, columns(sorted(keys)))]


async def unpark(session: Session, keys: Collection[Key]) -> None:
    """Forget parked events: they are applied."""
    if keys:
        await session.execute(UNPARK, columns(sorted(keys)))


async def bury(session: Session, envelope: Envelope, error: str) -> None:
    """Put an event that cannot be applied among the dead letters; what follows about its subject
    waits for it.
    """
    key = (envelope.service, envelope.position or 0)
    await note(session, [envelope])
    await unpark(session, [key])
    row = {
        "id": new_id(),
        "source": envelope.service,
        "position": envelope.position,
        "subject": envelope.subject,
        "type": envelope.type,
        "envelope": envelope.to_json(),
        "error": error,
    }
    await session.execute(insert(dead_letter).values(row).on_conflict_do_nothing())


async def bury_malformed(session: Session, source: str, raw: str, error: str) -> None:
    """Keep a record that is not one of our events. The same record is kept once.

    Args:
        session: The session.
        source: Whose topic it was in.
        raw: Where it was, and its bytes in base64.
        error: What is wrong with it.
    """
    row = {"id": uuid5(NAMESPACE_URL, raw), "source": source, "raw": raw, "error": error}
    await session.execute(insert(dead_letter).values(row).on_conflict_do_nothing())


async def list_dead_letters(session: Session, limit: int = 100) -> Sequence[Any]:
    """Dead letters that were not replayed, the oldest first: rows of `dead_letter`."""
    waiting = (
        select(dead_letter)
        .where(dead_letter.c.replayed_at.is_(None))
        .order_by(dead_letter.c.failed_at)
    )
    return (await session.execute(waiting.limit(limit))).all()


async def replay_dead_letter(session: Session, letter_id: UUID) -> None:
    """Have a dead letter tried again by the running worker; if it succeeds, what waits for it
    follows.

    Args:
        session: The session.
        letter_id: Id of the dead letter. If it fails again it becomes a new one.

    Raises:
        LookupError: There is none that waits, or it never was one of our events and there is
            nothing to apply: the position that it should have been was fetched from the feed.
    """
    row = (
        await session.execute(
            update(dead_letter)
            .where(
                dead_letter.c.id == letter_id,
                dead_letter.c.replayed_at.is_(None),
                dead_letter.c.position.is_not(None),
            )
            .values(replayed_at=now())
            .returning(dead_letter.c.envelope)
        )
    ).first()
    if row is None:
        raise LookupError("no dead letter that can be replayed has this id")
    await park(session, [from_json(row.envelope)], "replayed", wait=0)


async def discard_dead_letter(session: Session, letter_id: UUID) -> Any:
    """Give a dead letter up for good: what waits for it follows, as if it had been applied.

    Args:
        session: The session.
        letter_id: Id of the dead letter.

    Returns:
        Its row of `dead_letter`.

    Raises:
        LookupError: There is none that waits.
    """
    waiting = (dead_letter.c.id == letter_id) & dead_letter.c.replayed_at.is_(None)
    given_up = update(dead_letter).where(waiting).values(replayed_at=now()).returning(dead_letter)
    row = (await session.execute(given_up)).first()
    if row is None:
        raise LookupError("no dead letter that waits has this id")
    follows = (parked.c.source == row.source) & (parked.c.previous == row.position)
    await session.execute(update(parked).where(follows).values(next_try_at=now()))
    return row


async def rewind(session: Session, source: str, after: int = 0) -> None:
    """Forget what was received of a source after a position, so that it is fetched and applied
    again.

    For rebuilding a projection; its handlers must bear hearing a fact twice.
    """
    await session.execute(
        select(inbox_source).where(inbox_source.c.source == source).with_for_update()
    )
    for table in (inbox, parked, dead_letter):
        await session.execute(
            delete(table).where(table.c.source == source, table.c.position > after)
        )
    await session.execute(
        update(inbox_source)
        .where(inbox_source.c.source == source)
        .values(watermark=func.least(inbox_source.c.watermark, after))
    )


def columns(keys: Sequence[Key]) -> Mapping[str, list[Any]]:
    """Keys as the two arrays that the statements take."""
    return {
        "sources": [source for source, _ in keys],
        "positions": [position for _, position in keys],
    }
