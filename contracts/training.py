"""What training publishes: courses and cohorts, who takes part, attendance, certificates,
placements, mentors.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.events import EVERYBODY, IMPLEMENTERS, REGISTRY, EventData
from contracts.codes import AssistanceGroup, CountryCode, Moment, PublishedCourse, Slug, Version

Minutes = Annotated[int, Field(ge=0)]
Occupation = Annotated[str, Field(pattern=r"^[0-9]{4}$")]
"""An ISCO-08 unit group."""


class Phase(StrEnum):
    """When a course is for: before the departure, or after the arrival."""

    PRE_DEPARTURE = "pre_departure"
    POST_ARRIVAL = "post_arrival"


class CourseFact(EventData):
    """What every fact about a course or a cohort carries."""

    course_id: UUID
    group: AssistanceGroup
    kind: PublishedCourse | None = None
    """None where the kind would disclose something about health."""
    phase: Phase


class CourseUpdated(
    CourseFact, name="training.course.updated", subject="course_id", audience=EVERYBODY
):
    """A course is offered, or is offered otherwise than before."""

    revision: Version


class CohortFact(CourseFact):
    """What every fact about a cohort carries."""

    cohort_id: UUID
    starts_on: date
    ends_on: date


class CohortNews(CohortFact):
    """What is told once of the cohort, and once of each person who has a place in it or waits for
    one.
    """

    returnee_id: UUID | None = None
    case_id: UUID | None = None
    referral_id: UUID | None = None
    household_id: UUID | None = None
    programme: Slug | None = None


COHORT_SUBJECT = ("returnee_id", "cohort_id")


class CohortScheduled(
    CohortFact, name="training.cohort.scheduled", subject="cohort_id", audience=EVERYBODY
):
    """A cohort of a course was scheduled."""

    capacity: int
    country: CountryCode
    online: bool


class CohortField(StrEnum):
    """What was changed about a cohort."""

    SESSIONS = "sessions"
    VENUE = "venue"
    CAPACITY = "capacity"
    LECTURERS = "lecturers"
    LANGUAGES = "languages"


class CohortUpdated(
    CohortNews, name="training.cohort.updated", subject=COHORT_SUBJECT, audience=EVERYBODY
):
    """A cohort has other dates, another place or another size; the calendar file has been brought
    up to date.
    """

    changed: tuple[CohortField, ...]


class CohortCancelled(
    CohortNews, name="training.cohort.cancelled", subject=COHORT_SUBJECT, audience=EVERYBODY
):
    """A cohort does not take place."""


class TrainingFact(EventData):
    """What every fact about a person carries: the ids that relate it, where they are known."""

    returnee_id: UUID
    case_id: UUID | None = None
    referral_id: UUID | None = None
    household_id: UUID | None = None
    programme: Slug | None = None


class EnrolmentFact(TrainingFact):
    """What every fact about an enrolment carries. Before a cohort is chosen only the plan's line is
    known.
    """

    enrolment_id: UUID
    cohort_id: UUID | None = None
    course_id: UUID | None = None
    group: AssistanceGroup
    kind: PublishedCourse | None = None
    phase: Phase | None = None
    plan_line_id: UUID | None = None
    """The line of the reintegration plan that it carries out."""


class EnrolmentRequested(
    EnrolmentFact, name="training.enrolment.requested", subject="returnee_id", audience=IMPLEMENTERS
):
    """Training was requested for the returnee, by an approved plan or by hand."""


class EnrolmentWaitlisted(
    EnrolmentFact, name="training.enrolment.waitlisted", subject="returnee_id", audience=EVERYBODY
):
    """Every place is taken, and the returnee is on the waiting list."""

    queue: int
    """Place on the list when it was joined, counted from 1."""


class EnrolmentOffered(
    EnrolmentFact, name="training.enrolment.offered", subject="returnee_id", audience=EVERYBODY
):
    """A place became free and is kept for the returnee until the offer lapses."""

    expires_at: Moment


class EnrolmentConfirmed(
    EnrolmentFact, name="training.enrolment.confirmed", subject="returnee_id", audience=EVERYBODY
):
    """The returnee has a place in a cohort."""

    stipend: bool
    """Whether attendance entitles to a living allowance."""


class EnrolmentStarted(
    EnrolmentFact, name="training.enrolment.started", subject="returnee_id", audience=EVERYBODY
):
    """The returnee attended for the first time."""


class AssessmentStage(StrEnum):
    """When an assessment was made; how it went stays in training."""

    BEFORE = "before"
    AFTER = "after"


class EnrolmentAssessed(
    EnrolmentFact, name="training.enrolment.assessed", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee was assessed, before or after the course."""

    stage: AssessmentStage


