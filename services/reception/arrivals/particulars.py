"""Who somebody is whom no referral names, as the manifest or the desk says."""

from typing import Any
from uuid import uuid5

from sqlalchemy import Select
from sqlmodel import col, or_, select

from chassis.db import Session
from chassis.errors import (
    Problem,
)
from contracts.codes import (
    Member,
)
from services.reception.arrivals.batch import ArrivalBatch
from services.reception.arrivals.loaded_arrivals import day_of
from services.reception.arrivals.permitted import PARTICULARS_REQUIRED
from services.reception.arrivals.rules import age_on
from services.reception.context import ReceptionContext
from services.reception.flights.passengers import details_of
from services.reception.flights.schemas import Details
from services.reception.identities import Identity, IdentityCopy
from services.reception.models import (
    Arrival,
    Passenger,
)


def names_on_manifest(details: Details) -> list[dict[str, str]]:
    """The names of a passenger, by script; none where the manifest only gives a seat."""
    names = []
    if details.given_names or details.family_name:
        given, family = details.given_names or "", details.family_name or ""
        names.append({"script": "Latn", "given": given, "family": family})
    if details.name_arab:
        names.append({"script": "Arab", "given": details.name_arab})
    return names


def _birth_on_manifest(details: Details) -> dict[str, str] | None:
    if details.birth_date is None:
        return None
    return {
        "date": details.birth_date.isoformat(),
        "precision": details.birth_precision or "day",
    }


def identity_on_manifest(passenger: Passenger, context: ReceptionContext) -> Identity | None:
    """Who sits on a seat, for a board that shows them before anybody is bound to it."""
    details = details_of(passenger, context.keyring)
    names = names_on_manifest(details)
    if not names:
        return None
    return Identity.model_validate(
        {
            "names": names,
            "sex": details.sex,
            "birth": _birth_on_manifest(details),
            "nationality": passenger.nationality,
        }
    )


async def load_copy_on_manifest(batch: ArrivalBatch, arrival: Arrival) -> IdentityCopy:
    """Who sits on a seat, where the manifest says enough.

    Raises:
        Problem: 409 `particulars-required`.
    """
    passenger = await batch.seat(arrival)
    details = details_of(passenger, batch.context.keyring) if passenger is not None else None
    if (
        passenger is None
        or details is None
        or details.birth_date is None
        or not names_on_manifest(details)
    ):
        raise Problem(PARTICULARS_REQUIRED)
    documents = []
    if details.document_number and details.document_kind:
        kind, number = details.document_kind, details.document_number
        documents.append({"kind": kind, "number": number, "issuer": passenger.nationality})
    return IdentityCopy.model_validate(
        {
            "names": names_on_manifest(details),
            "sex": details.sex or "unknown",
            "birth": _birth_on_manifest(details),
            "nationality": passenger.nationality,
            "documents": documents,
        }
    )


async def mint(batch: ArrivalBatch, arrival: Arrival, copy: IdentityCopy) -> None:
    """Give somebody an id; those of a family on a manifest whom no referral names are one
    household.
    """
    passenger = await batch.seat(arrival)
    if (
        arrival.household_id is None
        and passenger is not None
        and passenger.family_group is not None
    ):
        arrival.household_id = uuid5(passenger.flight_id, passenger.family_group)
    batch.mint(arrival, copy)


async def member_of(session: Session, context: ReceptionContext, arrival: Arrival) -> Member:
    """A walk-in's place in their family: as the desk said, or else by the ages on the manifest.

    The oldest of a family on a manifest is taken for its principal until somebody who knows better
    says otherwise.
    """
    if arrival.member is not None:
        return arrival.member
    passengers = (
        await session.scalars(_family_on_manifest(arrival))
        if arrival.household_id is not None
        else ()
    )
    born = {row.arrival_id: details_of(row, context.keyring).born_at_latest for row in passengers}
    known = {arrival_id: day for arrival_id, day in born.items() if day is not None}
    if arrival.id not in known or arrival.id == min(known, key=lambda who: (known[who], who)):
        return Member.PRINCIPAL
    adult = age_on(day_of(arrival), known[arrival.id]) >= context.strictest_handover.adult_at
    return Member.ADULT if adult else Member.CHILD


def _family_on_manifest(arrival: Arrival) -> Select[Any]:
    group = (
        select(Passenger.family_group).where(Passenger.arrival_id == arrival.id).scalar_subquery()
    )
    together = Passenger.family_group == group
    same = Arrival.household_id == arrival.household_id
    joined = select(Passenger).join(Arrival, col(Arrival.id) == Passenger.arrival_id)
    return joined.where(
        Passenger.flight_id == arrival.flight_id,
        together,
        or_(col(Arrival.returnee_id).is_(None), same),
    )
