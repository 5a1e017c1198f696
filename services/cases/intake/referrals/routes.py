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
from services.cases.access.referrals import load_referral
from services.cases.codes import VulnerabilityKind
from services.cases.intake.referrals import (
    acceptance,
    amendments,
    correspondence,
    decisions,
    rules,
    service,
    submission,
)
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
from services.cases.people.duplicates.routes import render_request
from services.cases.people.duplicates.schemas import AccessRequestIn, AccessRequestOut
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


def readable(session: Session, caller: Caller, referral: Referral) -> ReferralContent | None:
    """The content as far as the caller may read it; reading it is audited."""
    own = caller.organisation in {referral.sender, referral.submitter}
    if not own and Scope.RETURNEES_IDENTITY not in caller.scopes:
        return None
    content = service.content_of(referral)
    if content is None:
        return None
    audit.record(session, caller, "read-identity", "referral", referral.id)
    if not own and Scope.RETURNEES_VULNERABILITIES not in caller.scopes:
        return content.model_copy(update={"vulnerabilities": [], "notes": ""})
    may_know_all = (
        own
        or caller.is_internal
        or (referral.implementer is not None and caller.kind is OrganisationKind.PARTNER)
    )
    harmless = [
        vulnerability
        for vulnerability in content.vulnerabilities
        if vulnerability.kind not in VulnerabilityKind.HARMFUL_IF_KNOWN
    ]
    if len(harmless) < len(content.vulnerabilities) and not may_know_all:
        # The notes may speak of it.
        content = content.model_copy(update={"vulnerabilities": harmless, "notes": ""})
    audit.record(session, caller, "read-vulnerabilities", "referral", referral.id)
    return content


async def answer(
    session: Session, caller: Caller, referral: Referral, response: Response
) -> ReferralDetail:
    """A referral with what became of its persons, and its ETag."""
    set_etag(response, await service.load_version(session, referral))
    return ReferralDetail(
        **render(referral),
        people=await service.load_outcomes(session, referral),
        content=readable(session, caller, referral),
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
    referral, result, is_new = await submission.submit(session, caller, body, dry_run=dry_run)
    if referral is not None and not dry_run:
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"/v1/referrals/{referral.id}"
        return await answer(session, caller, referral, response)
    response.status_code = 200
    return DryRunOut(
        valid=True,
        programme_version=result.version,
        needs_priority=rules.needs_priority(body),
        decider=result.decider,
        partners=list(result.partners),
        rules=[
            RuleOut(
                rule=finding.rule,
                holds=finding.holds,
                right=finding.right,
                source=finding.source,
                verified=finding.verified,
            )
            for finding in result.eligibility.findings
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
    referral, _, is_new = await submission.submit(session, caller, body, arrived_on=body.arrived_on)
    assert referral is not None
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/referrals/{referral.id}"
    return await answer(session, caller, referral, response)


async def _load_page(
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
    filters = {"state": state, "programme": programme}
    rows = await _load_page(session, caller, filters, updated_since, after, limit)
    link_next(request, response, rows.next)
    return rows


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
    rows = await _load_page(session, caller, filters, None, after, limit)
    link_next(request, response, rows.next)
    return rows


@router.get("/{referral_id}")
@requires(Scope.REFERRALS_READ)
async def referral(
    referral_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> ReferralDetail:
    """A referral, and what became of each person in it."""
    row = await load_referral(session, caller, referral_id)
    return await answer(session, caller, row, response)


@router.get("/{referral_id}/duplicates")
@requires(Scope.RETURNEES_IDENTITY)
async def possible_duplicates(
    referral_id: UUID, session: SessionDep, caller: CallerDep
) -> Page[PersonCandidates]:
    """Who each person of the referral may be, for whoever accepts it and binds them; masked where
    others know them.
    """
    return Page(items=await correspondence.load_person_candidates(session, caller, referral_id))


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
    row = await correspondence.request_access(session, caller, referral_id, masked_id, body.reason)
    return render_request(row)


@router.get("/{referral_id}/messages")
@requires(Scope.REFERRALS_READ)
async def messages(referral_id: UUID, session: SessionDep, caller: CallerDep) -> Page[MessageOut]:
    """What counsellor and partner wrote to one another about the referral, oldest first."""
    rows = await correspondence.load_messages(session, caller, referral_id)
    return Page(items=[MessageOut.model_validate(row, from_attributes=True) for row in rows])


@router.post("/{referral_id}/messages", status_code=201)
@requires(Scope.REFERRALS_READ)
async def write_message(
    referral_id: UUID, body: MessageIn, session: SessionDep, caller: CallerDep
) -> MessageOut:
    """Write to the other side; nothing of it is published."""
    row = await correspondence.write_message(session, caller, referral_id, body.body)
    return MessageOut.model_validate(row, from_attributes=True)


@router.post("/{referral_id}/amend")
@requires(Scope.REFERRALS_SUBMIT)
async def amend(
    referral_id: UUID, body: AmendIn, session: SessionDep, caller: CallerDep, response: Response
) -> ReferralDetail:
    """Amend an accepted referral: a newborn joins the family, a name was misspelt."""
    row = await amendments.amend(session, caller, referral_id, add=body.add, correct=body.correct)
    return await answer(session, caller, row, response)


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
    row = await submission.complete(session, caller, referral_id, body, precondition)
    return await answer(session, caller, row, response)


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
    row = await decisions.request_information(session, caller, referral_id, body.question)
    return await answer(session, caller, row, response)


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
    row = await acceptance.accept(
        session,
        caller,
        referral_id,
        precondition,
        implementer=body.implementer,
        bindings=body.people,
        comment=body.comment,
    )
    return await answer(session, caller, row, response)


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
    row = await decisions.reject(
        session, caller, referral_id, precondition, reason=body.reason, comment=body.comment
    )
    return await answer(session, caller, row, response)


@router.post("/{referral_id}/withdraw")
@requires(Scope.REFERRALS_SUBMIT)
async def withdraw(
    referral_id: UUID, body: WithdrawIn, session: SessionDep, caller: CallerDep, response: Response
) -> ReferralDetail:
    """Withdraw a referral, also after acceptance, until departure."""
    row = await decisions.withdraw(session, caller, referral_id, body.comment)
    return await answer(session, caller, row, response)
