"""What cases holds about a person although no column of the table says so, and what of its tables
is not theirs.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlmodel import col, false, or_, select

from chassis.db import Session
from participation.subject_access import Further, Holdings
from services.cases.models import (
    BatchItem,
    CaseFile,
    CaseMember,
    CaseTransfer,
    CounsellingSession,
    Deadline,
    Household,
    HouseholdMember,
    Journey,
    JourneyPerson,
    Plan,
    PlanLine,
    PlanLineStatus,
    Referral,
    ReferralMessage,
    ReferralPerson,
    StoredDocument,
)

OF_A_REFERRAL = (
    "external_reference",
    "sender",
    "programme",
    "return",
    "travel",
    "destination",
    "needs",
    "consents",
)
"""What a referral says of all its persons."""
OF_WHOM = ("vulnerabilities", "requested_assistance", "notes")
"""What it says of one of them or the other, and not of whom."""
OF_NOBODY = frozenset({"name_word", "referral_batch"})
"""Tables that say nothing of anybody."""


async def more(session: Session, ids: list[UUID]) -> Further:
    """What was submitted about a person, and the files that they are in with others; never what is
    said of these.

    What may be said of another is shown where they are alone in it, and named as withheld where
    they are not.
    """
    cases = set(
        await session.scalars(
            select(CaseMember.case_id).where(col(CaseMember.returnee_id).in_(ids))
        )
    )
    households = select(HouseholdMember.household_id).where(
        col(HouseholdMember.returnee_id).in_(ids)
    )
    lines = select(PlanLine.line_id).where(col(PlanLine.beneficiary).in_(ids))
    submitted = await _referrals(session, ids)
    referrals = {referral.id for referral, _ in submitted}
    alone = {referral.id for referral, _ in submitted if len(_people(referral)) == 1}
    with_others = select(CaseMember.case_id).where(
        col(CaseMember.case_id).in_(cases), col(CaseMember.returnee_id).not_in(ids)
    )
    of_others = set(await session.scalars(with_others))
    withheld = {
        f"referral.{name}"
        for r, _ in submitted
        if r.id not in alone
        for name in OF_WHOM
        if r.content.get(name)
    }
    paper = StoredDocument
    shared = paper.case_id.in_(of_others) | paper.referral_id.in_(referrals - alone)
    if await session.scalar(select(paper.id).where(shared).limit(1)) is not None:
        withheld.add("document")
    unsaid = col(ReferralMessage.referral_id).in_(referrals - alone)
    if await session.scalar(select(ReferralMessage.id).where(unsaid).limit(1)) is not None:
        withheld.add("referral_message")
    theirs: dict[Any, Any] = {
        Household: col(Household.id).in_(households),
        CaseFile: col(CaseFile.id).in_(cases),
        CaseTransfer: col(CaseTransfer.case_id).in_(cases),
        Plan: col(Plan.case_id).in_(cases),
        PlanLineStatus: col(PlanLineStatus.line_id).in_(lines),
        Deadline: col(Deadline.case_id).in_(cases) | col(Deadline.referral_id).in_(referrals),
        StoredDocument: paper.returnee_id.in_(ids)
        | paper.case_id.in_(cases - of_others)
        | paper.referral_id.in_(alone),
        ReferralMessage: col(ReferralMessage.referral_id).in_(alone),
        BatchItem: col(BatchItem.referral_id).in_(referrals),
    }
    journeys = select(Journey.id)
    places = [
        (col(JourneyPerson.index) == index)
        & col(JourneyPerson.journey_id).in_(journeys.where(col(Journey.referral_id) == referral.id))
        for referral, index in submitted
    ]
    seats = await _rows(session, JourneyPerson.__table__, or_(false(), *places))
    theirs[Journey] = col(Journey.id).in_([seat["journey_id"] for seat in seats])
    found = {
        model.__tablename__: await _rows(session, model.__table__, where)
        for model, where in theirs.items()
    }
    return found | {
        "referral": [
            _said(referral, index, alone=referral.id in alone) for referral, index in submitted
        ],
        "journey_person": seats,
        "counselling_session": [
            row | {"attended": [each for each in row["attended"] if each in ids]}
            for row in await _rows(
                session,
                CounsellingSession.__table__,
                or_(*(col(CounsellingSession.attended).contains([i]) for i in ids)),
            )
        ],
    }, withheld


async def _rows(session: Session, table: Any, condition: Any) -> list[dict[str, Any]]:
    assert isinstance(table, Table)
    rows = await session.execute(select(table).where(condition).order_by(*table.primary_key))
    return [dict(row) for row in rows.mappings()]


async def _referrals(session: Session, ids: list[UUID]) -> list[tuple[Referral, int]]:
    rows = await session.execute(
        select(Referral, ReferralPerson.index)
        .join(ReferralPerson, col(ReferralPerson.referral_id) == Referral.id)
        .where(col(ReferralPerson.returnee_id).in_(ids))
        .order_by(col(Referral.id))
    )
    return [(referral, index) for referral, index in rows]


def _people(referral: Referral) -> list[Mapping[str, Any]]:
    return [person for person in referral.content["people"] if not person.get("erased")]


def _said(referral: Referral, index: int, *, alone: bool) -> dict[str, Any]:
    columns = (
        "id",
        "state",
        "created_at",
        *(("question", "rejection_reason", "comment") if alone else ()),
    )
    members = (*OF_A_REFERRAL, *(OF_WHOM if alone else ()))
    return {
        **{name: getattr(referral, name) for name in columns},
        "person": referral.content["people"][index],
        **{name: referral.content.get(name) for name in members},
    }


HOLDINGS = Holdings(
    columns={"returnee": "id", "plan_line": "beneficiary"},
    withheld=frozenset({"access_request", "returnee.terms", "returnee.keys", "returnee.found_by"}),
    more=more,
)
