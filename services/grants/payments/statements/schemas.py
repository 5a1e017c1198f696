"""Statements, mappings and decisions as they are sent and answered."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from chassis.routing import Body
from contracts.codes import CurrencyCode, Money
from services.grants.payments.statements.rules import Outcome
from services.grants.payments.statements.service import Decision
from services.grants.schemas import Out
from services.grants.statement_files.delimited import (
    Column,
    DayFormat,
    Encoding,
    Sign,
    TableMapping,
)

Title = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", min_length=1, max_length=100)
]
"""The name of a column, a mapping or a word in a bank's table."""
Titles = Annotated[tuple[Title, ...], Field(min_length=1, max_length=5)]
Decimals = Annotated[str, StringConstraints(pattern=r"^[.,]$")]
Separator = Annotated[str, StringConstraints(pattern=r"^[,;\t|]$")]
AccountNumber = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/ -]{1,40}$")]


class LineOut(BaseModel):
    """An entry, and what it turned out to be."""

    id: UUID
    line: int
    booked_on: date
    direction: str
    amount: Money
    reference: str
    outcome: Outcome
    """matched | mismatched | unknown | reversed | question"""
    why: str | None
    payment_id: UUID | None
    candidates: list[UUID]
    """Payments that an unknown entry may be, the likeliest first, for a person to choose from."""


class OpenLineOut(LineOut):
    """An entry that waits for a person, with its statement."""

    statement_id: UUID


class StatementOut(BaseModel):
    """A statement of one account."""

    id: UUID
    organisation: str
    account: str
    year: int
    number: str
    """As the bank writes it; the day, where it numbers nothing."""
    currency: str
    lines: list[LineOut]
    """In a list of statements only the first ones; `/v1/statements/{id}/lines` has them all."""
    created_at: datetime
    updated_at: datetime


class StatementsOut(BaseModel):
    """The statements of a file."""

    items: list[StatementOut]


class DecisionIn(Body):
    """What becomes of an entry that waits."""

    decision: Decision
    payment_id: UUID | None = None
    """For an unknown entry that is booked: the payment that it is."""


class MappingIn(Body):
    """How the table of a bank is read."""

    name: Title
    columns: Annotated[dict[Column, Titles], Field(min_length=1)]
    """The titles of the columns by what they hold; several for `text`."""
    separator: Separator = ";"
    decimal: Decimals = ","
    day_format: DayFormat = DayFormat.ISO
    sign: Sign = Sign.MINUS_IS_DEBIT
    debit_words: Annotated[tuple[Title, ...], Field(max_length=20)] = ()
    account: AccountNumber | None = None
    """Where no column holds it."""
    currency: CurrencyCode | None = None
    """Where no column holds it."""
    header_row: Annotated[int, Field(ge=1, le=50)] = 1
    encoding: Encoding | None = None
    """As which bytes letters are written, where the file does not tell. None: UTF-8, else
    Windows-1252.
    """

    @model_validator(mode="after")
    def nothing_is_missing(self) -> Self:
        """Refuse a mapping by which no table can be read."""
        missing = self.mapping().missing()
        if missing:
            right = "a column, or a value for all rows, for: " + ", ".join(missing)
            raise PydanticCustomError("mapping_incomplete", right, {"code": "mapping_incomplete"})
        return self

    def mapping(self) -> TableMapping:
        """As the reader takes it."""
        return TableMapping(
            columns=dict(self.columns),
            separator=self.separator,
            decimal=self.decimal,
            day_format=self.day_format,
            sign=self.sign,
            debit_words=self.debit_words,
            account=self.account or "",
            currency=self.currency or "",
            header_row=self.header_row,
            encoding=self.encoding,
        )


class MappingOut(MappingIn, Out):
    """A mapping that the organisation keeps."""

    id: UUID
    created_at: datetime
    updated_at: datetime


class PreviewLineOut(BaseModel):
    """An entry as it would be read."""

    account: str
    line: int
    booked_on: date
    direction: str
    amount: Money
    bank_reference: str
    reference: str


class PreviewProblemOut(BaseModel):
    """A row that cannot be read."""

    row: int
    code: str
    detail: str


class PreviewOut(BaseModel):
    """What would be read of a file; nothing is kept or booked."""

    lines: list[PreviewLineOut]
    problems: list[PreviewProblemOut]
