"""Supporting documents: one that is cited counts once cases says that it has it, and that it is
about this return.

A citation is taken as it comes, so that nobody waits for cases; a job asks it. Until then a quote
is not compared, a handover is not proved and money is not released. The minutes and statutes of a
cooperative are asked once there is a joint grant, whose money waits for them.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select, update

from chassis import audit, jobs
from chassis.db import Session, now
from chassis.errors import Problem, ProblemType
from chassis.http import ServiceClient
from chassis.jobs import JobKind, Payload
from chassis.machine import Machine
from contracts.codes import PROVED_BY, DocumentKind, HelpKind, Paper
from participation.aliases import same_person
from services.grants import people
from services.grants.models import (
    CitedDocument,
    Cooperative,
    Delivery,
    Grant,
    Payment,
    Quote,
)
from services.grants.states import GIVEN_UP, CitationState, PaymentState

ASK = "grants.document.ask"
AGAIN = timedelta(hours=1)
ONLY_ONCE = (DocumentKind.INVOICE, DocumentKind.DELIVERY)
"""What is paid, or proved, once: an index of the table holds it too. Instalments of one grant may
share an invoice.
"""
DOCUMENT_TAKEN = ProblemType(
    "document-taken",
    409,
    "Another grant rests on the document",
    "An invoice is paid, and a handover proved, under one grant: nothing is funded twice.",
)
PAPERS_PENDING = ProblemType(
    "papers-pending",
    409,
    "It is not known yet whether the papers are on file",
    "The service that keeps documents was asked for those that are cited, and has not answered "
    "yet. Wait for the seconds in Retry-After and send it again; nothing was done. `missing` lists "
    "what is waited for, as far as it is papers of a payment.",
)
RETRY_SECONDS = 2


class Answer(StrEnum):
    """What cases says of a document, and the other grants that rest on it."""

    FOUND = "found"
    UNKNOWN = "unknown"
    TAKEN = "taken"


MACHINE: Machine[CitationState, Answer] = Machine(
    "cited_document",
    {
        state: {
            Answer.FOUND: CitationState.FOUND,
            Answer.UNKNOWN: CitationState.UNKNOWN,
            Answer.TAKEN: CitationState.TAKEN,
        }
        for state in CitationState
    },
    internal=list(Answer),
)
"""The last answer counts, whatever was known before."""


async def cite(session: Session, grant_id: UUID, documents: Iterable[UUID]) -> None:
    """Have cases asked for documents that something about a grant cites; what it has already is not
    asked again.

    Raises:
        Problem: 409 `document-taken`.
    """
    ids = sorted(set(documents))
    if not ids:
        return
    taken = _taken(grant_id).where(col(CitedDocument.document_id).in_(ids)).limit(1)
    if await session.scalar(taken) is not None:
        raise Problem(DOCUMENT_TAKEN)
    statement = insert(CitedDocument).values(
        [{"grant_id": grant_id, "document_id": document_id} for document_id in ids]
    )
    asked = await session.scalars(
        statement.on_conflict_do_update(
            index_elements=["grant_id", "document_id"],
            set_={"state": col(CitedDocument.state)},
            where=col(CitedDocument.state) != CitationState.FOUND,
        ).returning(col(CitedDocument.document_id))
    )
    for document_id in asked.all():
        await _ask_at(session, grant_id, document_id, None)


async def refused_without_papers(session: Session, grant_id: UUID, refusal: Problem) -> Problem:
    """What to say where papers that a step needs are not on file: that they are missing is only
    known once cases has answered for every document that the grant cites.

    Args:
        session: The session.
        grant_id: The grant.
        refusal: What is said if no answer is waited for.
    """
    awaited = select(CitedDocument.document_id).where(
        CitedDocument.grant_id == grant_id, CitedDocument.state == CitationState.CITED
    )
    if await session.scalar(awaited.limit(1)) is None:
        return refusal
    return Problem(
        PAPERS_PENDING,
        headers={"Retry-After": str(RETRY_SECONDS)},
        **{name: value for name, value in refusal.extensions.items() if name == "missing"},
    )


async def on_file(
    session: Session, grant_id: UUID, documents: Iterable[UUID]
) -> dict[UUID, DocumentKind | None]:
    """Which of the documents cases has, for this grant, and what they are."""
    rows = await session.execute(
        select(CitedDocument.document_id, CitedDocument.kind).where(
            CitedDocument.grant_id == grant_id,
            col(CitedDocument.document_id).in_(list(documents)),
            CitedDocument.state == CitationState.FOUND,
        )
    )
    return {row.document_id: row.kind for row in rows}


async def proved(session: Session, grant_id: UUID, cited: Iterable[tuple[Paper, UUID]]) -> set[str]:
    """Which papers are on file: by documents that cases has for this grant, and that are what they
    are cited as.
    """
    listed = list(cited)
    kinds = await on_file(session, grant_id, [document for _, document in listed])
    return {paper.value for paper, document in listed if kinds.get(document) in PROVED_BY[paper]}


def _taken(grant_id: UUID) -> Select[UUID]:
    """Documents that count for another grant and can count only once.

    A grant that was given up holds none.
    """
    return (
        select(CitedDocument.document_id)
        .join(Grant, col(Grant.id) == CitedDocument.grant_id)
        .where(
            CitedDocument.grant_id != grant_id,
            CitedDocument.state == CitationState.FOUND,
            col(CitedDocument.kind).in_(ONLY_ONCE),
        )
        .where(col(Grant.state).not_in(GIVEN_UP))
    )


async def count_quotes(session: Session, grant: Grant) -> int:
    """How many quotes can be compared: each has a document of its own on file that is a quote."""
    query = (
        select(func.count(col(Quote.document).distinct()))
        .join(CitedDocument, col(CitedDocument.document_id) == Quote.document)
        .where(
            Quote.grant_id == grant.id,
            CitedDocument.grant_id == grant.id,
            CitedDocument.state == CitationState.FOUND,
        )
        .where(CitedDocument.kind == DocumentKind.QUOTE)
    )
    return (await session.execute(query)).scalar_one()


async def handed_over(session: Session, grant: Grant) -> date | None:
    """The last day on which something was handed over with a certificate that is on file; None if
    nothing was.
    """
    day: date | None = await session.scalar(
        select(func.max(col(Delivery.delivered_on)))
        .join(CitedDocument, col(CitedDocument.document_id) == Delivery.certificate)
        .where(
            col(Delivery.grant_id) == grant.id,
            col(CitedDocument.grant_id) == grant.id,
            col(CitedDocument.state) == CitationState.FOUND,
        )
        .where(col(CitedDocument.kind).in_(PROVED_BY[Paper.HANDOVER_CERTIFICATE]))
    )
    return day


async def of_cooperative(session: Session, grant_id: UUID) -> tuple[set[str], set[str]]:
    """What the cooperative of a joint grant was selected and set up by, and what of it is on file,
    by kind.
    """
    row = (
        await session.execute(
            select(Cooperative.minutes, Cooperative.statutes).where(
                Cooperative.grant_id == grant_id
            )
        )
    ).first()
    cited = {
        kind: document
        for kind, document in (row._asdict() if row else {}).items()
        if document is not None
    }
    filed = await on_file(session, grant_id, cited.values())
    return set(cited), {kind for kind, document in cited.items() if document in filed}


async def _ask_at(
    session: Session, grant_id: UUID, document_id: UUID, due_at: datetime | None
) -> None:
    payload = {"grant_id": str(grant_id), "document_id": str(document_id)}
    await jobs.schedule(session, ASK, payload, due_at=due_at, key=f"{grant_id}/{document_id}")


async def _ask(client: ServiceClient, payload: Payload) -> Any:
    return await client.find("cases", f"/v1/documents/{payload['document_id']}/reference")


async def _note(session: Session, payload: Payload, document: Any) -> None:
    grant_id, document_id = UUID(payload["grant_id"]), UUID(payload["document_id"])
    grant = await session.get_one(Grant, grant_id, with_for_update=True)
    answer, kind = Answer.UNKNOWN, None
    if document is not None and await _is_about(session, grant, document):
        answer, kind = Answer.FOUND, DocumentKind(document["kind"])
        if not await _may_count(session, grant_id, document_id, kind):
            answer = Answer.TAKEN
    await session.execute(
        update(CitedDocument)
        .where(
            col(CitedDocument.grant_id) == grant_id, col(CitedDocument.document_id) == document_id
        )
        .values(kind=kind, checked_at=now(), **MACHINE.bulk(answer))
    )
    if answer is Answer.FOUND:
        await _prove_payments(session, grant_id, document_id, kind)
        return
    details = {"document_id": str(document_id)}
    audit.record(session, people.SYSTEM, f"document-{answer}", "grant", grant_id, details)
    if not grant.state.is_over:  # it may be uploaded after it was cited
        later = (await session.execute(select(now() + AGAIN))).scalar_one()
        await _ask_at(session, grant_id, document_id, later)


async def _prove_payments(
    session: Session, grant_id: UUID, document_id: UUID, kind: DocumentKind | None
) -> None:
    """Have the payments of a grant that wait for a document know that it is on file."""
    waiting = (
        select(Payment)
        .where(Payment.grant_id == grant_id, Payment.state == PaymentState.SCHEDULED)
        .order_by(col(Payment.id))
    )
    for payment in await session.scalars(waiting.with_for_update()):
        kinds = {
            Paper(paper["kind"])
            for paper in payment.papers
            if paper["document"] == str(document_id)
        }
        proved = {paper.value for paper in kinds if kind in PROVED_BY[paper]}
        payment.papers_there = sorted(proved.union(payment.papers_there))


async def _may_count(
    session: Session, grant_id: UUID, document_id: UUID, kind: DocumentKind
) -> bool:
    """Whether a document may count for a grant: one invoice, one handover certificate are never for
    two.
    """
    if kind not in ONLY_ONCE:
        return True
    await session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"document/{document_id}", 0)))
    )
    taken = _taken(grant_id).where(col(CitedDocument.document_id) == document_id).limit(1)
    if await session.scalar(taken) is not None:
        return False
    await session.execute(  # a grant that was given up holds it no more
        update(CitedDocument)
        .where(
            col(CitedDocument.document_id) == document_id,
            col(CitedDocument.grant_id) != grant_id,
            col(CitedDocument.state) == CitationState.FOUND,
        )
        .values(**MACHINE.bulk(Answer.TAKEN))
    )
    return True


async def _is_about(session: Session, grant: Grant, document: Any) -> bool:
    """Whether a document is about the case or the person; those of a cooperative may be about any
    of its members.
    """
    if document["case_id"] == str(grant.case_id) or grant.kind == HelpKind.COOPERATIVE:
        return True
    ids = await same_person(session, grant.returnee_id) if grant.returnee_id is not None else []
    return document["returnee_id"] in {str(i) for i in ids}


JOB = JobKind(ASK, _note, _ask)
