"""How large a request's body may be, and how long it may take: as its route says, else as the
settings say; what is larger, or does not come, is not waited for.

A body that says its length is refused before any of it is read, one that does not as soon as it is
too large. Reading something takes no body. Whoever announces a body and does not send it holds
nothing but their own connection, and that not for long.
"""

import asyncio
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import BAD_REQUEST, BODY_TOO_SLOW, TOO_LARGE, Problem

TABLE_BYTES = 8 * 1024 * 1024
"""Room for 5,000 rows of a list that somebody keeps."""
FILE_BYTES = 32 * 1024 * 1024
"""Room for 5,000 referrals of families with names in two scripts, at 2 to 6 kB each, or for a
scanned document.
"""
KEY = "homeward.body"
WITHOUT_BODY = frozenset({"GET", "HEAD"})
SILENT_SECONDS = 10.0
"""How long nothing of a body that was announced may come."""
SLOWEST_BYTES = 1024
"""A second, on the average: a scanned page over the worst of telephones, in some minutes."""
CLOSE = {"Connection": "close"}
"""What was announced may still come: it would be taken for the next request."""


@dataclass
class Allowance:
    """What a request may send.

    Attributes:
        most: Bytes.
    """

    most: int


class BodyLimit:
    """ASGI middleware: counts what is received, and the time that it takes. FastAPI's own limit
    answers in plain text, which no caller expects.

    Args:
        app: The application.
        most: Bytes of a body at most, where its route says nothing.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        allowance = scope[KEY] = Allowance(self.most)
        body = _Body(receive, allowance)
        await self.app(scope, body.receive, send)


class _Body:
    """What is received of one request."""

    def __init__(self, receive: Receive, allowance: Allowance) -> None:
        self._receive, self._allowance = receive, allowance
        self._received, self._complete = 0, False
        self._began: float | None = None

    async def receive(self) -> Message:
        """Receive what comes next.

        Raises:
            HTTPException: 413, it is too much; 408, it does not come.
        """
        if self._complete:  # what comes now is only that the caller has gone
            return await self._receive()
        now = asyncio.get_running_loop().time()
        self._began = now if self._began is None else self._began
        due = self._began + SILENT_SECONDS + self._received / SLOWEST_BYTES
        try:
            async with asyncio.timeout_at(min(due, now + SILENT_SECONDS)):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(BODY_TOO_SLOW.status, headers=CLOSE) from None
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._received > self._allowance.most:
            raise HTTPException(TOO_LARGE.status)
        return message


def refuse_body(request: Request) -> None:
    """Refuse a body where something is only read.

    Raises:
        Problem: 400.
    """
    announced = request.headers.get("content-length", "0")
    has_body = announced != "0" or "transfer-encoding" in request.headers
    if request.method in WITHOUT_BODY and has_body:
        raise Problem(BAD_REQUEST, f"{request.method} takes no body", headers=CLOSE)


def allow(request: Request, most: int | None) -> None:
    """Let a body be as large as the route says, before anything of it is read.

    Args:
        request: The request.
        most: Bytes at most; None for what the settings say.

    Raises:
        Problem: 413, it says itself that it is larger.
    """
    allowance: Allowance = request.scope[KEY]
    if most is not None:
        allowance.most = most
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > allowance.most:
        raise Problem(TOO_LARGE, f"at most {allowance.most} bytes here")
