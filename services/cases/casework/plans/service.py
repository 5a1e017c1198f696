"""Plans: drafted, agreed, submitted, approved by another person, returned, amended."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlmodel import col, delete, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import CONFLICT, INVALID, FieldError, Problem, invalid, or_404
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import (
    PlanAgreed,
    PlanAmended,
    PlanApproved,
    PlanFact,
    PlanReturned,
    PlanSubmitted,
)
from contracts.codes import CaseState, DeadlineKind, actor_id
from contracts.scopes import Scope
from participation import aliases
from participation.access import Role, holds, visible
from services.cases.access.cases import load_case, require_worker
from services.cases.casework.cases.service import follow_plan_lines, progress
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.plans import entitlements, rules
from services.cases.casework.plans.progress import load_progress
from services.cases.casework.plans.schemas import PlanLineIn
from services.cases.codes import ReturnReason
from services.cases.documents.service import check_documents
from services.cases.models import CaseFile, CaseMember, Plan, PlanLine, Returnee
from services.cases.programmes import rules_of, zone_of
from services.cases.records import event_ids, today_of
from services.cases.states.casework import (
    PLAN,
    DeadlineState,
    LineStatus,
    PlanAction,
    PlanState,
)


def person_id(person: str) -> UUID:
    """The opaque id of `<organisation>:<user id>` for events."""
    organisation, _, user = person.partition(":")
    return actor_id(organisation, user)


async def _newest(session: Session, case_id: UUID, plan_version: int | None = None) -> Plan | None:
    """A case's plan: the newest version, or the one that is asked for."""
    statement = (
        select(Plan).where(Plan.case_id == case_id).order_by(col(Plan.plan_version).desc()).limit(1)
    )
    if plan_version is not None:
        statement = statement.where(Plan.plan_version == plan_version)
    plan: Plan | None = await session.scalar(statement)
    return plan


async def load_plan(
    session: Session, caller: Caller, case_id: UUID, plan_version: int | None = None
) -> Plan:
    """Load a case's plan, the newest version or the one that is asked for, for those who may know
    of the case.

    Raises:
        Problem: 404.
    """
    await load_case(session, caller, case_id)
    return or_404(await _newest(session, case_id, plan_version))


async def load_lines(session: Session, plan: Plan) -> Sequence[PlanLine]:
    """Load the lines of a version of a plan."""
    rows = await session.scalars(
        select(PlanLine).where(PlanLine.plan_id == plan.id).order_by(col(PlanLine.position))
    )
    return rows.all()


async def load_nameable(
    session: Session, caller: Caller, people: Collection[UUID]
) -> dict[UUID, bool]:
    """Load in whose return an organisation takes part that does not work on the case.

    Args:
        session: The session.
        caller: Who reads.
        people: Whom lines are for.

    Returns:
        With each of them, whether help that discloses their health or a child's situation may be
        named: to who referred them, and may read vulnerabilities.
    """
    referred = holds(col(Returnee.id), {Role.REFERRER}, caller)
    statement = select(Returnee.id, referred).where(
        col(Returnee.id).in_(people), visible(col(Returnee.id), caller)
    )
    may_read = Scope.RETURNEES_VULNERABILITIES in caller.scopes
    return {row[0]: row[1] and may_read for row in await session.execute(statement)}


async def _load_in_force(session: Session, case_id: UUID) -> Plan | None:
    plan: Plan | None = await session.scalar(
        select(Plan).where(Plan.case_id == case_id, Plan.state == PlanState.APPROVED)
    )
    return plan


async def _load_granted(session: Session, case_id: UUID) -> list[rules.Terms]:
    """Load what a new version may not take back."""
    plan = await _load_in_force(session, case_id)
    if plan is None:
        return []
    progress_of_lines = await load_progress(session, case_id)
    return [
        line
        for line in await _load_terms(session, plan)
        if line.id in progress_of_lines
        and progress_of_lines[line.id].status in LineStatus.COMMITTED
    ]


async def _load_terms(session: Session, plan: Plan) -> list[rules.Terms]:
    return [
        rules.Terms(line.line_id, line.kind, line.beneficiary, line.amount, line.currency)
        for line in await load_lines(session, plan)
    ]


