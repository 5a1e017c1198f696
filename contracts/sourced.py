"""What all programme data is made of: nothing unknown, nothing that changes, and each rule with its
source.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """Programme data: an unknown member is a mistake, and nothing changes after it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(Data):
    """A rule with where it was read."""

    source: str
    """Where the rule is published, for a person to look up."""
    verified: bool
    """Whether the rule was read in that source. False: an assumption that the programme office has
    to confirm.
    """


class Unit(StrEnum):
    """How a length of time is counted."""

    DAYS = "days"
    WORKING_DAYS = "working_days"
    MONTHS = "months"
