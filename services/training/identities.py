"""Training's own copies of who takes part, for rosters and certificates: encrypted, and only the
names.
"""

from uuid import UUID

from sqlalchemy import select

from chassis.db import Session
from chassis.jobs import JobKind
from chassis.settings import Settings
from participation import beneficiaries, identities
from participation.identities import Name, Part


class Identity(Part):
    """By what a lecturer recognises a participant, and what a certificate says."""

    names: list[Name]


async def is_kept(session: Session, returnee_id: UUID) -> bool:
    """Whether there is a copy."""
    copy = beneficiaries.identity_copy.c
    return (
        await session.scalar(select(copy.returnee_id).where(copy.returnee_id == returnee_id))
        is not None
    )


def fetch_job(settings: Settings) -> JobKind:
    """The job that fetches an identity from cases and keeps the names."""
    return identities.fetch_job(settings, Identity, identities.keep)
