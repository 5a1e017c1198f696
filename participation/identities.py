"""A service's own minimal copies of who people are: fetched from cases by a job, kept encrypted
while cases is down.

Each service says by the shape it gives which members it keeps; all others are left behind.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from chassis import jobs
from chassis.auth import Caller
from chassis.crypto import Keyring
from chassis.db import Session
from chassis.http import ServiceClient
from chassis.jobs import JobKind, Payload
from chassis.settings import Settings
from contracts.codes import SharedCategory
from participation import access, aliases, beneficiaries
from participation.beneficiaries import OWNER, identity_copy

FETCH = "identity.fetch"


class Part(BaseModel):
    """Base of what a copy keeps: members that are not named are left behind, and errors show no
    values.
    """

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Name(Part):
    """A name in one script, as written."""

    script: str
    """ISO 15924."""
    given: str = ""
    father: str = ""
    grandfather: str = ""
    family: str = ""

    @property
    def whole(self) -> str:
        """The parts that are there, in order."""
        return " ".join(
            part for part in (self.given, self.father, self.grandfather, self.family) if part
        )


Shape = TypeVar("Shape", bound=Part)
Take = Callable[[Session, UUID, Shape, Keyring], Awaitable[object]]


async def fetch_later(session: Session, returnee_id: UUID) -> None:
    """Have the copy of a person's identity fetched, or fetched again."""
    await jobs.schedule(session, FETCH, {"returnee_id": str(returnee_id)}, key=str(returnee_id))


async def fetch_again(session: Session, *returnee_ids: UUID) -> None:
    """Have the copies of people fetched again that are kept of them, under whichever of their ids.

    Cases answers for each id of a merged person with who they are; what is kept under one is as old
    as the last fetch.
    """
    ids = await aliases.same_people(session, returnee_ids)
    kept = select(identity_copy.c.returnee_id).where(identity_copy.c.returnee_id.in_(ids))
    for returnee_id in sorted(await session.scalars(kept)):
        await fetch_later(session, returnee_id)


async def forget(session: Session, returnee_id: UUID) -> None:
    """Take back a fetch that is not wanted any more; the copy itself is deleted with the projection
    of the person.
    """
    await jobs.cancel(session, FETCH, str(returnee_id))


async def keep(session: Session, returnee_id: UUID, copy: Part, keyring: Keyring) -> bool:
    """Keep who somebody is, encrypted; False if the person was erased meanwhile."""
    return await beneficiaries.keep_identity(
        session, returnee_id, copy.model_dump_json().encode(), keyring
    )


async def read_shown(
    session: Session,
    caller: Caller,
    returnee_ids: Iterable[UUID],
    keyring: Keyring,
    shape: type[Shape],
) -> dict[UUID, Shape]:
    """The copies that are there and whose identity may be shown to the caller, who audits it.

    With whom somebody was shared without their identity is told none.
    """
    identity = SharedCategory.IDENTITY
    shown = await access.disclosed(session, caller, set(returnee_ids), identity)
    return await read(session, shown, keyring, shape)


async def read(
    session: Session, returnee_ids: Iterable[UUID], keyring: Keyring, shape: type[Shape]
) -> dict[UUID, Shape]:
    """The copies that are there, to decide by; what is shown to somebody is `read_shown`."""
    copies = await beneficiaries.identities(session, sorted(set(returnee_ids)), keyring)
    return {returnee_id: shape.model_validate_json(copy) for returnee_id, copy in copies.items()}


def fetch_job(settings: Settings, shape: type[Shape], take: "Take[Shape]") -> JobKind:
    """The job that fetches an identity from cases.

    Args:
        settings: Of the process, with the keys.
        shape: What the service reads of it.
        take: What is done with it: `keep`, or more. Not called for who is gone meanwhile.
    """
    keyring = Keyring.from_settings(settings)

    async def call(client: ServiceClient, payload: Payload) -> Shape | None:
        document = await client.find(OWNER, f"/v1/returnees/{payload['returnee_id']}/identity")
        return None if document is None else shape.model_validate(document)

    async def apply(session: Session, payload: Payload, found: Shape | None) -> None:
        if found is not None:
            await take(session, UUID(payload["returnee_id"]), found, keyring)

    return JobKind(FETCH, apply, call)
