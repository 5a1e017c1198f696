"""`/v1/returnees`."""

from uuid import UUID

from fastapi import Response

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from participation import aliases
from participation.matching_digests import MarksDep
from services.cases.access.people import load_returnee, load_visible_ids
from services.cases.models import Returnee
from services.cases.people.households.memberships import load_present_households
from services.cases.people.returnees import service
from services.cases.people.returnees.schemas import (
    FoundOut,
    FoundPage,
    IdentityOut,
    ReturneeOut,
    ReturneePatch,
    SafeContact,
    SearchIn,
)
from services.cases.people.search.queries import search as find_people

router = Router(prefix="/v1/returnees", tags=["returnees"])


async def answer(
    session: Session, caller: Caller, returnee: Returnee, response: Response
) -> ReturneeOut:
    """A returnee as this client may read them; reading an identity is audited."""
    ids = await aliases.same_person(session, returnee.id)
    known = await load_visible_ids(session, caller, ids)
    person = await service.load_readable(session, caller, returnee, known)
    if person is not None:
        audit.record(session, caller, "read-identity", "returnee", returnee.id)
    present = (await load_present_households(session, [returnee.id])).get(returnee.id)
    set_etag(response, returnee.version)
    return ReturneeOut(
        id=returnee.id,
        household_id=present.household_id if present else None,
        merged=[other for other in known if other != returnee.id],
        case_ids=await service.load_case_ids(session, known),
        identity=person,
        created_at=returnee.created_at,
        updated_at=returnee.updated_at,
    )


@router.post("/search")
@requires(Scope.RETURNEES_IDENTITY, query=True)
async def search(body: SearchIn, session: SessionDep, caller: CallerDep) -> FoundPage:
    """People by any part of a name, in any script and transliteration, with the year they were
    born; or by a number.
    """
    matches = await find_people(session, body.q, body.limit, caller)
    present = await load_present_households(
        session, [returnee.id for returnee, _ in matches.people]
    )
    return FoundPage(
        items=[
            FoundOut(
                id=returnee.id,
                score=round(score, 3),
                names=person.names,
                sex=returnee.sex,
                birth=person.birth,
                nationality=returnee.nationality,
                household_id=present[returnee.id].household_id if returnee.id in present else None,
                created_at=returnee.created_at,
                updated_at=returnee.updated_at,
            )
            for returnee, score in matches.people
            for person in [service.person_of(returnee)]
        ],
        more=matches.more,
    )


@router.get("/{returnee_id}")
@requires(Scope.RETURNEES_READ)
async def returnee(
    returnee_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> ReturneeOut:
    """A returnee; who they are only with the scope `returnees:identity`."""
    row = await load_returnee(session, caller, returnee_id)
    return await answer(session, caller, row, response)


@router.patch("/{returnee_id}")
@requires(Scope.RETURNEES_WRITE, if_match=True)
async def correct(
    returnee_id: UUID,
    body: ReturneePatch,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ReturneeOut:
    """Correct who somebody is."""
    sent = {name: getattr(body, name) for name in sorted(body.model_fields_set)}
    row = await service.correct(session, caller, returnee_id, sent, precondition)
    return await answer(session, caller, row, response)


@router.get("/{returnee_id}/identity")
@requires(Scope.INTERNAL)
async def identity(
    returnee_id: UUID, session: SessionDep, caller: CallerDep, response: Response, marks: MarksDep
) -> IdentityOut:
    """The minimum by which a desk recognises somebody; for the copies that our own services keep.

    The gateway does not forward it.
    """
    row = await load_returnee(session, caller, returnee_id)
    person = service.person_of(row)
    present = (await load_present_households(session, [row.id])).get(row.id)
    # Of a merged person each id keeps its own marks: undoing the merge leaves nobody with
    # another's.
    own = await session.get_one(Returnee, returnee_id)
    digests = {
        marks.reference(reference, index)
        for reference, index in await service.load_references(session, own.id)
    }
    digests |= {marks.document(document.number) for document in service.person_of(own).documents}
    audit.record(session, caller, "read-identity", "returnee", row.id)
    set_etag(response, row.version)
    return IdentityOut(
        id=row.id,
        names=person.names,
        sex=person.sex,
        birth=person.birth,
        nationality=person.nationality,
        household_id=present.household_id if present else None,
        languages=person.languages,
        contacts=[
            SafeContact(kind=c.kind, owner=c.owner, safe_hours=c.safe_hours)
            for c in person.contacts
        ],
        marks=sorted(mark.hex() for mark in digests),
    )
