"""How large a request's body may be: as its route says, else as the settings say; what is larger is
not read on.

A body that says its length is refused before any of it is read, one that does not as soon as it is
too large.
"""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import TOO_LARGE, Problem

TABLE_BYTES = 8 * 1024 * 1024
"""Room for 5,000 rows of a list that somebody keeps."""
FILE_BYTES = 32 * 1024 * 1024
"""Room for 5,000 referrals of families with names in two scripts, at 2 to 6 kB each, or for a
scanned document.
"""
KEY = "homeward.body"


@dataclass
class Allowance:
    """What a request may send.

    Attributes:
        most: Bytes.
    """

    most: int


class BodyLimit:
    """ASGI middleware: counts what is received. FastAPI's own limit answers in plain text, which no
    caller expects.

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
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > allowance.most:
                raise HTTPException(TOO_LARGE.status)
            return message

        await self.app(scope, receive_counted, send)


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
