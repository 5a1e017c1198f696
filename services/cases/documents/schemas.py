"""Documents as they are answered."""

from datetime import date, datetime
from uuid import UUID

from contracts.codes import DocumentKind
from services.cases.fields import Out


class DocumentReferenceOut(Out):
    """What another of our services may know of a document without opening it: that there is one,
    what it is and about whom, and a digest by which it is known again.
    """

    id: UUID
    kind: DocumentKind
    returnee_id: UUID | None
    case_id: UUID | None
    referral_id: UUID | None
    sha256: str
    created_at: datetime


class DocumentOut(Out):
    """What is known of a document; its content is at `/content`."""

    id: UUID
    kind: DocumentKind
    returnee_id: UUID | None
    case_id: UUID | None
    referral_id: UUID | None
    media_type: str
    """By its content."""
    size: int
    """In bytes."""
    sha256: str
    scan: str
    """`clean`, or `not_scanned` where no virus scanner is configured."""
    keep_until: date
    organisation: str
    uploaded_by: str | None
    created_at: datetime
    updated_at: datetime
