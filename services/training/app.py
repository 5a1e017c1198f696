"""Training as one object."""

from pathlib import Path

from chassis.app import Service
from contracts import training as facts
from participation.access import takes_part_in
from participation.subject_access import Holdings, holdings_router
from services.training import plans, whereabouts
from services.training.attendance.routes import router as attendance
from services.training.certificates.routes import of_enrolment as completion
from services.training.certificates.routes import router as certificates
from services.training.courses.routes import cohorts, courses, providers
from services.training.enrolments.choices import CHOOSE_JOB
from services.training.enrolments.cohort_routes import router as cohort_members
from services.training.enrolments.routes import router as enrolments
from services.training.enrolments.service import LAPSE_JOB
from services.training.handlers import HANDLERS
from services.training.identities import fetch_job
from services.training.mentors.routes import router as mentors
from services.training.models import Base
from services.training.work.routes import employers, placements, vacancies
from services.training.work.routes import of_enrolment as looking_for_work

service = Service(
    name="training",
    title="Homeward training",
    description="Courses and who takes part in them, certificates, vacancies, placements in "
    "work, and mentors.",
    routers=[
        providers,
        courses,
        cohorts,
        cohort_members,
        attendance,
        enrolments,
        completion,
        looking_for_work,
        certificates,
        employers,
        vacancies,
        placements,
        mentors,
        holdings_router("training", Base.metadata, Holdings()),
    ],
    metadata=Base.metadata,
    takes_part_in=takes_part_in,
    migrations=Path(__file__).parent / "migrations" / "versions",
    publishes=facts.PUBLISHES,
    handlers=HANDLERS,
    jobs=lambda settings: [
        fetch_job(settings),
        plans.FETCH_JOB,
        whereabouts.FETCH_JOB,
        CHOOSE_JOB,
        LAPSE_JOB,
    ],
    knows_people_from="cases",
)
