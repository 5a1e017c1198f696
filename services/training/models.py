"""Training's own tables: what is offered, who takes part, what came of it, and work afterwards."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import registry

from chassis.db import now
from chassis.tables import READ_BACK, ResourceColumns, Table, column, new_metadata
from contracts.codes import CourseKind
from contracts.training import (
    AttendanceStatus,
    MentorshipEnd,
    Phase,
    PlacementEnd,
    QuestionReason,
    WorkKind,
)
from services.training.states import (
    CohortState,
    EnrolmentState,
    MentorState,
    PlacementState,
    VacancyState,
)


class Base(Table, registry=registry(metadata=new_metadata())):
    """Base of training's tables."""

    __mapper_args__ = READ_BACK


class Resource(ResourceColumns, Base):
    """What a table has whose rows are resources."""


class OfPerson(Resource):
    """What a resource has that is about one person's return."""

    returnee_id: UUID = column(index=True)
    case_id: UUID | None = column(index=True)
    referral_id: UUID | None = None
    household_id: UUID | None = None
    programme: str
    programme_version: int

    @property
    def ids(self) -> dict[str, Any]:
        """The ids that relate a fact about it."""
        return {
            "returnee_id": self.returnee_id,
            "case_id": self.case_id,
            "referral_id": self.referral_id,
            "household_id": self.household_id,
            "programme": self.programme,
        }


class Provider(Resource, table=True):
    """Who gives courses. An organisation of the same slug sees the participants of its cohorts."""

    __tablename__ = "provider"

    slug: str = column(unique=True)
    name: str
    country: str
    registered_by: str


class Course(Resource, table=True):
    """What is offered, as it is now. `revision` counts its content."""

    __tablename__ = "course"
    __table_args__ = (
        UniqueConstraint("organisation", "code"),
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint("hours > 0 AND days > 0", name="length"),
        CheckConstraint("attendance_percent BETWEEN 1 AND 100", name="attendance_percent"),
        CheckConstraint("online OR city IS NOT NULL", name="place"),
    )

    organisation: str = column(comment="who offers it, and may change it")
    code: str
    revision: int = column(default=1)
    title: str
    kind: CourseKind
    phase: Phase
    hours: Decimal
    days: int
    country: str
    city: str | None = None
    online: bool
    capacity: int
    provider_id: UUID = column(foreign_key="provider.id", index=True)
    languages: list[str]
    isced_f: str
    isco_08: str | None
    programmes: list[str] = column(comment="empty: open to all")
    governorate: str | None = column(comment="where it takes place; none where that is not known")
    governorates: list[str] = column(comment="where those live for whom it is; empty: anywhere")
    stipend: bool
    attendance_percent: int | None = column(comment="none: as the programme asks")


class CourseRevision(Base, table=True):
    """What a course was in a revision; a cohort keeps to the one it was scheduled with."""

    __tablename__ = "course_revision"

    course_id: UUID = column(foreign_key="course.id", primary_key=True)
    revision: int = column(primary_key=True, autoincrement=False)
    content: dict[str, Any]
    by: str
    created_at: datetime = column(server_default=now())


class Cohort(Resource, table=True):
    """One run of a course. Its row is locked by whoever takes or gives back a place."""

    __tablename__ = "cohort"
    __table_args__ = (
        CheckConstraint("seats_taken BETWEEN 0 AND capacity", name="seats"),
        CheckConstraint("waiting BETWEEN 0 AND last_queue", name="waiting"),
        CheckConstraint("starts_on <= ends_on", name="dates"),
    )

    organisation: str
    course_id: UUID = column(foreign_key="course.id", index=True)
    course_revision: int
    provider_id: UUID = column(foreign_key="provider.id", index=True)
    state: CohortState
    starts_on: date = column(index=True)
    ends_on: date
    time_zone: str
    country: str
    city: str | None = None
    governorate: str | None = None
    venue: str | None = None
    online: bool
    capacity: int
    seats_taken: int = column(default=0)
    waiting: int = column(default=0, comment="how many are on the waiting list")
    last_queue: int = column(default=0, comment="the last number given out on the waiting list")
    languages: list[str]
    lecturers: list[str]


