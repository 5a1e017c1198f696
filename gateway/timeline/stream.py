"""A timeline as it goes on: server-sent events, each with the cursor from which to continue."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from types import FrameType
from typing import Any

from fastapi.sse import ServerSentEvent
from sqlalchemy.exc import SQLAlchemyError

from chassis.auth import Caller
from chassis.db import Database, is_outage
from chassis.inbox import freshness
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


class Closing:
    """Says when the process is about to end: the server waits for open answers, and a stream would never end."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._before: dict[signal.Signals, Any] = {}

        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._event.set)
            before = self._before[signal.Signals(number)]
            if callable(before):
                before(number, frame)

        with suppress(ValueError):  # signals belong to the main thread; a server elsewhere is ended by its owner
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                if callable(before):
                    self._before[number] = before
                    signal.signal(number, handle)

    def end(self) -> None:
        """End the streams, and give the signals back."""
        self._event.set()
        for number, before in self._before.items():
            signal.signal(number, before)

    async def wait(self, seconds: float) -> bool:
        """Wait so long, or until the process is about to end; whether it is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        return self._event.is_set()


async def follow(
    database: Database, closing: Closing, who: Reader, caller: Caller, start: Positions, language: Language
) -> AsyncIterator[ServerSentEvent]:
    """Entries as they appear.

    An entry is sent as soon as it is there. The cursor beside it only moves over what is complete, so that whoever
    continues from it misses nothing; some entries may come again, with the same id.

    Args:
        database: Read in transactions of its own.
        closing: Ends the stream.
        who: Whose timeline, for whom.
        caller: Who listens; their part may end.
        start: After these positions.
        language: Of the summaries.
    """
    sent: set[tuple[str, int]] = set()
    reached = dict(start)
    give_up = time.monotonic() + STREAM_SECONDS
    wait = 0.0
    while time.monotonic() < give_up and not await closing.wait(wait):
        wait = LOOK_EVERY_SECONDS
        try:
            async with database.transaction() as session:
                if not caller.is_internal:
                    who = await service.reader(session, who.returnee_id, caller)
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
            yield ServerSentEvent(id=positions.encode(cursor), event="entry", data=Entry.of(row, language))
        sent = {key for key in sent | {(row.source, row.position) for row in new} if key[1] > complete[key[0]]}
        reached = complete
