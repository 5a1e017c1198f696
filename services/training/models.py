"""Training's own tables: what is offered, who takes part, what came of it, and work afterwards."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.db import now
from chassis.tables import READ_BACK, TYPES, ResourceColumns, new_metadata


class Base(DeclarativeBase):
    """Base of training's tables."""

    metadata = new_metadata()
    type_annotation_map: ClassVar = TYPES
    __mapper_args__ = READ_BACK


class Resource(ResourceColumns, Base):
    """What a table has whose rows are resources."""

    __abstract__ = True


class OfPerson(Resource):
    """What a resource has that is about one person's return."""

    __abstract__ = True

    returnee_id: Mapped[UUID] = mapped_column(index=True)
    case_id: Mapped[UUID | None] = mapped_column(index=True)
    referral_id: Mapped[UUID | None]
    household_id: Mapped[UUID | None]
    programme: Mapped[str]
    programme_version: Mapped[int]

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


class Provider(Resource):
    """Who gives courses. An organisation of the same slug sees the participants of its cohorts."""

    __tablename__ = "provider"

    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    country: Mapped[str]
    registered_by: Mapped[str]


class Course(Resource):
    """What is offered, as it is now. `revision` counts its content."""

    __tablename__ = "course"
    __table_args__ = (
        UniqueConstraint("organisation", "code"),
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint("hours > 0 AND days > 0", name="length"),
        CheckConstraint("attendance_percent BETWEEN 1 AND 100", name="attendance_percent"),
        CheckConstraint("online OR city IS NOT NULL", name="place"),
    )

    organisation: Mapped[str] = mapped_column(comment="who offers it, and may change it")
    code: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)
    title: Mapped[str]
    kind: Mapped[str]
    phase: Mapped[str]
    hours: Mapped[Decimal]
    days: Mapped[int]
    country: Mapped[str]
    city: Mapped[str | None]
    online: Mapped[bool]
    capacity: Mapped[int]
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("provider.id"), index=True)
    languages: Mapped[list[str]]
    isced_f: Mapped[str]
    isco_08: Mapped[str | None]
    programmes: Mapped[list[str]] = mapped_column(comment="empty: open to all")
    governorate: Mapped[str | None] = mapped_column(
        comment="where it takes place; none where that is not known"
    )
    governorates: Mapped[list[str]] = mapped_column(
        comment="where those live for whom it is; empty: anywhere"
    )
    stipend: Mapped[bool]
    attendance_percent: Mapped[int | None] = mapped_column(comment="none: as the programme asks")


class CourseRevision(Base):
    """What a course was in a revision; a cohort keeps to the one it was scheduled with."""

    __tablename__ = "course_revision"

    course_id: Mapped[UUID] = mapped_column(ForeignKey("course.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]]
    by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=now())


class Cohort(Resource):
    """One run of a course. Its row is locked by whoever takes or gives back a place."""

    __tablename__ = "cohort"
    __table_args__ = (
        CheckConstraint("state IN ('scheduled', 'cancelled')", name="state"),
        CheckConstraint("seats_taken BETWEEN 0 AND capacity", name="seats"),
        CheckConstraint("waiting BETWEEN 0 AND last_queue", name="waiting"),
        CheckConstraint("starts_on <= ends_on", name="dates"),
    )

    organisation: Mapped[str]
    course_id: Mapped[UUID] = mapped_column(ForeignKey("course.id"), index=True)
    course_revision: Mapped[int]
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("provider.id"), index=True)
    state: Mapped[str]
    starts_on: Mapped[date] = mapped_column(index=True)
    ends_on: Mapped[date]
    time_zone: Mapped[str]
    country: Mapped[str]
    city: Mapped[str | None]
    governorate: Mapped[str | None]
    venue: Mapped[str | None]
    online: Mapped[bool]
    capacity: Mapped[int]
    seats_taken: Mapped[int] = mapped_column(default=0)
    waiting: Mapped[int] = mapped_column(default=0, comment="how many are on the waiting list")
    last_queue: Mapped[int] = mapped_column(
        default=0, comment="the last number given out on the waiting list"
    )
    languages: Mapped[list[str]]
    lecturers: Mapped[list[str]]


