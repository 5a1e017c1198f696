"""`/v1/referrals`, without the journeys."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.codes import Slug
from contracts.scopes import Scope
from participation.access import visible
from services.cases.intake.referrals import correspondence, rules, service
from services.cases.intake.referrals.schemas import (
    AcceptIn,
    AmendIn,
    DryRunOut,
    InformationRequest,
    MessageIn,
    MessageOut,
    PersonCandidates,
    ReferralContent,
    ReferralDetail,
    ReferralIn,
    ReferralOut,
    RejectIn,
    RetroactiveIn,
    RuleOut,
    SearchIn,
    WithdrawIn,
)
from services.cases.models import Referral
from services.cases.people.returnees.schemas import AccessRequestIn, AccessRequestOut
from services.cases.states.intake import ReferralState

router = Router(prefix="/v1/referrals", tags=["referrals"])


def render(referral: Referral) -> dict[str, Any]:
    """What a referral shows to everybody who may know of it."""
    return {
        "id": referral.id,
        "state": referral.state,
        "external_reference": referral.external_reference,
        "sender": referral.sender,
        "submitter": referral.submitter,
        "retroactive": referral.retroactive,
        "revision": referral.revision,
        "supersedes": referral.supersedes,
        "programme": referral.programme,
        "programme_version": referral.programme_version,
        "return_kind": referral.return_kind,
        "country_of_return": referral.country_of_return,
        "requested_partner": referral.requested_partner,
        "decider": referral.decider,
        "implementer": referral.implementer,
        "needs_priority": referral.needs_priority,
        "question": referral.question,
        "rejection_reason": referral.rejection_reason,
        "comment": referral.comment,
        "decided_at": referral.decided_at,
        "created_at": referral.created_at,
        "updated_at": referral.updated_at,
    }


def readable(session: Session, referral: Referral, caller: Caller) -> ReferralContent | None:
    """The content as far as this client may read it; reading it is audited."""
    own = caller.organisation in {referral.sender, referral.submitter}
    if not own and Scope.RETURNEES_IDENTITY not in caller.scopes:
        return None
    content = service.content_of(referral)
    if content is None:
        return None
    audit.record(session, caller, "read-identity", "referral", referral.id)
    if not own and Scope.RETURNEES_VULNERABILITIES not in caller.scopes:
        return content.model_copy(update={"vulnerabilities": [], "notes": ""})
    told = (
        own
        or caller.is_internal
        or (referral.implementer is not None and caller.kind is OrganisationKind.PARTNER)
    )
    harmful = [each for each in content.vulnerabilities if each.kind in rules.HARMFUL_IF_KNOWN]
    if harmful and not told:
        # The notes may speak of it.
        rest = [each for each in content.vulnerabilities if each not in harmful]
        content = content.model_copy(update={"vulnerabilities": rest, "notes": ""})
    audit.record(session, caller, "read-vulnerabilities", "referral", referral.id)
    return content


async def answer(
    session: Session, referral: Referral, caller: Caller, response: Response
) -> ReferralDetail:
    """A referral with what became of its persons, and its ETag."""
    set_etag(response, await service.version_of(session, referral))
    return ReferralDetail(
        **render(referral),
        people=await service.became(session, referral),
        content=readable(session, referral, caller),
    )


@router.post(
    "",
    status_code=201,
    responses={
        200: {
            "model": ReferralDetail | DryRunOut,
            "description": "It was submitted before, or a dry run",
        }
    },
)
@requires(Scope.REFERRALS_SUBMIT)
async def submit(
    body: ReferralIn,
    session: SessionDep,
    caller: CallerDep,
    response: Response,
    dry_run: Annotated[
        bool, Query(description="Validate and match the rules, store nothing.")
    ] = False,
) -> ReferralDetail | DryRunOut:
    """Submit a referral. The same content under the same reference again is the same referral."""
    referral, assessed, new = await service.submit(session, body, caller, dry_run=dry_run)
    if referral is not None and not dry_run:
        response.status_code = 201 if new else 200
        response.headers["Location"] = f"/v1/referrals/{referral.id}"
        return await answer(session, referral, caller, response)
    response.status_code = 200
    return DryRunOut(
        valid=True,
        programme_version=assessed.version,
        needs_priority=rules.needs_priority(body),
        decider=assessed.first,
        partners=list(assessed.partners),
        rules=[
            RuleOut(rule=f.rule, holds=f.holds, right=f.right, source=f.source, verified=f.verified)
            for f in assessed.eligibility.findings
        ],
    )


@router.post(
    "/retroactive",
    status_code=201,
    responses={200: {"model": ReferralDetail, "description": "It was submitted before"}},
)
@requires(Scope.REFERRALS_SUBMIT)
async def submit_retroactive(
    body: RetroactiveIn, session: SessionDep, caller: CallerDep, response: Response
) -> ReferralDetail:
    """Refer people who have returned already; the host-country service that is named as sender
    decides.
    """
    referral, _, new = await service.submit(session, body, caller, arrived_on=body.arrived_on)
    assert referral is not None
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/referrals/{referral.id}"
    return await answer(session, referral, caller, response)


async def _list(
    session: Session,
    caller: Caller,
    filters: dict[str, Any],
    updated_since: Any,
    after: str | None,
    limit: int,
) -> Page[ReferralOut]:
    statement = select(Referral).where(visible(col(Referral.id), caller))
    for name, value in filters.items():
        if value is not None:
            statement = statement.where(getattr(Referral, name) == value)
    if updated_since is not None:
        statement = statement.where(Referral.updated_at >= updated_since)
    rows = await page(
        session, statement, keys=[col(Referral.id)], parsers=[UUID], after=after, limit=limit
    )
    return Page(items=[ReferralOut(**render(referral)) for referral in rows.items], next=rows.next)


@router.get("")
@requires(Scope.REFERRALS_READ)
async def referrals(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    state: ReferralState | None = None,
    programme: Slug | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[ReferralOut]:
    """Referrals that the organisation sent or that concern it, oldest first."""
    found = await _list(
        session, caller, {"state": state, "programme": programme}, updated_since, after, limit
    )
    link_next(request, response, found.next)
    return found


@router.post("/search")
@requires(Scope.REFERRALS_READ, query=True)
async def search(
    body: SearchIn,
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[ReferralOut]:
    """Referrals by the sender's own reference, which is kept out of the URL."""
    filters = {"external_reference": body.external_reference, "state": body.state}
    found = await _list(session, caller, filters, None, after, limit)
    link_next(request, response, found.next)
    return found


