"""Types of what people send and of what is answered, for all of training."""

from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import available_timezones

import pycountry
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from chassis.auth import Caller
from chassis.datetimes import Past, Written
from chassis.errors import FORBIDDEN, NOT_FOUND, Problem
from chassis.iso import countries, languages
from contracts.codes import CountryCode

UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"description": "Something named is not known, or not for you"}
}
"""Of routes whose bodies name something."""

Line = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f<>]+$", max_length=200, strip_whitespace=True)
]
"""A line of text without control characters."""
Note = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$", max_length=2000)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1)), Written]
PastDay = Annotated[Day, Past()]
"""A day on which something was so, or was done."""
Claimed = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2100, 1, 1, tzinfo=UTC)),
    Written,
]
"""A time with its offset."""
Percent = Annotated[int, Field(ge=0, le=100)]


class Out(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(from_attributes=True)


class ResourceOut(Out):
    """What every resource answers with."""

    id: UUID
    created_at: datetime
    updated_at: datetime


def refuse(code: str, right: str) -> PydanticCustomError:
    """An error with a code and what would be right."""
    return PydanticCustomError(code, right, {"code": code})


@cache
def _governorates() -> frozenset[str]:
    return frozenset(part.code for part in pycountry.subdivisions)


def _country(code: str) -> str:
    if code not in countries():
        raise refuse("bad_country_code", "an ISO 3166-1 alpha-3 code")
    return code


def _language(code: str) -> str:
    if code not in languages():
        raise refuse("unknown_language", "an ISO 639 code")
    return code


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise refuse("unknown_time_zone", "a name of the IANA time zone database")
    return name


def _governorate(code: str) -> str:
    if code not in _governorates():
        raise refuse("unknown_governorate", "an ISO 3166-2 code")
    return code


Country = Annotated[CountryCode, AfterValidator(_country)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$"), AfterValidator(_language)]
TimeZone = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,40}$"), AfterValidator(_zone)
]
Governorate = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$"), AfterValidator(_governorate)
]
"""ISO 3166-2."""


def is_in(country: str, governorate: str) -> bool:
    """Whether an ISO 3166-2 code is of a country (ISO 3166-1 alpha-3)."""
    known: Any = pycountry.countries.get(alpha_3=country)
    return governorate.startswith(f"{known.alpha_2}-")


def check_place(country: str, governorate: str | None) -> None:
    """Refuse a governorate of another country.

    Raises:
        PydanticCustomError: It is one.
    """
    if governorate is not None and not is_in(country, governorate):
        raise refuse("governorate_outside_country", "an ISO 3166-2 code of the country")


def check_owner(owner: str, caller: Caller) -> None:
    """What one organisation offers is changed by it alone.

    Raises:
        Problem: 403.
    """
    if owner != caller.organisation and not caller.is_internal:
        raise Problem(FORBIDDEN, "only the organisation that registered it changes it")


def found(row: Any) -> Any:
    """The row.

    Raises:
        Problem: 404, there is none.
    """
    if row is None:
        raise Problem(NOT_FOUND)
    return row
