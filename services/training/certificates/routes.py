"""`/v1/certificates`, which anybody may verify, and what leads to one."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request, Response

from chassis import audit
from chassis.errors import CONFLICT, FORBIDDEN, NOT_CAUGHT_UP, Problem
from chassis.routing import (
    CallerDep,
    KeyringDep,
    PreconditionDep,
    Router,
    SessionDep,
    public,
    requires,
)
from contracts.codes import SharedCategory
from contracts.scopes import Scope
from participation import identities
from participation.access import disclosed
from services.training.certificates import service
from services.training.enrolments.progress import certificate_of
from services.training.enrolments.routes import render_detail
from services.training.enrolments.schemas import CertificateOut, EnrolmentDetail
from services.training.enrolments.service import find
from services.training.fields import found
from services.training.identities import Identity

router = Router(prefix="/v1/certificates", tags=["training"])
of_enrolment = Router(prefix="/v1/enrolments", tags=["training"])

Code = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,40}$")]
PDF = "application/pdf"


@router.get("/{code}")
@public
async def verify(code: Code, session: SessionDep) -> CertificateOut:
    """Whether a certificate is genuine, and for what: course, hours, provider and dates."""
    return CertificateOut.model_validate(await service.verify(session, code))


@of_enrolment.post("/{enrolment_id}/complete")
@requires(Scope.TRAINING_WRITE, person=True, if_match=True)
async def complete(
    enrolment_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> EnrolmentDetail:
    """The person completed the course: they get a certificate."""
    enrolment = await service.complete(session, caller, enrolment_id, precondition)
    return await render_detail(session, caller, enrolment, response)


@of_enrolment.get(
    "/{enrolment_id}/certificate",
    response_class=Response,
    responses={200: {"content": {PDF: {"schema": {"type": "string", "format": "binary"}}}}},
)
@requires(Scope.TRAINING_READ)
async def read_certificate(
    enrolment_id: UUID,
    request: Request,
    session: SessionDep,
    caller: CallerDep,
    keyring: KeyringDep,
) -> Response:
    """The certificate on paper, with the person's name; reading it is audited. One that does not
    hold is not drawn.
    """
    from services.training.certificates.pdf import draw  # noqa: PLC0415 - 22 MB that most processes never need

    enrolment = await find(session, caller, enrolment_id)
    certificate = found(await certificate_of(session, enrolment_id))
    if not certificate.valid:
        raise Problem(CONFLICT, "the certificate does not hold: too little was attended after all")
    who = [enrolment.returnee_id]
    if not await disclosed(session, caller, who, SharedCategory.IDENTITY):
        raise Problem(FORBIDDEN, "the person was shared without their identity")
    identity = (await identities.read_shown(session, caller, who, keyring, Identity)).get(who[0])
    if identity is None:
        raise Problem(NOT_CAUGHT_UP, headers={"Retry-After": "5"})
    audit.record(session, caller, "read-identity", "certificate", certificate.id)
    gateway = str(request.app.state.homeward.settings.issuer).rstrip("/")
    file = draw(certificate, identity, verify_at=f"{gateway}/v1/certificates/{certificate.code}")
    headers = {
        "Content-Disposition": 'inline; filename="certificate.pdf"',
        "Cache-Control": "no-store",
    }
    return Response(file, media_type=PDF, headers=headers)
