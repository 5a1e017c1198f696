"""Plans: drafted, agreed, submitted, approved by another person, returned, amended."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import col, delete, select

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import CONFLICT, NOT_FOUND, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import PlanAgreed, PlanAmended, PlanApproved, PlanReturned, PlanSubmitted
from contracts.codes import CaseState, DeadlineKind, actor_id
from contracts.scopes import Scope
from participation import aliases
from participation.access import Role, holds, visible
from services.cases.casework.cases import service as cases
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.deadlines.schemas import DeadlineState
from services.cases.casework.plans import rules
from services.cases.casework.plans.schemas import (
    AgreeIn,
    AmendIn,
    LineStatus,
    PlanIn,
    PlanState,
    ReturnIn,
)
from services.cases.documents.service import check_documents
from services.cases.models import CaseFile, CaseMember, Plan, PlanLine, PlanLineStatus, Returnee

SYSTEM = Caller("service-cases", "homeward", OrganisationKind.INTERNAL, frozenset())
"""Who acts where nobody does: a reaction to another service's event."""


def person_id(person: str) -> UUID:
    """The opaque id of `<organisation>:<user id>` for events."""
    organisation, _, user = person.partition(":")
    return actor_id(organisation, user)


async def newest(session: Session, case_id: UUID, plan_version: int | None = None) -> Plan | None:
    """A case's plan: the newest version, or the one that is asked for."""
    statement = (
        select(Plan).where(Plan.case_id == case_id).order_by(col(Plan.plan_version).desc()).limit(1)
    )
    if plan_version is not None:
        statement = statement.where(Plan.plan_version == plan_version)
    plan: Plan | None = await session.scalar(statement)
    return plan


async def find(
    session: Session, case_id: UUID, caller: Caller, plan_version: int | None = None
) -> Plan:
    """A case's plan, for who may know of the case.

    Raises:
        Problem: 404.
    """
    await cases.find(session, case_id, caller)
    plan = await newest(session, case_id, plan_version)
    if plan is None:
        raise Problem(NOT_FOUND)
    return plan


async def lines_of(session: Session, plan: Plan) -> Sequence[PlanLine]:
    """The lines of a version of a plan."""
    rows = await session.scalars(
        select(PlanLine).where(PlanLine.plan_id == plan.id).order_by(col(PlanLine.position))
    )
    return rows.all()


async def named_to(session: Session, people: Collection[UUID], caller: Caller) -> dict[UUID, bool]:
    """Of some beneficiaries those in whose return an organisation takes part that does not work on
    the case.

    Args:
        session: The session.
        people: Whom lines are for.
        caller: Who reads.

    Returns:
        With each, whether help that tells of their health or a child's situation may be named: to
        who referred them, and may read vulnerabilities.
    """
    referred = holds(col(Returnee.id), {Role.REFERRER}, caller)
    statement = select(Returnee.id, referred).where(
        col(Returnee.id).in_(people), visible(col(Returnee.id), caller)
    )
    may_read = Scope.RETURNEES_VULNERABILITIES in caller.scopes
    return {row[0]: row[1] and may_read for row in await session.execute(statement)}


async def progress_of(session: Session, case_id: UUID) -> dict[UUID, PlanLineStatus]:
    """How far the lines of a case have come; a line that is not in it is only planned."""
    rows = await session.scalars(select(PlanLineStatus).where(PlanLineStatus.case_id == case_id))
    return {row.line_id: row for row in rows}


async def _in_force(session: Session, case_id: UUID) -> Plan | None:
    plan: Plan | None = await session.scalar(
        select(Plan).where(Plan.case_id == case_id, Plan.state == PlanState.APPROVED)
    )
    return plan


async def _granted(session: Session, case_id: UUID) -> list[rules.Terms]:
    """What a new version may not take back."""
    plan = await _in_force(session, case_id)
    if plan is None:
        return []
    progress = await progress_of(session, case_id)
    return [
        line
        for line in await _terms_of(session, plan)
        if line.id in progress and progress[line.id].status in rules.STAYS
    ]


async def _terms_of(session: Session, plan: Plan) -> list[rules.Terms]:
    return [
        rules.Terms(line.line_id, line.kind, line.beneficiary, line.amount, line.currency)
        for line in await lines_of(session, plan)
    ]


async def _check_granted(session: Session, plan: Plan) -> None:
    """Refuse a version that takes back what was granted since it was written.

    Raises:
        Problem: 409.
    """
    if errors := rules.granted_errors(
        await _terms_of(session, plan), await _granted(session, plan.case_id)
    ):
        raise Problem(CONFLICT, "; ".join(error.detail for error in errors))


