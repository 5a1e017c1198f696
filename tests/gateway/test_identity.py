import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool
from starlette.responses import JSONResponse

from cli.development import SCOPES
from cli.main import http_config
from contracts.scopes import Scope
from gateway.app import poll_revocations
from gateway.identity.keys import jwks, signing_keys
from gateway.identity.service import ensure_client
from gateway.limits import TOKENS_PER_MINUTE, Window
from tests import tokens
from tests.conftest import NewDatabase
from tests.gateway.conftest import SECRET, Gateway, Running


@pytest_asyncio.fixture(name="gateway")
async def with_clients(registered: Gateway) -> Gateway:
    return registered


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


async def test_a_token_says_who_calls_and_holds_for_ten_minutes(gateway: Gateway) -> None:
    answer = await gateway.token("office")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == (
        "Bearer",
        600,
        "timeline:read",
    )
    published = (await gateway.http.get("/.well-known/jwks.json")).json()["keys"]
    header = jwt.get_unverified_header(body["access_token"])
    assert [k["kid"] for k in published] == [header["kid"]]
    assert "d" not in published[0]
    claims = jwt.decode(
        body["access_token"],
        jwt.PyJWK(published[0]),
        algorithms=["ES256"],
        audience="homeward",
        issuer=tokens.ISSUER,
    )
    assert claims["client_id"] == claims["sub"] == claims["org"] == "office"
    assert claims["org_kind"] == "programme_office"
    assert claims["programmes"] == ["eurp"]
    assert claims["exp"] - time.time() == pytest.approx(600, abs=5)
    assert uuid.UUID(claims["jti"])


async def test_credentials_may_be_in_the_form(gateway: Gateway) -> None:
    form = {"grant_type": "client_credentials", "client_id": "bamf", "client_secret": SECRET}
    assert (await gateway.http.post("/oauth/token", data=form)).status_code == 200


async def test_scopes_can_be_narrowed_and_never_widened(gateway: Gateway) -> None:
    narrowed = await gateway.token("bamf", scope="timeline:read")
    assert narrowed.json()["scope"] == "timeline:read"
    wider = await gateway.token("bamf", scope="timeline:read internal")
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        ({}, ("bamf", SECRET), 400, "invalid_request"),
        ({"grant_type": "password"}, ("bamf", SECRET), 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, ("bamf", "wrong"), 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, ("nobody", SECRET), 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, ("bam\0f", SECRET), 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, None, 401, "invalid_client"),
        (
            {"grant_type": "client_credentials", "client_secret": SECRET},
            ("bamf", SECRET),
            400,
            "invalid_request",
        ),
    ],
)
async def test_a_refusal_is_as_oauth_says(
    gateway: Gateway, form: dict[str, str], auth: tuple[str, str] | None, status: int, error: str
) -> None:
    answer = await gateway.http.post("/oauth/token", data=form, auth=auth)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert SECRET not in answer.text
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Basic")


async def test_the_token_endpoint_takes_a_form_only(gateway: Gateway) -> None:
    answer = await gateway.http.post("/oauth/token", json={"grant_type": "client_credentials"})
    assert answer.status_code == 415


