"""Grants as one object."""

from pathlib import Path

from chassis.app import Service
from contracts import grants as events
from participation.access import takes_part_in
from participation.subject_access import Holdings, holdings_router
from services.grants import closing, plans, supporting_documents, transfers
from services.grants.awards.cooperatives.routes import router as cooperatives
from services.grants.awards.grants import consequences
from services.grants.awards.grants.routes import router as grants
from services.grants.books.budgets.routes import router as budgets
from services.grants.books.floats.routes import router as floats
from services.grants.handlers import HANDLERS
from services.grants.models import Base
from services.grants.payees.routes import router as payees
from services.grants.payments.earned import service as earned
from services.grants.payments.payments import outcomes, preparation
from services.grants.payments.payments.routes import router as payments
from services.grants.payments.statements.routes import router as statements
from services.grants.programmes.routes import router as programmes

consequences.register(
    on_approval=(preparation.prepare_desk_cash, earned.settle_later),
    on_cancellation=(outcomes.cancel_scheduled,),
)

service = Service(
    name="grants",
    title="Homeward grants",
    description="What a programme allows, what was granted of it, and every cent that was paid.",
    routers=[
        programmes,
        budgets,
        grants,
        payments,
        payees,
        floats,
        statements,
        cooperatives,
        holdings_router(
            "grants",
            Base.metadata,
            Holdings(sealed={"payee.sealed": ("payee", "id"), "payee.pending": ("payee", "id")}),
        ),
    ],
    metadata=Base.metadata,
    takes_part_in=takes_part_in,
    migrations=Path(__file__).parent / "migrations" / "versions",
    publishes=events.PUBLISHES,
    handlers=HANDLERS,
    knows_people_from="cases",
    jobs=lambda _: [
        plans.JOB,
        supporting_documents.JOB,
        closing.JOB,
        transfers.JOB,
        earned.SETTLE_JOB,
        earned.WAGE_JOB,
    ],
)
