"""Tokens for tests: signed by a key of the tests' own, which the application under test is given as
the issuer's.
"""

import base64
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from pydantic import SecretStr

from chassis.app import Homeward
from chassis.auth import Authenticator
from chassis.settings import Settings

KEY = ec.generate_private_key(ec.SECP256R1())
KEY_ID = "tests"
ISSUER = "http://issuer.test"
LIFETIME = 86_400
"""Seconds. Modules make tokens when they are collected, and a whole run may take long."""


async def fetch_keys(_: str) -> dict[str, Any]:
    """The JWKS document of the tests' issuer."""
    key = json.loads(ECAlgorithm.to_jwk(KEY.public_key()))
    return {"keys": [key | {"kid": KEY_ID, "alg": "ES256", "use": "sig"}]}


def token(
    organisation: str = "iom-iraq",
    kind: str = "partner",
    scopes: str = "",
    *,
    person: str | None = None,
    programmes: tuple[str, ...] = (),
    client_id: str | None = None,
    **claims: Any,
) -> str:
    """A signed token; `claims` replace or, when None, remove its claims."""
    now = int(time.time())
    content = {
        "iss": ISSUER,
        "aud": "homeward",
        "iat": now,
        "exp": now + LIFETIME,
        "sub": client_id or f"{organisation}-client",
        "client_id": client_id or f"{organisation}-client",
        "org": organisation,
        "org_kind": kind,
        "scope": scopes,
        "programmes": list(programmes),
    }
    if person is not None:
        content["act"] = {"sub": person}
    content |= claims
    content = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(content, KEY, algorithm="ES256", headers={"kid": KEY_ID})


def bearer(*args: Any, **kwargs: Any) -> dict[str, str]:
    """The Authorization header with such a token."""
    return {"Authorization": f"Bearer {token(*args, **kwargs)}"}


def settings(database_url: str, **values: Any) -> Settings:
    """Settings of an application under test."""
    defaults: dict[str, Any] = {
        "database_url": SecretStr(database_url),
        "issuer": ISSUER,
        "kafka_fetch_wait_ms": 20,
        "encryption_keys": (SecretStr(base64.b64encode(b"k" * 32).decode()),),
        "matching_key": SecretStr(base64.b64encode(b"m" * 32).decode()),
        "audit_key": SecretStr("dev-audit-key-of-the-tests"),
        "client_id": "service-under-test",
        "client_secret": SecretStr("dev-secret"),
    }
    return Settings(**(defaults | values))


def trust(homeward: Homeward) -> None:
    """Let an application accept the tests' tokens."""
    homeward.authenticator = Authenticator(homeward.settings, fetch_keys)
