"""Cases as one object."""

from pathlib import Path

from chassis.app import Service
from contracts import cases as facts
from services.cases import walk_ins
from services.cases.cases.routes import router as cases
from services.cases.deadlines.job import JOB
from services.cases.deadlines.routes import router as deadlines
from services.cases.handlers import HANDLERS
from services.cases.models import Base
from services.cases.plans.routes import router as plans
from services.cases.referrals.routes import router as referrals
from services.cases.returnees.routes import households
from services.cases.returnees.routes import router as returnees
from services.cases.travel.routes import router as travel

service = Service(
    name="cases",
    title="Homeward cases",
    description="Referrals, the people in them, their households, and the case of each return with its plan.",
    routers=[referrals, travel, returnees, households, cases, plans, deadlines],
    metadata=Base.metadata,
    migrations=Path(__file__).parent / "migrations" / "versions",
    publishes=[
        facts.ReferralSubmitted,
        facts.ReferralInformationRequested,
        facts.ReferralAccepted,
        facts.ReferralRejected,
        facts.ReferralEscalated,
        facts.ReferralExpired,
        facts.ReferralWithdrawn,
        facts.TravelPlanned,
        facts.TravelConfirmed,
        facts.TravelChanged,
        facts.TravelDeparted,
        facts.TravelNotDeparted,
        facts.TravelCancelled,
        facts.ReturneeRegistered,
        facts.ReturneeUpdated,
        facts.HouseholdChanged,
        facts.CaseOpened,
        facts.CaseAssigned,
        facts.CaseProgressed,
        facts.CaseClosed,
        facts.CaseReopened,
        facts.PlanSubmitted,
        facts.PlanAgreed,
        facts.PlanApproved,
        facts.PlanReturned,
        facts.PlanAmended,
        facts.DeadlineSet,
        facts.DeadlineMissed,
    ],
    handlers=HANDLERS,
    jobs=lambda _: [JOB, walk_ins.JOB],
)
