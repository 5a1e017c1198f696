"""Who is calling: a JWT checked against the issuer's keys, and the person that the client acts
for.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import httpx
import jwt
import structlog
from starlette.requests import Request

from chassis.errors import BAD_GATEWAY, FORBIDDEN, PERSON_REQUIRED, UNAUTHENTICATED, Problem
from chassis.settings import Settings

ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
INTERNAL = "internal"
ACT_FOR_USERS = "act-for-users"
ACTOR_HEADER = "Homeward-Actor"
ACTOR_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"
ACTOR_FORM = re.compile(ACTOR_PATTERN)
"""An opaque user id. No `@`: an e-mail address identifies a person."""


def folded_user_id(user_id: str) -> str:
    """The one spelling of a user id. `Finance-4` and `finance-4` are one person, who is not a
    second person beside themselves; everything that is told who somebody is folds it so.
    """
    return user_id.lower()


KEYS_FRESH_SECONDS = 600
KEYS_RETRY_SECONDS = 3
FIRST_KEYS_RETRY_SECONDS = 0.2

log = structlog.get_logger("homeward.auth")


class OrganisationKind(StrEnum):
    """What an organisation does in a programme."""

    REFERRER = "referrer"
    PARTNER = "partner"
    TRAINING_PROVIDER = "training_provider"
    PROGRAMME_OFFICE = "programme_office"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request.

    Attributes:
        client_id: The registered client.
        organisation: Slug of its organisation.
        kind: What the organisation does.
        scopes: What the client may do.
        programmes: Ids of the programmes that a programme office runs.
        person: `<organisation>:<user id>` of the deciding person, folded, if there is one.
            Four-eyes rules compare it.
        issued_at: UNIX time of the token; a revocation ends those of before it.
    """

    client_id: str
    organisation: str
    kind: OrganisationKind
    scopes: frozenset[str]
    programmes: tuple[str, ...] = ()
    person: str | None = None
    issued_at: float = 0.0

    @property
    def is_internal(self) -> bool:
        """Whether it is one of our own services, which sees everybody."""
        return self.kind is OrganisationKind.INTERNAL and INTERNAL in self.scopes

    def require(self, scope: str) -> None:
        """Refuse a client without the scope; `internal` is worth nothing in the hands of anybody
        else.

        Raises:
            Problem: 403, naming the scope.
        """
        if scope not in self.scopes or (scope == INTERNAL and not self.is_internal):
            raise Problem(FORBIDDEN, f"the scope {scope} is needed", scope=scope)

    def require_person(self) -> str:
        """The deciding person.

        Raises:
            Problem: 403 `person-required`.
        """
        if self.person is None:
            raise Problem(PERSON_REQUIRED)
        return self.person


OPERATOR = Caller("homeward-cli", "homeward", OrganisationKind.INTERNAL, frozenset())
"""Whoever runs the installation, at its command line."""

FetchKeys = Callable[[str], Awaitable[dict[str, Any]]]


async def fetch_keys_over_http(url: str) -> dict[str, Any]:
    """Get a JWKS document, or the one that says where it is.

    Raises:
        httpx.HTTPError: It cannot be had.
        ValueError: It is no JSON object.
    """
    async with httpx.AsyncClient(timeout=5) as client:
        response = await client.get(url)
        response.raise_for_status()
        document = response.json()
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - what is wrong is what was sent
    return document


