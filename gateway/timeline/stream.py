"""A timeline as it goes on: server-sent events, each with the cursor from which to continue."""

import time
from collections.abc import AsyncIterator

from fastapi.sse import ServerSentEvent
from sqlalchemy.exc import SQLAlchemyError

from chassis.db import Database, is_outage
from chassis.inbox import freshness
from chassis.streams import Listener
from gateway import positions
from gateway.positions import Positions
from gateway.timeline import service
from gateway.timeline.schemas import Entry
from gateway.timeline.sentences import Language
from gateway.timeline.service import Reader

LOOK_EVERY_SECONDS = 0.25
LOOK_AGAIN_SECONDS = 2.0
STREAM_SECONDS = 600.0
"""As long as a token lasts: whoever listens on has to show that they still may."""


async def follow(
    database: Database, listener: Listener, who: Reader, start: Positions, language: Language
) -> AsyncIterator[ServerSentEvent]:
    """Entries as they appear.

    An entry is sent as soon as it is there. The cursor beside it only moves over what is complete,
    so that whoever continues from it misses nothing; some entries may come again, with the same id.

    Args:
        database: Read in transactions of its own.
        listener: Who listens; they may be revoked, and their part may end.
        who: Whose timeline, for whom.
        start: After these positions.
        language: Of the summaries.
    """
    sent: set[tuple[str, int]] = set()
    reached = dict(start)
    give_up = time.monotonic() + STREAM_SECONDS
    wait = 0.0
    while time.monotonic() < give_up and not await listener.wait(wait):
        wait = LOOK_EVERY_SECONDS
        try:
            async with database.transaction() as session:
                if not listener.caller.is_internal:
                    who = await service.reader(session, who.returnee_id, listener.caller)
                    if not who.roles:
                        return
                complete = positions.applied(await freshness(session), reached)
                rows = await service.since(session, who, reached)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            if not is_outage(error):
                raise
            wait = LOOK_AGAIN_SECONDS
            continue
        new = [row for row in rows if (row.source, row.position) not in sent]
        for row in new:
            cursor = complete if row is new[-1] else reached
            yield ServerSentEvent(
                id=positions.encode(cursor), event="entry", data=Entry.of(row, language)
            )
        sent = {
            key
            for key in sent | {(row.source, row.position) for row in new}
            if key[1] > complete[key[0]]
        }
        reached = complete