class CohortSession(Base, table=True):
    """One meeting of a cohort, with its attendance sheet."""

    __tablename__ = "cohort_session"
    __table_args__ = (CheckConstraint("starts_at < ends_at", name="times"),)

    cohort_id: UUID = column(foreign_key="cohort.id", primary_key=True)
    number: int = column(primary_key=True, autoincrement=False)
    starts_at: datetime
    ends_at: datetime
    sheet_version: int = column(server_default=text("0"), comment="0: nothing recorded yet")
    capture_id: UUID | None = column(comment="the id that the client gave the sheet's last capture")
    occurred_at: datetime | None = None
    recorded_at: datetime | None = None
    recorded_by: str | None = None
    clock_suspect: bool = column(server_default=text("false"))


class Enrolment(OfPerson, table=True):
    """One person's way through one cohort, or the wish for one."""

    __tablename__ = "enrolment"
    __table_args__ = (
        CheckConstraint(
            "state IN ('requested', 'cancelled') OR cohort_id IS NOT NULL", name="cohort"
        ),
        CheckConstraint("(state = 'offered') = (offered_until IS NOT NULL)", name="offer"),
        CheckConstraint("state <> 'waitlisted' OR queue IS NOT NULL", name="queue"),
        Index(
            "uq_enrolment_active",
            "cohort_id",
            "returnee_id",
            unique=True,
            postgresql_where=text("state NOT IN ('dropped_out', 'no_show', 'cancelled')"),
        ),
        Index("uq_enrolment_queue", "cohort_id", "queue", unique=True),
        Index(
            "uq_enrolment_plan_line",
            "plan_line_id",
            unique=True,
            postgresql_where=text("state NOT IN ('dropped_out', 'no_show', 'cancelled')"),
        ),
        Index("ix_enrolment_updated_at", "updated_at", "id"),
    )

    cohort_id: UUID | None = column(foreign_key="cohort.id", index=True)
    course_id: UUID | None = column(foreign_key="course.id", index=True)
    kind: CourseKind = column(comment="of course, or what the plan's line asks for")
    phase: Phase | None = None
    plan_line_id: UUID | None = None
    state: EnrolmentState
    queue: int | None = column(comment="number on the waiting list of the cohort")
    offered_until: datetime | None = None
    left_at: datetime | None = column(comment="when a place was given up that the person had taken")
    attendance_percent: int | None = None
    stipend: bool = column(default=False)
    score_before: int | None = None
    score_after: int | None = None
    manual_on: date | None = None
    evaluation: dict[str, Any] | None = None
    reason: str | None = None
    review: QuestionReason | None = column(comment="why a person has to look whether it goes on")
    comment: str | None = None
    completed_on: date | None = None
    requested_by: str


class Attendance(Base, table=True):
    """Whether one person was at one session."""

    __tablename__ = "attendance"
    __table_args__ = (CheckConstraint("minutes >= 0", name="minutes"),)

    enrolment_id: UUID = column(foreign_key="enrolment.id", primary_key=True)
    number: int = column(primary_key=True, autoincrement=False)
    cohort_id: UUID = column(index=True)
    status: AttendanceStatus
    minutes: int
    recorded_at: datetime = column(server_default=now())


class Certificate(Resource, table=True):
    """That a course was completed. Its code tells nothing about whose it is."""

    __tablename__ = "certificate"

    enrolment_id: UUID = column(foreign_key="enrolment.id", unique=True)
    code: str = column(unique=True)
    issued_on: date
    title: str
    hours: Decimal
    provider: str
    starts_on: date
    ends_on: date
    valid: bool = column(
        comment="false while corrected attendance is less than the course asks for"
    )


class PlannedLine(Base, table=True):
    """A line of an approved reintegration plan that training carries out, by its id in every
    version of the plan.
    """

    __tablename__ = "planned_line"

    line_id: UUID = column(primary_key=True)
    case_id: UUID = column(index=True)
    plan_id: UUID
    returnee_id: UUID = column(index=True)
    kind: str
    active: bool
    provider: str | None = column(comment="that the line names")
    course_id: UUID | None = column(comment="that the line names")
    cohort_id: UUID | None = column(comment="that the line names")


class AppliedPlan(Base, table=True):
    """The newest version of a case's plan that was taken over, and the newest that is being
    written.
    """

    __tablename__ = "applied_plan"

    case_id: UUID = column(primary_key=True)
    plan_version: int = column(server_default=text("0"))
    drafted_version: int = column(server_default=text("0"))


class Whereabouts(Base, table=True):
    """Where a person returns to and what they speak, as far as it decides which cohorts suit
    them.
    """

    __tablename__ = "whereabouts"

    returnee_id: UUID = column(primary_key=True)
    governorate: str | None = column(comment="ISO 3166-2")
    languages: list[str] | None = column(comment="kept of those for whom a plan asks for a course")


