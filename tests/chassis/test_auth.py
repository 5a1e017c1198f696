"""Who is calling, and to whom they may be shown."""

import asyncio
import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr, ValidationError
from sqlalchemy import literal, select

from chassis.app import create_app
from chassis.auth import Authenticator, Caller, KeySet, OrganisationKind
from chassis.errors import BAD_GATEWAY, Problem
from chassis.settings import Settings
from cli.roles import ROLES
from contracts.codes import actor_id
from participation.access import Role, grant, revoke, roles_of, visible
from tests.chassis.probe import Probe
from tests.tokens import ISSUER, bearer, fetch_keys, settings, token

READ = "notes:read"
SPOKEN_FOR = {"iom-iraq": {"kind": "partner", "scopes": [READ]}}


async def read(probe: Probe, authorization: dict[str, str]) -> httpx.Response:
    return await probe.http.get("/v1/notes", headers=authorization)


class TestToken:
    async def test_good_one(self, probe: Probe) -> None:
        assert (await read(probe, bearer(scopes=READ))).status_code == 200

    @pytest.mark.parametrize(
        "claims",
        [
            {"exp": int(time.time()) - 60},
            {"aud": "somebody-else"},
            {"iss": "http://elsewhere.test"},
            {"exp": None},
            {"iat": None},
            {"aud": None},
            {"org": None},
            {"org_kind": "king"},
        ],
    )
    async def test_claims_that_do_not_hold(self, probe: Probe, claims: dict[str, Any]) -> None:
        answer = await read(probe, bearer(scopes=READ, **claims))
        assert answer.status_code == 401
        assert answer.json()["type"] == "/problems/unauthenticated"
        assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("issuer", [["a"], {"a": 1}, 7])
    async def test_an_issuer_that_is_no_name(self, probe: Probe, issuer: Any) -> None:
        parts = [{"alg": "ES256", "kid": "tests"}, {"iss": issuer}]
        head, claims = (
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in parts
        )
        assert (
            await read(probe, {"Authorization": f"Bearer {head}.{claims}.AAAA"})
        ).status_code == 401

    @pytest.mark.parametrize("person", ["zaynab@partner.example", "Zaynab Al-Example", "x" * 65])
    async def test_a_person_who_is_not_opaque(self, probe: Probe, person: str) -> None:
        assert (await read(probe, bearer(scopes=READ, person=person))).status_code == 401
        assert (await read(probe, bearer(scopes=READ, act=person))).status_code == 401
        assert (await read(probe, bearer(scopes=READ, act="u-17"))).status_code == 200

    @pytest.mark.parametrize(
        "header", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer x.y.z"}]
    )
    async def test_no_token(self, probe: Probe, header: dict[str, str]) -> None:
        assert (await read(probe, header)).status_code == 401

    async def test_signature_of_another_key(self, probe: Probe) -> None:
        claims = jwt.decode(token(scopes=READ), options={"verify_signature": False})
        forged = jwt.encode(
            claims, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": "tests"}
        )
        assert (await read(probe, {"Authorization": f"Bearer {forged}"})).status_code == 401

    @pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
    async def test_symmetric_and_unsigned_algorithms(self, probe: Probe) -> None:
        claims = jwt.decode(token(scopes=READ), options={"verify_signature": False})
        shared = jwt.encode(claims, "x" * 32, "HS256", headers={"kid": "tests"})
        none = jwt.encode(claims, None, "none", headers={"kid": "tests"})
        for forged in (shared, none):
            assert (await read(probe, {"Authorization": f"Bearer {forged}"})).status_code == 401

    async def test_missing_scope_is_named(self, probe: Probe) -> None:
        answer = await read(probe, bearer(scopes="notes:write"))
        assert (answer.status_code, answer.json()["scope"]) == (403, READ)

    async def test_revoked_client(self, probe: Probe) -> None:
        revocations = probe.homeward.authenticator.revocations
        revocations.replace({"gone": time.time() + 1})
        assert (await read(probe, bearer(scopes=READ, client_id="gone"))).status_code == 401
        assert (await read(probe, bearer(scopes=READ, client_id="here"))).status_code == 200
        revocations.replace({})

    async def test_who_signed_in_is_nobody_else(self, probe: Probe) -> None:
        signed_in = bearer(scopes=f"{READ} act-for-users", person="u-1")
        answers = {
            name: await read(probe, signed_in | {"Homeward-Actor": name}) for name in ("u-1", "u-2")
        }
        assert {name: answer.status_code for name, answer in answers.items()} == {
            "u-1": 200,
            "u-2": 403,
        }

    async def test_a_person_is_the_same_in_any_spelling(self, probe: Probe) -> None:
        signed_in = bearer(scopes=f"{READ} act-for-users", person="Finance-4")
        answer = await read(probe, signed_in | {"Homeward-Actor": "finance-4"})
        assert answer.status_code == 200
        assert actor_id("iom-iraq", "BM-FOCAL") == actor_id("iom-iraq", "bm-focal")
        assert actor_id("iom-iraq", "bm-focal") != actor_id("iom-iraq", "bm-focal-2")

    async def test_external_provider_beside_our_own(self, probe: Probe) -> None:
        asked: list[str] = []
        found = {
            "http://people.test/.well-known/openid-configuration": {
                "issuer": "http://people.test",
                "jwks_uri": "http://people.test/protocol/certs",
            },
            "http://people.test/protocol/certs": await fetch_keys(""),
            "http://127.0.0.1:8080/.well-known/jwks.json": await fetch_keys(""),
        }

        async def keys(url: str) -> dict[str, Any]:
            asked.append(url)
            return found[url]

        before = probe.homeward.authenticator
        given = settings(
            "postgresql://unused", oidc_issuer="http://people.test", oidc_organisations=SPOKEN_FOR
        )
        probe.homeward.authenticator = Authenticator(given, keys)
        try:
            answers = [
                await read(probe, bearer(scopes=READ, iss=issuer))
                for issuer in ("http://people.test", ISSUER)
            ]
            for stranger in ("goal", "homeward", ["iom-iraq"], None):
                answer = await read(
                    probe, bearer(scopes=READ, iss="http://people.test", org=stranger)
                )
                assert answer.status_code == 401, stranger
        finally:
            probe.homeward.authenticator = before
        assert [answer.status_code for answer in answers] == [200, 200]
        assert asked == list(found)

    @pytest.mark.parametrize("kind", ["programme_office", "internal", None, ["partner"]])
    @pytest.mark.parametrize("programmes", [["eurp", "amif-be-2018"], "eurp", None, 7])
    async def test_a_provider_does_not_say_what_an_organisation_is(
        self, kind: Any, programmes: Any
    ) -> None:
        given = settings(
            "postgresql://unused", oidc_issuer="http://people.test", oidc_organisations=SPOKEN_FOR
        )
        theirs = jwt.decode(token(iss="http://people.test"), options={"verify_signature": False})
        theirs |= {
            "org_kind": kind,
            "programmes": programmes,
            "scope": f"{READ} internal organisations:manage",
        }
        caller = Authenticator(given, fetch_keys)._caller(theirs)
        assert (caller.organisation, caller.kind, caller.programmes) == ("iom-iraq", "partner", ())
        assert caller.scopes == {READ}

    async def test_keys_that_cannot_be_fetched_are_our_trouble_not_the_callers(
        self, probe: Probe
    ) -> None:
        async def nothing(_: str) -> dict[str, Any]:
            raise httpx.ConnectError("down")

        before = probe.homeward.authenticator
        probe.homeward.authenticator = Authenticator(settings("postgresql://unused"), nothing)
        try:
            answer = await read(probe, bearer(scopes=READ))
        finally:
            probe.homeward.authenticator = before
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")

    async def test_public_route_needs_none(self, probe: Probe) -> None:
        assert (await probe.http.get("/v1/notes/open/door")).status_code == 200


