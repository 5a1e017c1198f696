"""The HTTP shapes of organisations, clients and tokens."""

import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from chassis.auth import OrganisationKind
from chassis.routing import Body
from contracts.codes import Slug
from contracts.scopes import Scope
from gateway.models import Client, Organisation

ClientId = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", min_length=3, max_length=64)
]


def _shown(text: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise PydanticCustomError(
            "control_character", "no control characters", {"code": "control_character"}
        )
    return text


Name = Annotated[
    str,
    AfterValidator(_shown),
    Field(min_length=1, max_length=200, description="Its name, for people."),
]
Programmes = Annotated[
    list[Slug],
    Field(max_length=100, description="For a programme office: the programmes that it runs."),
]


class OrganisationPatch(Body):
    """What changes of an organisation; its kind and its slug never do."""

    name: Name | None = None
    programmes: Programmes | None = None


class OrganisationIn(Body):
    """An organisation to register."""

    slug: Slug = Field(description="Its id, for good: `fedasil`.")
    kind: OrganisationKind = Field(
        description="What it does; `internal` is the platform's own and not registered here."
    )
    name: Name
    programmes: Programmes = Field(default=[])

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kind is OrganisationKind.INTERNAL:
            raise PydanticCustomError(
                "reserved_kind", "the platform's own processes are not registered over HTTP"
            )
        if self.programmes and self.kind is not OrganisationKind.PROGRAMME_OFFICE:
            raise PydanticCustomError(
                "programmes_of_office", "only a programme office has programmes"
            )
        return self


class OrganisationOut(BaseModel):
    """A registered organisation."""

    id: str = Field(description="Its slug.")
    kind: OrganisationKind
    name: str
    programmes: list[str]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Organisation) -> Self:
        """As it is sent."""
        return cls(
            id=row.slug,
            kind=OrganisationKind(row.kind),
            name=row.name,
            programmes=row.programmes,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


class ClientIn(Body):
    """A client to register."""

    id: ClientId = Field(description="Its client id, for good.")
    organisation: Slug
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))

    @model_validator(mode="after")
    def _no_internal_scope(self) -> Self:
        if Scope.INTERNAL in self.scopes:
            raise PydanticCustomError(
                "reserved_scope", "the scope internal is for the platform's own processes"
            )
        return self


class ClientState(StrEnum):
    """Whether a client gets tokens."""

    ACTIVE = "active"
    REVOKED = "revoked"


class ClientOut(BaseModel):
    """A registered client."""

    id: str = Field(description="Its client id.")
    state: ClientState
    organisation: str
    scopes: list[str]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Client, **more: str) -> Self:
        """As it is sent."""
        return cls(
            id=row.client_id,
            state=ClientState.ACTIVE if row.revoked_at is None else ClientState.REVOKED,
            organisation=row.organisation,
            scopes=row.scopes,
            created_at=row.created_at,
            updated_at=row.updated_at,
            **more,
        )


class ClientWithSecret(ClientOut):
    """A client whose secret was just made."""

    client_secret: str = Field(description="Shown this once; only its hash is kept.")


class TokenOut(BaseModel):
    """RFC 6749, section 5.1."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the RFC's word
    expires_in: int = Field(description="Seconds.")
    scope: str


class TokenErrorCode(StrEnum):
    """RFC 6749, section 5.2."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    INVALID_SCOPE = "invalid_scope"


class TokenError(BaseModel):
    """RFC 6749, section 5.2: this one endpoint answers as OAuth clients expect, not with a problem
    document.
    """

    error: TokenErrorCode
    error_description: str


class RevocationsOut(BaseModel):
    """Clients whose tokens are no longer accepted."""

    clients: dict[str, float] = Field(
        description="Client id to the UNIX time up to which its tokens are void."
    )