class Seeker(Resource, table=True):
    """What a person looking for work can do and wants. `id` is the returnee's. Nothing protected is
    in it.
    """

    __tablename__ = "seeker"
    __table_args__ = (
        CheckConstraint("(wage IS NULL) = (currency IS NULL)", name="wage"),
        Index("ix_seeker_groups", "groups", postgresql_using="gin"),
    )

    occupations: list[str] = column(comment="ISCO-08 unit groups")
    groups: list[str] = column(comment="their major groups, to find candidates by")
    languages: list[str]
    country: str
    governorate: str | None = None
    may_move: bool
    wage: Decimal | None = column(comment="expected, a month")
    currency: str | None = None
    available_from: date | None = None
    looking: bool = column(default=True)


class Employer(Resource, table=True):
    """Who employs."""

    __tablename__ = "employer"

    name: str
    country: str
    governorate: str | None = None
    registered_by: str


class Vacancy(Resource, table=True):
    """A place to work, or several of the same."""

    __tablename__ = "vacancy"
    __table_args__ = (
        CheckConstraint("taken BETWEEN 0 AND positions", name="taken"),
        CheckConstraint("(wage IS NULL) = (currency IS NULL)", name="wage"),
        Index("ix_vacancy_country", "country", "state"),
    )

    employer_id: UUID = column(foreign_key="employer.id", index=True)
    registered_by: str
    state: VacancyState
    title: str
    kind: WorkKind
    occupation: str = column(comment="ISCO-08 unit group")
    country: str
    governorate: str | None = None
    remote: bool
    languages: list[str]
    wage: Decimal | None = column(comment="a month")
    currency: str | None = None
    positions: int
    taken: int = column(default=0)
    starts_on: date | None = None


class Placement(OfPerson, table=True):
    """One person in one vacancy."""

    __tablename__ = "placement"
    __table_args__ = (
        CheckConstraint("state <> 'started' OR started_on IS NOT NULL", name="started"),
        CheckConstraint("(state = 'ended') = (reason IS NOT NULL)", name="reason_when_ended"),
        CheckConstraint(
            "(subsidy_line_id IS NULL AND subsidy_months IS NULL) OR wage_subsidy", name="subsidy"
        ),
        CheckConstraint("subsidy_months > 0", name="subsidy_months"),
        Index(
            "uq_placement_active",
            "vacancy_id",
            "returnee_id",
            unique=True,
            postgresql_where=text("state <> 'ended'"),
        ),
        *(
            Index(
                f"uq_placement_{line}", line, unique=True, postgresql_where=text("state <> 'ended'")
            )
            for line in ("plan_line_id", "subsidy_line_id")
        ),
    )

    vacancy_id: UUID = column(foreign_key="vacancy.id", index=True)
    state: PlacementState
    kind: WorkKind
    occupation: str
    plan_line_id: UUID | None = None
    wage_subsidy: bool
    subsidy_line_id: UUID | None = None
    subsidy_months: int | None = column(comment="agreed; none: as the programme says")
    started_on: date | None = None
    ended_on: date | None = None
    reason: PlacementEnd | None = None


class RetentionCheck(Base, table=True):
    """Whether somebody still works there so many months after the start."""

    __tablename__ = "retention_check"

    placement_id: UUID = column(foreign_key="placement.id", primary_key=True)
    months: int = column(primary_key=True, autoincrement=False)
    due_on: date = column(index=True)
    checked_on: date | None = None
    working: bool | None = None


class Mentor(OfPerson, table=True):
    """A graduate who agreed to accompany others."""

    __tablename__ = "mentor"
    __table_args__ = (
        CheckConstraint("mentees BETWEEN 0 AND capacity", name="mentees"),
        Index(
            "uq_mentor_active",
            "returnee_id",
            unique=True,
            postgresql_where=text("state = 'active'"),
        ),
    )

    enrolment_id: UUID = column(foreign_key="enrolment.id", index=True)
    state: MentorState
    agreed_on: date
    capacity: int
    mentees: int = column(default=0)


class Mentorship(OfPerson, table=True):
    """A mentor and a mentee; the person it is about is the mentee."""

    __tablename__ = "mentorship"
    __table_args__ = (
        Index(
            "uq_mentorship_active",
            "returnee_id",
            unique=True,
            postgresql_where=text("state = 'active'"),
        ),
    )

    mentor_id: UUID = column(foreign_key="mentor.id", index=True)
    state: MentorState
    started_on: date
    ended_on: date | None = None
    reason: MentorshipEnd | None = None
