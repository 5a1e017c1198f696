"""Where people return to and what they speak, as far as it decides which cohorts suit them: told
over HTTP, no name.
"""

from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, delete, select

from chassis import jobs
from chassis.db import Session
from chassis.http import ServiceClient
from chassis.jobs import JobKind, Payload
from participation.beneficiaries import beneficiary
from services.training.models import Whereabouts

FETCH_PLACE = "training.place.fetch"


class Place(BaseModel):
    """Where the people of a case return to; empty for who came without a referral and has not
    said.
    """

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    governorate: str


class _Languages(BaseModel):
    """What a person speaks."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    languages: list[str] = []


async def fetch_later(session: Session, case_id: UUID) -> None:
    """Have it fetched where the people of a case return to; once for all of them."""
    await jobs.schedule(session, FETCH_PLACE, {"case_id": str(case_id)}, key=str(case_id))


async def _call(client: ServiceClient, payload: Payload) -> Place | None:
    document = await client.find("cases", f"/v1/cases/{payload['case_id']}")
    return None if document is None else Place.model_validate(document)


async def _apply(session: Session, payload: Payload, place: Place | None) -> None:
    if place is None or not place.governorate:
        return
    query = select(beneficiary.c.returnee_id).where(
        beneficiary.c.case_id == UUID(payload["case_id"]), beneficiary.c.state != "erased"
    )
    for returnee_id in (await session.scalars(query.order_by(beneficiary.c.returnee_id))).all():
        await _keep(session, returnee_id, governorate=place.governorate)


FETCH_JOB = JobKind(FETCH_PLACE, _apply, _call)


async def languages_of(client: ServiceClient, returnee_id: UUID) -> list[str]:
    """What a person speaks, as cases knows it; nothing where it does not know them any more.

    Raises:
        CallFailed: Cases does not answer; the job tries again.
    """
    document = await client.find("cases", f"/v1/returnees/{returnee_id}/identity")
    return [] if document is None else _Languages.model_validate(document).languages


async def keep_languages(session: Session, returnee_id: UUID, languages: list[str]) -> None:
    """Keep what somebody speaks for whom a plan asks for a course."""
    await _keep(session, returnee_id, languages=languages)


async def _keep(session: Session, returnee_id: UUID, **values: str | list[str]) -> None:
    statement = insert(Whereabouts).values(returnee_id=returnee_id, **values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["returnee_id"], set_=values)
    )


async def forget(session: Session, returnee_id: UUID) -> None:
    """Keep nothing of somebody who was erased."""
    await session.execute(delete(Whereabouts).where(col(Whereabouts.returnee_id) == returnee_id))