class WrongLine(LookupError):  # noqa: N818 - it says what was named, and becomes a dead letter
    """A fact names a line that no plan has, or that is somebody else's. No later fact would change
    that.
    """


async def line_of(session: Session, line_id: UUID, returnee_id: UUID) -> tuple[CaseFile, UUID]:
    """The case of a plan's line that another service speaks of, locked, and whom the line is for.

    Args:
        session: The session.
        line_id: The line, the same in every version of the plan.
        returnee_id: Of whom the other service speaks, under any of their ids.

    Raises:
        WrongLine: There is no such line, or it is another person's.
    """
    found = (
        await session.execute(
            select(Plan.case_id, PlanLine.beneficiary)
            .join(PlanLine, col(PlanLine.plan_id) == Plan.id)
            .where(PlanLine.line_id == line_id)
            .order_by(col(Plan.plan_version).desc())
            .limit(1)
        )
    ).first()
    if found is None:
        raise WrongLine(f"there is no plan line {line_id}")
    if found.beneficiary not in await aliases.same_person(session, returnee_id):
        raise WrongLine(f"plan line {line_id} is not of returnee {returnee_id}")
    case = await session.scalar(
        select(CaseFile).where(CaseFile.id == found.case_id).with_for_update()
    )
    assert case is not None
    return case, found.beneficiary


async def move_line(
    session: Session,
    line_id: UUID,
    returnee_id: UUID,
    status: LineStatus,
    at: datetime,
    *,
    makes_good: bool = False,
) -> None:
    """Note how far a line has come, for the handlers of what delivers it; the case follows.

    The last one that is delivered moves the case to monitoring.

    Args:
        session: The session.
        line_id: The line, the same in every version of the plan.
        returnee_id: Of whom the fact speaks.
        status: What the fact says. One that is older than what is known already changes nothing.
        at: When that was so.
        makes_good: Whether the fact also delivers a line whose delivery did not hold; what paid for
            it does not.

    Raises:
        WrongLine: There is no such line, or it is another person's.
    """
    case, beneficiary = await line_of(session, line_id, returnee_id)
    row = await session.get(PlanLineStatus, line_id)
    if row is None:
        row = PlanLineStatus(line_id=line_id, case_id=case.id, status=LineStatus.PLANNED)
        session.add(row)
    if row.undone_at is not None and status is LineStatus.DELIVERED and not makes_good:
        return
    moved = rules.moved(row.status, status)
    if moved != row.status:
        row.status, row.updated_at, row.undone_at = moved, now(), None
        row.delivered_at = at if moved is LineStatus.DELIVERED else None
        case.changed()
    await _follow_line(session, case, beneficiary)


async def undo_line(session: Session, line_id: UUID, returnee_id: UUID, at: datetime) -> None:
    """Take back that a line was delivered: who delivered it says that it does not hold. The case
    follows.

    Args:
        session: The session.
        line_id: The line, the same in every version of the plan.
        returnee_id: Of whom the fact speaks.
        at: When that was so.

    Raises:
        WrongLine: There is no such line, or it is another person's.
    """
    case, beneficiary = await line_of(session, line_id, returnee_id)
    row = await session.get(PlanLineStatus, line_id)
    if row is None or row.status != LineStatus.DELIVERED:
        return
    row.status, row.updated_at, row.delivered_at, row.undone_at = (
        LineStatus.IN_DELIVERY,
        now(),
        None,
        at,
    )
    case.changed()
    audit.record(session, SYSTEM, "undo-line", "case", case.id, {"line": str(line_id)})
    await _follow_line(session, case, beneficiary)


async def _follow_line(session: Session, case: CaseFile, beneficiary: UUID) -> None:
    """Have the case of a line follow it, and the case in which whose it is is followed now."""
    await session.flush()
    theirs = await cases.followed_in(session, case, beneficiary)
    for each in {case.id: case, theirs.id: theirs}.values():
        await cases.follow_lines(
            session, each, (await cases.members_of(session, [each.id]))[each.id]
        )


async def _to_change(
    session: Session, case_id: UUID, caller: Caller, action: str
) -> tuple[CaseFile, list[CaseMember], Plan]:
    case, members = await cases.to_work_on(session, case_id, caller)
    rules.check_case(case.state, action)
    plan = await newest(session, case_id)
    if plan is None:
        raise Problem(NOT_FOUND)
    return case, members, plan