class EnrolmentCompleted(
    EnrolmentFact, name="training.enrolment.completed", subject="returnee_id", audience=EVERYBODY
):
    """The returnee completed the course, having attended as much of it as the course asks for."""

    attended: Minutes
    held: Minutes


class DropOutReason(StrEnum):
    """Why somebody did not go on."""

    FOUND_WORK = "found_work"
    MOVED_AWAY = "moved_away"
    FAMILY_REASONS = "family_reasons"
    NOT_SUITABLE = "not_suitable"
    COULD_NOT_ATTEND = "could_not_attend"
    OTHER = "other"


class EnrolmentDroppedOut(
    EnrolmentFact, name="training.enrolment.dropped_out", subject="returnee_id", audience=EVERYBODY
):
    """The returnee did not go on with the course."""

    reason: DropOutReason


class EnrolmentNoShow(
    EnrolmentFact, name="training.enrolment.no_show", subject="returnee_id", audience=EVERYBODY
):
    """The returnee had a place and never came."""


class CancellationReason(StrEnum):
    """Why an enrolment came to nothing before it began."""

    DECLINED = "declined"
    OFFER_LAPSED = "offer_lapsed"
    COHORT_CANCELLED = "cohort_cancelled"
    CASE_CLOSED = "case_closed"
    NOT_RETURNED = "not_returned"
    PLAN_AMENDED = "plan_amended"
    ERASED = "erased"


class EnrolmentCancelled(
    EnrolmentFact, name="training.enrolment.cancelled", subject="returnee_id", audience=EVERYBODY
):
    """The enrolment came to nothing before it began."""

    reason: CancellationReason


class QuestionReason(StrEnum):
    """Why a person has to look whether an enrolment goes on."""

    PLAN_AMENDED = "plan_amended"
    """A new version of the plan that asked for it is being written."""
    LINE_REMOVED = "line_removed"
    """The plan that was approved since asks for it no more."""


class EnrolmentQuestioned(
    EnrolmentFact,
    name="training.enrolment.questioned",
    subject="returnee_id",
    audience=IMPLEMENTERS,
):
    """The plan that asked for the training was changed: it goes on until a person has decided."""

    reason: QuestionReason


class AttendanceStatus(StrEnum):
    """Whether somebody was there."""

    PRESENT = "present"
    LATE = "late"
    EXCUSED = "excused"
    ABSENT = "absent"


class AttendanceFact(EnrolmentFact):
    """What every fact about attendance carries."""

    cohort_id: UUID
    session: Version
    """Number of the session in the cohort."""
    held_on: date
    status: AttendanceStatus
    minutes: Minutes
    """Of the session that count as attended; 0 where it does not count."""
    stipend: bool
    """Whether what counts entitles to a living allowance."""
    allowance_line_id: UUID | None = None
    """The line of the approved plan that pays the living allowance. None where nothing is paid, or
    no plan has one.
    """


class AttendanceRecorded(
    AttendanceFact,
    name="training.attendance.recorded",
    subject="returnee_id",
    audience=IMPLEMENTERS,
):
    """It was recorded whether the returnee attended a session."""


class AttendanceCorrected(
    AttendanceFact,
    name="training.attendance.corrected",
    subject="returnee_id",
    audience=IMPLEMENTERS,
):
    """What was recorded about a session was put right, perhaps after an allowance for it was
    released.
    """

    previous_status: AttendanceStatus
    previous_minutes: Minutes
    sufficient: bool
    """Whether what the returnee attended so far is still as much as the course asks for."""


class CertificateIssued(
    TrainingFact, name="training.certificate.issued", subject="returnee_id", audience=EVERYBODY
):
    """The returnee was given a certificate."""

    certificate_id: UUID
    enrolment_id: UUID
    cohort_id: UUID
    course_id: UUID