@dataclass
class KeySet:
    """The public keys of one issuer, fetched when needed and kept for ten minutes."""

    url: str
    """Of the JWKS document; of an OpenID provider, the issuer, which says where it is."""
    fetch: FetchKeys
    discover: bool = False
    keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    fetched_at: float = float("-inf")
    tried_at: float = float("-inf")
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id; None if the issuer does not have it.

        Raises:
            Problem: 503, no keys could be fetched yet.
        """
        if self._is_fresh(key_id) or (key_id in self.keys and self._fetching.locked()):
            return self.keys[key_id]
        async with self._fetching:  # who comes while they are fetched waits for them
            pause = KEYS_RETRY_SECONDS if self.keys else FIRST_KEYS_RETRY_SECONDS
            if not self._is_fresh(key_id) and time.monotonic() - self.tried_at > pause:
                await self._fetch()
        if not self.keys:
            raise Problem(
                BAD_GATEWAY,
                "the keys of the issuer cannot be fetched",
                headers={"Retry-After": "2"},
            )
        return self.keys.get(key_id)

    def _is_fresh(self, key_id: str) -> bool:
        return key_id in self.keys and time.monotonic() - self.fetched_at <= KEYS_FRESH_SECONDS

    async def _fetch(self) -> None:
        self.tried_at = time.monotonic()
        try:
            document = await self.fetch(await self._locate() if self.discover else self.url)
            self.keys = {
                key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys if key.key_id
            }
            self.fetched_at = time.monotonic()
        except (
            httpx.HTTPError,
            OSError,
            jwt.PyJWTError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            log.warning("the keys of an issuer could not be fetched", error=type(error).__name__)

    async def _locate(self) -> str:
        """Where an OpenID provider has its keys (OpenID Connect Discovery 1.0, section 4)."""
        document = await self.fetch(self.url.rstrip("/") + "/.well-known/openid-configuration")
        url = str(document["jwks_uri"])
        if document["issuer"] != self.url or (
            self.url.startswith("https:") and not url.startswith("https:")
        ):
            raise ValueError(
                "the provider speaks of another issuer, or of keys that anybody could have put "
                "there"
            )
        return url


class Revocations:
    """Clients whose tokens of before a moment are no longer accepted. Kept up to date by polling
    the gateway.
    """

    def __init__(self) -> None:
        self.revoked_before: dict[str, float] = {}

    def replace(self, revoked_before: Mapping[str, float]) -> None:
        """Take the list as polled: client id to UNIX time."""
        self.revoked_before = dict(revoked_before)

    def covers(self, client_id: str, issued_at: float) -> bool:
        """Whether a token issued then to that client is revoked."""
        return issued_at <= self.revoked_before.get(client_id, float("-inf"))


class Authenticator:
    """Checks tokens of the gateway and, where configured, of an external OpenID provider.

    Args:
        settings: Issuers, audience and where the keys are.
        fetch: Gets a JWKS document by its address.
    """

    def __init__(self, settings: Settings, fetch: FetchKeys = fetch_keys_over_http) -> None:
        self._audience = settings.audience
        self._external, self._represented = settings.oidc_issuer, settings.oidc_organisations
        own = str(settings.jwks_url or settings.service_url("gateway") + "/.well-known/jwks.json")
        self._issuers = {settings.issuer: KeySet(own, fetch)}
        if settings.oidc_issuer:
            self._issuers[settings.oidc_issuer] = KeySet(settings.oidc_issuer, fetch, discover=True)
        self.revocations = Revocations()

    async def authenticate(self, request: Request) -> Caller:
        """Who is calling.

        Raises:
            Problem: 401 for a token that does not hold, 403 for a person named without the right
                to.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("send Authorization: Bearer <token>")
        caller = self._caller(await self._claims(token.strip()))
        actor = request.headers.get(ACTOR_HEADER)
        if actor is None:
            return caller
        caller.require(ACT_FOR_USERS)
        if not ACTOR_FORM.fullmatch(actor):
            raise Problem(
                FORBIDDEN,
                f"{ACTOR_HEADER} is an opaque user id of letters, digits, dot, dash and underscore",
            )
        person = f"{caller.organisation}:{folded_user_id(actor)}"
        if caller.person not in {None, person}:
            raise Problem(
                FORBIDDEN, f"the token names its person; {ACTOR_HEADER} may name no other"
            )
        return replace(caller, person=person)

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            unverified = jwt.decode(token, options={"verify_signature": False})
            key_id = jwt.get_unverified_header(token).get("kid", "")
            issuer = unverified.get("iss")
            keys = self._issuers.get(issuer) if isinstance(issuer, str) else None
            key = await keys.get(str(key_id)) if keys else None
            if key is None:
                raise unauthenticated("the issuer of the token is not known here")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=issuer,
                leeway=5,
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise unauthenticated("the token has expired") from None
        except jwt.InvalidAudienceError:
            raise unauthenticated("the token is meant for another audience") from None
        except (jwt.PyJWTError, ValueError):
            raise unauthenticated("the token does not hold") from None
        return claims

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        client_id = claims.get("client_id") or claims.get("azp") or claims.get("sub")
        organisation, kind, programmes = (
            claims.get("org"),
            claims.get("org_kind"),
            claims.get("programmes", ()),
        )
        scopes = frozenset(str(claims.get("scope", "")).split())
        if claims["iss"] == self._external:
            known = self._represented.get(str(organisation))
            if known is None:
                raise unauthenticated(
                    "the issuer of the token does not speak for that organisation here"
                )
            kind, programmes, scopes = known.kind, known.programmes, scopes & known.scopes
        if not client_id or not organisation or kind not in set(OrganisationKind):
            raise unauthenticated("the token does not name its client and organisation")
        if self.revocations.covers(str(client_id), float(claims["iat"])):
            raise unauthenticated("the client was revoked")
        return Caller(
            client_id=str(client_id),
            organisation=str(organisation),
            kind=OrganisationKind(str(kind)),
            scopes=scopes,
            programmes=tuple(programmes),
            person=_person_of(str(organisation), claims),
            issued_at=float(claims["iat"]),
        )


def _person_of(organisation: str, claims: Mapping[str, Any]) -> str | None:
    """The person whom a token names.

    Raises:
        Problem: 401, not by an opaque user id.
    """
    act = claims.get("act")
    person = act.get("sub") if isinstance(act, Mapping) else act
    if not person:
        return None
    if not ACTOR_FORM.fullmatch(str(person)):
        raise unauthenticated("the token names its person otherwise than by an opaque user id")
    return f"{organisation}:{folded_user_id(str(person))}"


def unauthenticated(detail: str) -> Problem:
    """A 401 that says what to do."""
    return Problem(UNAUTHENTICATED, detail, headers={"WWW-Authenticate": "Bearer"})
