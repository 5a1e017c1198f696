"""All that every service holds about a person, for them: collected from each, and honest about who
did not answer.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import structlog
from fastapi import Request
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from chassis import audit
from chassis.app import Homeward
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import FORBIDDEN, Problem
from chassis.http import CallFailed, ServiceClient
from chassis.routing import CallerDep, CaughtUpDep, Router, SessionDep, requires
from contracts.scopes import Scope
from gateway.handlers import SOURCES
from gateway.models import Base
from participation import aliases, beneficiaries
from participation.access import Role, roles_of
from participation.subject_access import PATH, Holdings, held

HERE = "gateway"
OWN = Holdings(columns={"timeline": "subject"})
WHO = "the implementing organisation and the programme office hand a person what is held about them"

log = structlog.get_logger("homeward.export")

router = Router(prefix="/v1/returnees", tags=["rights"])


class Part(BaseModel):
    """What one service holds."""

    complete: bool = Field(
        description="Whether the service answered. If not, ask again: what it holds is not in here."
    )
    tables: dict[str, list[dict[str, Any]]] = Field(
        description="Every row about the person, by what it is."
    )
    withheld: list[str] = Field(description="What there is beside that, and is not shown.")


class Export(BaseModel):
    """All that every service holds about a person. Documents are named by their ids, and opened by
    them.
    """

    returnee_id: UUID
    returnee_ids: list[UUID] = Field(description="Every id of theirs that the gateway knows.")
    made_at: datetime
    services: dict[str, Part]
    missing: list[str] = Field(description="The services that did not answer.")
    complete: bool


@router.get(
    "/{returnee_id}/export",
    summary="Export all that is held about a returnee",
    responses={200: {"model": Export, "description": "Everything, service by service."}},
    response_class=StreamingResponse,
)
@requires(Scope.RETURNEES_EXPORT, person=True)
async def export(
    returnee_id: UUID,
    request: Request,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
) -> StreamingResponse:
    """All that every service holds, for the person. A service that does not answer is named, and
    the rest is given.
    """
    here = cast("Homeward", request.app.state.homeward)
    await beneficiaries.require(session, returnee_id, caller, caught_up=caught_up)
    ids = await aliases.same_person(session, returnee_id)
    await _may(session, ids, caller)
    own = await held(session, Base.metadata, OWN, ids, here.keyring)
    audit.record(session, caller, "export", "returnee", returnee_id)
    head = {"returnee_id": returnee_id, "returnee_ids": ids, "made_at": datetime.now(UTC)}
    first = Part(complete=True, tables=own.tables, withheld=own.withheld)
    return StreamingResponse(
        _written(here.client, returnee_id, caller, head, first),
        media_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="{returnee_id}.json"',
            "Cache-Control": "no-store",
        },
    )


async def _may(session: Session, ids: list[UUID], caller: Caller) -> None:
    """Refuse who only referred the person or was told of them.

    Raises:
        Problem: 403.
    """
    if caller.is_internal:
        return
    for each in ids:
        if {Role.PARTNER, Role.PROGRAMME} & await roles_of(session, each, caller):
            return
    raise Problem(FORBIDDEN, WHO)


async def _written(
    client: ServiceClient, returnee_id: UUID, caller: Caller, head: dict[str, Any], own: Part
) -> AsyncIterator[bytes]:
    """The document, a service at a time as each has answered."""
    asked = {
        service: asyncio.create_task(_asked(client, service, returnee_id, caller.organisation))
        for service in SOURCES
    }
    try:
        yield _json(head)[:-1] + b', "services": {' + _json(HERE) + b": " + _json(own)
        missing = []
        for service, answer in asked.items():
            part = await answer
            if not part.complete:
                missing.append(service)
            yield b", " + _json(service) + b": " + _json(part)
        yield b'}, "missing": ' + _json(missing) + b', "complete": ' + _json(not missing) + b"}"
    finally:
        for answer in asked.values():
            answer.cancel()


async def _asked(client: ServiceClient, service: str, returnee_id: UUID, organisation: str) -> Part:
    try:
        document = await client.get(service, f"{PATH}/{returnee_id}", **{"for": organisation})
        return Part(complete=True, tables=document["tables"], withheld=document["withheld"])
    except (CallFailed, LookupError, TypeError, ValueError) as error:
        log.warning("a service is missing in an export", owner=service, error=type(error).__name__)
        return Part(complete=False, tables={}, withheld=[])


def _json(value: Any) -> bytes:
    return json.dumps(jsonable_encoder(value), ensure_ascii=False).encode()