@router.get("/{referral_id}")
@requires(Scope.REFERRALS_READ)
async def referral(
    referral_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> ReferralDetail:
    """A referral, and what became of each person in it."""
    return await answer(session, await service.find(session, referral_id, caller), caller, response)


@router.get("/{referral_id}/duplicates")
@requires(Scope.RETURNEES_IDENTITY)
async def possible_duplicates(
    referral_id: UUID, session: SessionDep, caller: CallerDep
) -> Page[PersonCandidates]:
    """Who each person of the referral may be, for whoever accepts it and binds them; masked where
    others know them.
    """
    return Page(items=await correspondence.candidates(session, referral_id, caller))


@router.post("/{referral_id}/duplicates/{masked_id}/request-access", status_code=202)
@requires(Scope.RETURNEES_IDENTITY)
async def request_access(
    referral_id: UUID,
    masked_id: UUID,
    body: AccessRequestIn,
    session: SessionDep,
    caller: CallerDep,
) -> AccessRequestOut:
    """Ask the organisations that know of a masked candidate to share them before the referral is
    decided on.
    """
    return await correspondence.request_access(session, referral_id, masked_id, body, caller)


@router.get("/{referral_id}/messages")
@requires(Scope.REFERRALS_READ)
async def messages(referral_id: UUID, session: SessionDep, caller: CallerDep) -> Page[MessageOut]:
    """What counsellor and partner wrote to one another about the referral, oldest first."""
    rows = await correspondence.messages(session, referral_id, caller)
    return Page(items=[MessageOut.model_validate(row, from_attributes=True) for row in rows])


@router.post("/{referral_id}/messages", status_code=201)
@requires(Scope.REFERRALS_READ)
async def write_message(
    referral_id: UUID, body: MessageIn, session: SessionDep, caller: CallerDep
) -> MessageOut:
    """Write to the other side; nothing of it is published."""
    row = await correspondence.write(session, referral_id, body, caller)
    return MessageOut.model_validate(row, from_attributes=True)


@router.post("/{referral_id}/amend")
@requires(Scope.REFERRALS_SUBMIT)
async def amend(
    referral_id: UUID, body: AmendIn, session: SessionDep, caller: CallerDep, response: Response
) -> ReferralDetail:
    """Amend an accepted referral: a newborn joins the family, a name was misspelt."""
    return await answer(
        session, await correspondence.amend(session, referral_id, body, caller), caller, response
    )


@router.put("/{referral_id}")
@requires(Scope.REFERRALS_SUBMIT, if_match=True)
async def complete(
    referral_id: UUID,
    body: ReferralContent,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ReferralDetail:
    """Complete a referral while information is requested."""
    row = await service.complete(session, referral_id, body, caller, precondition)
    return await answer(session, row, caller, response)


@router.post("/{referral_id}/request-information")
@requires(Scope.REFERRALS_DECIDE)
async def request_information(
    referral_id: UUID,
    body: InformationRequest,
    session: SessionDep,
    caller: CallerDep,
    response: Response,
) -> ReferralDetail:
    """Ask the sender for what is missing."""
    row = await service.request_information(session, referral_id, body, caller)
    return await answer(session, row, caller, response)


@router.post("/{referral_id}/accept")
@requires(Scope.REFERRALS_DECIDE, person=True, if_match=True)
async def accept(
    referral_id: UUID,
    body: AcceptIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ReferralDetail:
    """Accept a referral: a person decides, names who implements, and says who the persons are."""
    row = await service.accept(session, referral_id, body, caller, precondition)
    return await answer(session, row, caller, response)


@router.post("/{referral_id}/reject")
@requires(Scope.REFERRALS_DECIDE, person=True, if_match=True)
async def reject(
    referral_id: UUID,
    body: RejectIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ReferralDetail:
    """Reject a referral for a coded reason, with a comment for its sender."""
    row = await service.reject(session, referral_id, body, caller, precondition)
    return await answer(session, row, caller, response)


@router.post("/{referral_id}/withdraw")
@requires(Scope.REFERRALS_SUBMIT)
async def withdraw(
    referral_id: UUID, body: WithdrawIn, session: SessionDep, caller: CallerDep, response: Response
) -> ReferralDetail:
    """Withdraw a referral, also after acceptance, until departure."""
    return await answer(
        session, await service.withdraw(session, referral_id, body, caller), caller, response
    )