def _facts(case: CaseFile, member: CaseMember, plan: Plan) -> dict[str, object]:
    return cases.ids_of(case, member) | {"plan_id": plan.id, "plan_version": plan.plan_version}


async def write(
    session: Session, case_id: UUID, body: PlanIn, caller: Caller, precondition: Precondition
) -> Plan:
    """Draft a case's plan, or put other lines in the place of a draft's.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    case, members = await cases.to_work_on(session, case_id, caller)
    rules.check_case(case.state, "edit")
    plan = await newest(session, case_id)
    precondition.check(plan.version if plan else None)
    granted = await _granted(session, case_id)
    # Somebody of whom a granted line is may have gone; the line stays.
    people = {member.returnee_id for member in members if member.left_on is None} | {
        g.beneficiary for g in granted
    }
    body = await _under_ids_of(session, body, people)
    terms = [
        rules.Terms(x.id, x.kind, x.beneficiary, x.budget.amount, x.budget.currency)
        for x in body.lines
    ]
    errors = rules.line_errors(body.lines, people) + rules.granted_errors(terms, granted)
    errors += await _taken(session, case_id, body)
    if errors:
        raise invalid(*errors)
    if plan is None:
        plan = Plan(case_id=case_id, plan_version=1, state=PlanState.DRAFT, preparers=[])
        session.add(plan)
    else:
        plan.state = rules.after(plan.state, "edit")
        plan.agreed_on = plan.agreed_language = plan.agreed_document = (
            None  # it was agreed to as it was
        )
        plan.changed()
    _prepared_by(plan, caller)
    await session.flush()
    await session.execute(delete(PlanLine).where(col(PlanLine.plan_id) == plan.id))
    session.add_all(
        PlanLine(
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
            feasibility=[found.model_dump(mode="json") for found in line.feasibility],
        )
        for position, line in enumerate(body.lines)
    )
    await session.flush()
    audit.record(session, caller, "edit-plan", "case", case_id, {"plan_version": plan.plan_version})
    return plan


async def _under_ids_of(session: Session, body: PlanIn, people: Collection[UUID]) -> PlanIn:
    """The plan with each beneficiary under the id by which the case knows them."""
    ids = await aliases.same_people(session, {line.beneficiary for line in body.lines})
    known = {ids[each]: each for each in sorted(people, reverse=True) if each in ids}
    lines = [
        line
        if line.beneficiary in people
        else line.model_copy(
            update={"beneficiary": known.get(ids.get(line.beneficiary), line.beneficiary)}
        )
        for line in body.lines
    ]
    return body.model_copy(update={"lines": lines})


async def _taken(session: Session, case_id: UUID, body: PlanIn) -> list[FieldError]:
    """The lines whose ids are of another case's plan: what is told of them would be of that one."""
    ids = [line.id for line in body.lines if line.id is not None]
    others = select(PlanLine.line_id).join(Plan, col(Plan.id) == PlanLine.plan_id)
    taken = set(
        await session.scalars(others.where(col(PlanLine.line_id).in_(ids), Plan.case_id != case_id))
    )
    return [
        FieldError(
            pointer=f"/lines/{place}/id", code="id_taken", detail="a line of this case, or a new id"
        )
        for place, line in enumerate(body.lines)
        if line.id in taken
    ]


def _prepared_by(plan: Plan, caller: Caller) -> None:
    person = caller.require_person()
    if person not in plan.preparers:
        plan.preparers = [*plan.preparers, person]


def _check_seen(plan: Plan, precondition: Precondition) -> None:
    if precondition.given:
        precondition.check(plan.version)


async def agree(
    session: Session, case_id: UUID, body: AgreeIn, caller: Caller, precondition: Precondition
) -> Plan:
    """Note that the returnee agreed to the plan as it is.

    Raises:
        Problem: 404, 403, 409, 412, 422.
    """
    case, members, plan = await _to_change(session, case_id, caller, "agree")
    _check_seen(plan, precondition)
    if body.agreed_on > await cases.today_of(session, case):
        raise invalid(
            FieldError(pointer="/agreed_on", code="date_ahead", detail="today or a day before")
        )
    plan.state = rules.after(plan.state, "agree")
    await check_documents(session, caller, {"/document": body.document})
    plan.agreed_on, plan.agreed_language, plan.agreed_document = (
        body.agreed_on,
        body.language,
        body.document,
    )
    plan.changed()
    for member in members:
        publish(session, PlanAgreed(**_facts(case, member, plan), agreed_on=body.agreed_on))
    audit.record(
        session, caller, "agree-plan", "case", case_id, {"plan_version": plan.plan_version}
    )
    await session.flush()
    return plan


