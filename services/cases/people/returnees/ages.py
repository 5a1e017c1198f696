"""Who is a child. Pure."""

from calendar import monthrange
from datetime import date

from services.cases.codes import Precision
from services.cases.people.returnees.schemas import Birth

ADULT_AT = 18
"""Convention on the Rights of the Child, Art. 1."""


def born_at_latest(birth: Birth) -> date:
    """Returns the last day on which somebody may have been born."""
    day = birth.date
    if birth.precision is Precision.DAY:
        return day
    if birth.precision is Precision.MONTH:
        return day.replace(day=monthrange(day.year, day.month)[1])
    return date(day.year, 12, 31)


def may_be_child(birth: Birth, on: date) -> bool:
    """Whether somebody is a child on a day, or may be one as far as is known: then they are taken
    for one.
    """
    born = born_at_latest(birth)
    years = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    return years < ADULT_AT
