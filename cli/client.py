"""A careful client of the gateway: one key for all attempts of a request, and patience while
something is restarted.
"""

import asyncio
import time
from contextlib import suppress
from itertools import count
from typing import Any
from uuid import uuid4

import httpx

RENEW_SECONDS = 240
AGAIN_SECONDS = 0.2
SEEN_AGAIN = 5


class Refused(Exception):  # noqa: N818 - a refusal is an answer
    """The gateway refused, or did not answer in time.

    Attributes:
        answer: Its answer; None if there was none.
        attempts: How often it was asked.
    """

    def __init__(
        self, method: str, path: str, answer: httpx.Response | None, attempts: int = 1
    ) -> None:
        said = f"{answer.status_code} {answer.text[:600]}" if answer is not None else "no answer"
        super().__init__(f"{method} {path}: {said}")
        self.answer = answer
        self.attempts = attempts

    @property
    def status(self) -> int | None:
        """HTTP status of the answer."""
        return self.answer.status_code if self.answer is not None else None

    @property
    def problem(self) -> str | None:
        """Which problem it is (RFC 9457), by the last part of its type; None if it is none."""
        if self.answer is None or not self.answer.headers.get("content-type", "").startswith(
            "application/problem+json"
        ):
            return None
        return str(self.answer.json()["type"]).rpartition("/")[2]


class GatewayClient:
    """One organisation's client.

    Args:
        gateway: Address of the gateway.
        client_id: Its id.
        secret: Its secret.
        person: Opaque id of the person it acts for.
        patience: Seconds for which a request is sent again while it does not get through.
    """

    def __init__(
        self,
        gateway: str,
        client_id: str,
        secret: str,
        person: str | None = None,
        *,
        patience: float = 30,
    ) -> None:
        self.gateway = gateway
        self.client_id = client_id
        self.person = person
        self.patience = patience
        self.http = httpx.AsyncClient(base_url=gateway, timeout=20)
        self._secret = secret
        self._token = ""
        self._until = 0.0

    async def headers(self) -> dict[str, str]:
        """Authorization, and the person."""
        if time.monotonic() > self._until:
            form = {"grant_type": "client_credentials"}
            answer = await self._persist(
                "POST", "/oauth/token", data=form, auth=(self.client_id, self._secret)
            )
            self._token, self._until = (
                answer.json()["access_token"],
                time.monotonic() + RENEW_SECONDS,
            )
        actor = {"Homeward-Actor": self.person} if self.person else {}
        return {"Authorization": f"Bearer {self._token}"} | actor

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request once, whatever is answered."""
        headers = await self.headers() | options.pop("headers", {})
        if method == "POST":
            headers.setdefault("Idempotency-Key", str(uuid4()))
        return await self.http.request(method, path, headers=headers, **options)

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request until it gets through.

        Raises:
            Refused: It was refused, or nothing came for longer than the client's patience.
        """
        headers = await self.headers() | options.pop("headers", {})
        if method == "POST":
            headers.setdefault("Idempotency-Key", str(uuid4()))
        return await self._persist(method, path, headers=headers, **options)

    async def get(self, path: str, **params: Any) -> Any:
        """A document. Raises `Refused`."""
        asked = {name: value for name, value in params.items() if value is not None}
        return (await self.send("GET", path, params=asked)).json()

    async def post(self, path: str, body: Any = None) -> Any:
        """What comes of an action. Raises `Refused`."""
        return (await self.send("POST", path, json=body)).json()

    async def upload(self, content: bytes, **about: str) -> Any:
        """What is known of a document that was uploaded. Raises `Refused`."""
        binary = {"Content-Type": "application/octet-stream"}
        return (
            await self.send("POST", "/v1/documents", content=content, params=about, headers=binary)
        ).json()

    async def put_new(self, path: str, body: Any) -> Any:
        """Put something where nothing is yet. Raises `Refused`."""
        try:
            return (await self.send("PUT", path, json=body, headers={"If-None-Match": "*"})).json()
        except Refused as refused:
            if refused.status != httpx.codes.PRECONDITION_FAILED or refused.attempts == 1:
                raise
            return await self.get(
                path
            )  # an attempt before had got through, and its answer was lost

    async def decide(self, path: str, word: str, body: Any = None) -> Any:
        """Act on what was just read; read again if it has changed in between. Raises `Refused`."""
        for attempt in range(SEEN_AGAIN):
            seen = {"If-Match": (await self.send("GET", path)).headers["etag"]}
            try:
                return (
                    await self.send("POST", f"{path}/{word}", json=body or {}, headers=seen)
                ).json()
            except Refused as refused:
                if refused.status != httpx.codes.PRECONDITION_FAILED or attempt == SEEN_AGAIN - 1:
                    raise
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def _persist(self, method: str, path: str, **options: Any) -> httpx.Response:
        deadline = time.monotonic() + self.patience
        for attempt in count(1):
            answer = None
            with suppress(httpx.TransportError):  # sent again below, under the same key
                answer = await self.http.request(method, path, **options)
            if answer is not None and answer.is_success:
                return answer
            if (
                answer is not None
                and answer.status_code == httpx.codes.TOO_MANY_REQUESTS
                and time.monotonic() < deadline
            ):
                await asyncio.sleep(
                    min(float(answer.headers.get("retry-after", 1)), deadline - time.monotonic())
                )
                continue
            final = answer is not None and answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR
            if final or time.monotonic() > deadline:
                raise Refused(method, path, answer, attempt)
            await asyncio.sleep(AGAIN_SECONDS)
        raise AssertionError("unreachable")
