"""Tokens of an OpenID provider that is not ours: its discovery, its keys, its signature, its
people.
"""

import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from chassis.auth import Authenticator
from tests.chassis.probe import Probe
from tests.node import fetched
from tests.tokens import settings

PACKAGE = "oidc-provider@9.13.3"
CLIENT = ("desk", "of-the-test")
SIGNED_IN = "http://127.0.0.1:9/signed-in"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The address of a running provider, certified software of the OpenID Foundation's list."""
    folder = fetched(PACKAGE, "NOT TRIED with an external OpenID provider")
    script = folder / "provider.mjs"
    script.write_text((Path(__file__).parent / "provider.mjs").read_text("utf-8"), "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        ["node", script, str(port), "homeward"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as provider:
        assert provider.stdout is not None
        try:
            assert any("listening" in line for line in provider.stdout)
            yield f"http://127.0.0.1:{port}"
        finally:
            provider.kill()


@pytest_asyncio.fixture(loop_scope="session")
async def trusting(probe: Probe, issuer: str) -> AsyncIterator[Probe]:
    """The service, which trusts that provider."""
    before = probe.homeward.authenticator
    probe.homeward.authenticator = Authenticator(
        settings(
            "postgresql://unused",
            oidc_issuer=issuer,
            oidc_organisations={"iom-iraq": {"kind": "partner", "scopes": ["notes:read"]}},
        )
    )
    yield probe
    probe.homeward.authenticator = before


async def sign_in(issuer: str, user: str) -> str:
    """The access token of somebody who signs in with a browser."""
    asked = {
        "client_id": "desk",
        "response_type": "code",
        "scope": "openid notes:read",
        "redirect_uri": SIGNED_IN,
    }
    async with httpx.AsyncClient(base_url=issuer) as browser:
        answer = await browser.get("/auth", params=asked)
        for _ in range(10):
            while answer.is_redirect and not answer.headers["location"].startswith(SIGNED_IN):
                answer = await browser.get(answer.headers["location"])
            if answer.is_redirect:
                break
            form = re.search(r'action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert form
            assert prompt
            answer = await browser.post(
                unescape(form[1]), data={"prompt": prompt[1], "login": user, "password": "any"}
            )
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        granted = await browser.post(
            "/token",
            data={"grant_type": "authorization_code", "code": code, "redirect_uri": SIGNED_IN},
            auth=CLIENT,
        )
        token: str = granted.raise_for_status().json()["access_token"]
        return token


async def of_the_client(issuer: str) -> str:
    """The access token of the organisation's own client."""
    asked = {"grant_type": "client_credentials", "scope": "notes:read"}
    async with httpx.AsyncClient(base_url=issuer) as http:
        token: str = (
            (await http.post("/token", data=asked, auth=CLIENT))
            .raise_for_status()
            .json()["access_token"]
        )
    return token


async def test_its_client(trusting: Probe, issuer: str) -> None:
    bearer = {"Authorization": f"Bearer {await of_the_client(issuer)}"}
    assert (await trusting.http.get("/v1/notes", headers=bearer)).status_code == 200
    written = await trusting.http.post(
        "/v1/notes", headers=bearer | {"Idempotency-Key": "1"}, json={"words": "without the scope"}
    )
    assert written.status_code == 403


async def test_its_people(trusting: Probe, issuer: str) -> None:
    bearer = {"Authorization": f"Bearer {await sign_in(issuer, 'u-17')}"}
    answers = {
        name: (
            await trusting.http.get("/v1/notes", headers=bearer | {"Homeward-Actor": name})
        ).status_code
        for name in ("u-17", "u-18")
    }
    assert (await trusting.http.get("/v1/notes", headers=bearer)).status_code == 200
    assert answers["u-18"] == 403


async def test_a_provider_that_nobody_named(probe: Probe, issuer: str) -> None:
    bearer = {"Authorization": f"Bearer {await of_the_client(issuer)}"}
    assert (await probe.http.get("/v1/notes", headers=bearer)).status_code == 401
