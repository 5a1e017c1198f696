"""Courses, places in them, and work."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "3191d7a46da0"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "applied_plan",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("plan_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("drafted_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_applied_plan")),
    )
    op.create_table(
        "employer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("governorate", sa.Text(), nullable=True),
        sa.Column("registered_by", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employer")),
    )
    op.create_table(
        "whereabouts",
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("governorate", sa.Text(), nullable=True, comment="ISO 3166-2"),
        sa.Column(
            "languages",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="kept of those for whom a plan asks for a course",
        ),
        sa.PrimaryKeyConstraint("returnee_id", name=op.f("pk_whereabouts")),
    )
    op.create_table(
        "planned_line",
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True, comment="that the line names"),
        sa.Column("course_id", sa.Uuid(), nullable=True, comment="that the line names"),
        sa.Column("cohort_id", sa.Uuid(), nullable=True, comment="that the line names"),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_planned_line")),
    )
    op.create_index(op.f("ix_planned_line_case_id"), "planned_line", ["case_id"], unique=False)
    op.create_index(
        op.f("ix_planned_line_returnee_id"), "planned_line", ["returnee_id"], unique=False
    )
    op.create_table(
        "provider",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("registered_by", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider")),
        sa.UniqueConstraint("slug", name=op.f("uq_provider_slug")),
    )
    op.create_table(
        "seeker",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "occupations",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="ISCO-08 unit groups",
        ),
        sa.Column(
            "groups",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="their major groups, to find candidates by",
        ),
        sa.Column("languages", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("governorate", sa.Text(), nullable=True),
        sa.Column("may_move", sa.Boolean(), nullable=False),
        sa.Column("wage", sa.Numeric(), nullable=True, comment="expected, a month"),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("available_from", sa.Date(), nullable=True),
        sa.Column("looking", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("(wage IS NULL) = (currency IS NULL)", name=op.f("ck_seeker_wage")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seeker")),
    )
    op.create_index("ix_seeker_groups", "seeker", ["groups"], unique=False, postgresql_using="gin")
    op.create_table(
        "course",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "organisation", sa.Text(), nullable=False, comment="who offers it, and may change it"
        ),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("hours", sa.Numeric(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("languages", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("isced_f", sa.Text(), nullable=False),
        sa.Column("isco_08", sa.Text(), nullable=True),
        sa.Column(
            "programmes", postgresql.ARRAY(sa.Text()), nullable=False, comment="empty: open to all"
        ),
        sa.Column(
            "governorate",
            sa.Text(),
            nullable=True,
            comment="where it takes place; none where that is not known",
        ),
        sa.Column(
            "governorates",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="where those live for whom it is; empty: anywhere",
        ),
        sa.Column("stipend", sa.Boolean(), nullable=False),
        sa.Column(
            "attendance_percent", sa.Integer(), nullable=True, comment="none: as the programme asks"
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "attendance_percent BETWEEN 1 AND 100", name=op.f("ck_course_attendance_percent")
        ),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_course_capacity")),
        sa.CheckConstraint("hours > 0 AND days > 0", name=op.f("ck_course_length")),
        sa.CheckConstraint("online OR city IS NOT NULL", name=op.f("ck_course_place")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["provider.id"], name=op.f("fk_course_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course")),
        sa.UniqueConstraint("organisation", "code", name=op.f("uq_course_organisation_code")),
    )
    op.create_index(op.f("ix_course_provider_id"), "course", ["provider_id"], unique=False)
    op.create_table(
        "vacancy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("employer_id", sa.Uuid(), nullable=False),
        sa.Column("registered_by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("occupation", sa.Text(), nullable=False, comment="ISCO-08 unit group"),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("governorate", sa.Text(), nullable=True),
        sa.Column("remote", sa.Boolean(), nullable=False),
        sa.Column("languages", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("wage", sa.Numeric(), nullable=True, comment="a month"),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("positions", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('job', 'internship')", name=op.f("ck_vacancy_kind")),
        sa.CheckConstraint("state IN ('open', 'filled', 'closed')", name=op.f("ck_vacancy_state")),
        sa.CheckConstraint("(wage IS NULL) = (currency IS NULL)", name=op.f("ck_vacancy_wage")),
        sa.CheckConstraint("taken BETWEEN 0 AND positions", name=op.f("ck_vacancy_taken")),
        sa.ForeignKeyConstraint(
            ["employer_id"], ["employer.id"], name=op.f("fk_vacancy_employer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vacancy")),
    )
    op.create_index("ix_vacancy_country", "vacancy", ["country", "state"], unique=False)
    op.create_index(op.f("ix_vacancy_employer_id"), "vacancy", ["employer_id"], unique=False)
    op.create_table(
        "cohort",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("course_revision", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("governorate", sa.Text(), nullable=True),
        sa.Column("venue", sa.Text(), nullable=True),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("seats_taken", sa.Integer(), nullable=False),
        sa.Column(
            "waiting", sa.Integer(), nullable=False, comment="how many are on the waiting list"
        ),
        sa.Column(
            "last_queue",
            sa.Integer(),
            nullable=False,
            comment="the last number given out on the waiting list",
        ),
        sa.Column("languages", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("lecturers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("state IN ('scheduled', 'cancelled')", name=op.f("ck_cohort_state")),
        sa.CheckConstraint("seats_taken BETWEEN 0 AND capacity", name=op.f("ck_cohort_seats")),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_cohort_dates")),
        sa.CheckConstraint("waiting BETWEEN 0 AND last_queue", name=op.f("ck_cohort_waiting")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_cohort_course_id")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["provider.id"], name=op.f("fk_cohort_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohort")),
    )
    op.create_index(op.f("ix_cohort_course_id"), "cohort", ["course_id"], unique=False)
    op.create_index(op.f("ix_cohort_provider_id"), "cohort", ["provider_id"], unique=False)
    op.create_index(op.f("ix_cohort_starts_on"), "cohort", ["starts_on"], unique=False)
    op.create_table(
        "course_revision",
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_course_revision_course_id")
        ),
        sa.PrimaryKeyConstraint("course_id", "revision", name=op.f("pk_course_revision")),
    )
    op.create_table(
        "placement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("vacancy_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("occupation", sa.Text(), nullable=False),
        sa.Column("plan_line_id", sa.Uuid(), nullable=True),
        sa.Column("wage_subsidy", sa.Boolean(), nullable=False),
        sa.Column("subsidy_line_id", sa.Uuid(), nullable=True),
        sa.Column(
            "subsidy_months",
            sa.Integer(),
            nullable=True,
            comment="agreed; none: as the programme says",
        ),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(state = 'ended') = (reason IS NOT NULL)", name=op.f("ck_placement_reason")
        ),
        sa.CheckConstraint(
            "state <> 'started' OR started_on IS NOT NULL", name=op.f("ck_placement_started")
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'started', 'ended')", name=op.f("ck_placement_state")
        ),
        sa.CheckConstraint(
            "(subsidy_line_id IS NULL AND subsidy_months IS NULL) OR wage_subsidy",
            name=op.f("ck_placement_subsidy"),
        ),
        sa.CheckConstraint("subsidy_months > 0", name=op.f("ck_placement_subsidy_months")),
        sa.ForeignKeyConstraint(
            ["vacancy_id"], ["vacancy.id"], name=op.f("fk_placement_vacancy_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placement")),
    )
    op.create_index(op.f("ix_placement_case_id"), "placement", ["case_id"], unique=False)
    op.create_index(op.f("ix_placement_returnee_id"), "placement", ["returnee_id"], unique=False)
    op.create_index(op.f("ix_placement_vacancy_id"), "placement", ["vacancy_id"], unique=False)
    op.create_index(
        "uq_placement_active",
        "placement",
        ["vacancy_id", "returnee_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_index(
        "uq_placement_plan_line_id",
        "placement",
        ["plan_line_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_index(
        "uq_placement_subsidy_line_id",
        "placement",
        ["subsidy_line_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_table(
        "cohort_session",
        sa.Column("cohort_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "sheet_version",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="0: nothing recorded yet",
        ),
        sa.Column(
            "capture_id",
            sa.Uuid(),
            nullable=True,
            comment="the id that the client gave the sheet's last capture",
        ),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=True),
        sa.Column("clock_suspect", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_cohort_session_times")),
        sa.ForeignKeyConstraint(
            ["cohort_id"], ["cohort.id"], name=op.f("fk_cohort_session_cohort_id")
        ),
        sa.PrimaryKeyConstraint("cohort_id", "number", name=op.f("pk_cohort_session")),
    )
    op.create_table(
        "enrolment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cohort_id", sa.Uuid(), nullable=True),
        sa.Column("course_id", sa.Uuid(), nullable=True),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="of course, or what the plan's line asks for"
        ),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("plan_line_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "queue", sa.Integer(), nullable=True, comment="number on the waiting list of the cohort"
        ),
        sa.Column("offered_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "left_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when a place was given up that the person had taken",
        ),
        sa.Column("attendance_percent", sa.Integer(), nullable=True),
        sa.Column("stipend", sa.Boolean(), nullable=False),
        sa.Column("score_before", sa.Integer(), nullable=True),
        sa.Column("score_after", sa.Integer(), nullable=True),
        sa.Column("manual_on", sa.Date(), nullable=True),
        sa.Column("evaluation", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "review",
            sa.Text(),
            nullable=True,
            comment="why a person has to look whether it goes on",
        ),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("completed_on", sa.Date(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(state = 'offered') = (offered_until IS NOT NULL)", name=op.f("ck_enrolment_offer")
        ),
        sa.CheckConstraint(
            "review IN ('plan_amended', 'line_removed')", name=op.f("ck_enrolment_review")
        ),
        sa.CheckConstraint(
            "state <> 'waitlisted' OR queue IS NOT NULL", name=op.f("ck_enrolment_queue")
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'cancelled') OR cohort_id IS NOT NULL",
            name=op.f("ck_enrolment_cohort"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'waitlisted', 'offered', 'enrolled', 'attending', "
            "'completed', 'dropped_out',"
            " 'no_show', 'cancelled')",
            name=op.f("ck_enrolment_state"),
        ),
        sa.ForeignKeyConstraint(["cohort_id"], ["cohort.id"], name=op.f("fk_enrolment_cohort_id")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_enrolment_course_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
    )
    op.create_index(op.f("ix_enrolment_case_id"), "enrolment", ["case_id"], unique=False)
    op.create_index(op.f("ix_enrolment_cohort_id"), "enrolment", ["cohort_id"], unique=False)
    op.create_index(op.f("ix_enrolment_returnee_id"), "enrolment", ["returnee_id"], unique=False)
    op.create_index("ix_enrolment_updated_at", "enrolment", ["updated_at", "id"], unique=False)
    op.create_index(
        "uq_enrolment_active",
        "enrolment",
        ["cohort_id", "returnee_id"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('dropped_out', 'no_show', 'cancelled')"),
    )
    op.create_index(
        "uq_enrolment_plan_line",
        "enrolment",
        ["plan_line_id"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('dropped_out', 'no_show', 'cancelled')"),
    )
    op.create_index("uq_enrolment_queue", "enrolment", ["cohort_id", "queue"], unique=True)
    op.create_table(
        "retention_check",
        sa.Column("placement_id", sa.Uuid(), nullable=False),
        sa.Column("months", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("checked_on", sa.Date(), nullable=True),
        sa.Column("working", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["placement_id"], ["placement.id"], name=op.f("fk_retention_check_placement_id")
        ),
        sa.PrimaryKeyConstraint("placement_id", "months", name=op.f("pk_retention_check")),
    )
    op.create_index(op.f("ix_retention_check_due_on"), "retention_check", ["due_on"], unique=False)
    op.create_table(
        "attendance",
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cohort_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status IN ('present', 'late', 'excused', 'absent')", name=op.f("ck_attendance_status")
        ),
        sa.CheckConstraint("minutes >= 0", name=op.f("ck_attendance_minutes")),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolment.id"], name=op.f("fk_attendance_enrolment_id")
        ),
        sa.PrimaryKeyConstraint("enrolment_id", "number", name=op.f("pk_attendance")),
    )
    op.create_index(op.f("ix_attendance_cohort_id"), "attendance", ["cohort_id"], unique=False)
    op.create_table(
        "certificate",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("hours", sa.Numeric(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column(
            "valid",
            sa.Boolean(),
            nullable=False,
            comment="false while corrected attendance is less than the course asks for",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolment.id"], name=op.f("fk_certificate_enrolment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
        sa.UniqueConstraint("code", name=op.f("uq_certificate_code")),
        sa.UniqueConstraint("enrolment_id", name=op.f("uq_certificate_enrolment_id")),
    )
    op.create_table(
        "mentor",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("agreed_on", sa.Date(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("mentees", sa.Integer(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("state IN ('active', 'ended')", name=op.f("ck_mentor_state")),
        sa.CheckConstraint("mentees BETWEEN 0 AND capacity", name=op.f("ck_mentor_mentees")),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolment.id"], name=op.f("fk_mentor_enrolment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor")),
    )
    op.create_index(op.f("ix_mentor_case_id"), "mentor", ["case_id"], unique=False)
    op.create_index(op.f("ix_mentor_returnee_id"), "mentor", ["returnee_id"], unique=False)
    op.create_index(
        "uq_mentor_active",
        "mentor",
        ["returnee_id"],
        unique=True,
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "mentorship",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("mentor_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("state IN ('active', 'ended')", name=op.f("ck_mentorship_state")),
        sa.ForeignKeyConstraint(["mentor_id"], ["mentor.id"], name=op.f("fk_mentorship_mentor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentorship")),
    )
    op.create_index(op.f("ix_mentorship_case_id"), "mentorship", ["case_id"], unique=False)
    op.create_index(op.f("ix_mentorship_mentor_id"), "mentorship", ["mentor_id"], unique=False)
    op.create_index(op.f("ix_mentorship_returnee_id"), "mentorship", ["returnee_id"], unique=False)
    op.create_index(
        "uq_mentorship_active",
        "mentorship",
        ["returnee_id"],
        unique=True,
        postgresql_where=sa.text("state = 'active'"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_mentorship_active",
        table_name="mentorship",
        postgresql_where=sa.text("state = 'active'"),
    )
    op.drop_index(op.f("ix_mentorship_returnee_id"), table_name="mentorship")
    op.drop_index(op.f("ix_mentorship_mentor_id"), table_name="mentorship")
    op.drop_index(op.f("ix_mentorship_case_id"), table_name="mentorship")
    op.drop_table("mentorship")
    op.drop_index(
        "uq_mentor_active", table_name="mentor", postgresql_where=sa.text("state = 'active'")
    )
    op.drop_index(op.f("ix_mentor_returnee_id"), table_name="mentor")
    op.drop_index(op.f("ix_mentor_case_id"), table_name="mentor")
    op.drop_table("mentor")
    op.drop_table("certificate")
    op.drop_index(op.f("ix_attendance_cohort_id"), table_name="attendance")
    op.drop_table("attendance")
    op.drop_index(op.f("ix_retention_check_due_on"), table_name="retention_check")
    op.drop_table("retention_check")
    op.drop_index("uq_enrolment_queue", table_name="enrolment")
    op.drop_index(
        "uq_enrolment_plan_line",
        table_name="enrolment",
        postgresql_where=sa.text("state NOT IN ('dropped_out', 'no_show', 'cancelled')"),
    )
    op.drop_index(
        "uq_enrolment_active",
        table_name="enrolment",
        postgresql_where=sa.text("state NOT IN ('dropped_out', 'no_show', 'cancelled')"),
    )
    op.drop_index("ix_enrolment_updated_at", table_name="enrolment")
    op.drop_index(op.f("ix_enrolment_returnee_id"), table_name="enrolment")
    op.drop_index(op.f("ix_enrolment_cohort_id"), table_name="enrolment")
    op.drop_index(op.f("ix_enrolment_case_id"), table_name="enrolment")
    op.drop_table("enrolment")
    op.drop_table("cohort_session")
    op.drop_index(
        "uq_placement_subsidy_line_id",
        table_name="placement",
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.drop_index(
        "uq_placement_plan_line_id",
        table_name="placement",
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.drop_index(
        "uq_placement_active", table_name="placement", postgresql_where=sa.text("state <> 'ended'")
    )
    op.drop_index(op.f("ix_placement_vacancy_id"), table_name="placement")
    op.drop_index(op.f("ix_placement_returnee_id"), table_name="placement")
    op.drop_index(op.f("ix_placement_case_id"), table_name="placement")
    op.drop_table("placement")
    op.drop_table("course_revision")
    op.drop_index(op.f("ix_cohort_starts_on"), table_name="cohort")
    op.drop_index(op.f("ix_cohort_provider_id"), table_name="cohort")
    op.drop_index(op.f("ix_cohort_course_id"), table_name="cohort")
    op.drop_table("cohort")
    op.drop_index(op.f("ix_vacancy_employer_id"), table_name="vacancy")
    op.drop_index("ix_vacancy_country", table_name="vacancy")
    op.drop_table("vacancy")
    op.drop_index(op.f("ix_course_provider_id"), table_name="course")
    op.drop_table("course")
    op.drop_index("ix_seeker_groups", table_name="seeker", postgresql_using="gin")
    op.drop_table("seeker")
    op.drop_table("provider")
    op.drop_index(op.f("ix_planned_line_returnee_id"), table_name="planned_line")
    op.drop_index(op.f("ix_planned_line_case_id"), table_name="planned_line")
    op.drop_table("planned_line")
    op.drop_table("employer")
    op.drop_table("applied_plan")
    op.drop_table("whereabouts")
