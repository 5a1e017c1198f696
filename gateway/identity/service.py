"""Organisations, clients and the tokens that they get."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import jwt
import sqlalchemy
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select, update

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    FieldError,
    Problem,
    invalid,
    state_conflict,
)
from chassis.ids import new_id
from chassis.settings import Settings
from gateway.identity.keys import signing_keys
from gateway.identity.schemas import ClientIn, OrganisationIn, OrganisationPatch, TokenErrorCode
from gateway.identity.secrets import hash_secret, matches, new_secret
from gateway.models import Client, Organisation

TOKEN_SECONDS = 600
REVOKED_KNOWN_FOR = timedelta(seconds=2 * TOKEN_SECONDS)
"""How long a revocation is announced: no token that it concerns lives longer."""
GRANT = "client_credentials"
OWN = "the platform's own organisation and clients are set up by whoever runs it, not over HTTP"


class TokenRefused(Exception):  # noqa: N818 - a refusal, answered as RFC 6749 says
    """No token for this request."""

    def __init__(self, code: TokenErrorCode, description: str) -> None:
        super().__init__(code)
        self.code = code
        self.description = description


async def issue(
    session: Session, settings: Settings, client_id: str, secret: str, requested: str | None
) -> tuple[str, str]:
    """Sign a token for a client that knows its secret.

    Args:
        session: The session.
        settings: Issuer, audience and key.
        client_id: Which client.
        secret: What it says its secret is.
        requested: Scopes to narrow to, separated by spaces; all of the client's if None.

    Returns:
        The token and its scopes.

    Raises:
        TokenRefused: Unknown or revoked client, wrong secret, or a scope that the client does not
            have.
    """
    client = (
        await session.execute(
            sqlalchemy.select(
                col(Client.secret_hashes),
                col(Client.scopes),
                col(Organisation.slug),
                col(Organisation.kind),
                col(Organisation.programmes),
            )
            .join(Organisation, col(Organisation.slug) == col(Client.organisation))
            .where(col(Client.client_id) == client_id, col(Client.revoked_at).is_(None))
        )
    ).first()
    await (
        session.rollback()
    )  # gives the connection back: comparing waits its turn, and anybody may have it wait
    known = await matches(secret, client.secret_hashes if client else [])
    if client is None or not known:
        raise TokenRefused(
            TokenErrorCode.INVALID_CLIENT,
            "the client is unknown or revoked, or the secret is wrong",
        )
    scopes = set(client.scopes) if requested is None else set(requested.split())
    if not scopes or not scopes <= set(client.scopes):
        raise TokenRefused(
            TokenErrorCode.INVALID_SCOPE, "the client has: " + " ".join(sorted(client.scopes))
        )
    scope = " ".join(sorted(scopes))
    issued_at = time.time()
    claims = {
        "iss": settings.issuer,
        "aud": settings.audience,
        "iat": issued_at,
        "exp": int(issued_at) + TOKEN_SECONDS,
        "jti": str(new_id()),
        "sub": client_id,
        "client_id": client_id,
        "org": client.slug,
        "org_kind": client.kind,
        "programmes": client.programmes,
        "scope": scope,
    }
    key = signing_keys(settings)[0]
    return jwt.encode(claims, key.private, algorithm="ES256", headers={"kid": key.id}), scope


async def revocations(session: Session) -> dict[str, float]:
    """Clients revoked lately, and when."""
    statement = select(Client.client_id, Client.revoked_at).where(
        Client.revoked_at > now() - REVOKED_KNOWN_FOR
    )
    rows = await session.execute(statement)
    return {
        client_id: revoked_at.timestamp()
        for client_id, revoked_at in rows
        if revoked_at is not None
    }


async def register_organisation(
    session: Session, caller: Caller, body: OrganisationIn
) -> Organisation:
    """Register an organisation.

    Raises:
        Problem: 409, the slug is taken.
    """
    statement = (
        insert(Organisation)
        .values(slug=body.slug, kind=body.kind, name=body.name, programmes=body.programmes)
        .on_conflict_do_nothing()
        .returning(Organisation)
    )
    row = (await session.scalars(statement)).first()
    if row is None:
        raise Problem(CONFLICT, "an organisation with this slug is registered")
    audit.record(session, caller, "register", "organisation", row.slug, {"kind": row.kind})
    return row


async def change_organisation(
    session: Session, caller: Caller, slug: str, body: OrganisationPatch, precondition: Precondition
) -> Organisation:
    """Change what may change of an organisation.

    Raises:
        Problem: 404; 403 for the platform's own; 412; 422, programmes for what is no programme
            office.
    """
    row = await session.get(Organisation, slug, with_for_update=True)
    if row is None:
        raise Problem(NOT_FOUND)
    if row.kind == OrganisationKind.INTERNAL:
        raise Problem(FORBIDDEN, OWN)
    precondition.check(row.version)
    if body.programmes and row.kind != OrganisationKind.PROGRAMME_OFFICE:
        raise invalid(
            FieldError(
                pointer="/programmes",
                code="programmes_of_office",
                detail="only a programme office has programmes",
            )
        )
    row.name = row.name if body.name is None else body.name
    row.programmes = row.programmes if body.programmes is None else body.programmes
    await _changed(session, row)
    audit.record(session, caller, "change", "organisation", slug, {"programmes": row.programmes})
    return row


async def get_organisation(session: Session, slug: str) -> Organisation:
    """An organisation.

    Raises:
        Problem: 404.
    """
    row = await session.get(Organisation, slug)
    if row is None:
        raise Problem(NOT_FOUND)
    return row


async def register_client(session: Session, caller: Caller, body: ClientIn) -> tuple[Client, str]:
    """Register a client of a registered organisation.

    Returns:
        The client and its secret, which is not kept.

    Raises:
        Problem: 409, the id is taken; 422, no such organisation.
    """
    organisation = await session.get(Organisation, body.organisation)
    if organisation is None or organisation.kind == OrganisationKind.INTERNAL:
        raise invalid(
            FieldError(
                pointer="/organisation",
                code="unknown_organisation",
                detail="register the organisation first",
            )
        )
    secret = new_secret()
    statement = (
        insert(Client)
        .values(
            client_id=body.id,
            organisation=body.organisation,
            secret_hashes=[await hash_secret(secret)],
            scopes=sorted(set(body.scopes)),
        )
        .on_conflict_do_nothing()
        .returning(Client)
    )
    row = (await session.scalars(statement)).first()
    if row is None:
        raise Problem(CONFLICT, "a client with this id is registered")
    audit.record(session, caller, "register", "client", row.client_id, {"scopes": row.scopes})
    return row, secret


async def get_client(session: Session, client_id: str) -> Client:
    """A client.

    Raises:
        Problem: 404.
    """
    row = await session.get(Client, client_id)
    if row is None:
        raise Problem(NOT_FOUND)
    return row


async def _to_change(session: Session, client_id: str) -> Client:
    """A client, locked, if it is none of the platform's own: whoever got the secret of one would
    see everybody.

    Raises:
        Problem: 404; 403 for a client of the platform's own.
    """
    row = await session.get(Client, client_id, with_for_update=True)
    if row is None:
        raise Problem(NOT_FOUND)
    organisation = await session.get_one(Organisation, row.organisation)
    if organisation.kind == OrganisationKind.INTERNAL:
        raise Problem(FORBIDDEN, OWN)
    return row


async def rotate(session: Session, caller: Caller, client_id: str) -> tuple[Client, str]:
    """Give a client a new secret; the one before holds until the next rotation, so that it can be
    changed in peace.

    Raises:
        Problem: 404; 403 for a client of the platform's own; 409 for a revoked client.
    """
    row = await _to_change(session, client_id)
    if row.revoked_at is not None:
        raise state_conflict("revoked", [], "rotate")
    secret = new_secret()
    row.secret_hashes = [await hash_secret(secret), row.secret_hashes[0]]
    await _changed(session, row)
    audit.record(session, caller, "rotate", "client", client_id)
    return row, secret


async def revoke(session: Session, caller: Caller, client_id: str) -> Client:
    """Take a client's access away for good: no new token, and the ones it has are void within
    seconds.

    Raises:
        Problem: 404; 403 for a client of the platform's own; 409 if it was revoked before.
    """
    row = await _to_change(session, client_id)
    if row.revoked_at is not None:
        raise state_conflict("revoked", [], "revoke")
    await session.execute(
        update(Client).where(col(Client.client_id) == client_id).values(revoked_at=now())
    )
    await _changed(session, row)
    audit.record(session, caller, "revoke", "client", client_id)
    return row


async def _changed(session: Session, row: Client | Organisation) -> None:
    row.version += 1
    row.updated_at = now()  # type: ignore[assignment] # evaluated by the database
    await session.flush()
    await session.refresh(row)


async def ensure_organisation(
    session: Session, slug: str, kind: str, name: str, programmes: Sequence[str] = ()
) -> None:
    """Have an organisation registered as described; for setting up an installation."""
    values: dict[str, Any] = {"kind": kind, "name": name, "programmes": list(programmes)}
    statement = insert(Organisation).values(slug=slug, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["slug"], set_=values))


async def ensure_client(
    session: Session, client_id: str, organisation: str, secret: str, scopes: Sequence[str]
) -> None:
    """Have a client registered with this secret and these scopes; for setting up an installation.

    A client that has the secret keeps it as it is kept, and its other secret too.
    """
    row = await session.get(Client, client_id, with_for_update=True)
    hashes = row.secret_hashes if row else []
    if not hashes or not await matches(secret, hashes):
        hashes = [await hash_secret(secret)]
    values = {"organisation": organisation, "secret_hashes": hashes, "scopes": sorted(set(scopes))}
    statement = insert(Client).values(client_id=client_id, **values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["client_id"], set_=values)
    )