class CohortSession(Base):
    """One meeting of a cohort, with its attendance sheet."""

    __tablename__ = "cohort_session"
    __table_args__ = (CheckConstraint("starts_at < ends_at", name="times"),)

    cohort_id: Mapped[UUID] = mapped_column(ForeignKey("cohort.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    sheet_version: Mapped[int] = mapped_column(
        server_default=text("0"), comment="0: nothing recorded yet"
    )
    capture_id: Mapped[UUID | None] = mapped_column(
        comment="the id that the client gave the sheet's last capture"
    )
    occurred_at: Mapped[datetime | None]
    recorded_at: Mapped[datetime | None]
    recorded_by: Mapped[str | None]
    clock_suspect: Mapped[bool] = mapped_column(server_default=text("false"))


class Enrolment(OfPerson):
    """One person's way through one cohort, or the wish for one."""

    __tablename__ = "enrolment"
    __table_args__ = (
        CheckConstraint(
            "state IN ('requested', 'waitlisted', 'offered', 'enrolled', 'attending', 'completed', 'dropped_out',"
            " 'no_show', 'cancelled')",
            name="state",
        ),
        CheckConstraint(
            "state IN ('requested', 'cancelled') OR cohort_id IS NOT NULL", name="cohort"
        ),
        CheckConstraint("(state = 'offered') = (offered_until IS NOT NULL)", name="offer"),
        CheckConstraint("state <> 'waitlisted' OR queue IS NOT NULL", name="queue"),
        CheckConstraint("review IN ('plan_amended', 'line_removed')", name="review"),
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

    cohort_id: Mapped[UUID | None] = mapped_column(ForeignKey("cohort.id"), index=True)
    course_id: Mapped[UUID | None] = mapped_column(ForeignKey("course.id"))
    kind: Mapped[str] = mapped_column(comment="of course, or what the plan's line asks for")
    phase: Mapped[str | None]
    plan_line_id: Mapped[UUID | None]
    state: Mapped[str]
    queue: Mapped[int | None] = mapped_column(comment="number on the waiting list of the cohort")
    offered_until: Mapped[datetime | None]
    left_at: Mapped[datetime | None] = mapped_column(
        comment="when a place was given up that the person had taken"
    )
    attendance_percent: Mapped[int | None]
    stipend: Mapped[bool] = mapped_column(default=False)
    score_before: Mapped[int | None]
    score_after: Mapped[int | None]
    manual_on: Mapped[date | None]
    evaluation: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
    review: Mapped[str | None] = mapped_column(
        comment="why a person has to look whether it goes on"
    )
    comment: Mapped[str | None]
    completed_on: Mapped[date | None]
    requested_by: Mapped[str]


class Attendance(Base):
    """Whether one person was at one session."""

    __tablename__ = "attendance"
    __table_args__ = (
        CheckConstraint("status IN ('present', 'late', 'excused', 'absent')", name="status"),
        CheckConstraint("minutes >= 0", name="minutes"),
    )

    enrolment_id: Mapped[UUID] = mapped_column(ForeignKey("enrolment.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cohort_id: Mapped[UUID] = mapped_column(index=True)
    status: Mapped[str]
    minutes: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())


class Certificate(Resource):
    """That a course was completed. Its code tells nothing about whose it is."""

    __tablename__ = "certificate"

    enrolment_id: Mapped[UUID] = mapped_column(ForeignKey("enrolment.id"), unique=True)
    code: Mapped[str] = mapped_column(unique=True)
    issued_on: Mapped[date]
    title: Mapped[str]
    hours: Mapped[Decimal]
    provider: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    valid: Mapped[bool] = mapped_column(
        comment="false while corrected attendance is less than the course asks for"
    )


class PlannedLine(Base):
    """A line of an approved reintegration plan that training carries out, by its id in every
    version of the plan.
    """

    __tablename__ = "planned_line"

    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    case_id: Mapped[UUID] = mapped_column(index=True)
    plan_id: Mapped[UUID]
    returnee_id: Mapped[UUID] = mapped_column(index=True)
    kind: Mapped[str]
    active: Mapped[bool]
    provider: Mapped[str | None] = mapped_column(comment="that the line names")
    course_id: Mapped[UUID | None] = mapped_column(comment="that the line names")
    cohort_id: Mapped[UUID | None] = mapped_column(comment="that the line names")


class AppliedPlan(Base):
    """The newest version of a case's plan that was taken over, and the newest that is being
    written.
    """

    __tablename__ = "applied_plan"

    case_id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_version: Mapped[int] = mapped_column(server_default=text("0"))
    drafted_version: Mapped[int] = mapped_column(server_default=text("0"))


class Whereabouts(Base):
    """Where a person returns to and what they speak, as far as it decides which cohorts suit them."""

    __tablename__ = "whereabouts"

    returnee_id: Mapped[UUID] = mapped_column(primary_key=True)
    governorate: Mapped[str | None] = mapped_column(comment="ISO 3166-2")
    languages: Mapped[list[str] | None] = mapped_column(
        comment="kept of those for whom a plan asks for a course"
    )


class Seeker(Resource):
    """What a person looking for work can do and wants. `id` is the returnee's. Nothing protected is
    in it.
    """

    __tablename__ = "seeker"
    __table_args__ = (
        CheckConstraint("(wage IS NULL) = (currency IS NULL)", name="wage"),
        Index("ix_seeker_groups", "groups", postgresql_using="gin"),
    )

    occupations: Mapped[list[str]] = mapped_column(comment="ISCO-08 unit groups")
    groups: Mapped[list[str]] = mapped_column(comment="their major groups, to find candidates by")
    languages: Mapped[list[str]]
    country: Mapped[str]
    governorate: Mapped[str | None]
    may_move: Mapped[bool]
    wage: Mapped[Decimal | None] = mapped_column(comment="expected, a month")
    currency: Mapped[str | None]
    available_from: Mapped[date | None]
    looking: Mapped[bool] = mapped_column(default=True)


class Employer(Resource):
    """Who employs."""

    __tablename__ = "employer"

    name: Mapped[str]
    country: Mapped[str]
    governorate: Mapped[str | None]
    registered_by: Mapped[str]


class Vacancy(Resource):
    """A place to work, or several of the same."""

    __tablename__ = "vacancy"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'filled', 'closed')", name="state"),
        CheckConstraint("kind IN ('job', 'internship')", name="kind"),
        CheckConstraint("taken BETWEEN 0 AND positions", name="taken"),
        CheckConstraint("(wage IS NULL) = (currency IS NULL)", name="wage"),
        Index("ix_vacancy_country", "country", "state"),
    )

    employer_id: Mapped[UUID] = mapped_column(ForeignKey("employer.id"), index=True)
    registered_by: Mapped[str]
    state: Mapped[str]
    title: Mapped[str]
    kind: Mapped[str]
    occupation: Mapped[str] = mapped_column(comment="ISCO-08 unit group")
    country: Mapped[str]
    governorate: Mapped[str | None]
    remote: Mapped[bool]
    languages: Mapped[list[str]]
    wage: Mapped[Decimal | None] = mapped_column(comment="a month")
    currency: Mapped[str | None]
    positions: Mapped[int]
    taken: Mapped[int] = mapped_column(default=0)
    starts_on: Mapped[date | None]


class Placement(OfPerson):
    """One person in one vacancy."""

    __tablename__ = "placement"
    __table_args__ = (
        CheckConstraint("state IN ('proposed', 'started', 'ended')", name="state"),
        CheckConstraint("state <> 'started' OR started_on IS NOT NULL", name="started"),
        CheckConstraint("(state = 'ended') = (reason IS NOT NULL)", name="reason"),
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

    vacancy_id: Mapped[UUID] = mapped_column(ForeignKey("vacancy.id"), index=True)
    state: Mapped[str]
    kind: Mapped[str]
    occupation: Mapped[str]
    plan_line_id: Mapped[UUID | None]
    wage_subsidy: Mapped[bool]
    subsidy_line_id: Mapped[UUID | None]
    subsidy_months: Mapped[int | None] = mapped_column(
        comment="agreed; none: as the programme says"
    )
    started_on: Mapped[date | None]
    ended_on: Mapped[date | None]
    reason: Mapped[str | None]


class RetentionCheck(Base):
    """Whether somebody still works there so many months after the start."""

    __tablename__ = "retention_check"

    placement_id: Mapped[UUID] = mapped_column(ForeignKey("placement.id"), primary_key=True)
    months: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    due_on: Mapped[date] = mapped_column(index=True)
    checked_on: Mapped[date | None]
    working: Mapped[bool | None]


class Mentor(OfPerson):
    """A graduate who agreed to accompany others."""

    __tablename__ = "mentor"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'ended')", name="state"),
        CheckConstraint("mentees BETWEEN 0 AND capacity", name="mentees"),
        Index(
            "uq_mentor_active",
            "returnee_id",
            unique=True,
            postgresql_where=text("state = 'active'"),
        ),
    )

    enrolment_id: Mapped[UUID] = mapped_column(ForeignKey("enrolment.id"))
    state: Mapped[str]
    agreed_on: Mapped[date]
    capacity: Mapped[int]
    mentees: Mapped[int] = mapped_column(default=0)


class Mentorship(OfPerson):
    """A mentor and a mentee; the person it is about is the mentee."""

    __tablename__ = "mentorship"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'ended')", name="state"),
        Index(
            "uq_mentorship_active",
            "returnee_id",
            unique=True,
            postgresql_where=text("state = 'active'"),
        ),
    )

    mentor_id: Mapped[UUID] = mapped_column(ForeignKey("mentor.id"), index=True)
    state: Mapped[str]
    started_on: Mapped[date]
    ended_on: Mapped[date | None]
    reason: Mapped[str | None]
