"""What a process is told from outside: one class of settings for every role, read from
`HOMEWARD_*`.
"""

import base64
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEVELOPMENT_KEY_PREFIX = "dev-"
KEY_BYTES = 32


class Represented(BaseModel):
    """What an organisation is and may do here whose tokens an external OpenID provider signs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["referrer", "partner", "training_provider", "programme_office"]
    programmes: tuple[str, ...] = ()
    """Of a programme office."""
    scopes: frozenset[str]
    """The most that a token may have; `internal` is worth nothing."""


class Settings(BaseSettings):
    """Settings of a process. Every field is the environment variable `HOMEWARD_<NAME>`.

    Raises:
        pydantic.ValidationError: A value is missing or wrong, or production was given a development
        key.
    """

    model_config = SettingsConfigDict(env_prefix="HOMEWARD_", extra="ignore", frozen=True)

    environment: Literal["development", "production"] = "development"
    """`production` refuses development keys, plain-text secrets that ship with the code and http
    issuers.
    """

    host: str = "127.0.0.1"
    port: int = 8080

    database_url: SecretStr
    """The service's own database as its least-privilege role:
    `postgresql://user:password@host:port/name`.
    """
    migration_database_url: SecretStr | None = None
    """The same database as the role that owns the tables; only `homeward migrate` uses it."""
    database_pool_size: int = 10

    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: Path | None = None
    kafka_partitions: int = Field(default=6, ge=1)
    """Partitions of a topic when it is created. Never changed afterwards: the key decides the
    partition.
    """
    kafka_replication: int = Field(default=1, ge=1)
    kafka_fetch_wait_ms: int = Field(default=500, ge=1)
    """How long the broker holds a fetch while nothing arrives."""

    gateway_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8080")
    cases_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8081")
    reception_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8082")
    grants_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8083")
    training_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8084")

    issuer: str = "http://127.0.0.1:8080"
    """`iss` of the tokens that the gateway issues."""
    audience: str = "homeward"
    oidc_issuer: str | None = None
    """An external OpenID provider whose tokens are accepted beside the gateway's own."""
    oidc_organisations: dict[str, Represented] = Field(default_factory=dict)
    """The organisations that it speaks for: `{"iom-iraq": {"kind": "partner", "scopes":
    ["cases:read"]}}`. A token that names another one is refused; what it says of kind and
    programmes does not count, and no scope beyond these.
    """
    jwks_url: AnyHttpUrl | None = None
    """Where the keys of the issuer are; the gateway's `/.well-known/jwks.json` when empty."""

    client_id: str | None = None
    """The process's own client, for calls to other services (identity, feed)."""
    client_secret: SecretStr | None = None

    encryption_keys: tuple[SecretStr, ...] = ()
    """Keys for stored answers and identity copies, newest first: 32 bytes each, base64. Old ones
    still decrypt.
    """
    matching_key: SecretStr | None = None
    """Key of the marks by which cases and reception find that they mean the same person: 32 bytes,
    base64; the same in both. After a change of it, who is expected already is found in manifests
    once they are fetched again.
    """
    audit_key: SecretStr | None = None
    """Key of the seal over the audit trail, base64: who can write the database cannot forge the
    seal without it.
    """
    signing_key_file: Path | None = None
    """The gateway's private key for tokens (PEM, EC P-256)."""

    idempotency_retention_hours: int = Field(default=72, ge=1)
    requests_per_minute: int = Field(default=1200, ge=1)
    """Rate limit of a client at one gateway process."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses or networks, with commas between, of what ends TLS in front of the gateway. Only
    its `X-Forwarded-For` says who calls; without it all callers share one address, and the limit
    of attempts to get a token.
    """
    streams_per_client: int = Field(default=20, ge=1)
    """Streams that a client may have open at one process."""
    max_body_bytes: int = Field(default=1024 * 1024, ge=1)
    """A request's body at most, where its route does not say that it takes more, as for files and
    batches.
    """
    documents_url: str | None = None
    """Where uploaded documents are kept: `file:///folder`, or `s3://bucket/prefix` with the usual
    AWS_* variables.
    """
    document_scan_command: str | None = None
    """A virus scanner that reads a document on its standard input and ends with 0 (clean) or 1
    (infected): `clamdscan --no-summary -`. Without one, documents are marked as not scanned.
    """

    programmes_path: Path = Path(__file__).resolve().parent.parent / "programmes"

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def production_has_its_own_keys(self) -> Self:
        """Refuse to start in production on keys that anybody could know."""
        if self.environment != "production":
            return self
        problems = self._weak_keys() + self._open_ways()
        if problems:
            raise ValueError("production refuses to start: " + "; ".join(problems))
        return self

    def _weak_keys(self) -> list[str]:
        problems: list[str] = []
        if not self.encryption_keys:
            problems.append("HOMEWARD_ENCRYPTION_KEYS is empty")
        for name, values in (
            ("HOMEWARD_ENCRYPTION_KEYS", self.encryption_keys),
            ("HOMEWARD_AUDIT_KEY", (self.audit_key,)),
            ("HOMEWARD_CLIENT_SECRET", (self.client_secret,)),
            # Only some services need it, and those do not start without.
            ("HOMEWARD_MATCHING_KEY", (self.matching_key,) if self.matching_key else ()),
        ):
            problems += _weaknesses(name, values)
        if self.audit_key and not problems and len(decoded(self.audit_key)) < KEY_BYTES:
            problems.append(f"HOMEWARD_AUDIT_KEY must be at least {KEY_BYTES} bytes in base64")
        return problems

    def _open_ways(self) -> list[str]:
        issuers = (("HOMEWARD_ISSUER", self.issuer), ("HOMEWARD_OIDC_ISSUER", self.oidc_issuer))
        problems = [
            f"{name} must be an https address"
            for name, url in issuers
            if url and not url.startswith("https://")
        ]
        if self.kafka_security_protocol == "SASL_PLAINTEXT":
            problems.append("HOMEWARD_KAFKA_SECURITY_PROTOCOL would send the password in the clear")
        return problems

    @cached_property
    def sqlalchemy_url(self) -> str:
        """`database_url` for SQLAlchemy's asyncpg driver."""
        return async_url(self.database_url.get_secret_value())

    def service_url(self, service: str) -> str:
        """Base address of a service or of the gateway, without a trailing slash."""
        return str(getattr(self, f"{service}_url")).rstrip("/")


def decoded(key: SecretStr) -> bytes:
    """The bytes of a key in base64; none if it is not base64."""
    try:
        return base64.b64decode(key.get_secret_value(), validate=True)
    except ValueError:
        return b""


def async_url(url: str) -> str:
    """Give a `postgresql://` address SQLAlchemy's asyncpg driver."""
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


def _weaknesses(name: str, values: Sequence[SecretStr | None]) -> list[str]:
    """What is wrong with secrets of a setting, without one of them."""
    secrets = [value.get_secret_value() if value else "" for value in values]
    if not all(secrets):
        return [f"{name} is not set"]
    if any(secret.startswith(DEVELOPMENT_KEY_PREFIX) for secret in secrets):
        return [f"{name} is a development key"]
    return []
