"""What casework says of people is taken out when somebody is erased."""

from sqlmodel import col, delete, select, update

from chassis.db import Session
from services.cases.models import CaseFile, CaseTransfer, Deadline, Flag, Plan, PlanLine
from services.cases.people.rights.erasure import ERASED, Erased


async def scrub_casework(session: Session, erased: Erased) -> None:
    """Take out what is said of a person who is erased, and of a case whose last person it was."""
    emptied = erased.emptied_case_ids
    emptied_plans = select(Plan.id).where(col(Plan.case_id).in_(emptied))
    statements = {
        "plan_lines": update(PlanLine)
        .where(col(PlanLine.beneficiary).in_(erased.ids) | col(PlanLine.plan_id).in_(emptied_plans))
        .values(description=ERASED, feasibility=[]),
        "plans": update(Plan)
        .where(col(Plan.case_id).in_(emptied))
        .values(return_comment=None, amend_comment=None),
        "cases": update(CaseFile)
        .where(col(CaseFile.id).in_(emptied))
        .values(address=ERASED, district=ERASED, closure_comment=None, suspension_comment=None),
        "transfers": update(CaseTransfer)
        .where(col(CaseTransfer.case_id).in_(emptied))
        .values(comment=None, answer_comment=None),
        "deadlines": update(Deadline)
        .where(col(Deadline.case_id).in_(emptied))
        .values(decision_comment=None),
        "vulnerabilities": delete(Flag).where(col(Flag.returnee_id).in_(erased.ids)),
    }
    for kind, statement in statements.items():
        await erased.scrub(session, kind, statement)