async def _check_granted(session: Session, plan: Plan) -> None:
    """Refuse a version that takes back what was granted since it was written.

    Raises:
        Problem: 409.
    """
    if errors := rules.granted_errors(
        await _load_terms(session, plan), await _load_granted(session, plan.case_id)
    ):
        raise Problem(CONFLICT, "; ".join(error.detail for error in errors))


async def _require_planner(
    session: Session, caller: Caller, case_id: UUID, action: PlanAction
) -> tuple[CaseFile, list[CaseMember], Plan]:
    """Lock a case whose plan is to be changed, and load its newest version.

    Raises:
        Problem: 404, 403, 409.
    """
    case, members = await require_worker(session, caller, case_id)
    rules.check_case(case.state, action)
    return case, members, or_404(await _newest(session, case_id))


def _publish(
    session: Session,
    event: type[PlanFact],
    case: CaseFile,
    members: Sequence[CaseMember],
    plan: Plan,
    **values: object,
) -> None:
    """Publish what happened to a plan, once for each member of its case."""
    ids = {"plan_id": plan.id, "plan_version": plan.plan_version}
    zone = zone_of(case.programme, case.programme_version, case.country_of_return)
    for member in members:
        publish(session, event.model_validate(event_ids(case, member) | ids | values), zone=zone)


def _audit(
    session: Session, caller: Caller, action: PlanAction, plan: Plan, **details: object
) -> None:
    """Note in the trail of the case what was done with its plan."""
    details = {"plan_version": plan.plan_version} | details
    audit.record(session, caller, f"{action}-plan", "case", plan.case_id, details)


async def write(
    session: Session,
    caller: Caller,
    case_id: UUID,
    precondition: Precondition,
    lines: Sequence[PlanLineIn],
) -> Plan:
    """Draft a case's plan, or replace the lines of a draft.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    case, members = await require_worker(session, caller, case_id)
    rules.check_case(case.state, PlanAction.EDIT)
    plan = await _newest(session, case_id)
    precondition.check(plan.version if plan else None)
    lines = await _check_lines(session, case, members, lines)
    if plan is None:
        plan = Plan(case_id=case_id, plan_version=1, state=PlanState.DRAFT, preparers=[])
        session.add(plan)
    else:
        # It was agreed to as it was.
        PLAN.apply(
            plan, PlanAction.EDIT, agreed_on=None, agreed_language=None, agreed_document=None
        )
    _add_preparer(plan, caller)
    await session.flush()
    await session.execute(delete(PlanLine).where(col(PlanLine.plan_id) == plan.id))
    session.add_all(_new_line(plan, index, line) for index, line in enumerate(lines))
    await session.flush()
    _audit(session, caller, PlanAction.EDIT, plan)
    return plan


async def _check_lines(
    session: Session, case: CaseFile, members: Sequence[CaseMember], lines: Sequence[PlanLineIn]
) -> list[PlanLineIn]:
    """Refuse lines for others than the people of the case, lines that take back what was granted,
    and lines that the programme does not give.

    Returns:
        The lines, each beneficiary under the id by which the case knows them.

    Raises:
        Problem: 422.
    """
    granted = await _load_granted(session, case.id)
    # Somebody of whom a granted line is may have gone; the line stays.
    people = {member.returnee_id for member in members if member.left_on is None} | {
        line.beneficiary for line in granted
    }
    lines = await _under_ids_of(session, lines, people)
    terms = [
        rules.Terms(line.id, line.kind, line.beneficiary, line.budget.amount, line.budget.currency)
        for line in lines
    ]
    errors = rules.line_errors(lines, people) + rules.granted_errors(terms, granted)
    errors += await _taken_ids(session, case.id, lines)
    refusals = await _refusals(session, case, members, terms)
    errors += [refusal.error for refusal in refusals]
    if errors:
        told: dict[str, Any] = {"rules": [refusal.rule for refusal in refusals]} if refusals else {}
        raise Problem(INVALID, errors=errors, **told)
    return lines


async def _refusals(
    session: Session,
    case: CaseFile,
    members: Sequence[CaseMember],
    lines: Sequence[rules.Terms],
) -> list[entitlements.Refusal]:
    """Find what the programme of a case does not give of a plan's lines."""
    progress_of_lines = await load_progress(session, case.id)
    return entitlements.refusals(
        rules_of(case.programme, case.programme_version).assistance,
        lines,
        return_kind=case.return_kind,
        members={member.returnee_id: member.member for member in members},
        # One that was cancelled is asked for again with the plan that has it.
        delivered={
            line_id
            for line_id, status in progress_of_lines.items()
            if status.status is LineStatus.DELIVERED
        },
    )


