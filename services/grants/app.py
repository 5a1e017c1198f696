"""Grants as one object."""

from pathlib import Path

from chassis.app import Service
from chassis.holdings import Holdings
from contracts import grants as facts
from services.grants import endings, papers, plans, transfers
from services.grants.budgets.routes import router as budgets
from services.grants.cooperatives.routes import router as cooperatives
from services.grants.earned.service import SETTLE_JOB, WAGE_JOB
from services.grants.floats.routes import router as floats
from services.grants.grants.routes import router as grants
from services.grants.handlers import HANDLERS
from services.grants.models import Base
from services.grants.payees.routes import router as payees
from services.grants.payments.routes import router as payments
from services.grants.programmes.routes import router as programmes
from services.grants.statements.routes import router as statements

service = Service(
    name="grants",
    title="Homeward grants",
    description="What a programme allows, what was granted of it, and every cent that was paid.",
    routers=[programmes, budgets, grants, payments, payees, floats, statements, cooperatives],
    metadata=Base.metadata,
    migrations=Path(__file__).parent / "migrations" / "versions",
    publishes=facts.PUBLISHES,
    handlers=HANDLERS,
    holdings=Holdings(sealed={"payee.sealed": ("payee", "id"), "payee.pending": ("payee", "id")}),
    jobs=lambda _: [plans.JOB, papers.JOB, endings.JOB, transfers.JOB, SETTLE_JOB, WAGE_JOB],
)