async def test_a_token_of_another_key_audience_or_time_does_not_hold(gateway: Gateway) -> None:
    own = signing_keys(gateway.here.settings)[0]
    good = {
        "iss": tokens.ISSUER,
        "aud": "homeward",
        "iat": time.time(),
        "exp": time.time() + 60,
        "client_id": "operator",
        "org": "homeward",
        "org_kind": "internal",
        "scope": "organisations:manage",
    }

    async def status(signed_by: ec.EllipticCurvePrivateKey, **changed: object) -> int:
        token = jwt.encode(good | changed, signed_by, algorithm="ES256", headers={"kid": own.id})
        answer = await gateway.http.get("/v1/clients", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code

    assert await status(own.private) == 200
    assert await status(ec.generate_private_key(ec.SECP256R1())) == 401
    assert await status(own.private, aud="somebody-else") == 401
    assert await status(own.private, iss="http://elsewhere.test") == 401
    assert await status(own.private, exp=time.time() - 60, iat=time.time() - 120) == 401
    assert await status(own.private, scope="timeline:read") == 403
    assert (await gateway.http.get("/v1/clients")).status_code == 401


async def register(gateway: Gateway, headers: dict[str, str]) -> str:
    organisation = {"slug": "ofii", "kind": "referrer", "name": "OFII"}
    made = await gateway.http.post("/v1/organisations", json=organisation, headers=headers | key())
    assert (made.status_code, made.json()["id"]) == (201, "ofii")
    client = {"id": "ofii.system", "organisation": "ofii", "scopes": ["referrals:submit"]}
    answer = await gateway.http.post("/v1/clients", json=client, headers=headers | key())
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    return answer.json()["client_secret"]


async def test_the_secret_is_shown_once_and_kept_as_a_hash(gateway: Gateway) -> None:
    headers = await gateway.bearer("operator")
    secret = await register(gateway, headers)
    assert (await gateway.token("ofii.system", secret)).json()["scope"] == "referrals:submit"
    read = await gateway.http.get("/v1/clients/ofii.system", headers=headers)
    assert read.json()["state"] == "active"
    assert "secret" not in read.text
    listed = await gateway.http.get("/v1/clients?organisation=ofii", headers=headers)
    assert [item["id"] for item in listed.json()["items"]] == ["ofii.system"]


async def test_a_rotated_secret_holds_beside_the_new_one_until_the_next_rotation(
    gateway: Gateway,
) -> None:
    headers = await gateway.bearer("operator")
    secrets = [await register(gateway, headers)]
    for number in (1, 2):
        rotated = await gateway.http.post("/v1/clients/ofii.system/rotate", headers=headers | key())
        assert (rotated.status_code, rotated.headers["etag"]) == (200, f'"{number + 1}"')
        secrets.append(rotated.json()["client_secret"])
        held = [(await gateway.token("ofii.system", secret)).status_code for secret in secrets]
        assert held == ([200, 200] if number == 1 else [401, 200, 200])


async def test_a_revoked_client_gets_no_token_and_its_tokens_are_void_at_once(
    gateway: Gateway,
) -> None:
    headers = await gateway.bearer("operator")
    body = {"id": "second-operator", "organisation": "bamf", "scopes": ["organisations:manage"]}
    made = await gateway.http.post("/v1/clients", json=body, headers=headers | key())
    second = {
        "Authorization": "Bearer "
        + (await gateway.token("second-operator", made.json()["client_secret"])).json()[
            "access_token"
        ]
    }
    assert (await gateway.http.get("/v1/clients", headers=second)).status_code == 200
    revoked = await gateway.http.post("/v1/clients/second-operator/revoke", headers=headers | key())
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    assert (await gateway.http.get("/v1/clients", headers=second)).status_code == 401
    assert (await gateway.token("second-operator", made.json()["client_secret"])).status_code == 401
    again = await gateway.http.post("/v1/clients/second-operator/revoke", headers=headers | key())
    assert (again.status_code, again.json()["state"]) == (409, "revoked")
    assert (
        await gateway.http.post("/v1/clients/second-operator/rotate", headers=headers | key())
    ).status_code == 409
    listed = await gateway.http.get(
        "/oauth/revocations", headers=await gateway.bearer("service-cases")
    )
    assert listed.json()["clients"]["second-operator"] == pytest.approx(time.time(), abs=5)


async def test_nobody_becomes_one_of_our_own_processes_over_http(gateway: Gateway) -> None:
    headers = await gateway.bearer("operator")
    organisation = {"slug": "mine", "kind": "internal", "name": "Mine"}
    refused = await gateway.http.post(
        "/v1/organisations", json=organisation, headers=headers | key()
    )
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "reserved_kind")
    for client in (
        {"id": "mine", "organisation": "bamf", "scopes": ["internal"]},
        {"id": "mine", "organisation": "homeward", "scopes": ["timeline:read"]},
        {"id": "mine", "organisation": "unknown", "scopes": ["timeline:read"]},
    ):
        answer = await gateway.http.post("/v1/clients", json=client, headers=headers | key())
        assert answer.status_code == 422


