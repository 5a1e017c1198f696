"""Answers that go on: so many for a client, until the process is about to end or the client may not
listen any more.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from chassis.auth import Caller, Revocations
from chassis.errors import TOO_MANY_REQUESTS, Problem
from chassis.routing import CallerDep

RETRY_SECONDS = 10
"""After which a client with too many streams may try again; each ends after ten minutes at the
latest.
"""


class Ending(Protocol):
    """Says when a stream is over."""

    async def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is over; whether it is."""


class Closing:
    """Says when the process is about to end: the server waits for open answers, and a stream would
    never end.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._before: dict[signal.Signals, Any] = {}

        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._event.set)
            before = self._before[signal.Signals(number)]
            if callable(before):
                before(number, frame)

        with suppress(
            ValueError
        ):  # signals belong to the main thread; a server elsewhere is ended by its owner
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


class Listeners:
    """How many streams each client has open in this process.

    Args:
        most: How many one may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def place(self, client_id: str) -> Iterator[None]:
        """Count a stream as long as it is open.

        Raises:
            Problem: 429, the client has as many as one may have.
        """
        if self._open[client_id] >= self._most:
            detail = f"{self._most} streams at once; end one first, or follow /v1/events"
            raise Problem(TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(RETRY_SECONDS)})
        self._open[client_id] += 1
        try:
            yield
        finally:
            self._open[client_id] -= 1
            if not self._open[client_id]:
                del self._open[client_id]


@dataclass(frozen=True, slots=True)
class Listener:
    """One open stream, as long as its client may listen."""

    closing: Closing
    revocations: Revocations
    caller: Caller

    async def wait(self, seconds: float) -> bool:
        """Wait so long, or until the process is about to end; whether the stream is over, also by a
        revocation.
        """
        ends = await self.closing.wait(seconds)
        return ends or self.revocations.covers(self.caller.client_id, self.caller.issued_at)


async def _listener(request: Request, caller: CallerDep) -> AsyncIterator[Listener]:
    here = request.app.state.homeward
    with here.listeners.place(caller.client_id):
        yield Listener(request.app.state.closing, here.authenticator.revocations, caller)


ListenerDep = Annotated[Listener, Depends(_listener)]
"""The stream of a route that answers with one; given back when the answer has ended."""
