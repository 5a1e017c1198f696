"""Completing a course, and the certificate that says so."""

import secrets
from uuid import UUID

from sqlalchemy import Date, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import cast, select

from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import CONFLICT, Problem, ProblemType
from chassis.outbox import publish
from contracts import training as facts
from services.training.courses.schemas import AsScheduled
from services.training.courses.service import scheduled_with
from services.training.enrolments.progress import attended, held
from services.training.enrolments.rules import enough
from services.training.enrolments.service import fact_of, lock
from services.training.fields import found, is_in
from services.training.models import (
    Certificate,
    Cohort,
    CohortSession,
    CourseRevision,
    Enrolment,
    Provider,
    Seeker,
    Whereabouts,
)
from services.training.states import ENROLMENT, EnrolmentAction

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: nothing in it looks like something else."""
GROUP, GROUPS = 4, 4

TOO_LITTLE = ProblemType(
    "attendance-insufficient",
    409,
    "Too little was attended",
    "A course is completed by whoever attended as much of it as it asks for. `detail` says how "
    "much that is.",
)


def new_code() -> str:
    """A code that nobody guesses: 80 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))


async def complete(
    session: Session, caller: Caller, enrolment_id: UUID, precondition: Precondition
) -> Enrolment:
    """The person completed the course: they get a certificate, and what it leads to is known when
    work is looked for.

    Raises:
        Problem: 404; 403; 409, the state does not allow it, the course goes on, or too little was
            attended; 412, 428.
    """
    enrolment, cohort = await lock(session, caller, enrolment_id, EnrolmentAction.COMPLETE)
    precondition.check(enrolment.version)
    ENROLMENT.check(enrolment.state, EnrolmentAction.COMPLETE)
    assert cohort is not None
    assert enrolment.attendance_percent is not None
    to_come = select(CohortSession.number).where(
        CohortSession.cohort_id == cohort.id, CohortSession.ends_at > now()
    )
    if await session.scalar(to_come.limit(1)) is not None:
        raise Problem(CONFLICT, "the course goes on: it is completed after its last session")
    total = await held(session, cohort.id)
    minutes = (await attended(session, [enrolment.id])).get(enrolment.id, 0)
    if not enough(minutes, total, enrolment.attendance_percent):
        raise Problem(
            TOO_LITTLE,
            f"{minutes} of {total} minutes; {enrolment.attendance_percent} percent are needed",
        )
    today = cast(func.timezone(cohort.time_zone, now()), Date)
    completed_on = (await session.execute(select(today))).scalar_one()
    await ENROLMENT.move(
        session, caller, enrolment, EnrolmentAction.COMPLETE, completed_on=completed_on
    )
    query = (
        select(CourseRevision.content).join(Cohort, scheduled_with()).where(Cohort.id == cohort.id)
    )
    course = AsScheduled.model_validate((await session.scalars(query)).one())
    certificate = await _issue(session, enrolment, cohort, course)
    if course.isco_08 is not None:
        await _can_do(session, enrolment, course.isco_08, cohort)
    publish(session, facts.EnrolmentCompleted(**fact_of(enrolment), attended=minutes, held=total))
    issued = facts.CertificateIssued(
        **enrolment.ids,
        certificate_id=certificate.id,
        enrolment_id=enrolment.id,
        cohort_id=cohort.id,
        course_id=cohort.course_id,
    )
    publish(session, issued)
    return enrolment


async def _issue(
    session: Session, enrolment: Enrolment, cohort: Cohort, course: AsScheduled
) -> Certificate:
    provider = await session.get_one(Provider, cohort.provider_id)
    assert enrolment.completed_on is not None
    certificate = Certificate(
        enrolment_id=enrolment.id,
        code=new_code(),
        issued_on=enrolment.completed_on,
        title=course.title,
        hours=course.hours,
        provider=provider.name,
        starts_on=cohort.starts_on,
        ends_on=cohort.ends_on,
        valid=True,
    )
    session.add(certificate)
    await session.flush()
    return certificate


async def _can_do(session: Session, enrolment: Enrolment, occupation: str, cohort: Cohort) -> None:
    """What a completed course leads to is added to what the person can do."""
    known = await session.get(Whereabouts, enrolment.returnee_id)
    home = known.governorate if known else None
    values = {
        "id": enrolment.returnee_id,
        "version": 1,
        "occupations": [occupation],
        "groups": [occupation[0]],
        "languages": (known.languages if known else None) or [],
        "country": cohort.country,
        "governorate": home if home and is_in(cohort.country, home) else None,
        "may_move": False,
        "looking": True,
    }
    statement = insert(Seeker).values(values)
    there = Seeker.__table__.c
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "occupations": func.array_append(
                    func.array_remove(there.occupations, occupation), occupation
                ),
                "groups": func.array_append(
                    func.array_remove(there.groups, occupation[0]), occupation[0]
                ),
                "version": there.version + 1,
                "updated_at": now(),
            },
        )
    )


async def verify(session: Session, code: str) -> Certificate:
    """The certificate with a code.

    Raises:
        Problem: 404.
    """
    query = select(Certificate).where(Certificate.code == code.strip().upper())
    certificate: Certificate = found(await session.scalar(query))
    return certificate
