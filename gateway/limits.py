"""How often a client may ask, and how much at once; and an address without a token."""

import time
from collections import Counter
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from math import ceil
from typing import cast

from prometheus_client import Counter as Metric
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.app import Homeward
from chassis.auth import Caller
from chassis.errors import TOO_MANY_REQUESTS, Problem
from chassis.openapi import PROBLEM_MEDIA_TYPE

MINUTE = 60.0
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
TOKENS_PER_MINUTE = 120
"""Attempts to get a token from one address: each costs the server a hash on purpose."""
UNLIMITED = ("/health/", "/metrics")
AT_ONCE = 100
"""Requests that a client, or an address without a token, may have open at the same time; streams
are among them. Whoever opens more waits for their own, and nobody waits for them.
"""

REFUSED = Metric(
    "homeward_gateway_limited_total", "Requests refused because there were too many", ["by"]
)


@dataclass
class Window:
    """A sliding minute: what was counted in this one, and the share of the one before that it still
    overlaps.

    Two numbers a key, whatever its traffic, and nothing to expire: each minute replaces the one
    before the last.
    """

    minute: int = 0
    current: MutableMapping[str, int] = field(default_factory=Counter)
    before: MutableMapping[str, int] = field(default_factory=Counter)

    def hit(self, key: str, limit: int, at: float) -> float:
        """Count a request.

        Args:
            key: Who makes it.
            limit: How many a minute may have.
            at: Now, in seconds of a monotonic clock.

        Returns:
            0.0 if it was counted, else the seconds after which to try again.
        """
        minute, into = divmod(at, MINUTE)
        if minute != self.minute:
            self.before = self.current if minute == self.minute + 1 else Counter()
            self.current, self.minute = Counter(), int(minute)
        before, current = self.before.get(key, 0), self.current.get(key, 0)
        if before * (1 - into / MINUTE) + current + 1 <= limit:
            self.current[key] = current + 1
            return 0.0
        if current + 1 <= limit and before:
            return MINUTE * (1 - (limit - current - 1) / before) - into
        return MINUTE - into


class RateLimit:
    """ASGI middleware: checks the token once, counts the request, and refuses what is too much with
    a 429.

    A token that does not hold is counted by address, and the route then says what is wrong with it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._window = Window()
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["path"].startswith(UNLIMITED):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        here = cast("Homeward", request.app.state.homeward)
        caller = await admitted(request, here)
        if caller is not None and caller.is_internal:
            await self.app(scope, receive, send)
            return
        by, who, limit = _counted_as(request, caller, here.settings.requests_per_minute)
        key = f"{by} {who}"
        wait = self._window.hit(key, limit, time.monotonic())
        if not wait and self._open[key] < AT_ONCE:
            self._open[key] += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]
            return
        REFUSED.labels(by).inc()
        problem = Problem(TOO_MANY_REQUESTS, headers={"Retry-After": str(max(1, ceil(wait)))})
        document = problem.document(getattr(request.state, "request_id", None))
        answer = JSONResponse(
            document, problem.kind.status, problem.headers, media_type=PROBLEM_MEDIA_TYPE
        )
        await answer(scope, receive, send)


def _counted_as(request: Request, caller: Caller | None, most: int) -> tuple[str, str, int]:
    """As what, and as whose, a request is counted, and how many a minute may have."""
    if caller is not None:
        return "client", caller.client_id, most
    address = request.client.host if request.client else ""
    if request.url.path == TOKEN_PATH:
        return "token", address, min(most, TOKENS_PER_MINUTE)
    return "address", address, most


async def admitted(request: Request, here: Homeward) -> Caller | None:
    """Who calls, if the token holds; what is wrong with it is kept for whoever needs the caller
    (`caller_of`).
    """
    if "authorization" not in request.headers or request.url.path == TOKEN_PATH:
        return None
    try:
        request.state.admitted = caller = await here.authenticator.authenticate(request)
    except Problem as problem:
        request.state.refused = problem
        return None
    return caller


async def caller_of(request: Request, here: Homeward) -> Caller:
    """Who calls, as it was already checked.

    Raises:
        Problem: 401 or 403, the token does not hold or the person may not be named.
    """
    known: Caller | None = getattr(request.state, "admitted", None)
    if known is not None:
        return known
    refused: Problem | None = getattr(request.state, "refused", None)
    if refused is not None:
        raise refused
    return await here.authenticator.authenticate(request)
