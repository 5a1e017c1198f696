"""Cases as one object."""

from pathlib import Path

from chassis.app import Service
from contracts import cases as events
from participation.access import takes_part_in
from participation.subject_access import holdings_router
from services.cases.casework.cases.closing import CASE_CLOSED, CASE_REOPENED
from services.cases.casework.cases.routes import router as cases
from services.cases.casework.cases.splitting import split_case
from services.cases.casework.deadlines.job import JOB, ON_SILENCE
from services.cases.casework.deadlines.routes import calendar
from services.cases.casework.deadlines.routes import router as deadlines
from services.cases.casework.forgetting import scrub_casework
from services.cases.casework.plans.routes import router as plans
from services.cases.casework.screening.routes import router as screening
from services.cases.code_lists.routes import router as code_lists
from services.cases.documents.job import document_jobs
from services.cases.documents.routes import router as documents
from services.cases.follow_up.contact.routes import router as contact
from services.cases.follow_up.forgetting import scrub_follow_up
from services.cases.follow_up.reassignment.routes import router as reassignment
from services.cases.follow_up.service_referrals.routes import router as service_referrals
from services.cases.follow_up.surveys.routes import router as surveys
from services.cases.follow_up.visits.routes import router as visits
from services.cases.follow_up.visits.service import call_off_with, close_with_case, reopen_with_case
from services.cases.handlers import HANDLERS
from services.cases.intake import walk_ins
from services.cases.intake.batches.routes import router as batches
from services.cases.intake.batches.service import BATCH_JOB
from services.cases.intake.referrals.decisions import on_silence
from services.cases.intake.referrals.forgetting import JOB as FORGETTING
from services.cases.intake.referrals.forgetting import scrub_referrals
from services.cases.intake.referrals.routes import router as referrals
from services.cases.intake.travel.routes import router as travel
from services.cases.models import Base
from services.cases.people.duplicates.routes import router as duplicates
from services.cases.people.households.job import JOB as OF_AGE
from services.cases.people.households.routes import households
from services.cases.people.households.routes import router as households_changed
from services.cases.people.households.service import HOUSEHOLD_SPLIT, MEMBER_LEFT
from services.cases.people.returnees.job import REFRESH
from services.cases.people.returnees.routes import router as returnees
from services.cases.people.rights.erasure import ON_ERASURE
from services.cases.people.rights.routes import router as rights
from services.cases.people.rights.subject_access import HOLDINGS

HOUSEHOLD_SPLIT.register(split_case)
MEMBER_LEFT.register(call_off_with)
ON_ERASURE.register(scrub_referrals)
ON_ERASURE.register(scrub_casework)
ON_ERASURE.register(scrub_follow_up)
ON_SILENCE.register(on_silence)
CASE_CLOSED.register(close_with_case)
CASE_REOPENED.register(reopen_with_case)

service = Service(
    name="cases",
    title="Homeward cases",
    description=(
        "Referrals, the people in them, their households, and each return's case, plan and "
        "follow-up."
    ),
    routers=[
        travel,
        referrals,
        batches,
        returnees,
        duplicates,
        reassignment,
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
    takes_part_in=takes_part_in,
    migrations=Path(__file__).parent / "migrations" / "versions",
    publishes=list(events.PUBLISHES),
    handlers=HANDLERS,
    needs=["matching_key"],
    jobs=lambda settings: [
        JOB,
        OF_AGE,
        BATCH_JOB,
        REFRESH,
        walk_ins.JOB,
        FORGETTING,
        *document_jobs(settings),
    ],
)
