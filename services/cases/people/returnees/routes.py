"""`/v1/returnees` and `/v1/households`."""

from uuid import UUID

from fastapi import Response

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from participation import aliases
from participation.matching_digests import MarksDep
from services.cases.models import Returnee
from services.cases.people.matching import duplicates
from services.cases.people.returnees import service
from services.cases.people.returnees.reassign import ReassignedOut, ReassignIn
from services.cases.people.returnees.reassign import reassign as reassigned
from services.cases.people.returnees.schemas import (
    AccessRequestIn,
    AccessRequestOut,
    CandidateOut,
    FoundOut,
    FoundPage,
    HouseholdMemberOut,
    HouseholdOut,
    IdentityOut,
    MergeIn,
    ReturneeOut,
    ReturneePatch,
    SafeContact,
    SearchIn,
)
from services.cases.people.search.queries import search as find_people

router = Router(prefix="/v1/returnees", tags=["returnees"])
households = Router(prefix="/v1/households", tags=["households"])


async def answer(
    session: Session, returnee: Returnee, caller: Caller, response: Response
) -> ReturneeOut:
    """A returnee as this client may read them; reading an identity is audited."""
    ids = await aliases.same_person(session, returnee.id)
    known = await service.known_ids(session, ids, caller)
    person = await service.readable(session, returnee, known, caller)
    if person is not None:
        audit.record(session, caller, "read-identity", "returnee", returnee.id)
    place = (await service.current_households(session, [returnee.id])).get(returnee.id)
    set_etag(response, returnee.version)
    return ReturneeOut(
        id=returnee.id,
        household_id=place.household_id if place else None,
        merged=[each for each in known if each != returnee.id],
        case_ids=await service.cases_of(session, known),
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
    found = await find_people(session, body.q, body.limit, caller)
    places = await service.current_households(
        session, [returnee.id for returnee, _ in found.people]
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
                household_id=places[returnee.id].household_id if returnee.id in places else None,
                created_at=returnee.created_at,
                updated_at=returnee.updated_at,
            )
            for returnee, score in found.people
            for person in [service.person_of(returnee)]
        ],
        more=found.more,
    )


@router.get("/{returnee_id}")
@requires(Scope.RETURNEES_READ)
async def returnee(
    returnee_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> ReturneeOut:
    """A returnee; who they are only with the scope `returnees:identity`."""
    return await answer(session, await service.find(session, returnee_id, caller), caller, response)


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
    row = await service.correct(session, returnee_id, body, caller, precondition)
    return await answer(session, row, caller, response)


@router.get("/{returnee_id}/duplicates")
@requires(Scope.RETURNEES_IDENTITY)
async def possible_duplicates(
    returnee_id: UUID, session: SessionDep, caller: CallerDep
) -> Page[CandidateOut]:
    """Who may be the same person, with a score and its reasons; best first, in one page. A person
    decides.

    Somebody whom only other organisations know of is a masked candidate, whose `request-access`
    asks them.
    """
    row = await service.find(session, returnee_id, caller)
    found = await duplicates.of_returnee(session, row, caller)
    audit.record(session, caller, "read-duplicates", "returnee", row.id, {"candidates": len(found)})
    return Page(items=found)


@router.post("/{returnee_id}/duplicates/{candidate_id}/request-access", status_code=202)
@requires(Scope.RETURNEES_IDENTITY)
async def request_access(
    returnee_id: UUID,
    candidate_id: UUID,
    body: AccessRequestIn,
    session: SessionDep,
    caller: CallerDep,
) -> AccessRequestOut:
    """Ask the organisations that know of a masked candidate to share them; who they are is not
    said.
    """
    return await duplicates.request_access(session, returnee_id, candidate_id, body, caller)


@router.get("/{returnee_id}/access-requests")
@requires(Scope.RETURNEES_WRITE)
async def access_requests(
    returnee_id: UUID, session: SessionDep, caller: CallerDep
) -> Page[AccessRequestOut]:
    """Organisations that think that the returnee is a person of theirs, and ask to know; sharing
    answers them.
    """
    return Page(items=await duplicates.access_requests(session, returnee_id, caller))


@router.post("/{returnee_id}/merge")
@requires(Scope.RETURNEES_WRITE, person=True, if_match=True)
async def merge(
    returnee_id: UUID,
    body: MergeIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ReturneeOut:
    """Say that two returnees are one person. From now on they are found under the other's id; no
    fact is re-keyed.
    """
    row = await duplicates.merge(session, returnee_id, body, caller, precondition)
    return await answer(session, row, caller, response)


@router.post("/{returnee_id}/unmerge")
@requires(Scope.RETURNEES_WRITE, person=True, if_match=True)
async def unmerge(
    returnee_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ReturneeOut:
    """Undo a merge, with the ETag of the person they are found under now. Each has again what was
    recorded of them.
    """
    row = await duplicates.unmerge(session, returnee_id, caller, precondition)
    return await answer(session, row, caller, response)


@router.post("/{returnee_id}/reassign")
@requires(Scope.RETURNEES_WRITE, person=True, if_match=True)
async def reassign(
    returnee_id: UUID,
    body: ReassignIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ReassignedOut:
    """Let a fact that was recorded of this returnee be another's. Merging and undoing a merge never
    move one.
    """
    row, moved = await reassigned(session, returnee_id, body, caller, precondition)
    set_etag(response, row.version)
    return moved


@router.get("/{returnee_id}/identity")
@requires(Scope.INTERNAL)
async def identity(
    returnee_id: UUID, session: SessionDep, caller: CallerDep, response: Response, marks: MarksDep
) -> IdentityOut:
    """The minimum by which a desk recognises somebody; for the copies that our own services keep.

    The gateway does not forward it.
    """
    row = await service.find(session, returnee_id, caller)
    person = service.person_of(row)
    place = (await service.current_households(session, [row.id])).get(row.id)
    # Of a merged person each id keeps its own marks: undoing the merge leaves nobody with
    # another's.
    own = await session.get_one(Returnee, returnee_id)
    found = {
        marks.reference(reference, index)
        for reference, index in await service.references_of(session, own.id)
    }
    found |= {marks.document(document.number) for document in service.person_of(own).documents}
    audit.record(session, caller, "read-identity", "returnee", row.id)
    set_etag(response, row.version)
    return IdentityOut(
        id=row.id,
        names=person.names,
        sex=person.sex,
        birth=person.birth,
        nationality=person.nationality,
        household_id=place.household_id if place else None,
        languages=person.languages,
        contacts=[
            SafeContact(kind=c.kind, owner=c.owner, safe_hours=c.safe_hours)
            for c in person.contacts
        ],
        marks=sorted(mark.hex() for mark in found),
    )


@households.get("/{household_id}")
@requires(Scope.RETURNEES_READ)
async def household(
    household_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> HouseholdOut:
    """A household and those of its members whom the organisation may know of."""
    row, members = await service.household(session, household_id, caller)
    set_etag(response, row.version)
    return HouseholdOut(
        id=row.id,
        members=[
            HouseholdMemberOut(
                returnee_id=m.returnee_id,
                relationship=m.relationship,
                member=m.member,
                since=m.since,
                until=m.until,
            )
            for m in members
        ],
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
