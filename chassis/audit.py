"""The audit trail: who changed what and who read whose identity, sealed so that tampering shows.

A row is written in the transaction of what it records, and waits for nobody. A job seals the rows
that have arrived since: a keyed digest over them and over the seal before. Whoever can write the
database but does not have the key cannot change or remove a sealed row without `homeward audit
verify` saying so. The newest seal also goes to the log, so that cutting off the end shows too.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from pydantic import SecretStr
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from chassis.auth import Caller
from chassis.db import Session, before_commit, metadata, now
from chassis.jobs import JobKind, Payload
from chassis.settings import DEVELOPMENT_KEY_PREFIX

SEAL_EVERY = timedelta(seconds=2)
SEAL_AT_MOST = 5000
LATE = timedelta(hours=1)
"""A transaction may commit an audit row this long after the row's time; afterwards it would stay
unsealed and show.
"""
SEAL_LOCK = 0x5EA1

log = structlog.get_logger("homeward.audit")

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=now()),
    Column("request_id", Text),
    Column("client_id", Text, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("person", Text),
    Column("action", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column(
        "details", JSONB, nullable=False, comment="codes and ids, never what identifies a person"
    ),
    Index("ix_audit_resource", "resource", "resource_id", "at"),
    Index("ix_audit_at", "at"),
)
audit_seal = Table(
    "audit_seal",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed_at", DateTime(timezone=True), nullable=False, server_default=now()),
    Column("digest", LargeBinary, nullable=False),
)
audit_sealed = Table(
    "audit_sealed",
    metadata,
    Column("audit_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False, index=True),
)


def record(
    session: Session,
    caller: Caller,
    action: str,
    resource: str,
    resource_id: object,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Note a change, or the reading of an identity, in the same transaction.

    Args:
        session: The session.
        caller: Who did it.
        action: What was done: `accept`, `read-identity`, ...
        resource: To what kind of thing.
        resource_id: Its id.
        details: Codes and ids; never what identifies a person.
    """
    rows: list[dict[str, Any]] = session.info.setdefault("audit", [])
    rows.append(
        {
            "request_id": structlog.contextvars.get_contextvars().get("request_id"),
            "client_id": caller.client_id,
            "organisation": caller.organisation,
            "person": caller.person,
            "action": action,
            "resource": resource,
            "resource_id": str(resource_id),
            "details": dict(details or {}),
        }
    )
    before_commit(session, "audit", _write)


async def _write(session: Session) -> None:
    rows = session.info.pop("audit", [])
    if rows:
        await session.execute(insert(audit), rows)


def _canonical(row: Row[Any]) -> bytes:
    values = row._asdict()
    values["at"] = row.at.isoformat()
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(key: bytes, previous: bytes, rows: list[Row[Any]]) -> bytes:
    chain = hmac.new(key, previous, hashlib.sha256)
    for row in rows:
        content = _canonical(row)
        chain.update(len(content).to_bytes(8, "big") + content)
    return chain.digest()


def audit_key(secret: SecretStr) -> bytes:
    """The sealing key from the settings: base64, or in development any words after `dev-`."""
    value = secret.get_secret_value()
    return (
        value.encode()
        if value.startswith(DEVELOPMENT_KEY_PREFIX)
        else base64.b64decode(value, validate=True)
    )


async def seal(session: Session, key: bytes) -> int:
    """Seal what has arrived since, after an outage in several seals; how many rows."""
    await session.execute(select(func.pg_advisory_xact_lock(SEAL_LOCK)))
    last = (
        await session.execute(select(audit_seal).order_by(audit_seal.c.number.desc()).limit(1))
    ).first()
    waiting = (
        select(audit)
        .outerjoin(audit_sealed, audit_sealed.c.audit_id == audit.c.id)
        .where(audit_sealed.c.audit_id.is_(None))
        .order_by(audit.c.id)
        .limit(SEAL_AT_MOST)
    )
    if last is not None:
        waiting = waiting.where(audit.c.at > last.sealed_at - LATE)
    number, previous = (last.number, last.digest) if last else (0, b"")
    sealed = 0
    while rows := list(await session.execute(waiting)):
        number, previous = number + 1, _digest(key, previous, rows)
        await session.execute(insert(audit_seal).values(number=number, digest=previous))
        await session.execute(
            insert(audit_sealed), [{"audit_id": row.id, "number": number} for row in rows]
        )
        log.info("audit sealed", number=number, rows=len(rows), digest=previous.hex())
        sealed += len(rows)
    return sealed


@dataclass
class Verdict:
    """What `verify` found."""

    rows: int = 0
    seals: int = 0
    newest: str | None = None
    """Hex digest of the newest seal; compare it with the log."""
    problems: list[str] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """Whether nothing was changed, removed or left unsealed."""
        return not self.problems


async def verify(session: Session, key: bytes) -> Verdict:
    """Recompute every seal from the rows as they are now."""
    verdict, previous = Verdict(), b""
    seals = (await session.execute(select(audit_seal).order_by(audit_seal.c.number))).all()
    for expected, sealed in enumerate(seals, start=1):
        if sealed.number != expected:
            verdict.problems.append(f"seal {expected} is missing")
            break
        of_seal = (
            select(audit)
            .join(audit_sealed, audit_sealed.c.audit_id == audit.c.id)
            .where(audit_sealed.c.number == sealed.number)
            .order_by(audit.c.id)
        )
        rows = list(await session.execute(of_seal))
        if not hmac.compare_digest(_digest(key, previous, rows), sealed.digest):
            span = f"{rows[0].id} to {rows[-1].id}" if rows else "none left"
            verdict.problems.append(
                f"seal {sealed.number} does not hold: a row was changed or removed ({span})"
            )
        previous = sealed.digest
        verdict.rows += len(rows)
        verdict.seals += 1
    verdict.newest = previous.hex() if previous else None
    late = (
        select(func.count())
        .select_from(audit)
        .outerjoin(audit_sealed, audit_sealed.c.audit_id == audit.c.id)
        .where(audit_sealed.c.audit_id.is_(None), audit.c.at < now() - LATE)
    )
    unsealed = (await session.execute(late)).scalar_one()
    if unsealed:
        verdict.problems.append(f"{unsealed} rows older than an hour are not sealed")
    return verdict


def seal_job(key: bytes) -> JobKind:
    """The periodic job that seals."""

    async def apply(session: Session, _: Payload, __: Any) -> None:
        await seal(session, key)

    return JobKind("audit.seal", apply, every=SEAL_EVERY)
