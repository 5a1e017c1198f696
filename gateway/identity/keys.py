"""The keys that the gateway signs tokens with."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode

from chassis.auth import FetchKeys, fetch_keys_over_http
from chassis.db import Database
from chassis.settings import Settings

PEM = re.compile(r"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)
JWKS_PATH = "/.well-known/jwks.json"


@dataclass(frozen=True)
class SigningKey:
    """A private key and the id under which its public half is published."""

    id: str
    private: ec.EllipticCurvePrivateKey

    @classmethod
    def of(cls, private: ec.EllipticCurvePrivateKey) -> "SigningKey":
        """The key with its RFC 7638 thumbprint as id."""
        public = json.loads(ECAlgorithm.to_jwk(private.public_key()))
        members = json.dumps(
            {name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":")
        )
        digest = hashes.Hash(hashes.SHA256())
        digest.update(members.encode())
        return cls(base64url_encode(digest.finalize()).decode(), private)

    @property
    def public(self) -> dict[str, Any]:
        """The public half as a JWK."""
        jwk: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(self.private.public_key()))
        return jwk | {"kid": self.id, "alg": "ES256", "use": "sig"}


def signing_keys(settings: Settings) -> tuple[SigningKey, ...]:
    """The keys of the settings: the first signs, all are published, so that a key can be changed
    without an outage.

    Raises:
        ValueError: Production without a key file, or a file without an EC P-256 key.
        OSError: The file cannot be read.
    """
    if settings.signing_key_file is not None:
        return _read(settings.signing_key_file)
    if settings.environment == "production":
        raise ValueError("production refuses to start: HOMEWARD_SIGNING_KEY_FILE is not set")
    return _of_this_process()


@lru_cache
def _read(path: Path) -> tuple[SigningKey, ...]:
    keys = [
        load_pem_private_key(block.encode(), password=None)
        for block in PEM.findall(path.read_text())
    ]
    curves = [
        key
        for key in keys
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"
    ]
    if not keys or len(curves) != len(keys):
        raise ValueError("HOMEWARD_SIGNING_KEY_FILE must hold EC P-256 private keys (PEM)")
    return tuple(SigningKey.of(key) for key in curves)


@lru_cache
def _of_this_process() -> tuple[SigningKey, ...]:
    """A key that lives as long as the process: for development without a key file."""
    return (SigningKey.of(ec.generate_private_key(ec.SECP256R1())),)


def jwks(settings: Settings) -> dict[str, Any]:
    """The JWKS document."""
    return {"keys": [key.public for key in signing_keys(settings)]}


def fetch_keys(settings: Settings, _: Database) -> FetchKeys:
    """How the gateway gets keys: its own without HTTP, those of an external OpenID provider over
    it.
    """
    document = jwks(settings)
    own = str(settings.jwks_url or settings.service_url("gateway") + JWKS_PATH)

    async def fetch(url: str) -> dict[str, Any]:
        return document if url == own else await fetch_keys_over_http(url)

    return fetch
