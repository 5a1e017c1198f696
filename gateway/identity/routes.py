"""Tokens, keys, and the registration of organisations and their clients."""

import base64
import binascii
from typing import Annotated
from urllib.parse import unquote_plus

from fastapi import Form, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel import col, select

from chassis.concurrency import set_etag
from chassis.db import after_commit
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import (
    CallerDep,
    PreconditionDep,
    Router,
    SessionDep,
    public,
    public_form,
    requires,
)
from contracts.codes import Slug
from contracts.scopes import Scope
from gateway.identity import service
from gateway.identity.keys import JWKS_PATH, jwks
from gateway.identity.schemas import (
    ClientIn,
    ClientOut,
    ClientState,
    ClientWithSecret,
    OrganisationIn,
    OrganisationOut,
    OrganisationPatch,
    RevocationsOut,
    TokenError,
    TokenErrorCode,
    TokenOut,
)
from gateway.identity.service import GRANT, TOKEN_SECONDS, TokenRefused
from gateway.models import Client, Organisation

NO_STORE = {"Cache-Control": "no-store"}
MANAGE = Scope.ORGANISATIONS_MANAGE

oauth = Router(tags=["identity"])
organisations = Router(prefix="/v1/organisations", tags=["identity"])
clients = Router(prefix="/v1/clients", tags=["identity"])

Id = Annotated[str, Path(pattern=r"^[a-z0-9._-]+$", max_length=64)]


@oauth.post(
    "/oauth/token",
    summary="Get a token",
    response_model=TokenOut,
    responses={400: {"model": TokenError}, 401: {"model": TokenError}},
)
@public_form
async def token(
    request: Request,
    session: SessionDep,
    grant_type: Annotated[str | None, Form(description="`client_credentials`.")] = None,
    scope: Annotated[
        str | None, Form(description="Scopes to narrow to, separated by spaces.")
    ] = None,
    client_id: Annotated[str | None, Form(description="Unless HTTP Basic is used.")] = None,
    client_secret: Annotated[str | None, Form(description="Unless HTTP Basic is used.")] = None,
) -> Response:
    """Exchange a client's id and secret for a token that lasts ten minutes (RFC 6749, section
    4.4).
    """
    try:
        if grant_type is None:
            raise TokenRefused(TokenErrorCode.INVALID_REQUEST, "grant_type is missing")
        if grant_type != GRANT:
            raise TokenRefused(
                TokenErrorCode.UNSUPPORTED_GRANT_TYPE, f"the grant type here is {GRANT}"
            )
        name, secret = _credentials(request.headers.get("authorization"), client_id, client_secret)
        settings = request.app.state.homeward.settings
        signed, granted = await service.issue(session, settings, name, secret, scope)
    except TokenRefused as refused:
        unauthorised = refused.code is TokenErrorCode.INVALID_CLIENT
        headers = NO_STORE | (
            {"WWW-Authenticate": 'Basic realm="homeward"'} if unauthorised else {}
        )
        error = TokenError(error=refused.code, error_description=refused.description)
        return JSONResponse(error.model_dump(mode="json"), 401 if unauthorised else 400, headers)
    answer = TokenOut(access_token=signed, expires_in=TOKEN_SECONDS, scope=granted)
    return JSONResponse(answer.model_dump(mode="json"), headers=NO_STORE)


def _credentials(header: str | None, client_id: str | None, secret: str | None) -> tuple[str, str]:
    """From HTTP Basic or from the form, not from both (RFC 6749, section 2.3)."""
    if header is not None:
        scheme, _, encoded = header.partition(" ")
        try:
            name, colon, word = (
                base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
            )
        except (binascii.Error, UnicodeDecodeError):
            name, colon, word = "", "", ""
        if scheme.lower() != "basic" or not colon:
            raise TokenRefused(
                TokenErrorCode.INVALID_CLIENT, "the Authorization header is not HTTP Basic"
            )
        if secret is not None:
            raise TokenRefused(TokenErrorCode.INVALID_REQUEST, "send the credentials once")
        return _printable(unquote_plus(name)), unquote_plus(word)
    if client_id is None or secret is None:
        raise TokenRefused(
            TokenErrorCode.INVALID_CLIENT, "send client_id and client_secret, or HTTP Basic"
        )
    return _printable(client_id), secret


def _printable(client_id: str) -> str:
    """PostgreSQL has no NUL in a text; nobody is called that."""
    return client_id if client_id.isprintable() else ""