@pytest.mark.parametrize("action", ["rotate", "revoke"])
@pytest.mark.parametrize("client", ["service-cases", "operator"])
async def test_nobody_is_given_the_secret_of_one_of_our_own_processes(
    gateway: Gateway, client: str, action: str
) -> None:
    headers = await gateway.bearer("operator")
    answer = await gateway.http.post(f"/v1/clients/{client}/{action}", headers=headers | key())
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert (await gateway.token(client)).status_code == 200


def test_no_organisation_of_a_programme_may_register_clients_of_others() -> None:
    assert not [kind for kind, scopes in SCOPES.items() if Scope.ORGANISATIONS_MANAGE in scopes]


async def test_setting_up_again_keeps_a_rotated_secret(gateway: Gateway) -> None:
    headers = await gateway.bearer("operator")
    rotated = await gateway.http.post("/v1/clients/bamf/rotate", headers=headers | key())
    async with gateway.database.transaction() as session:
        await ensure_client(session, "bamf", "bamf", SECRET, ["timeline:read"])
    assert (await gateway.token("bamf", rotated.json()["client_secret"])).status_code == 200
    assert (await gateway.token("bamf")).json()["scope"] == "timeline:read"


async def test_too_many_attempts_from_one_address_are_refused(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.identity.service.matches", never)
    answers = [await gateway.token("bamf", "guess") for _ in range(TOKENS_PER_MINUTE - 20)]
    assert {answer.status_code for answer in answers} == {401}
    limited = [await gateway.token("bamf", "guess") for _ in range(30)][-1]
    assert limited.status_code == 429
    assert 1 <= int(limited.headers["retry-after"]) <= 60
    assert limited.json()["type"] == "/problems/too-many-requests"


async def test_an_office_is_given_another_programme_with_its_next_token(gateway: Gateway) -> None:
    operator, path = await gateway.bearer("operator"), "/v1/organisations/office"
    etag = (await gateway.http.get(path, headers=operator)).headers["etag"]
    body = {"programmes": ["eurp", "amif-be-2018"]}
    assert (await gateway.http.patch(path, json=body, headers=operator)).status_code == 428
    changed = await gateway.http.patch(path, json=body, headers=operator | {"If-Match": etag})
    assert (changed.status_code, changed.json()["programmes"]) == (200, body["programmes"])
    assert changed.headers["etag"] != etag
    assert (
        await gateway.http.patch(path, json=body, headers=operator | {"If-Match": etag})
    ).status_code == 412
    claims = jwt.decode(
        (await gateway.token("office")).json()["access_token"], options={"verify_signature": False}
    )
    assert claims["programmes"] == body["programmes"]
    for other, status in (("bamf", 422), ("homeward", 403)):
        answer = await gateway.http.patch(
            f"/v1/organisations/{other}", json=body, headers=operator | {"If-Match": '"1"'}
        )
        assert answer.status_code == status


async def test_only_what_ends_tls_in_front_of_us_says_who_calls(gateway: Gateway) -> None:
    async def tell(scope: Any, _: Any, send: Any) -> None:
        await JSONResponse(scope["client"][0])(scope, _, send)

    given = tokens.settings("postgresql://unused", trusted_proxies="127.0.0.1,10.0.0.0/8")
    config = http_config(tell, given)
    config.load()
    for address, who in (("10.1.2.3", "198.51.100.7"), ("192.0.2.1", "192.0.2.1")):
        transport = httpx.ASGITransport(config.loaded_app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
            answer = await http.get("/", headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.7"})
        assert answer.json() == who


async def never(*_: object) -> bool:
    return False


async def test_who_waits_for_a_secret_to_be_compared_holds_no_connection(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    async def compare(*_: object) -> bool:
        pool = gateway.database.engine.pool
        assert isinstance(pool, QueuePool)
        held.append(pool.checkedout())
        return True

    monkeypatch.setattr("gateway.identity.service.matches", compare)
    monkeypatch.setattr("gateway.app.REVOCATIONS_EVERY_SECONDS", 60)
    assert (await gateway.token("bamf", "x")).status_code == 200
    assert held == [0]


async def test_a_time_that_nothing_can_have_is_refused(gateway: Gateway) -> None:
    headers = await gateway.bearer("operator")
    for resource in ("clients", "organisations"):
        for time_ in (
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "2026-01-01T00:00:00",
        ):
            answer = await gateway.http.get(
                f"/v1/{resource}", params={"updated_since": time_}, headers=headers
            )
            assert answer.status_code == 422, time_


async def test_a_client_is_limited_and_no_other_with_it(new_database: NewDatabase) -> None:
    database = await new_database("gateway")
    async with Running(database.url, requests_per_minute=5) as made:
        tokens.trust(made.here)
        mine, other = (tokens.bearer("bamf", "referrer", client_id=name) for name in ("one", "two"))
        statuses = [
            (await made.http.get("/v1/clients", headers=mine)).status_code for _ in range(7)
        ]
        assert statuses == [403] * 5 + [429] * 2
        assert (await made.http.get("/v1/clients", headers=other)).status_code == 403
        internal = tokens.bearer("homeward", "internal", "internal", client_id="service-cases")
        assert {
            (await made.http.get("/oauth/revocations", headers=internal)).status_code
            for _ in range(7)
        } == {200}
        assert {(await made.http.get("/health/live")).status_code for _ in range(7)} == {200}


def test_the_window_slides() -> None:
    window = Window()
    assert [window.hit("a", 4, 30.0) for _ in range(4)] == [0.0] * 4
    assert window.hit("a", 4, 45.0) == 15.0
    assert window.hit("a", 4, 61.0) > 0
    assert window.hit("a", 4, 76.0) == 0.0
    assert window.hit("b", 4, 76.0) == 0.0
    wait = window.hit("a", 4, 76.0)
    assert window.hit("a", 4, 76.0 + wait + 0.01) == 0.0
    assert window.hit("a", 4, 300.0) == 0.0


def test_the_key_file_may_hold_the_next_key_too(tmp_path: Path) -> None:
    def pem(private: ec.EllipticCurvePrivateKey) -> str:
        return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    first, second = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "keys.pem"
    path.write_text(pem(first) + pem(second))
    settings = tokens.settings("postgresql://localhost/none", signing_key_file=path)
    keys = signing_keys(settings)
    assert keys[0].private.private_numbers() == first.private_numbers()
    assert [k["kid"] for k in jwks(settings)["keys"]] == [k.id for k in keys]
    (tmp_path / "wrong.pem").write_text(pem(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(ValueError, match="P-256"):
        signing_keys(
            tokens.settings("postgresql://localhost/none", signing_key_file=tmp_path / "wrong.pem")
        )


def test_production_needs_a_key_file() -> None:
    settings = tokens.settings("postgresql://localhost/none")
    with pytest.raises(ValueError, match="SIGNING_KEY_FILE"):
        signing_keys(settings.model_copy(update={"environment": "production"}))


async def test_polling_of_revocations_survives_a_statement_that_was_given_up(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [
        DBAPIError("SELECT", None, Exception("canceling statement due to statement timeout"))
    ]
    again = asyncio.Event()

    async def read(_: object) -> dict[str, float]:
        if failures:
            raise failures.pop()
        again.set()
        return {}

    monkeypatch.setattr("gateway.app.revocations", read)
    monkeypatch.setattr("gateway.app.REVOCATIONS_EVERY_SECONDS", 0.01)
    polling = asyncio.create_task(poll_revocations(gateway.here))
    async with asyncio.timeout(5):
        await again.wait()
    polling.cancel()
