"""Payees as they are sent and answered."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from chassis.routing import Body
from services.grants.codes import PayeeKind
from services.grants.schemas import Out

Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=140)]
Account = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9+]{5,34}$")]
"""An IBAN, another account number, or a telephone in E.164, without spaces."""


class Details(Body):
    """In whose name which account is."""

    name: Name
    account: Account
    bank: Name | None = None


class PayeeIn(Body):
    """Somebody who is to be paid; another person verifies the account."""

    id: UUID | None = None
    kind: PayeeKind
    returnee_id: UUID | None = None
    """For a returnee, and only then."""
    details: Details

    @model_validator(mode="after")
    def a_returnee_is_named(self) -> Self:
        """Refuse a returnee without an id, and an id for anybody else."""
        if (self.kind is PayeeKind.RETURNEE) != (self.returnee_id is not None):
            raise PydanticCustomError(
                "returnee", "returnee_id for a returnee, and only then", {"code": "returnee"}
            )
        return self


class DetailsIn(Body):
    """Another account."""

    details: Details


class PayeeOut(Out):
    """A payee, without name and account."""

    id: UUID
    state: str
    kind: PayeeKind
    organisation: str
    returnee_id: UUID | None
    details_version: int
    proposed_by: UUID | None
    verified_by: UUID | None
    verified_at: datetime | None
    created_at: datetime
    updated_at: datetime


class AccountOut(BaseModel):
    """Name and account: the verified ones, and those that wait for a second person."""

    verified: Details | None
    proposed: Details | None