async def submit(
    session: Session, case_id: UUID, caller: Caller, precondition: Precondition
) -> Plan:
    """Submit the draft for approval by another person.

    Raises:
        Problem: 404, 403, 409, 412.
    """
    case, members, plan = await _to_change(session, case_id, caller, "submit")
    _check_seen(plan, precondition)
    plan.state = rules.after(plan.state, "submit")
    await _check_granted(session, plan)
    plan.submitted_by = caller.require_person()
    _prepared_by(plan, caller)
    plan.changed()
    for member in members:
        publish(
            session,
            PlanSubmitted(**_facts(case, member, plan), preparer=person_id(plan.submitted_by)),
        )
    audit.record(
        session, caller, "submit-plan", "case", case_id, {"plan_version": plan.plan_version}
    )
    await session.flush()
    return plan


async def approve(
    session: Session, case_id: UUID, caller: Caller, precondition: Precondition
) -> Plan:
    """Approve the submitted plan; the first approval begins the delivery.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    case, members, plan = await _to_change(session, case_id, caller, "approve")
    precondition.check(plan.version)
    state = rules.after(plan.state, "approve")
    approver = caller.require_person()
    rules.check_four_eyes(approver, plan.preparers)
    await _check_granted(session, plan)
    in_force = await _in_force(session, case_id)
    if in_force is not None:
        in_force.state = PlanState.SUPERSEDED
        in_force.changed()
    plan.state, plan.approved_by = state, approver
    plan.changed()
    preparer = person_id(plan.submitted_by or approver)
    for member in members:
        fact = PlanApproved(
            **_facts(case, member, plan), preparer=preparer, approver=person_id(approver)
        )
        publish(session, fact)
    audit.record(
        session, caller, "approve-plan", "case", case_id, {"plan_version": plan.plan_version}
    )
    await deadlines.settle(session, DeadlineState.MET, case_id=case_id, kinds=[DeadlineKind.PLAN])
    if case.state == CaseState.ARRIVED:
        await cases.progress(session, case, members, CaseState.IN_DELIVERY)
    await session.flush()
    await cases.follow_lines(session, case, members)
    return plan


async def send_back(
    session: Session, case_id: UUID, body: ReturnIn, caller: Caller, precondition: Precondition
) -> Plan:
    """Send the submitted plan back to who prepared it.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    case, members, plan = await _to_change(session, case_id, caller, "return")
    precondition.check(plan.version)
    plan.state = rules.after(plan.state, "return")
    plan.return_reason, plan.return_comment = body.reason, body.comment
    plan.changed()
    for member in members:
        publish(session, PlanReturned(**_facts(case, member, plan)))
    details = {"plan_version": plan.plan_version, "reason": body.reason}
    audit.record(session, caller, "return-plan", "case", case_id, details)
    await session.flush()
    return plan


async def amend(session: Session, case_id: UUID, body: AmendIn, caller: Caller) -> Plan:
    """Begin the next version of an approved plan with its lines; the approved one stays in force
    meanwhile.

    Raises:
        Problem: 404, 403, 409.
    """
    case, members, plan = await _to_change(session, case_id, caller, "amend")
    state = rules.after(plan.state, "amend")
    draft = Plan(
        case_id=case_id,
        plan_version=plan.plan_version + 1,
        state=state,
        preparers=[],
        version=plan.version + 1,  # ETags of a case's plan never come again
        amend_comment=body.comment or None,
    )
    _prepared_by(draft, caller)
    session.add(draft)
    await session.flush()
    session.add_all(
        PlanLine(
            plan_id=draft.id,
            line_id=line.line_id,
            position=line.position,
            kind=line.kind,
            housing=line.housing,
            beneficiary=line.beneficiary,
            description=line.description,
            amount=line.amount,
            currency=line.currency,
            provider=line.provider,
            course_id=line.course_id,
            cohort_id=line.cohort_id,
            level=line.level,
            feasibility=line.feasibility,
        )
        for line in await lines_of(session, plan)
    )
    for member in members:
        publish(session, PlanAmended(**_facts(case, member, draft)))
    audit.record(
        session, caller, "amend-plan", "case", case_id, {"plan_version": draft.plan_version}
    )
    await session.flush()
    return draft