@oauth.get(JWKS_PATH, summary="The public keys of the tokens")
@public
async def keys(request: Request, response: Response) -> dict[str, list[dict[str, str]]]:
    """The public keys of the tokens issued here (RFC 7517)."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return jwks(request.app.state.homeward.settings)


@oauth.get("/oauth/revocations", summary="Clients revoked lately")
@requires(Scope.INTERNAL)
async def revocations(session: SessionDep) -> RevocationsOut:
    """Clients whose tokens are no longer accepted; services poll it."""
    return RevocationsOut(clients=await service.revocations(session))


@organisations.post("", status_code=201, summary="Register an organisation")
@requires(MANAGE)
async def register_organisation(
    body: OrganisationIn, session: SessionDep, caller: CallerDep, response: Response
) -> OrganisationOut:
    """Register an organisation under a slug that stays its own."""
    row = await service.register_organisation(session, caller, body)
    set_etag(response, row.version)
    return OrganisationOut.of(row)


@organisations.patch("/{organisation_id}", summary="Change an organisation")
@requires(MANAGE, if_match=True)
async def change_organisation(
    organisation_id: Id,
    body: OrganisationPatch,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> OrganisationOut:
    """Change its name, or the programmes that an office runs: its tokens name them from the next
    one on.
    """
    row = await service.change_organisation(session, caller, organisation_id, body, precondition)
    set_etag(response, row.version)
    return OrganisationOut.of(row)


@organisations.get("", summary="List organisations")
@requires(MANAGE)
async def list_organisations(
    request: Request,
    response: Response,
    session: SessionDep,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[OrganisationOut]:
    """All registered organisations, by slug."""
    statement = select(Organisation)
    if updated_since is not None:
        statement = statement.where(Organisation.updated_at >= updated_since)
    rows = await page(
        session, statement, keys=[col(Organisation.slug)], parsers=[str], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[OrganisationOut.of(row) for row in rows.items], next=rows.next)


@organisations.get("/{organisation_id}", summary="Read an organisation")
@requires(MANAGE)
async def read_organisation(
    organisation_id: Id, session: SessionDep, response: Response
) -> OrganisationOut:
    """One organisation."""
    row = await service.get_organisation(session, organisation_id)
    set_etag(response, row.version)
    return OrganisationOut.of(row)


@clients.post("", status_code=201, summary="Register a client")
@requires(MANAGE)
async def register_client(
    body: ClientIn, session: SessionDep, caller: CallerDep, response: Response
) -> ClientWithSecret:
    """Register a client of an organisation. Its secret is in the answer, and nowhere else."""
    row, secret = await service.register_client(session, caller, body)
    set_etag(response, row.version)
    return ClientWithSecret.of(row, client_secret=secret)


@clients.get("", summary="List clients")
@requires(MANAGE)
async def list_clients(
    request: Request,
    response: Response,
    session: SessionDep,
    organisation: Annotated[Slug | None, Query()] = None,
    state: ClientState | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[ClientOut]:
    """Registered clients, by id."""
    statement = select(Client)
    if organisation is not None:
        statement = statement.where(Client.organisation == organisation)
    if state is not None:
        revoked = col(Client.revoked_at).is_not(None)
        statement = statement.where(revoked if state is ClientState.REVOKED else ~revoked)
    if updated_since is not None:
        statement = statement.where(Client.updated_at >= updated_since)
    rows = await page(
        session, statement, keys=[col(Client.client_id)], parsers=[str], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[ClientOut.of(row) for row in rows.items], next=rows.next)


@clients.get("/{client_id}", summary="Read a client")
@requires(MANAGE)
async def read_client(client_id: Id, session: SessionDep, response: Response) -> ClientOut:
    """One client, without its secret."""
    row = await service.get_client(session, client_id)
    set_etag(response, row.version)
    return ClientOut.of(row)


@clients.post("/{client_id}/rotate", summary="Give a client a new secret")
@requires(MANAGE)
async def rotate(
    client_id: Id, session: SessionDep, caller: CallerDep, response: Response
) -> ClientWithSecret:
    """A new secret; the one before holds until the next rotation."""
    row, secret = await service.rotate(session, caller, client_id)
    set_etag(response, row.version)
    return ClientWithSecret.of(row, client_secret=secret)


@clients.post("/{client_id}/revoke", summary="Revoke a client")
@requires(MANAGE)
async def revoke(
    client_id: Id, request: Request, session: SessionDep, caller: CallerDep, response: Response
) -> ClientOut:
    """End a client's access for good."""
    row = await service.revoke(session, caller, client_id)
    known = request.app.state.homeward.authenticator.revocations
    revoked = await service.revocations(session)
    after_commit(session, "revocations", lambda: known.replace(revoked))
    set_etag(response, row.version)
    return ClientOut.of(row)