class TestProduction:
    def test_refuses_development_keys(self) -> None:
        with pytest.raises(ValidationError, match="HOMEWARD_AUDIT_KEY is a development key"):
            settings("postgresql://x", environment="production", issuer="https://gateway.example")

    @pytest.mark.parametrize(
        ("missing", "says"),
        [
            ({"encryption_keys": ()}, "HOMEWARD_ENCRYPTION_KEYS is empty"),
            ({"audit_key": None}, "HOMEWARD_AUDIT_KEY is not set"),
            ({"audit_key": SecretStr("")}, "HOMEWARD_AUDIT_KEY is not set"),
            (
                {"audit_key": SecretStr("c2hvcnQ=")},
                "HOMEWARD_AUDIT_KEY must be at least 32 bytes in base64",
            ),
            (
                {"audit_key": SecretStr("no base64")},
                "HOMEWARD_AUDIT_KEY must be at least 32 bytes in base64",
            ),
            ({"client_secret": SecretStr("")}, "HOMEWARD_CLIENT_SECRET is not set"),
            ({"client_secret": SecretStr("dev-1")}, "HOMEWARD_CLIENT_SECRET is a development key"),
            ({"matching_key": SecretStr("dev-1")}, "HOMEWARD_MATCHING_KEY is a development key"),
            ({"issuer": "http://gateway.example"}, "HOMEWARD_ISSUER must be an https address"),
            ({"kafka_security_protocol": "SASL_PLAINTEXT"}, "would send the password in the clear"),
        ],
    )
    def test_refuses(self, missing: dict[str, Any], says: str) -> None:
        with pytest.raises(ValidationError, match=says):
            production(**missing)

    def test_starts_on_its_own_keys(self) -> None:
        assert production().environment == "production"

    @pytest.mark.parametrize("role", ["cases", "reception"])
    def test_a_service_does_not_start_without_the_key_that_it_matches_by(self, role: str) -> None:
        with pytest.raises(ValueError, match=f"{role} needs HOMEWARD_MATCHING_KEY"):
            create_app(ROLES[role].service(), production(matching_key=None))


