"""What a course is told as, who it is for, and what a list of courses must hold. Pure."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from contracts.codes import CaseState
from contracts.training import Phase

IN_THE_COUNTRY = frozenset({CaseState.ARRIVED, CaseState.IN_DELIVERY, CaseState.MONITORING})


@dataclass(frozen=True, slots=True)
class Offer:
    """What decides for whom a cohort is.

    Attributes:
        programmes: Programmes that it is for; empty means every one.
        phase: Before the departure or after the arrival.
        country: Where it takes place (ISO 3166-1 alpha-3).
        online: Whether it may be attended from anywhere.
        governorates: Where those return to for whom it is (ISO 3166-2); empty means anywhere.
    """

    programmes: Collection[str]
    phase: str
    country: str
    online: bool
    governorates: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a cohort is not for somebody."""

    code: str
    right: str


def _of_phase(before_departure: bool, case_state: str) -> list[Refusal]:
    if before_departure and case_state != CaseState.PRE_DEPARTURE:
        return [Refusal("phase", "a person who has not left yet")]
    if not before_departure and case_state not in IN_THE_COUNTRY:
        return [Refusal("phase", "a person who has arrived and whose case is open")]
    return []


def refusals(
    offer: Offer,
    *,
    programme: str,
    case_state: str,
    host_countries: Collection[str] | None,
    countries_of_return: Collection[str],
    governorate: str | None,
) -> list[Refusal]:
    """Why a cohort is not for somebody: by programme, phase and place, and by nothing else about
    them.

    Args:
        offer: The cohort and its course.
        programme: The person's programme.
        case_state: Where their case stands.
        host_countries: From where the programme's people leave; None where it names none.
        countries_of_return: Where they return to.
        governorate: Where the person returns to; None where that is not known, which rules nothing
            out.
    """
    found = []
    if offer.programmes and programme not in offer.programmes:
        found.append(Refusal("programme", "a person of a programme that the course is for"))
    before = offer.phase == Phase.PRE_DEPARTURE
    found += _of_phase(before, case_state)
    here = host_countries if before else countries_of_return
    if not offer.online and here is not None and offer.country not in here:
        found.append(
            Refusal("place", "a cohort in a country where the programme's people are at that time")
        )
    if offer.governorates and governorate is not None and governorate not in offer.governorates:
        right = "a person who returns to " + ", ".join(sorted(offer.governorates))
        found.append(Refusal("governorate", right))
    return found


def slug_of(name: str) -> str:
    """An organisation's slug from its name: `Training provider 1` is `training-provider-1`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].rstrip("-")


def sessions_overlap(sessions: Sequence[tuple[datetime, datetime]]) -> bool:
    """Whether two sessions of one cohort are at the same time.

    Args:
        sessions: Beginnings and ends, in order.
    """
    return any(later[0] < earlier[1] for earlier, later in pairwise(sessions))
