"""`/v1/certificates`: anybody may verify a code, and learns no name."""

from typing import Annotated

from fastapi import Path

from chassis.routing import Router, SessionDep, public
from services.training.certificates import service
from services.training.enrolments.schemas import CertificateOut

router = Router(prefix="/v1/certificates", tags=["training"])

Code = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,40}$")]


@router.get("/{code}")
@public
async def verify(code: Code, session: SessionDep) -> CertificateOut:
    """Whether a certificate is genuine, and for what: course, hours, provider and dates."""
    return CertificateOut.model_validate(await service.verify(session, code))
