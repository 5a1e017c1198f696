"""Transfers, screening, contact, visits, surveys, referrals to services, documents, and clocks that
stand.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "03f6f4d3d542"
down_revision = "e5513866b181"
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - one statement a change
    op.create_table(
        "case_transfer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("offered_by", sa.Text(), nullable=False),
        sa.Column("previous_implementer", sa.Text(), nullable=False),
        sa.Column("offered_to", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("answer_comment", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
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
            "state IN ('offered', 'accepted', 'declined', 'withdrawn')",
            name=op.f("ck_case_transfer_state_known"),
        ),
        sa.CheckConstraint(
            "offered_to <> previous_implementer", name=op.f("ck_case_transfer_to_another")
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case_file.id"], name=op.f("fk_case_transfer_case_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_transfer")),
    )
    op.create_index(
        "ix_case_transfer_offered_to", "case_transfer", ["offered_to", "state", "id"], unique=False
    )
    op.create_index(
        "uq_case_transfer_open",
        "case_transfer",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("state = 'offered'"),
    )
    op.create_table(
        "contact_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("tried_by", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_suspect", sa.Boolean(), nullable=False),
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
            ["case_id"], ["case_file.id"], name=op.f("fk_contact_attempt_case_id")
        ),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_contact_attempt_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_attempt")),
    )
    op.create_index(
        op.f("ix_contact_attempt_case_id"), "contact_attempt", ["case_id"], unique=False
    )
    op.create_table(
        "counselling_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("topics", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("interpreter", sa.Boolean(), nullable=False),
        sa.Column("attended", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_suspect", sa.Boolean(), nullable=False),
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
            "phase IN ('pre_departure', 'post_arrival')",
            name=op.f("ck_counselling_session_phase_known"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case_file.id"], name=op.f("fk_counselling_session_case_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counselling_session")),
    )
    op.create_index(
        op.f("ix_counselling_session_case_id"), "counselling_session", ["case_id"], unique=False
    )
    op.create_table(
        "document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("scan", sa.Text(), nullable=False),
        sa.Column("keep_until", sa.Date(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("uploaded_by", sa.Text(), nullable=True),
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
        sa.CheckConstraint("scan IN ('not_scanned', 'clean')", name=op.f("ck_document_scan_known")),
        sa.CheckConstraint(
            "num_nonnulls(returnee_id, case_id, referral_id) = 1",
            name=op.f("ck_document_about_one_thing"),
        ),
        sa.CheckConstraint("size > 0", name=op.f("ck_document_not_empty")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_document_case_id")),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referral.id"], name=op.f("fk_document_referral_id")
        ),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_document_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
    )
    op.create_index(op.f("ix_document_case_id"), "document", ["case_id"], unique=False)
    op.create_index(op.f("ix_document_referral_id"), "document", ["referral_id"], unique=False)
    op.create_index(op.f("ix_document_returnee_id"), "document", ["returnee_id"], unique=False)
    op.create_table(
        "plan_line_status",
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'delivered') = (delivered_at IS NOT NULL)",
            name=op.f("ck_plan_line_status_delivered_at_a_time"),
        ),
        sa.CheckConstraint(
            "undone_at IS NULL OR status = 'in_delivery'",
            name=op.f("ck_plan_line_status_undone_is_not_delivered"),
        ),
        sa.CheckConstraint(
            "status IN ('planned', 'requested', 'granted', 'in_delivery', 'delivered', "
            "'cancelled')",
            name=op.f("ck_plan_line_status_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case_file.id"], name=op.f("fk_plan_line_status_case_id")
        ),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_plan_line_status")),
    )
    op.create_index(
        op.f("ix_plan_line_status_case_id"), "plan_line_status", ["case_id"], unique=False
    )
    op.create_table(
        "screening",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("screened_on", sa.Date(), nullable=False),
        sa.Column("needs_priority", sa.Text(), nullable=False),
        sa.Column("follow_up", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("screened_by", sa.Text(), nullable=True),
        sa.Column("clock_suspect", sa.Boolean(), server_default=sa.text("false"), nullable=False),
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
            "needs_priority IN ('routine', 'raised', 'urgent')",
            name=op.f("ck_screening_priority_known"),
        ),
        sa.CheckConstraint(
            "phase IN ('pre_departure', 'post_arrival')", name=op.f("ck_screening_phase_known")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_screening_case_id")),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_screening_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screening")),
    )
    op.create_index(op.f("ix_screening_case_id"), "screening", ["case_id"], unique=False)
    op.create_index(op.f("ix_screening_returnee_id"), "screening", ["returnee_id"], unique=False)
    op.create_table(
        "service_referral",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("consent_document", sa.Uuid(), nullable=True),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("sent_by", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_suspect", sa.Boolean(), nullable=False),
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
            "(state = 'not_received') = (reason IS NOT NULL)",
            name=op.f("ck_service_referral_not_received_for_a_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('sent', 'accepted', 'received', 'not_received')",
            name=op.f("ck_service_referral_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case_file.id"], name=op.f("fk_service_referral_case_id")
        ),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_service_referral_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_referral")),
    )
    op.create_index(
        op.f("ix_service_referral_case_id"), "service_referral", ["case_id"], unique=False
    )
    op.create_index(
        op.f("ix_service_referral_returnee_id"), "service_referral", ["returnee_id"], unique=False
    )
    op.create_index(
        "ix_service_referral_updated_at", "service_referral", ["updated_at"], unique=False
    )
    op.create_table(
        "survey",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("instrument_version", sa.Integer(), nullable=False),
        sa.Column("round", sa.Text(), nullable=False),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("answers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("scores", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("taken_by", sa.Text(), nullable=True),
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
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_survey_case_id")),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_survey_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey")),
        sa.UniqueConstraint(
            "case_id",
            "returnee_id",
            "instrument",
            "round",
            name=op.f("uq_survey_case_id_returnee_id_instrument_round"),
        ),
    )
    op.create_index(op.f("ix_survey_case_id"), "survey", ["case_id"], unique=False)
    op.create_index(
        "ix_survey_returnee_id", "survey", ["returnee_id", "instrument", "taken_on"], unique=False
    )
    op.create_table(
        "visit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.Column("cooperative_id", sa.Uuid(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clock_suspect", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("finding", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.Column("visited_by", sa.Text(), nullable=True),
        sa.Column("organisation", sa.Text(), nullable=True),
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
            "(state = 'recorded') = (finding IS NOT NULL)",
            name=op.f("ck_visit_recorded_with_a_finding"),
        ),
        sa.CheckConstraint(
            "state IN ('scheduled', 'recorded', 'cancelled')", name=op.f("ck_visit_state_known")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_visit_case_id")),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_visit_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
        sa.UniqueConstraint("cause_id", name=op.f("uq_visit_cause_id")),
    )
    op.create_index(op.f("ix_visit_case_id"), "visit", ["case_id"], unique=False)
    op.create_index("ix_visit_due_on", "visit", ["state", "due_on"], unique=False)
    op.create_table(
        "visit_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_suspect", sa.Boolean(), nullable=False),
        sa.Column("tried_by", sa.Text(), nullable=True),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_attempt_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_attempt")),
    )
    op.create_index(op.f("ix_visit_attempt_visit_id"), "visit_attempt", ["visit_id"], unique=False)
    op.create_table(
        "vulnerability_flag",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("screening_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("readers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status IN ('suspected', 'confirmed', 'resolved')",
            name=op.f("ck_vulnerability_flag_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_vulnerability_flag_returnee_id")
        ),
        sa.ForeignKeyConstraint(
            ["screening_id"], ["screening.id"], name=op.f("fk_vulnerability_flag_screening_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vulnerability_flag")),
        sa.UniqueConstraint(
            "screening_id", "kind", name=op.f("uq_vulnerability_flag_screening_id_kind")
        ),
    )
    op.create_index(
        op.f("ix_vulnerability_flag_returnee_id"),
        "vulnerability_flag",
        ["returnee_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_vulnerability_flag_screening_id"),
        "vulnerability_flag",
        ["screening_id"],
        unique=False,
    )
    op.add_column("case_file", sa.Column("suspended_from", sa.Text(), nullable=True))
    op.add_column("case_file", sa.Column("suspended_on", sa.Date(), nullable=True))
    op.add_column("case_file", sa.Column("suspension_reason", sa.Text(), nullable=True))
    op.add_column("case_file", sa.Column("suspension_comment", sa.Text(), nullable=True))
    op.add_column("case_file", sa.Column("split_from", sa.Uuid(), nullable=True))
    op.create_index(op.f("ix_case_file_split_from"), "case_file", ["split_from"], unique=False)
    op.create_index(
        "uq_case_file_opened",
        "case_file",
        ["referral_id"],
        unique=True,
        postgresql_where=sa.text("split_from IS NULL"),
    )
    op.create_foreign_key(
        op.f("fk_case_file_split_from"), "case_file", "case_file", ["split_from"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_case_file_suspended_from_somewhere"),
        "case_file",
        "state <> 'suspended' OR (suspended_from IS NOT NULL AND suspended_on IS NOT NULL)",
    )
    op.add_column("case_member", sa.Column("left_on", sa.Date(), nullable=True))
    op.add_column("deadline", sa.Column("visit_id", sa.Uuid(), nullable=True))
    op.add_column(
        "deadline",
        sa.Column("shifted_days", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column("deadline", sa.Column("paused_on", sa.Date(), nullable=True))
    op.add_column("deadline", sa.Column("decision_reason", sa.Text(), nullable=True))
    op.add_column("deadline", sa.Column("decision_comment", sa.Text(), nullable=True))
    op.add_column("deadline", sa.Column("decided_by", sa.Text(), nullable=True))
    op.drop_constraint(op.f("ck_deadline_state_known"), "deadline", type_="check")
    op.create_check_constraint(
        op.f("ck_deadline_state_known"),
        "deadline",
        "state IN ('open', 'paused', 'met', 'missed', 'waived', 'cancelled')",
    )
    op.drop_constraint(op.f("uq_deadline_case_id_kind"), "deadline", type_="unique")
    op.create_index(
        "uq_deadline_case_kind",
        "deadline",
        ["case_id", "kind"],
        unique=True,
        postgresql_where=sa.text("visit_id IS NULL"),
    )
    op.create_unique_constraint(op.f("uq_deadline_visit_id"), "deadline", ["visit_id"])
    op.create_foreign_key(op.f("fk_deadline_visit_id"), "deadline", "visit", ["visit_id"], ["id"])
    op.add_column(
        "plan_line",
        sa.Column(
            "feasibility",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
    )


def downgrade() -> None:  # noqa: PLR0915 - as above
    op.drop_column("plan_line", "feasibility")
    op.drop_constraint(op.f("ck_deadline_state_known"), "deadline", type_="check")
    op.create_check_constraint(
        op.f("ck_deadline_state_known"),
        "deadline",
        "state IN ('open', 'met', 'missed', 'cancelled')",
    )
    op.drop_constraint(op.f("fk_deadline_visit_id"), "deadline", type_="foreignkey")
    op.drop_constraint(op.f("uq_deadline_visit_id"), "deadline", type_="unique")
    op.drop_index(
        "uq_deadline_case_kind", table_name="deadline", postgresql_where=sa.text("visit_id IS NULL")
    )
    op.create_unique_constraint(op.f("uq_deadline_case_id_kind"), "deadline", ["case_id", "kind"])
    op.drop_column("deadline", "decided_by")
    op.drop_column("deadline", "decision_comment")
    op.drop_column("deadline", "decision_reason")
    op.drop_column("deadline", "paused_on")
    op.drop_column("deadline", "shifted_days")
    op.drop_column("deadline", "visit_id")
    op.drop_column("case_member", "left_on")
    op.drop_constraint(op.f("fk_case_file_split_from"), "case_file", type_="foreignkey")
    op.drop_index("uq_case_file_opened", table_name="case_file")
    op.drop_index(op.f("ix_case_file_split_from"), table_name="case_file")
    op.drop_column("case_file", "split_from")
    op.drop_column("case_file", "suspension_comment")
    op.drop_column("case_file", "suspension_reason")
    op.drop_column("case_file", "suspended_on")
    op.drop_constraint(op.f("ck_case_file_suspended_from_somewhere"), "case_file", type_="check")
    op.drop_column("case_file", "suspended_from")
    op.drop_index(op.f("ix_vulnerability_flag_screening_id"), table_name="vulnerability_flag")
    op.drop_index(op.f("ix_vulnerability_flag_returnee_id"), table_name="vulnerability_flag")
    op.drop_table("vulnerability_flag")
    op.drop_index(op.f("ix_visit_attempt_visit_id"), table_name="visit_attempt")
    op.drop_table("visit_attempt")
    op.drop_index("ix_visit_due_on", table_name="visit")
    op.drop_index(op.f("ix_visit_case_id"), table_name="visit")
    op.drop_table("visit")
    op.drop_index("ix_survey_returnee_id", table_name="survey")
    op.drop_index(op.f("ix_survey_case_id"), table_name="survey")
    op.drop_table("survey")
    op.drop_index("ix_service_referral_updated_at", table_name="service_referral")
    op.drop_index(op.f("ix_service_referral_returnee_id"), table_name="service_referral")
    op.drop_index(op.f("ix_service_referral_case_id"), table_name="service_referral")
    op.drop_table("service_referral")
    op.drop_index(op.f("ix_screening_returnee_id"), table_name="screening")
    op.drop_index(op.f("ix_screening_case_id"), table_name="screening")
    op.drop_table("screening")
    op.drop_index(op.f("ix_plan_line_status_case_id"), table_name="plan_line_status")
    op.drop_table("plan_line_status")
    op.drop_index(op.f("ix_document_returnee_id"), table_name="document")
    op.drop_index(op.f("ix_document_referral_id"), table_name="document")
    op.drop_index(op.f("ix_document_case_id"), table_name="document")
    op.drop_table("document")
    op.drop_index(op.f("ix_counselling_session_case_id"), table_name="counselling_session")
    op.drop_table("counselling_session")
    op.drop_index(op.f("ix_contact_attempt_case_id"), table_name="contact_attempt")
    op.drop_table("contact_attempt")
    op.drop_index(
        "uq_case_transfer_open",
        table_name="case_transfer",
        postgresql_where=sa.text("state = 'offered'"),
    )
    op.drop_index("ix_case_transfer_offered_to", table_name="case_transfer")
    op.drop_table("case_transfer")
