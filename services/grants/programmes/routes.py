"""`/v1/programmes`: the dated data that everything is decided by."""

from dataclasses import asdict

from fastapi import Response

from chassis.concurrency import set_etag
from chassis.errors import NOT_FOUND, Problem
from chassis.pagination import Page
from chassis.routing import Router, requires
from contracts.codes import Slug
from contracts.programmes import Described, Programme, eligibility
from contracts.scopes import Scope
from services.grants.programmes.data import programmes
from services.grants.programmes.schemas import DescribedIn, EligibilityOut, FindingOut, ProgrammeOut

router = Router(prefix="/v1/programmes", tags=["programmes"])


def find(programme_id: str) -> Programme:
    """A programme.

    Raises:
        Problem: 404.
    """
    programme = programmes().get(programme_id)
    if programme is None:
        raise Problem(NOT_FOUND)
    return programme


@router.get("")
@requires(Scope.PROGRAMMES_READ)
async def read_programmes() -> Page[ProgrammeOut]:
    """Every programme, in one page."""
    return Page(
        items=[ProgrammeOut.of(programme) for _, programme in sorted(programmes().items())],
        next=None,
    )


@router.get("/{programme_id}")
@requires(Scope.PROGRAMMES_READ)
async def read_programme(programme_id: Slug, response: Response) -> ProgrammeOut:
    """A programme."""
    programme = find(programme_id)
    set_etag(response, len(programme.versions))
    return ProgrammeOut.of(programme)


@router.post("/{programme_id}/eligibility")
@requires(Scope.PROGRAMMES_READ, query=True)
async def ask(programme_id: Slug, body: DescribedIn) -> EligibilityOut:
    """Whether a described return is for the programme, with every rule that was used."""
    programme = find(programme_id)
    described = Described(
        sender=body.sender,
        return_kind=body.return_kind,
        legal_status=body.legal_status,
        host_country=body.host_country,
        country_of_return=body.country_of_return,
        consents={consent.purpose: consent.legal_basis for consent in body.consents},
        counselled_on=body.counselled_on,
        departs_on=body.departs_on,
        port_of_entry=body.port_of_entry,
    )
    outcome = eligibility(programme, described)
    return EligibilityOut(
        programme=programme.id,
        version=outcome.version,
        eligible=outcome.eligible,
        findings=[FindingOut(**asdict(finding)) for finding in outcome.findings],
    )
