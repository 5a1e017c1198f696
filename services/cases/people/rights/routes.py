"""What a person may ask for, below `/v1/returnees/{id}`."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from chassis import audit
from chassis.concurrency import set_etag
from chassis.pagination import Page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from participation import aliases
from services.cases.access.people import load_returnee, require_worker_with
from services.cases.models import LegalHold, PersonConsent, Restriction, Share
from services.cases.people.rights import accesses, consent, erasure, holds, restriction, sharing
from services.cases.people.rights.schemas import (
    AccessOut,
    ConsentIn,
    ConsentOut,
    EraseIn,
    ErasureOut,
    LegalHoldIn,
    LegalHoldOut,
    RestrictionIn,
    RestrictionOut,
    ShareIn,
    ShareOut,
    UnshareIn,
)

router = Router(prefix="/v1/returnees/{returnee_id}", tags=["rights"])


def render_share(row: Share) -> ShareOut:
    """A share as it is answered."""
    return ShareOut.model_validate(row, from_attributes=True)


def render_consent(row: PersonConsent) -> ConsentOut:
    """A consent as it is answered."""
    return ConsentOut(
        id=row.id,
        purpose=row.purpose,
        version=row.consent_version,
        given_on=row.given_on,
        legal_basis=row.legal_basis,
        withdrawn_on=row.withdrawn_on,
        document_id=row.document_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def render_restriction(row: Restriction) -> RestrictionOut:
    """A restriction as it is answered."""
    return RestrictionOut.model_validate(row, from_attributes=True)


def render_hold(row: LegalHold) -> LegalHoldOut:
    """A legal hold as it is answered."""
    return LegalHoldOut.model_validate(row, from_attributes=True)


@router.post("/share", status_code=201)
@requires(Scope.RETURNEES_WRITE)
async def share(
    returnee_id: UUID, body: ShareIn, session: SessionDep, caller: CallerDep, response: Response
) -> ShareOut:
    """Let another organisation know of the returnee, for a purpose and a time."""
    row = await sharing.share(
        session,
        caller,
        returnee_id,
        organisation=body.organisation,
        purpose=body.purpose,
        legal_basis=body.legal_basis,
        categories=body.categories,
        until=body.until,
    )
    set_etag(response, row.version)
    return render_share(row)


@router.post("/unshare")
@requires(Scope.RETURNEES_WRITE)
async def unshare(
    returnee_id: UUID, body: UnshareIn, session: SessionDep, caller: CallerDep
) -> Page[ShareOut]:
    """End what was shared with an organisation; answers with all that was ever shared."""
    rows = await sharing.unshare(session, caller, returnee_id, body.organisation)
    return Page(items=[render_share(row) for row in rows])


@router.get("/shares")
@requires(Scope.RETURNEES_WRITE)
async def shares(returnee_id: UUID, session: SessionDep, caller: CallerDep) -> Page[ShareOut]:
    """With whom the returnee is or was shared."""
    _, ids = await require_worker_with(session, caller, returnee_id)
    return Page(items=[render_share(row) for row in await sharing.load_shares(session, ids)])


@router.get("/consents")
@requires(Scope.RETURNEES_READ)
async def consents(returnee_id: UUID, session: SessionDep, caller: CallerDep) -> Page[ConsentOut]:
    """What the returnee agreed to."""
    returnee = await load_returnee(session, caller, returnee_id)
    ids = await aliases.same_person(session, returnee.id)
    return Page(items=[render_consent(row) for row in await consent.load_consents(session, ids)])


@router.post("/consents", status_code=201)
@requires(Scope.RETURNEES_WRITE)
async def record_consent(
    returnee_id: UUID, body: ConsentIn, session: SessionDep, caller: CallerDep, response: Response
) -> ConsentOut:
    """Note that the returnee gave a consent, or withdrew the one in force."""
    given = consent.GivenConsent(body.purpose, body.version, body.given_on, body.legal_basis)
    row = await consent.record_consent(
        session,
        caller,
        returnee_id,
        given=given,
        withdrawn_on=body.withdrawn_on,
        document_id=body.document_id,
    )
    set_etag(response, row.version)
    return render_consent(row)


@router.get("/restrictions")
@requires(Scope.RETURNEES_WRITE)
async def restrictions(
    returnee_id: UUID, session: SessionDep, caller: CallerDep
) -> Page[RestrictionOut]:
    """Which organisations may know of the returnee no more."""
    _, ids = await require_worker_with(session, caller, returnee_id)
    return Page(
        items=[render_restriction(row) for row in await restriction.load_restrictions(session, ids)]
    )


@router.post("/restrictions", status_code=201)
@requires(Scope.RETURNEES_WRITE, person=True)
async def restrict(
    returnee_id: UUID,
    body: RestrictionIn,
    session: SessionDep,
    caller: CallerDep,
    response: Response,
) -> RestrictionOut:
    """Let an organisation that took part know of the returnee no more, or with `lifted` again."""
    if body.lifted:
        row = await restriction.lift(session, caller, returnee_id, body.organisation)
    else:
        row = await restriction.restrict(
            session, caller, returnee_id, body.organisation, body.reason
        )
    set_etag(response, row.version)
    return render_restriction(row)


@router.get("/legal-holds")
@requires(Scope.RETURNEES_WRITE)
async def legal_holds(
    returnee_id: UUID, session: SessionDep, caller: CallerDep
) -> Page[LegalHoldOut]:
    """Why the returnee's data must be kept."""
    _, ids = await require_worker_with(session, caller, returnee_id)
    return Page(items=[render_hold(row) for row in await holds.load_holds(session, ids)])