def production(**values: Any) -> Settings:
    good = {
        "environment": "production",
        "issuer": "https://gateway.example",
        "audit_key": SecretStr("A" * 43 + "="),
        "client_secret": SecretStr("c2VjcmV0"),
    }
    return settings("postgresql://x", **(good | values))


def caller(organisation: str, kind: OrganisationKind, *programmes: str, scopes: str = "") -> Caller:
    return Caller("client", organisation, kind, frozenset(scopes.split()), programmes)


class TestParticipation:
    async def test_who_sees_whom(self, probe: Probe) -> None:
        person, stranger = uuid4(), uuid4()
        partner = caller("partner-a", OrganisationKind.PARTNER)
        shared = caller("partner-b", OrganisationKind.PARTNER)
        ended = caller("partner-c", OrganisationKind.PARTNER)
        referrer = caller("referrer-a", OrganisationKind.REFERRER)
        office = caller("office", OrganisationKind.PROGRAMME_OFFICE, "eurp")
        other_office = caller("office-2", OrganisationKind.PROGRAMME_OFFICE, "another")
        imposter = caller("eurp", OrganisationKind.PARTNER)
        service = caller("homeward", OrganisationKind.INTERNAL, scopes="internal")
        unscoped = caller("homeward", OrganisationKind.INTERNAL)
        soon = datetime.now(UTC) + timedelta(minutes=5)
        async with probe.homeward.database.transaction() as session:
            await grant(session, [person], Role.PARTNER, "partner-a")
            await grant(session, [person], Role.PARTNER, "partner-b", until=soon)
            await grant(
                session,
                [person],
                Role.PARTNER,
                "partner-c",
                until=datetime.now(UTC) - timedelta(seconds=1),
            )
            await grant(session, [person], Role.REFERRER, "referrer-a")
            await grant(session, [person], Role.PROGRAMME, "eurp")
        async with probe.homeward.database.transaction() as session:

            async def sees(who: Caller, whom: Any) -> bool:
                return bool(await session.scalar(select(visible(literal(whom), who))))

            assert [
                await sees(who, person)
                for who in (
                    partner,
                    shared,
                    ended,
                    referrer,
                    office,
                    other_office,
                    imposter,
                    service,
                    unscoped,
                )
            ] == [True, True, False, True, True, False, False, True, False]
            assert not await sees(partner, stranger)
            assert await roles_of(session, person, partner) == {Role.PARTNER}
            assert await roles_of(session, person, office) == {Role.PROGRAMME}
            await revoke(session, person, Role.PARTNER, "partner-a")
            assert not await sees(partner, person)


class TestKeys:
    async def test_who_comes_while_they_are_fetched_waits(self) -> None:
        asked = 0

        async def fetch(url: str) -> dict[str, Any]:
            nonlocal asked
            asked += 1
            await asyncio.sleep(0.02)
            return await fetch_keys(url)

        keys = KeySet("http://issuer.test/jwks", fetch)
        found = await asyncio.gather(*(keys.get("tests") for _ in range(5)))
        assert all(found)
        assert asked == 1

    async def test_when_they_cannot_be_had_nobody_is_told_that_a_token_is_wrong(self) -> None:
        asked = 0

        async def fetch(_: str) -> dict[str, Any]:
            nonlocal asked
            asked += 1
            raise httpx.ConnectError("nobody there")

        keys = KeySet("http://issuer.test/jwks", fetch)
        answers = await asyncio.gather(
            *(keys.get("tests") for _ in range(5)), return_exceptions=True
        )
        assert [getattr(answer, "kind", None) for answer in answers] == [BAD_GATEWAY] * 5
        assert asked == 1


def test_the_internal_scope_is_worth_nothing_in_other_hands() -> None:
    partner = Caller("c", "iom-iraq", OrganisationKind.PARTNER, frozenset({"internal"}))
    with pytest.raises(Problem):
        partner.require("internal")


async def test_polling_of_revocations_survives_an_answer_that_is_none(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = [{"unexpected": True}, {"clients": {"gone": 7.0}}]
    again = asyncio.Event()

    async def get(*_: str) -> Any:
        if answers:
            return answers.pop(0)
        again.set()
        return {"clients": {}}

    monkeypatch.setattr(probe.homeward.client, "get", get)
    monkeypatch.setattr("chassis.app.REVOCATIONS_EVERY_SECONDS", 0.01)
    polling = asyncio.create_task(probe.homeward.poll_revocations())
    async with asyncio.timeout(2):
        await again.wait()
    polling.cancel()
