"""A case that goes on at another implementing organisation: offered, and taken or not."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func
from sqlmodel import col, or_, select, update

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import FORBIDDEN, FieldError, Problem, invalid, or_404, state_conflict
from chassis.outbox import publish
from contracts.cases import CaseAssigned, CaseTransferDeclined, CaseTransferOffered, CaseTransferred
from contracts.codes import CaseState, actor_id
from participation.access import Role, grant, revoke
from services.cases.casework.access import load_members, lock_case, require_worker, works_on
from services.cases.casework.cases.schemas import TransferOut
from services.cases.casework.cases.service import set_focal_point
from services.cases.casework.records import event_ids
from services.cases.codes import TransferReason
from services.cases.models import CaseFile, CaseMember, CaseTransfer, Flag, Screening
from services.cases.people.rights import restricted
from services.cases.programmes import rules_of
from services.cases.states.casework import (
    CASE,
    TRANSFER,
    CaseAction,
    TransferAction,
    TransferState,
)


async def offer(
    session: Session,
    caller: Caller,
    case_id: UUID,
    *,
    to: str,
    reason: TransferReason,
    comment: str,
) -> CaseTransfer:
    """Offer a case to another organisation; it stays where it is until that one takes it.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await require_worker(session, caller, case_id)
    CASE.check(case.state, CaseAction.TRANSFER)
    _require_implementer(case, to)
    await restricted.check(session, [member.returnee_id for member in members], to)
    open_offer = await session.scalar(
        select(CaseTransfer).where(
            CaseTransfer.case_id == case_id, CaseTransfer.state == TransferState.OFFERED
        )
    )
    if open_offer is not None:  # it is withdrawn first
        raise state_conflict(open_offer.state, TRANSFER.allowed(open_offer.state), "offer")
    transfer = CaseTransfer(
        case_id=case.id,
        state=TransferState.OFFERED,
        offered_by=caller.organisation,
        previous_implementer=case.implementer,
        offered_to=to,
        reason=reason,
        comment=comment or None,
    )
    session.add(transfer)
    await session.flush()
    for member in members:
        publish(session, CaseTransferOffered(**_offer_ids(case, member, transfer)))
    details = {"to": to, "reason": reason}
    audit.record(session, caller, "offer-transfer", "case", case.id, details)
    return transfer


def _require_implementer(case: CaseFile, organisation: str) -> None:
    """Refuse an organisation that does not implement the programme there, and the one that has it.

    Raises:
        Problem: 422.
    """
    possible = rules_of(case.programme, case.programme_version).implementers(case.country_of_return)
    others = [name for name in possible if name != case.implementer]
    if organisation not in others:
        names = ", ".join(others) or "none"
        right = f"another organisation that implements the programme there: {names}"
        raise invalid(FieldError(pointer="/to", code="implementer_outside_programme", detail=right))


def _offer_ids(case: CaseFile, member: CaseMember, transfer: CaseTransfer) -> dict[str, Any]:
    return event_ids(case, member) | {
        "transfer_id": transfer.id,
        "implementer": transfer.previous_implementer,
        "offered_to": transfer.offered_to,
    }


def _is_offered_to(caller: Caller) -> ColumnElement[bool]:
    """Offers to the caller that are open: with them it sees what it is offered, though not the
    people.
    """
    return (col(CaseTransfer.offered_to) == caller.organisation) & (
        col(CaseTransfer.state) == TransferState.OFFERED
    )


def select_transfers(caller: Caller, state: TransferState | None = None) -> Select[Any]:
    """Offers to the caller, and of the cases that it works on."""
    statement = select(CaseTransfer).where(
        or_(_is_offered_to(caller), works_on(caller, CaseTransfer.case_id))
    )
    return statement if state is None else statement.where(CaseTransfer.state == state)


async def load_newest(
    session: Session, caller: Caller, case_id: UUID, *, lock: bool = False
) -> CaseTransfer:
    """Load the last offer of a case.

    Raises:
        Problem: 404.
    """
    statement = (
        select_transfers(caller)
        .where(col(CaseTransfer.case_id) == case_id)
        .order_by(col(CaseTransfer.id).desc())
        .limit(1)
    )
    if lock:
        statement = statement.with_for_update(of=CaseTransfer)
    transfer: CaseTransfer | None = await session.scalar(statement)
    return or_404(transfer)