async def _check_given_by_programme(
    session: Session, case: CaseFile, members: Sequence[CaseMember], plan: Plan
) -> None:
    """Refuse to promise what the programme does not give; the case, or the rules, may have changed
    since the plan was written.

    Raises:
        Problem: 409 `plan-exceeds-programme`.
    """
    refusals = await _refusals(session, case, members, await _load_terms(session, plan))
    if refusals:
        raise Problem(
            entitlements.PLAN_EXCEEDS_PROGRAMME,
            errors=[refusal.error for refusal in refusals],
            rules=[refusal.rule for refusal in refusals],
        )


async def _under_ids_of(
    session: Session, lines: Sequence[PlanLineIn], people: Collection[UUID]
) -> list[PlanLineIn]:
    ids = await aliases.same_people(session, {line.beneficiary for line in lines})
    by_root = {ids[known]: known for known in sorted(people, reverse=True) if known in ids}
    return [
        line
        if line.beneficiary in people
        else line.model_copy(
            update={
                "beneficiary": by_root.get(
                    ids.get(line.beneficiary, line.beneficiary), line.beneficiary
                )
            }
        )
        for line in lines
    ]


def _new_line(plan: Plan, position: int, line: PlanLineIn) -> PlanLine:
    return PlanLine(
        plan_id=plan.id,
        line_id=line.id or new_id(),
        position=position,
        kind=line.kind,
        housing=line.housing,
        beneficiary=line.beneficiary,
        description=line.description,
        amount=line.budget.amount,
        currency=line.budget.currency,
        provider=line.provider,
        course_id=line.course_id,
        cohort_id=line.cohort_id,
        level=line.level,
        feasibility=[finding.model_dump(mode="json") for finding in line.feasibility],
    )


async def _taken_ids(
    session: Session, case_id: UUID, lines: Sequence[PlanLineIn]
) -> list[FieldError]:
    """Find the lines whose ids are of another case's plan: what is published of them would be of
    that one.
    """
    ids = [line.id for line in lines if line.id is not None]
    taken = set(
        await session.scalars(
            select(PlanLine.line_id)
            .join(Plan, col(Plan.id) == PlanLine.plan_id)
            .where(col(PlanLine.line_id).in_(ids), Plan.case_id != case_id)
        )
    )
    return [
        FieldError(
            pointer=f"/lines/{index}/id", code="id_taken", detail="a line of this case, or a new id"
        )
        for index, line in enumerate(lines)
        if line.id in taken
    ]


def _add_preparer(plan: Plan, caller: Caller) -> None:
    person = caller.require_person()
    if person not in plan.preparers:
        plan.preparers = [*plan.preparers, person]


def _check_if_given(plan: Plan, precondition: Precondition) -> None:
    """Check an `If-Match` that need not be sent."""
    if precondition.given:
        precondition.check(plan.version)


async def agree(
    session: Session,
    caller: Caller,
    case_id: UUID,
    precondition: Precondition,
    *,
    agreed_on: date,
    language: str,
    document_id: UUID | None,
) -> Plan:
    """Note that the returnee agreed to the plan as it is.

    Raises:
        Problem: 404, 403, 409, 412, 422.
    """
    case, members, plan = await _require_planner(session, caller, case_id, PlanAction.AGREE)
    _check_if_given(plan, precondition)
    if agreed_on > await today_of(session, case):
        raise invalid(
            FieldError(pointer="/agreed_on", code="date_ahead", detail="today or a day before")
        )
    PLAN.check(plan.state, PlanAction.AGREE)
    await check_documents(session, caller, {"/document": document_id})
    PLAN.apply(
        plan,
        PlanAction.AGREE,
        agreed_on=agreed_on,
        agreed_language=language,
        agreed_document=document_id,
    )
    _publish(session, PlanAgreed, case, members, plan, agreed_on=agreed_on)
    _audit(session, caller, PlanAction.AGREE, plan)
    await session.flush()
    return plan


