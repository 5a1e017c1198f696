"""Idempotency-Key: a request that is sent again gets the first answer, and its effect happens once.

The record is written in the request's own transaction. A concurrent twin waits for it on the
primary key; if the first attempt fails, nothing of it remains and the twin goes on.

An answer tells of people. With it is kept of whom, as far as the caller took part in their return
then; whoever takes no part any more is not told again, and what is erased is erased here too.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import Caller
from chassis.crypto import Keyring, NotDecryptable
from chassis.db import Session, metadata, now
from chassis.errors import ANSWER_LOST, IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_REUSED, Problem

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY_FORM = re.compile(r"[!-~]{1,255}")
KEPT_HEADERS = ("content-type", "etag", "location", "link")
UUID_FORM = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

TakesPartIn = Callable[[Session, Caller, Collection[UUID]], Awaitable[set[UUID]]]
"""Of some ids those of what the caller takes part in now; others are not people, or not theirs."""


async def nobody(_: Session, __: Caller, ___: Collection[UUID]) -> set[UUID]:
    """What takes the place of `TakesPartIn` in an application that tells of nobody."""
    return set()


idempotency = Table(
    "idempotency",
    metadata,
    Column("organisation", Text, primary_key=True),
    Column("client_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("headers", JSONB),
    Column(
        "body", LargeBinary, comment="encrypted; null while it is awaited, and once it is erased"
    ),
    Column(
        "subjects",
        ARRAY(Uuid),
        nullable=False,
        server_default=text("'{}'"),
        comment="of whom the answer tells, as far as the caller took part in their return",
    ),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_idempotency_expires_at", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One keyed request."""

    organisation: str
    client_id: str
    key: str
    fingerprint: bytes

    @property
    def context(self) -> str:
        """Where its answer is stored, for the encryption."""
        return f"idempotency/{self.organisation}/{self.client_id}/{self.key}"


def attempt_of(request: Request, caller: Caller, body: bytes) -> Attempt:
    """The keyed request.

    Raises:
        Problem: 400, the key is missing or malformed.
    """
    key = request.headers.get(HEADER, "")
    if not KEY_FORM.fullmatch(key):
        raise Problem(IDEMPOTENCY_KEY_REQUIRED)
    digest = hashlib.sha256()
    query = request.url.query
    for part in (
        request.method,
        request.url.path,
        query,
        caller.person or "",
        request.headers.get("if-match", ""),
    ):
        digest.update(part.encode() + b"\0")
    digest.update(body)
    return Attempt(caller.organisation, caller.client_id, key, digest.digest())


async def begin(
    session: Session,
    caller: Caller,
    attempt: Attempt,
    keyring: Keyring,
    *,
    keep: timedelta,
    takes_part_in: TakesPartIn = nobody,
) -> Response | None:
    """Claim the key, waiting for a twin that holds it.

    Returns:
        The stored answer if the request was answered before, else None: go on, then call `finish`.

    Raises:
        Problem: 422, the key was used for another request; 409, the answer was erased, cannot be
            decrypted any more, or tells of somebody in whose return the caller has no part now.
    """
    statement = insert(idempotency).values(
        organisation=attempt.organisation,
        client_id=attempt.client_id,
        key=attempt.key,
        fingerprint=attempt.fingerprint,
        expires_at=now() + keep,
    )
    claimed = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["organisation", "client_id", "key"],
            set_={
                "fingerprint": statement.excluded.fingerprint,
                "expires_at": statement.excluded.expires_at,
            },
            where=idempotency.c.expires_at < now(),
        ).returning(idempotency.c.key)
    )
    if claimed.first() is not None:
        return None
    row = (await session.execute(select(idempotency).where(*_is(attempt)))).one()
    if row.fingerprint != attempt.fingerprint:
        raise Problem(IDEMPOTENCY_KEY_REUSED)
    # It was done, so it is not done again; what was answered then is read by nobody any more.
    subjects = set(row.subjects)
    if row.body is None or subjects - await takes_part_in(session, caller, subjects):
        raise Problem(ANSWER_LOST)
    try:
        body = keyring.decrypt(row.body, attempt.context)
    except NotDecryptable:
        raise Problem(ANSWER_LOST) from None
    return Response(body, status_code=row.status, headers={**row.headers, REPLAYED: "true"})


async def finish(
    session: Session,
    caller: Caller,
    attempt: Attempt,
    response: Response,
    keyring: Keyring,
    takes_part_in: TakesPartIn = nobody,
) -> None:
    """Store the answer beside its effect."""
    named = {UUID(found.decode()) for found in UUID_FORM.findall(bytes(response.body))}
    subjects = await takes_part_in(session, caller, named) if named else set()
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    await session.execute(
        update(idempotency)
        .where(*_is(attempt))
        .values(
            status=response.status_code,
            headers=json.loads(json.dumps(headers)),
            body=keyring.encrypt(bytes(response.body), attempt.context),
            subjects=sorted(subjects),
        )
    )


async def erase(session: Session, subjects: Collection[UUID]) -> None:
    """Forget every answer that tells of somebody, though not that the request was carried out."""
    await session.execute(
        update(idempotency)
        .where(idempotency.c.subjects.overlap(list(subjects)))
        .values(body=None, headers={}, subjects=[])
    )


async def purge(session: Session) -> int:
    """Forget answers that have expired; how many."""
    result = await session.execute(
        delete(idempotency).where(idempotency.c.expires_at < now()).returning(idempotency.c.key)
    )
    return len(result.all())


def _is(attempt: Attempt) -> tuple[ColumnElement[bool], ...]:
    return (
        idempotency.c.organisation == attempt.organisation,
        idempotency.c.client_id == attempt.client_id,
        idempotency.c.key == attempt.key,
    )