async def _answer(
    session: Session,
    caller: Caller,
    case_id: UUID,
    precondition: Precondition,
    action: TransferAction,
    comment: str,
) -> tuple[CaseFile, list[CaseMember], CaseTransfer]:
    """Note the answer to an offer, by whom it is to give.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    case = or_404(await lock_case(session, case_id))
    transfer = await load_newest(session, caller, case_id, lock=True)
    precondition.check(transfer.version)
    receives = (
        transfer.offered_to == caller.organisation and caller.kind is OrganisationKind.PARTNER
    )
    if receives == (action is TransferAction.WITHDRAW):
        raise Problem(
            FORBIDDEN,
            "who is offered a case takes or declines it, who offers it may withdraw the offer",
        )
    TRANSFER.apply(
        transfer, action, answered_by=caller.require_person(), answer_comment=comment or None
    )
    return case, (await load_members(session, [case_id]))[case_id], transfer


async def accept(
    session: Session,
    caller: Caller,
    case_id: UUID,
    precondition: Precondition,
    *,
    focal_point: str | None,
    office: str | None,
    comment: str,
) -> CaseTransfer:
    """Take an offered case: its commitments come with it, and the organisation before has no part
    in it any more.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    case, members, transfer = await _answer(
        session, caller, case_id, precondition, TransferAction.ACCEPT, comment
    )
    CASE.check(case.state, CaseAction.TRANSFER)
    people = [member.returnee_id for member in members]
    await restricted.check(session, people, transfer.offered_to)
    previous = case.implementer
    CASE.apply(case, CaseAction.TRANSFER, implementer=transfer.offered_to, office=office)
    set_focal_point(case, focal_point)
    await session.flush()
    staying = await _hand_over_participation(session, case, people, previous)
    await _hand_over_flags(session, case, previous)
    for member in members:
        ids = event_ids(case, member)
        transferred = CaseTransferred(
            **ids,
            transfer_id=transfer.id,
            previous_implementer=previous,
            implementer=case.implementer,
            keeps_part=member.returnee_id in staying,
        )
        publish(session, transferred)
        if case.focal_point is not None:
            actor = actor_id(case.implementer, case.focal_point)
            publish(session, CaseAssigned(**ids, focal_point=actor))
    details = {"from": previous, "transfer": str(transfer.id)}
    audit.record(session, caller, "accept-transfer", "case", case.id, details)
    return transfer


async def _hand_over_participation(
    session: Session, case: CaseFile, people: Sequence[UUID], previous: str
) -> set[UUID]:
    """Let the new organisation take part in the returns, and the one before no more.

    Returns:
        In whose return the one before still takes part, by another case.
    """
    # The referral is about the whole family: it goes over with the case that it opened, not with
    # one beside that.
    referral_id = case.referral_id if case.split_from is None else None
    await grant(session, [*people, *filter(None, [referral_id])], Role.PARTNER, case.implementer)
    staying = await _in_another_case(session, people, previous)
    for returnee_id in people:
        if returnee_id not in staying:
            await revoke(session, returnee_id, Role.PARTNER, previous)
    if referral_id is not None:
        await revoke(session, referral_id, Role.PARTNER, previous)
    return staying


async def _hand_over_flags(session: Session, case: CaseFile, previous: str) -> None:
    """Hand over what one organisation was trusted with; who else may read it stays."""
    flags = (
        select(Flag.id)
        .join(Screening, col(Screening.id) == Flag.screening_id)
        .where(Screening.case_id == case.id)
    )
    await session.execute(
        update(Flag)
        .where(col(Flag.id).in_(flags.scalar_subquery()))
        .values(readers=func.array_replace(Flag.readers, previous, case.implementer))
    )


async def _in_another_case(session: Session, people: Iterable[UUID], implementer: str) -> set[UUID]:
    """Who of some people has a case with an organisation that is not closed."""
    rows = await session.scalars(
        select(CaseMember.returnee_id)
        .join(CaseFile, col(CaseFile.id) == CaseMember.case_id)
        .where(
            col(CaseMember.returnee_id).in_(list(people)),
            CaseFile.implementer == implementer,
            CaseFile.state != CaseState.CLOSED,
        )
    )
    return set(rows)


async def decline(
    session: Session,
    caller: Caller,
    case_id: UUID,
    precondition: Precondition,
    action: TransferAction,
    *,
    comment: str,
) -> CaseTransfer:
    """Do not take an offered case, or take the offer back.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    case, members, transfer = await _answer(session, caller, case_id, precondition, action, comment)
    for member in members:
        publish(session, CaseTransferDeclined(**_offer_ids(case, member, transfer)))
    details = {"transfer": str(transfer.id)}
    audit.record(session, caller, f"{action}-transfer", "case", case.id, details)
    await session.flush()
    return transfer


async def render_transfers(
    session: Session, transfers: Iterable[CaseTransfer]
) -> list[TransferOut]:
    """Render offers with what they are about, without anybody's name."""
    transfers = list(transfers)
    ids = {transfer.case_id for transfer in transfers}
    cases = {
        case.id: case
        for case in await session.scalars(select(CaseFile).where(col(CaseFile.id).in_(ids)))
    }
    counted = await session.execute(
        select(CaseMember.case_id, func.count())
        .where(col(CaseMember.case_id).in_(ids))
        .group_by(col(CaseMember.case_id))
    )
    members: dict[UUID, int] = {row[0]: row[1] for row in counted}
    return [
        _render_transfer(transfer, cases[transfer.case_id], members[transfer.case_id])
        for transfer in transfers
    ]


def _render_transfer(transfer: CaseTransfer, case: CaseFile, members: int) -> TransferOut:
    return TransferOut(
        id=transfer.id,
        state=transfer.state,
        case_id=transfer.case_id,
        case_state=case.state,
        programme=case.programme,
        country_of_return=case.country_of_return,
        governorate=case.governorate,
        members=members,
        needs_priority=case.needs_priority,
        offered_by=transfer.offered_by,
        previous_implementer=transfer.previous_implementer,
        offered_to=transfer.offered_to,
        reason=transfer.reason,
        comment=transfer.comment,
        answer_comment=transfer.answer_comment,
        created_at=transfer.created_at,
        updated_at=transfer.updated_at,
    )
