"""Cases as one object."""

from pathlib import Path

from chassis.app import Service
from contracts import cases as facts
from participation.subject_access import holdings_router
from services.cases.casework.cases.closing import CASE_CLOSED, CASE_REOPENED
from services.cases.casework.cases.routes import router as cases
from services.cases.casework.deadlines.job import JOB, ON_SILENCE
from services.cases.casework.deadlines.routes import calendar
from services.cases.casework.deadlines.routes import router as deadlines
from services.cases.casework.plans.routes import router as plans
from services.cases.casework.screening.routes import router as screening
from services.cases.code_lists.routes import router as code_lists
from services.cases.documents.job import document_jobs
from services.cases.documents.routes import router as documents
from services.cases.follow_up.contact.routes import router as contact
from services.cases.follow_up.service_referrals.routes import router as service_referrals
from services.cases.follow_up.surveys.routes import router as surveys
from services.cases.follow_up.visits.routes import router as visits
from services.cases.follow_up.visits.service import close_with_case, reopen_with_case
from services.cases.handlers import HANDLERS
from services.cases.intake.batches.routes import router as batches
from services.cases.intake.batches.service import BATCH
from services.cases.intake.referrals.forgetting import JOB as FORGETTING
from services.cases.intake.referrals.routes import router as referrals
from services.cases.intake.referrals.service import on_silence
from services.cases.intake.travel.routes import router as travel
from services.cases.models import Base
from services.cases.people import walk_ins
from services.cases.people.households.job import JOB as OF_AGE
from services.cases.people.households.routes import router as households_changed
from services.cases.people.returnees.job import REFRESH
from services.cases.people.returnees.routes import households
from services.cases.people.returnees.routes import router as returnees
from services.cases.people.rights.routes import router as rights
from services.cases.people.rights.subject_access import HOLDINGS

ON_SILENCE.register(on_silence)
CASE_CLOSED.register(close_with_case)
CASE_REOPENED.register(reopen_with_case)

service = Service(
    name="cases",
    title="Homeward cases",
    description="Referrals, the people in them, their households, and each return's case, plan and follow-up.",
    routers=[
        travel,
        referrals,
        batches,
        returnees,
        rights,
        households,
        cases,
        plans,
        deadlines,
        calendar,
        households_changed,
        screening,
        contact,
        visits,
        surveys,
        service_referrals,
        documents,
        code_lists,
        holdings_router("cases", Base.metadata, HOLDINGS),
    ],
    metadata=Base.metadata,
    migrations=Path(__file__).parent / "migrations" / "versions",
    publishes=list(facts.PUBLISHES),
    handlers=HANDLERS,
    needs=["matching_key"],
    jobs=lambda settings: [
        JOB,
        OF_AGE,
        BATCH,
        REFRESH,
        walk_ins.JOB,
        FORGETTING,
        *document_jobs(settings),
    ],
)
