"""Cases as one object."""

from pathlib import Path

from chassis.app import Service
from contracts import cases as facts
from services.cases import walk_ins
from services.cases.batches.routes import router as batches
from services.cases.batches.service import BATCH
from services.cases.cases.routes import router as cases
from services.cases.code_lists.routes import router as code_lists
from services.cases.contact.routes import router as contact
from services.cases.deadlines.job import JOB
from services.cases.deadlines.routes import calendar
from services.cases.deadlines.routes import router as deadlines
from services.cases.documents.job import document_jobs
from services.cases.documents.routes import router as documents
from services.cases.handlers import HANDLERS
from services.cases.households.job import JOB as OF_AGE
from services.cases.households.routes import router as households_changed
from services.cases.models import Base
from services.cases.plans.routes import router as plans
from services.cases.referrals.forgetting import JOB as FORGETTING
from services.cases.referrals.routes import router as referrals
from services.cases.returnees.job import REFRESH
from services.cases.returnees.routes import households
from services.cases.returnees.routes import router as returnees
from services.cases.rights.holdings import HOLDINGS
from services.cases.rights.routes import router as rights
from services.cases.screening.routes import router as screening
from services.cases.service_referrals.routes import router as service_referrals
from services.cases.surveys.routes import router as surveys
from services.cases.travel.routes import router as travel
from services.cases.visits.routes import router as visits

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
    ],
    metadata=Base.metadata,
    migrations=Path(__file__).parent / "migrations" / "versions",
    publishes=list(facts.PUBLISHES),
    handlers=HANDLERS,
    needs=["matching_key"],
    jobs=lambda settings: [JOB, OF_AGE, BATCH, REFRESH, walk_ins.JOB, FORGETTING, *document_jobs(settings)],
    holdings=HOLDINGS,
)
