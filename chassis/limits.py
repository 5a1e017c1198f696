"""A limit on request bodies that answers with a problem, whether or not the length was said beforehand."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import TOO_LARGE, Problem

TOO_LARGE_STATUS = TOO_LARGE.status


class BodyLimit:
    """ASGI middleware. FastAPI's own limit answers in plain text, which none of our callers expects.

    Args:
        app: The application.
        most: Bytes of a body at most.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        said = Headers(scope=scope).get("content-length", "0")
        if said.isdigit() and int(said) > self.most:
            problem = Problem(TOO_LARGE, f"at most {self.most} bytes")
            document = problem.document(scope.get("state", {}).get("request_id"))
            answer = JSONResponse(document, TOO_LARGE_STATUS, media_type="application/problem+json")
            await answer(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.most:
                raise HTTPException(TOO_LARGE_STATUS)
            return message

        await self.app(scope, receive_counted, send)