@router.post("/legal-holds", status_code=201)
@requires(Scope.RETURNEES_WRITE, person=True)
async def hold(
    returnee_id: UUID, body: LegalHoldIn, session: SessionDep, caller: CallerDep, response: Response
) -> LegalHoldOut:
    """Have the returnee's data kept: nothing is erased while the hold stands."""
    row = await holds.place_hold(
        session, caller, returnee_id, reason=body.reason, comment=body.comment
    )
    set_etag(response, row.version)
    return render_hold(row)


@router.get("/legal-holds/{hold_id}")
@requires(Scope.RETURNEES_WRITE)
async def legal_hold(
    returnee_id: UUID, hold_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> LegalHoldOut:
    """A hold."""
    row = await holds.lock_hold(session, caller, returnee_id, hold_id)
    set_etag(response, row.version)
    return render_hold(row)


@router.post("/legal-holds/{hold_id}/release")
@requires(Scope.RETURNEES_WRITE, person=True, if_match=True)
async def release(
    returnee_id: UUID,
    hold_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> LegalHoldOut:
    """Release a hold; who did is kept."""
    row = await holds.release(session, caller, returnee_id, hold_id, precondition)
    set_etag(response, row.version)
    return render_hold(row)


@router.get("/access-report")
@requires(Scope.RETURNEES_WRITE)
async def access_report(
    returnee_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Page[AccessOut]:
    """Which organisations read or changed something about the returnee in this service, newest
    first.
    """
    _, ids = await require_worker_with(session, caller, returnee_id)
    rows = await accesses.load_accesses(session, ids, limit)
    audit.record(session, caller, "access-report", "returnee", returnee_id)
    return Page(
        items=[
            AccessOut(
                at=row.at,
                organisation=row.organisation,
                action=row.action,
                resource=row.resource,
                resource_id=row.resource_id,
            )
            for row in rows
        ]
    )


@router.post("/erase")
@requires(Scope.RETURNEES_ERASE, person=True, if_match=True)
async def erase(
    returnee_id: UUID,
    body: EraseIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
) -> ErasureOut:
    """Erase who the returnee is, here and by event everywhere; refused under a legal hold or with
    an open case.
    """
    return await erasure.erase(session, caller, returnee_id, body.reason, precondition)
