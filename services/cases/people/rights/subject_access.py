"""What cases holds about a person although no column of the table says so, and what of its tables
is not theirs.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy import select as sql_select
from sqlmodel import col, false, or_, select

from chassis.db import Session
from participation.subject_access import Further, Holdings
from services.cases.models import (
    Base,
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


async def load_further(session: Session, ids: list[UUID]) -> Further:
    """Load what was submitted about a person, and the files that they are in with others; never
    what is said of these.

    What may be said of another is shown where they are alone in it, and named as withheld where
    they are not.
    """
    cases = set(
        await session.scalars(
            select(CaseMember.case_id).where(col(CaseMember.returnee_id).in_(ids))
        )
    )
    with_others = select(CaseMember.case_id).where(
        col(CaseMember.case_id).in_(cases), col(CaseMember.returnee_id).not_in(ids)
    )
    shared_cases = set(await session.scalars(with_others))
    submitted = await _load_referrals(session, ids)
    referrals = {referral.id for referral, _ in submitted}
    alone = {referral.id for referral, _ in submitted if len(_people(referral)) == 1}
    withheld = await _load_withheld(session, submitted, alone, shared_cases)
    own_places = [
        (col(JourneyPerson.index) == index)
        & col(JourneyPerson.journey_id).in_(
            select(Journey.id).where(Journey.referral_id == referral.id)
        )
        for referral, index in submitted
    ]
    places = await _load_rows(session, JourneyPerson, or_(false(), *own_places))
    households = select(HouseholdMember.household_id).where(
        col(HouseholdMember.returnee_id).in_(ids)
    )
    lines = select(PlanLine.line_id).where(col(PlanLine.beneficiary).in_(ids))
    conditions: dict[type[Base], ColumnElement[bool]] = {
        Household: col(Household.id).in_(households),
        CaseFile: col(CaseFile.id).in_(cases),
        CaseTransfer: col(CaseTransfer.case_id).in_(cases),
        Plan: col(Plan.case_id).in_(cases),
        PlanLineStatus: col(PlanLineStatus.line_id).in_(lines),
        Deadline: col(Deadline.case_id).in_(cases) | col(Deadline.referral_id).in_(referrals),
        StoredDocument: col(StoredDocument.returnee_id).in_(ids)
        | col(StoredDocument.case_id).in_(cases - shared_cases)
        | col(StoredDocument.referral_id).in_(alone),
        ReferralMessage: col(ReferralMessage.referral_id).in_(alone),
        BatchItem: col(BatchItem.referral_id).in_(referrals),
        Journey: col(Journey.id).in_([place["journey_id"] for place in places]),
    }
    further = {
        str(model.__tablename__): await _load_rows(session, model, condition)
        for model, condition in conditions.items()
    }
    return further | {
        "referral": [
            _said(referral, index, alone=referral.id in alone) for referral, index in submitted
        ],
        "journey_person": places,
        "counselling_session": await _load_sessions(session, ids),
    }, withheld


async def _load_withheld(
    session: Session,
    submitted: Sequence[tuple[Referral, int]],
    alone: Collection[UUID],
    shared_cases: Collection[UUID],
) -> set[str]:
    """What there is and is not shown, because it may be of another."""
    withheld = {
        f"referral.{name}"
        for referral, _ in submitted
        if referral.id not in alone
        for name in OF_WHOM
        if referral.content.get(name)
    }
    with_others = {referral.id for referral, _ in submitted} - set(alone)
    documents = select(StoredDocument.id).where(
        col(StoredDocument.case_id).in_(shared_cases)
        | col(StoredDocument.referral_id).in_(with_others)
    )
    if await session.scalar(documents.limit(1)) is not None:
        withheld.add("document")
    messages = select(ReferralMessage.id).where(col(ReferralMessage.referral_id).in_(with_others))
    if await session.scalar(messages.limit(1)) is not None:
        withheld.add("referral_message")
    return withheld


async def _load_sessions(session: Session, ids: list[UUID]) -> list[dict[str, Any]]:
    """The counselling that a person attended, without who else did."""
    attended = or_(*(col(CounsellingSession.attended).contains([own_id]) for own_id in ids))
    return [
        row | {"attended": [person for person in row["attended"] if person in ids]}
        for row in await _load_rows(session, CounsellingSession, attended)
    ]


async def _load_rows(
    session: Session, model: type[Base], condition: ColumnElement[bool]
) -> list[dict[str, Any]]:
    table: Any = model.__table__
    rows = await session.execute(sql_select(table).where(condition).order_by(*table.primary_key))
    return [dict(row) for row in rows.mappings()]


async def _load_referrals(session: Session, ids: list[UUID]) -> list[tuple[Referral, int]]:
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
    more=load_further,
)
