"""A case that goes on at another implementing organisation: offered, and taken or not."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func
from sqlmodel import col, or_, select, update

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import FORBIDDEN, NOT_FOUND, FieldError, Problem, invalid
from chassis.outbox import publish
from contracts.cases import CaseAssigned, CaseTransferDeclined, CaseTransferOffered, CaseTransferred
from contracts.codes import CaseState, actor_id
from participation.access import Role, grant, revoke
from services.cases.casework.cases import rules, service
from services.cases.casework.cases.rules import TransferState
from services.cases.casework.cases.schemas import AnswerIn, TakeIn, TransferIn, TransferOut
from services.cases.models import CaseFile, CaseMember, CaseTransfer, Flag, Screening
from services.cases.people.rights import restricted
from services.cases.programmes import rules_of


async def offer(session: Session, case_id: UUID, body: TransferIn, caller: Caller) -> CaseTransfer:
    """Offer a case to another organisation; it stays where it is until that one takes it.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await service.to_work_on(session, case_id, caller)
    case.state = rules.after(case.state, "transfer")
    possible = rules_of(case.programme, case.programme_version).implementers(case.country_of_return)
    others = [name for name in possible if name != case.implementer]
    if body.to not in others:
        right = "another organisation that implements the programme there: " + (
            ", ".join(others) or "none"
        )
        raise invalid(FieldError(pointer="/to", code="implementer_outside_programme", detail=right))
    await restricted.check(session, [member.returnee_id for member in members], body.to)
    open_offer = await session.scalar(
        select(CaseTransfer).where(
            CaseTransfer.case_id == case_id, CaseTransfer.state == TransferState.OFFERED
        )
    )
    if open_offer is not None:
        rules.transfer_after(
            open_offer.state, "offer"
        )  # 409: withdraw the offer that is open first
    transfer = CaseTransfer(
        case_id=case.id,
        state=TransferState.OFFERED,
        offered_by=caller.organisation,
        previous_implementer=case.implementer,
        offered_to=body.to,
        reason=body.reason,
        comment=body.comment or None,
    )
    session.add(transfer)
    await session.flush()
    for member in members:
        publish(session, CaseTransferOffered(**_facts(case, member, transfer)))
    audit.record(
        session, caller, "offer-transfer", "case", case.id, {"to": body.to, "reason": body.reason}
    )
    return transfer


def _facts(case: CaseFile, member: CaseMember, transfer: CaseTransfer) -> dict[str, Any]:
    return service.ids_of(case, member) | {
        "transfer_id": transfer.id,
        "implementer": transfer.previous_implementer,
        "offered_to": transfer.offered_to,
    }


def _offered(caller: Caller) -> ColumnElement[bool]:
    """Offers to the caller that are open: with them it sees what it is offered, though not the
    people.
    """
    return (col(CaseTransfer.offered_to) == caller.organisation) & (
        CaseTransfer.state == TransferState.OFFERED
    )


def listed(caller: Caller, state: TransferState | None) -> Select[Any]:
    """Offers to the caller, and of the cases that it works on."""
    statement = select(CaseTransfer).where(
        or_(_offered(caller), service.worked_on(CaseTransfer.case_id, caller))
    )
    return statement if state is None else statement.where(CaseTransfer.state == state)


async def newest(
    session: Session, case_id: UUID, caller: Caller, *, lock: bool = False
) -> CaseTransfer:
    """The last offer of a case.

    Raises:
        Problem: 404.
    """
    statement = (
        listed(caller, None)
        .where(col(CaseTransfer.case_id) == case_id)
        .order_by(col(CaseTransfer.id).desc())
        .limit(1)
    )
    if lock:
        statement = statement.with_for_update(of=CaseTransfer)
    transfer: CaseTransfer | None = await session.scalar(statement)
    if transfer is None:
        raise Problem(NOT_FOUND)
    return transfer


async def _to_answer(
    session: Session, case_id: UUID, caller: Caller, precondition: Precondition, action: str
) -> tuple[CaseFile, list[CaseMember], CaseTransfer]:
    case = await session.scalar(select(CaseFile).where(CaseFile.id == case_id).with_for_update())
    if case is None:
        raise Problem(NOT_FOUND)
    transfer = await newest(session, case_id, caller, lock=True)
    precondition.check(transfer.version)
    receives = (
        transfer.offered_to == caller.organisation and caller.kind is OrganisationKind.PARTNER
    )
    if receives == (action == "withdraw"):
        raise Problem(
            FORBIDDEN,
            "who is offered a case takes or declines it, who offers it may withdraw the offer",
        )
    transfer.state = rules.transfer_after(transfer.state, action)
    transfer.answered_by = caller.require_person()
    transfer.changed()
    return case, (await service.members_of(session, [case_id]))[case_id], transfer