async def submit(
    session: Session, caller: Caller, case_id: UUID, precondition: Precondition
) -> Plan:
    """Submit the draft for approval by another person.

    Raises:
        Problem: 404, 403, 409, 412.
    """
    case, members, plan = await _require_planner(session, caller, case_id, PlanAction.SUBMIT)
    _check_if_given(plan, precondition)
    PLAN.check(plan.state, PlanAction.SUBMIT)
    await _check_granted(session, plan)
    await _check_given_by_programme(session, case, members, plan)
    submitted_by = caller.require_person()
    PLAN.apply(plan, PlanAction.SUBMIT, submitted_by=submitted_by)
    _add_preparer(plan, caller)
    _publish(session, PlanSubmitted, case, members, plan, preparer=person_id(submitted_by))
    _audit(session, caller, PlanAction.SUBMIT, plan)
    await session.flush()
    return plan


async def approve(
    session: Session, caller: Caller, case_id: UUID, precondition: Precondition
) -> Plan:
    """Approve the submitted plan; the first approval begins the delivery.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    case, members, plan = await _require_planner(session, caller, case_id, PlanAction.APPROVE)
    precondition.check(plan.version)
    PLAN.check(plan.state, PlanAction.APPROVE)
    approver = caller.require_person()
    rules.check_four_eyes(approver, plan.preparers)
    await _check_granted(session, plan)
    await _check_given_by_programme(session, case, members, plan)
    in_force = await _load_in_force(session, case_id)
    if in_force is not None:
        PLAN.apply(in_force, PlanAction.SUPERSEDE)
    PLAN.apply(plan, PlanAction.APPROVE, approved_by=approver)
    _publish(
        session,
        PlanApproved,
        case,
        members,
        plan,
        preparer=person_id(plan.submitted_by or approver),
        approver=person_id(approver),
    )
    _audit(session, caller, PlanAction.APPROVE, plan)
    await deadlines.settle(session, DeadlineState.MET, case_id=case_id, kinds=[DeadlineKind.PLAN])
    if case.state is CaseState.ARRIVED:
        await progress(session, case, members, CaseState.IN_DELIVERY)
    await session.flush()
    await follow_plan_lines(session, case, members)
    return plan


async def send_back(
    session: Session,
    caller: Caller,
    case_id: UUID,
    precondition: Precondition,
    *,
    reason: ReturnReason,
    comment: str,
) -> Plan:
    """Send the submitted plan back to who prepared it.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    case, members, plan = await _require_planner(session, caller, case_id, PlanAction.RETURN)
    precondition.check(plan.version)
    PLAN.apply(plan, PlanAction.RETURN, return_reason=reason, return_comment=comment)
    _publish(session, PlanReturned, case, members, plan)
    _audit(session, caller, PlanAction.RETURN, plan, reason=reason)
    await session.flush()
    return plan


async def amend(session: Session, caller: Caller, case_id: UUID, *, comment: str) -> Plan:
    """Begin the next version of an approved plan with its lines; the approved one stays in force
    meanwhile.

    Raises:
        Problem: 404, 403, 409.
    """
    case, members, plan = await _require_planner(session, caller, case_id, PlanAction.AMEND)
    draft = Plan(
        case_id=case_id,
        plan_version=plan.plan_version + 1,
        state=PLAN.target(plan.state, PlanAction.AMEND),
        preparers=[],
        version=plan.version + 1,  # ETags of a case's plan never come again
        amend_comment=comment or None,
    )
    _add_preparer(draft, caller)
    session.add(draft)
    await session.flush()
    session.add_all(_copy_line(draft, line) for line in await load_lines(session, plan))
    _publish(session, PlanAmended, case, members, draft)
    _audit(session, caller, PlanAction.AMEND, draft)
    await session.flush()
    return draft


def _copy_line(draft: Plan, line: PlanLine) -> PlanLine:
    same = line.model_dump(exclude={"id", "plan_id"})
    return PlanLine(plan_id=draft.id, **same)
