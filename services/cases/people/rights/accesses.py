"""Who read or changed something about a person in this service."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy import select as sql_select
from sqlmodel import col, or_, select

from chassis import audit
from chassis.db import Session
from services.cases.models import (
    CaseMember,
    Deadline,
    HouseholdMember,
    ReferralPerson,
    ServiceReferral,
    StoredDocument,
    Survey,
)


async def load_accesses(session: Session, ids: Sequence[UUID], limit: int) -> list[Any]:
    """Load who read or changed something about a person, newest first: organisations, never
    persons.
    """
    log = audit.audit.c
    about = {"returnee": list(ids)}
    # Asked one after another, so that the log is read by its index.
    for resource, rows in _resources_about(ids).items():
        about[resource] = list(await session.scalars(rows))
    wanted = [
        (log.resource == resource) & log.resource_id.in_([str(one) for one in resource_ids])
        for resource, resource_ids in about.items()
    ]
    accesses = await session.execute(
        sql_select(audit.audit).where(or_(*wanted)).order_by(log.id.desc()).limit(limit)
    )
    return list(accesses)


def _resources_about(ids: Sequence[UUID]) -> dict[str, Select[Any]]:
    """The ids of what is about a person, by the audit trail's name of each."""
    cases = select(CaseMember.case_id).where(col(CaseMember.returnee_id).in_(ids))
    referrals = select(ReferralPerson.referral_id).where(col(ReferralPerson.returnee_id).in_(ids))
    households = select(HouseholdMember.household_id).where(
        col(HouseholdMember.returnee_id).in_(ids)
    )
    documents = select(StoredDocument.id).where(
        col(StoredDocument.returnee_id).in_(ids)
        | col(StoredDocument.case_id).in_(cases)
        | col(StoredDocument.referral_id).in_(referrals)
    )
    deadlines = select(Deadline.id).where(
        col(Deadline.case_id).in_(cases) | col(Deadline.referral_id).in_(referrals)
    )
    return {
        "case": cases,
        "referral": referrals,
        "household": households,
        "document": documents,
        "survey": select(Survey.id).where(col(Survey.returnee_id).in_(ids)),
        "service-referral": select(ServiceReferral.id).where(
            col(ServiceReferral.returnee_id).in_(ids)
        ),
        "deadline": deadlines,
    }