async def accept(
    session: Session, case_id: UUID, body: TakeIn, caller: Caller, precondition: Precondition
) -> CaseTransfer:
    """Take an offered case: its commitments come with it, and the organisation before has no part
    in it any more.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    case, members, transfer = await _to_answer(session, case_id, caller, precondition, "accept")
    case.state = rules.after(case.state, "transfer")
    transfer.answer_comment = body.comment or None
    people = [member.returnee_id for member in members]
    await restricted.check(session, people, transfer.offered_to)
    before, case.implementer = case.implementer, transfer.offered_to
    service.entrust(case, body.focal_point)
    case.office = body.office
    case.changed()
    await session.flush()
    # The referral is about the whole family: it goes over with the case that it opened, not with
    # one beside that.
    referral_id = case.referral_id if case.split_from is None else None
    await grant(session, [*people, *filter(None, [referral_id])], Role.PARTNER, case.implementer)
    keep = await _still_in(session, people, before)
    for returnee_id in people:
        if returnee_id not in keep:
            await revoke(session, returnee_id, Role.PARTNER, before)
    if referral_id is not None:
        await revoke(session, referral_id, Role.PARTNER, before)
    # What one organisation was trusted with goes over with the file; who else may read it stays.
    flags = (
        select(Flag.id)
        .join(Screening, col(Screening.id) == Flag.screening_id)
        .where(Screening.case_id == case.id)
    )
    await session.execute(
        update(Flag)
        .where(col(Flag.id).in_(flags.scalar_subquery()))
        .values(readers=func.array_replace(Flag.readers, before, case.implementer))
    )
    for member in members:
        fact = CaseTransferred(
            **service.ids_of(case, member),
            transfer_id=transfer.id,
            previous_implementer=before,
            implementer=case.implementer,
            keeps_part=member.returnee_id in keep,
        )
        publish(session, fact)
        if case.focal_point is not None:
            focal_point = actor_id(case.implementer, case.focal_point)
            publish(session, CaseAssigned(**service.ids_of(case, member), focal_point=focal_point))
    audit.record(
        session,
        caller,
        "accept-transfer",
        "case",
        case.id,
        {"from": before, "transfer": str(transfer.id)},
    )
    return transfer


async def _still_in(session: Session, people: Iterable[UUID], implementer: str) -> set[UUID]:
    """Who of them has another case with an organisation that is not closed."""
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
    case_id: UUID,
    body: AnswerIn,
    caller: Caller,
    precondition: Precondition,
    *,
    withdraw: bool,
) -> CaseTransfer:
    """Do not take an offered case, or take the offer back.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    action = "withdraw" if withdraw else "decline"
    case, members, transfer = await _to_answer(session, case_id, caller, precondition, action)
    transfer.answer_comment = body.comment or None
    for member in members:
        publish(session, CaseTransferDeclined(**_facts(case, member, transfer)))
    audit.record(
        session, caller, f"{action}-transfer", "case", case.id, {"transfer": str(transfer.id)}
    )
    await session.flush()
    return transfer


async def rendered(session: Session, transfers: Iterable[CaseTransfer]) -> list[TransferOut]:
    """Offers with what they are about, without anybody's name."""
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
        TransferOut(
            id=transfer.id,
            state=transfer.state,
            case_id=transfer.case_id,
            case_state=cases[transfer.case_id].state,
            programme=cases[transfer.case_id].programme,
            country_of_return=cases[transfer.case_id].country_of_return,
            governorate=cases[transfer.case_id].governorate,
            members=members[transfer.case_id],
            needs_priority=cases[transfer.case_id].needs_priority,
            offered_by=transfer.offered_by,
            previous_implementer=transfer.previous_implementer,
            offered_to=transfer.offered_to,
            reason=transfer.reason,
            comment=transfer.comment,
            answer_comment=transfer.answer_comment,
            created_at=transfer.created_at,
            updated_at=transfer.updated_at,
        )
        for transfer in transfers
    ]
