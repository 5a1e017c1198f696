"""What cases holds about a person although no column of the table says so, and what of its tables is not theirs."""

from typing import Any
from uuid import UUID

from sqlalchemy import Table, or_, select

from chassis.db import Session
from chassis.holdings import Holdings
from services.cases.models import (
    CaseFile,
    CaseMember,
    CounsellingSession,
    Deadline,
    Plan,
    Referral,
    ReferralPerson,
)

OF_A_REFERRAL = ("external_reference", "sender", "programme", "return", "travel", "destination", "needs", "consents")
"""What a referral says of all its persons."""


async def more(session: Session, ids: list[UUID]) -> dict[str, list[dict[str, Any]]]:
    """What was submitted about a person, and the files that they are in with others; never what is said of these."""
    cases = select(CaseMember.case_id).where(CaseMember.returnee_id.in_(ids))
    return {
        "referral": await _submitted(session, ids),
        "case_file": await _rows(session, CaseFile.__table__, CaseFile.id.in_(cases)),
        "plan": await _rows(session, Plan.__table__, Plan.case_id.in_(cases)),
        "deadline": await _rows(session, Deadline.__table__, Deadline.case_id.in_(cases)),
        "counselling_session": [
            row | {"attended": [each for each in row["attended"] if each in ids]}
            for row in await _rows(
                session, CounsellingSession.__table__, or_(*(CounsellingSession.attended.contains([i]) for i in ids))
            )
        ],
    }


async def _rows(session: Session, table: Any, condition: Any) -> list[dict[str, Any]]:
    assert isinstance(table, Table)
    rows = await session.execute(select(table).where(condition).order_by(table.c.id))
    return [dict(row) for row in rows.mappings()]


async def _submitted(session: Session, ids: list[UUID]) -> list[dict[str, Any]]:
    rows = await session.execute(
        select(Referral, ReferralPerson.index)
        .join(ReferralPerson, ReferralPerson.referral_id == Referral.id)
        .where(ReferralPerson.returnee_id.in_(ids))
        .order_by(Referral.id)
    )
    return [
        {
            "id": referral.id,
            "state": referral.state,
            "created_at": referral.created_at,
            "person": referral.content["people"][index],
            **{name: referral.content.get(name) for name in OF_A_REFERRAL},
        }
        for referral, index in rows
    ]


HOLDINGS = Holdings(
    columns={"returnee": "id", "plan_line": "beneficiary"},
    withheld=frozenset({"access_request", "returnee.terms", "returnee.keys", "returnee.found_by"}),
    more=more,
)
