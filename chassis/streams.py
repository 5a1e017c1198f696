"""Answers that go on until the process is about to end."""

import asyncio
import signal
from contextlib import suppress
from types import FrameType
from typing import Any


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
