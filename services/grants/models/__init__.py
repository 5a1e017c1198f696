"""Tables of grants, each room's in a module of its own.

What must hold whatever the code does is a constraint there, or a trigger of the migration.
"""

from services.grants.models.awards import Approval, CitedDocument, Delivery, Grant, Quote
from services.grants.models.base import SYSTEM_ACTOR, Base, Resource
from services.grants.models.books import Budget, BudgetAccount, CashFloat, JournalEntry, Posting
from services.grants.models.cooperatives import (
    CommitteeMember,
    Cooperative,
    CooperativeActivity,
    CooperativeImpact,
    CooperativeMember,
)
from services.grants.models.earned import Attended, Worked
from services.grants.models.payments import DeskReceipt, Payee, Payment
from services.grants.models.people import AppliedPlan, Arrival, Participant, Visit
from services.grants.models.statements import StatementFile, StatementLine, StatementMapping

__all__ = [
    "SYSTEM_ACTOR",
    "AppliedPlan",
    "Approval",
    "Arrival",
    "Attended",
    "Base",
    "Budget",
    "BudgetAccount",
    "CashFloat",
    "CitedDocument",
    "CommitteeMember",
    "Cooperative",
    "CooperativeActivity",
    "CooperativeImpact",
    "CooperativeMember",
    "Delivery",
    "DeskReceipt",
    "Grant",
    "JournalEntry",
    "Participant",
    "Payee",
    "Payment",
    "Posting",
    "Quote",
    "Resource",
    "StatementFile",
    "StatementLine",
    "StatementMapping",
    "Visit",
    "Worked",
]