class CertificateChange(TrainingFact):
    """What a fact about a certificate that was given before carries."""

    certificate_id: UUID
    enrolment_id: UUID
    cohort_id: UUID
    course_id: UUID
    plan_line_id: UUID | None = None
    """The line of the reintegration plan that the course carried out."""


class CertificateInvalidated(
    CertificateChange,
    name="training.certificate.invalidated",
    subject="returnee_id",
    audience=EVERYBODY,
):
    """Attendance was put right after the course was completed, and is less than it asks for."""


class CertificateRestored(
    CertificateChange,
    name="training.certificate.restored",
    subject="returnee_id",
    audience=EVERYBODY,
):
    """Attendance was put right again, and is as much as the course asks for."""


class WorkKind(StrEnum):
    """What a vacancy is for."""

    JOB = "job"
    INTERNSHIP = "internship"


class PlacementFact(TrainingFact):
    """What every fact about a placement carries."""

    placement_id: UUID
    vacancy_id: UUID
    kind: WorkKind
    occupation: Occupation
    plan_line_id: UUID | None = None
    """The line of the reintegration plan that it carries out."""
    wage_subsidy: bool
    subsidy_line_id: UUID | None = None
    """The line of the plan that pays the wage subsidy."""
    subsidy_months: Version | None = None
    """For how many months of work the subsidy was agreed. None: as the programme says."""


class PlacementProposed(
    PlacementFact, name="training.placement.proposed", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee was proposed to an employer."""


class PlacementStarted(
    PlacementFact,
    name="training.placement.started",
    subject="returnee_id",
    audience=EVERYBODY,
    happened_on="started_on",
):
    """The returnee began to work."""

    started_on: date


class PlacementEnd(StrEnum):
    """Why a placement came to an end, or to nothing."""

    CONTRACT_ENDED = "contract_ended"
    RESIGNED = "resigned"
    DISMISSED = "dismissed"
    OTHER_WORK = "other_work"
    EMPLOYER_CLOSED = "employer_closed"
    DECLINED_BY_PERSON = "declined_by_person"
    DECLINED_BY_EMPLOYER = "declined_by_employer"
    CASE_CLOSED = "case_closed"
    OTHER = "other"


class PlacementEnded(
    PlacementFact,
    name="training.placement.ended",
    subject="returnee_id",
    audience=EVERYBODY,
    happened_on="ended_on",
):
    """The placement came to an end, or to nothing before it began."""

    reason: PlacementEnd
    started_on: date | None = None
    """None where it never began."""
    ended_on: date


class PlacementRetentionChecked(
    PlacementFact,
    name="training.placement.retention_checked",
    subject="returnee_id",
    audience=EVERYBODY,
    happened_on="checked_on",
):
    """It was checked whether the returnee still works there so many months after the start."""

    months: Version
    checked_on: date | None = None
    working: bool


class MentorshipPart(StrEnum):
    """In what part the returnee takes part: a fact is told of each of the two."""

    MENTOR = "mentor"
    MENTEE = "mentee"


class MentorshipFact(TrainingFact):
    """What every fact about a mentorship carries."""

    mentorship_id: UUID
    mentor_id: UUID
    part: MentorshipPart


class MentorshipStarted(
    MentorshipFact, name="training.mentorship.started", subject="returnee_id", audience=IMPLEMENTERS
):
    """A graduate began to accompany another returnee."""


class MentorshipEnd(StrEnum):
    """Why a mentorship ended."""

    COMPLETED = "completed"
    MENTOR_STOPPED = "mentor_stopped"
    MENTEE_STOPPED = "mentee_stopped"
    LOST_CONTACT = "lost_contact"
    CASE_CLOSED = "case_closed"
    OTHER = "other"


class MentorshipEnded(
    MentorshipFact, name="training.mentorship.ended", subject="returnee_id", audience=IMPLEMENTERS
):
    """A graduate no longer accompanies another returnee."""

    reason: MentorshipEnd


class ReturneeScrubbed(
    EventData, name="training.returnee.scrubbed", subject="returnee_id", audience=IMPLEMENTERS
):
    """After an erasure training holds nothing that identifies the returnee; amounts and counts
    stay.
    """

    returnee_id: UUID


PUBLISHES = tuple(model for model in REGISTRY.values() if model.service == "training")
"""Every event type of this module."""
