"""Calls to our other services: with this process's own token, its deadline, and the trace that it
belongs to.
"""

import asyncio
import time
from typing import Any

import httpx
from opentelemetry import propagate

from chassis.settings import Settings

RENEW_BEFORE_SECONDS = 60


class CallFailed(Exception):  # noqa: N818 - a call that failed is not an error of this process
    """Another service could not be reached or refused.

    Attributes:
        status: Its HTTP status, or None if it was not reached.
    """

    def __init__(self, service: str, status: int | None) -> None:
        super().__init__(f"{service} answered {status}" if status else f"{service} was not reached")
        self.service = service
        self.status = status


class ServiceClient:
    """Calls other services with this process's own client credentials.

    Args:
        settings: Addresses, client id and secret.
        transport: Where requests go; the network unless a test says otherwise.
    """

    def __init__(
        self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(10, connect=3), transport=transport)
        self._token = ""
        self._valid_until = 0.0
        self._renewing = asyncio.Lock()

    async def get(self, service: str, path: str, **params: Any) -> Any:
        """GET a JSON document from a service.

        Args:
            service: `cases`, `reception`, ... or `gateway`.
            path: Path with a leading slash.
            **params: Query parameters; None is left out.

        Raises:
            CallFailed: It could not be had.
        """
        query = {name: value for name, value in params.items() if value is not None}
        for last in (False, True):
            headers = {"Authorization": f"Bearer {await self._get_token()}"}
            propagate.inject(headers)
            try:
                response = await self._http.get(
                    self._settings.service_url(service) + path, params=query, headers=headers
                )
            except httpx.HTTPError:
                raise CallFailed(service, None) from None
            if response.status_code == httpx.codes.UNAUTHORIZED and not last:
                self._valid_until = 0.0
                continue
            if response.is_error:
                raise CallFailed(service, response.status_code)
            try:
                return response.json()
            except ValueError:
                raise CallFailed(service, response.status_code) from None
        raise AssertionError("unreachable")

    async def find(self, service: str, path: str, **params: Any) -> Any | None:
        """As `get`; None where the service does not have it (any more)."""
        try:
            return await self.get(service, path, **params)
        except CallFailed as failed:
            if failed.status != httpx.codes.NOT_FOUND:
                raise
            return None

    async def _get_token(self) -> str:
        async with self._renewing:
            if time.monotonic() < self._valid_until:
                return self._token
            secret = self._settings.client_secret
            if self._settings.client_id is None or secret is None:
                raise CallFailed("gateway", None)
            try:
                response = await self._http.post(
                    self._settings.service_url("gateway") + "/oauth/token",
                    data={"grant_type": "client_credentials"},
                    auth=(self._settings.client_id, secret.get_secret_value()),
                )
            except httpx.HTTPError:
                raise CallFailed("gateway", None) from None
            if response.is_error:
                raise CallFailed("gateway", response.status_code)
            try:
                body = response.json()
                self._token, seconds = str(body["access_token"]), float(body["expires_in"])
            except (ValueError, LookupError, TypeError):
                raise CallFailed("gateway", response.status_code) from None
            self._valid_until = time.monotonic() + max(5, seconds - RENEW_BEFORE_SECONDS)
            return self._token

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
