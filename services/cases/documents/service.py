"""Documents: uploaded, opened by who may, and forgotten when their time is over."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, union_all
from sqlalchemy.orm import aliased
from sqlmodel import col, delete, or_, select

from chassis import audit, jobs
from chassis.auth import Caller
from chassis.db import Session, current_time
from chassis.documents import Documents
from chassis.errors import FORBIDDEN, FieldError, Problem, id_taken, invalid, or_404
from chassis.ids import new_id
from contracts.codes import CaseState, DocumentKind, SharedCategory
from contracts.programmes import last_day
from contracts.sourced import Unit
from participation import aliases
from participation.access import Role, discloses, holds, visible
from services.cases.access.cases import WORKERS, visible_to, works_on
from services.cases.access.people import is_worked_with
from services.cases.codes import Scan
from services.cases.documents.kinds import Readers, handling
from services.cases.models import (
    CaseFile,
    CaseMember,
    LegalHold,
    Referral,
    ReferralPerson,
    Returnee,
    StoredDocument,
)
from services.cases.programmes import programmes

REMOVE = "cases.document.remove"
AT_ONCE = 200


def _works_with_person(returnee_id: Any, caller: Caller) -> ColumnElement[bool]:
    """Whether the caller works with a person now, or uploaded the paper about them when it did."""
    own = (col(StoredDocument.organisation) == caller.organisation) & holds(
        returnee_id, {Role.PARTNER}, caller
    )
    return is_worked_with(caller, returnee_id) | own


def select_documents(caller: Caller) -> Select[Any]:
    """The documents that the caller may know of: of what it takes part in, and of kinds that are
    open to it.
    """
    kinds = [
        kind for kind, how in handling().items() if how.scope is None or how.scope in caller.scopes
    ]
    everybody = [kind for kind, how in handling().items() if how.readers is Readers.EVERYBODY]
    person, case, referral = (
        col(StoredDocument.returnee_id),
        col(StoredDocument.case_id),
        col(StoredDocument.referral_id),
    )
    # With whom somebody was shared without their documents is shown none of them, and none of
    # their case.
    member = aliased(CaseMember)
    disclosed_case = (
        select(1)
        .join_from(CaseFile, member, col(member.case_id) == CaseFile.id)
        .where(
            CaseFile.id == case,
            visible_to(caller),
            discloses(col(member.returnee_id), SharedCategory.DOCUMENTS, caller),
        )
        .exists()
    )
    takes_part = or_(
        discloses(person, SharedCategory.DOCUMENTS, caller),
        visible(referral, caller),
        disclosed_case,
    )
    works_with_it = or_(
        person.is_not(None) & _works_with_person(person, caller),
        referral.is_not(None) & holds(referral, WORKERS, caller),
        case.is_not(None) & works_on(caller, case),
    )
    may_open = or_(col(StoredDocument.kind).in_(everybody) & takes_part, works_with_it)
    return select(StoredDocument).where(col(StoredDocument.kind).in_(kinds), may_open)


async def load_document(session: Session, caller: Caller, document_id: UUID) -> StoredDocument:
    """Load a document that the caller may open.

    Raises:
        Problem: 404.
    """
    row: StoredDocument | None = await session.scalar(
        select_documents(caller).where(col(StoredDocument.id) == document_id)
    )
    return or_404(row)


async def load_reference(session: Session, document_id: UUID) -> StoredDocument:
    """Load a document for one of our own services, which is told of it and never opens it.

    Raises:
        Problem: 404.
    """
    row: StoredDocument | None = await session.get(StoredDocument, document_id)
    return or_404(row)


async def check_documents(
    session: Session, caller: Caller, cited: Mapping[str, UUID | None]
) -> None:
    """Refuse to cite a document that the caller may not open.

    Args:
        session: The session.
        caller: Who cites.
        cited: JSON pointer to the id there.

    Raises:
        Problem: 422.
    """
    errors = []
    for pointer, document_id in cited.items():
        if document_id is None:
            continue
        row = await session.scalar(
            select_documents(caller).where(col(StoredDocument.id) == document_id)
        )
        if row is None:
            right = "a document that was uploaded, or null"
            errors.append(FieldError(pointer=pointer, code="unknown_document", detail=right))
    if errors:
        raise invalid(*errors)


async def upload(
    session: Session,
    caller: Caller,
    store: Documents,
    content: bytes,
    kind: DocumentKind,
    about: Mapping[str, UUID | None],
    document_id: UUID | None = None,
) -> StoredDocument:
    """Keep a document.

    Args:
        session: The session.
        caller: Who uploads it.
        store: Where its bytes go.
        content: Its bytes.
        kind: What it is.
        about: `returnee_id`, `case_id` or `referral_id`, exactly one of which is given.
        document_id: An id of the client's own choice.

    Raises:
        Problem: 404, 403, 409, 422, 503.
    """
    subjects = {name: subject for name, subject in about.items() if subject is not None}
    if len(subjects) != 1:
        right = "exactly one of returnee_id, case_id and referral_id"
        raise invalid(FieldError(pointer="#query", code="about_one_thing", detail=right))
    ((name, subject),) = subjects.items()
    await _require_part(session, caller, name, subject, handling()[kind].readers)
    checked = await store.check(content)
    existing = await session.get(StoredDocument, document_id) if document_id is not None else None
    if existing is not None:
        same = (existing.sha256, existing.kind, getattr(existing, name))
        if same != (checked.sha256, kind, subject):
            raise id_taken()
        return existing
    today = (await current_time(session)).date()
    row = StoredDocument(
        id=document_id or new_id(),
        kind=kind,
        media_type=checked.media_type,
        size=checked.size,
        sha256=checked.sha256,
        scan=Scan(checked.scan),
        keep_until=keep_until(today, kind),
        organisation=caller.organisation,
        uploaded_by=caller.person,
        **subjects,
    )
    session.add(row)
    await session.flush()
    details = {"kind": kind, "sha256": checked.sha256}
    audit.record(session, caller, "upload", "document", row.id, details)
    await store.keep(row.id, content)
    return row


def keep_until(today: date, kind: DocumentKind) -> date:
    """The last day on which a document is kept."""
    country = next(
        iter(next(iter(programmes().values())).versions[0].countries_of_return.values())
    ).country
    return last_day(today, handling()[kind].keep_months, Unit.MONTHS, country)


async def _require_part(
    session: Session, caller: Caller, name: str, subject: UUID, readers: Readers
) -> None:
    """Refuse to keep a document about what the caller does not take part in, or that it could not
    open afterwards.

    Raises:
        Problem: 404; 403 if the caller takes part in another capacity.
    """
    row_id, may_see, works = _subject(caller, name, subject)
    or_404(await session.scalar(select(row_id).where(row_id == subject, may_see)))
    if readers is Readers.EVERYBODY:
        return
    if not await session.scalar(select(row_id).where(row_id == subject, works)):
        raise Problem(
            FORBIDDEN,
            "the implementing organisation and the programme office keep documents of this kind",
        )


def _subject(
    caller: Caller, name: str, subject: UUID
) -> tuple[Any, ColumnElement[bool], ColumnElement[bool]]:
    """Of what a document is about: the column of its id, whether the caller may know of it, and
    whether it works with it.
    """
    if name == "case_id":
        return col(CaseFile.id), visible_to(caller), works_on(caller, subject)
    if name == "returnee_id":
        works = is_worked_with(caller, subject)
        return col(Returnee.id), visible(col(Returnee.id), caller), works
    row_id = col(Referral.id)
    return row_id, visible(row_id, caller), holds(row_id, WORKERS, caller)


async def open_document(
    session: Session, caller: Caller, store: Documents, document_id: UUID
) -> tuple[StoredDocument, bytes]:
    """Fetch a document with its content; opening it is audited.

    Raises:
        Problem: 404, 503.
    """
    row = await load_document(session, caller, document_id)
    audit.record(session, caller, "open", "document", row.id, {"kind": row.kind})
    return row, await store.fetch(row.id)


async def forget(session: Session, returnee_id: UUID) -> int:
    """Forget the documents about a person who is erased; how many."""
    rows = await session.scalars(
        delete(StoredDocument)
        .where(col(StoredDocument.returnee_id) == returnee_id)
        .returning(col(StoredDocument.id))
    )
    return await _remove_later(session, list(rows))


async def forget_of_cases(session: Session, case_ids: Sequence[UUID]) -> int:
    """Forget the documents about cases of which nobody is left, but for those that the accounts
    need; how many.
    """
    kept = [kind for kind, how in handling().items() if how.accounts]
    rows = await session.scalars(
        delete(StoredDocument)
        .where(col(StoredDocument.case_id).in_(case_ids), col(StoredDocument.kind).not_in(kept))
        .returning(col(StoredDocument.id))
    )
    return await _remove_later(session, list(rows))


async def forget_of_referral(session: Session, referral_id: UUID) -> int:
    """Forget the documents about a referral of which nobody is left; how many."""
    rows = await session.scalars(
        delete(StoredDocument)
        .where(col(StoredDocument.referral_id) == referral_id)
        .returning(col(StoredDocument.id))
    )
    return await _remove_later(session, list(rows))


async def forget_expired(session: Session) -> int:
    """Forget documents whose time is over, unless a legal hold or an open case of somebody's needs
    them; how many.
    """
    today = (await current_time(session)).date()
    expired = (
        select(StoredDocument)
        .where(StoredDocument.keep_until < today)
        .order_by(col(StoredDocument.id))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ids: list[UUID] = []
    rows = list(await session.scalars(expired))
    while rows and len(ids) < AT_ONCE:
        needed = await _needed(session, rows)
        ids += [row.id for row in rows if row.id not in needed]
        rows = list(await session.scalars(expired.where(StoredDocument.id > rows[-1].id)))
    await session.execute(delete(StoredDocument).where(col(StoredDocument.id).in_(ids)))
    return await _remove_later(session, ids)


async def _needed(session: Session, rows: Sequence[StoredDocument]) -> set[UUID]:
    """Those of some documents that are about somebody, alone or with others, of whom data are held
    or a case is open.

    A person is asked for under all their ids.
    """
    about: dict[UUID | None, set[UUID]] = {
        row.returnee_id: {row.returnee_id} for row in rows if row.returnee_id
    }
    with_others: Any = union_all(
        select(col(CaseMember.case_id).label("subject"), CaseMember.returnee_id).where(
            col(CaseMember.case_id).in_([row.case_id for row in rows])
        ),
        select(ReferralPerson.referral_id, ReferralPerson.returnee_id).where(
            col(ReferralPerson.referral_id).in_([row.referral_id for row in rows]),
            col(ReferralPerson.returnee_id).is_not(None),
        ),
    )
    for subject, returnee_id in await session.execute(with_others):
        about.setdefault(subject, set()).add(returnee_id)
    ids = await aliases.same_people(session, set().union(*about.values()))
    needed = union_all(
        select(LegalHold.returnee_id).where(
            col(LegalHold.returnee_id).in_(ids), col(LegalHold.released_at).is_(None)
        ),
        select(CaseMember.returnee_id)
        .join(CaseFile, col(CaseFile.id) == CaseMember.case_id)
        .where(col(CaseMember.returnee_id).in_(ids), CaseFile.state != CaseState.CLOSED),
    )
    people = {ids[returnee_id] for returnee_id in await session.scalars(needed)}
    return {
        row.id
        for row in rows
        if any(
            ids[returnee_id] in people
            for returnee_id in about.get(row.returnee_id or row.case_id or row.referral_id, ())
        )
    }


async def forget_unknown(session: Session, stored: list[UUID]) -> int:
    """Have files taken out of the store that no row speaks of: their upload was never committed;
    how many.
    """
    known = set(
        await session.scalars(select(StoredDocument.id).where(col(StoredDocument.id).in_(stored)))
    )
    return await _remove_later(
        session, [document_id for document_id in stored if document_id not in known]
    )


async def _remove_later(session: Session, ids: list[UUID]) -> int:
    """The bytes go once the transaction has committed: a job takes them out of the store."""
    for document_id in ids:
        await jobs.schedule(
            session, REMOVE, {"document_id": str(document_id)}, key=str(document_id)
        )
    return len(ids)
