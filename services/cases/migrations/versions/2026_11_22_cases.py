"""Referrals, people, cases, plans and deadlines."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "e5513866b181"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A trusted extension: the owner of the database may create it. Search by name needs it.
    op.create_table(
        "household",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household")),
    )
    op.create_table(
        "referral",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("external_reference", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("supersedes", sa.Uuid(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column("return_kind", sa.Text(), nullable=False),
        sa.Column("country_of_return", sa.Text(), nullable=False),
        sa.Column("requested_partner", sa.Text(), nullable=True),
        sa.Column("decider", sa.Text(), nullable=False),
        sa.Column("implementer", sa.Text(), nullable=True),
        sa.Column("needs_priority", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("question", sa.Text(), nullable=True),
        sa.Column("rejection_reason", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
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
            "decider IN ('partner', 'programme_office')", name=op.f("ck_referral_decider_known")
        ),
        sa.CheckConstraint(
            "state <> 'accepted' OR implementer IS NOT NULL",
            name=op.f("ck_referral_accepted_by_somebody"),
        ),
        sa.CheckConstraint(
            "state <> 'rejected' OR rejection_reason IS NOT NULL",
            name=op.f("ck_referral_rejected_for_a_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('submitted', 'information_requested', 'accepted', 'rejected', 'expired', "
            "'withdrawn')",
            name=op.f("ck_referral_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["supersedes"], ["referral.id"], name=op.f("fk_referral_supersedes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
        sa.UniqueConstraint(
            "sender",
            "external_reference",
            "revision",
            name=op.f("uq_referral_sender_external_reference_revision"),
        ),
        sa.UniqueConstraint("supersedes", name=op.f("uq_referral_supersedes")),
    )
    op.create_index("ix_referral_state", "referral", ["state", "id"], unique=False)
    op.create_index("ix_referral_updated_at", "referral", ["updated_at"], unique=False)
    op.create_table(
        "returnee",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("names", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("birth_precision", sa.Text(), nullable=False),
        sa.Column("nationality", sa.Text(), nullable=False),
        sa.Column("documents", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("languages", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("contacts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("identifiers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
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
            "birth_date <> DATE '1900-01-01'", name=op.f("ck_returnee_birth_date_is_no_sentinel")
        ),
        sa.CheckConstraint(
            "birth_precision IN ('day', 'month', 'year', 'estimated')",
            name=op.f("ck_returnee_birth_precision_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returnee")),
    )
    op.create_table(
        "case_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column("programme_office", sa.Text(), nullable=False),
        sa.Column("return_kind", sa.Text(), nullable=False),
        sa.Column("country_of_return", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("referrer", sa.Text(), nullable=True),
        sa.Column("implementer", sa.Text(), nullable=False),
        sa.Column("office", sa.Text(), nullable=True),
        sa.Column("focal_point", sa.Text(), nullable=True),
        sa.Column(
            "focal_points",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("governorate", sa.Text(), nullable=False),
        sa.Column("district", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("needs_priority", sa.Text(), nullable=False),
        sa.Column("arrived_on", sa.Date(), nullable=True),
        sa.Column("closure_reason", sa.Text(), nullable=True),
        sa.Column("closure_comment", sa.Text(), nullable=True),
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
            "(state = 'closed') = (closure_reason IS NOT NULL)",
            name=op.f("ck_case_file_closed_for_a_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('pre_departure', 'arrived', 'in_delivery', 'monitoring', 'suspended', "
            "'closed')",
            name=op.f("ck_case_file_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_case_file_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referral.id"], name=op.f("fk_case_file_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_file")),
    )
    op.create_index(
        "ix_case_file_focal_point", "case_file", ["implementer", "focal_point"], unique=False
    )
    op.create_index(op.f("ix_case_file_household_id"), "case_file", ["household_id"], unique=False)
    op.create_index(op.f("ix_case_file_referral_id"), "case_file", ["referral_id"], unique=False)
    op.create_index("ix_case_file_state", "case_file", ["state", "id"], unique=False)
    op.create_index("ix_case_file_updated_at", "case_file", ["updated_at"], unique=False)
    op.create_table(
        "household_member",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("relationship", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "member IN ('principal', 'adult', 'child')",
            name=op.f("ck_household_member_member_known"),
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_household_member_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_household_member_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_member")),
    )
    op.create_index(
        op.f("ix_household_member_household_id"), "household_member", ["household_id"], unique=False
    )
    op.create_index(
        op.f("ix_household_member_returnee_id"), "household_member", ["returnee_id"], unique=False
    )
    op.create_index(
        "uq_household_member_now",
        "household_member",
        ["returnee_id"],
        unique=True,
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_table(
        "journey",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("legs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("escorted", sa.Boolean(), nullable=False),
        sa.Column("departed_on", sa.Date(), nullable=True),
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
            "(state = 'departed') = (departed_on IS NOT NULL)",
            name=op.f("ck_journey_departed_on_a_day"),
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'confirmed', 'departed', 'not_departed', 'cancelled')",
            name=op.f("ck_journey_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referral.id"], name=op.f("fk_journey_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journey")),
    )
    op.create_index(op.f("ix_journey_referral_id"), "journey", ["referral_id"], unique=False)
    op.create_table(
        "referral_person",
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referral.id"], name=op.f("fk_referral_person_referral_id")
        ),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_referral_person_returnee_id")
        ),
        sa.PrimaryKeyConstraint("referral_id", "index", name=op.f("pk_referral_person")),
        sa.UniqueConstraint(
            "referral_id", "returnee_id", name=op.f("uq_referral_person_referral_id_returnee_id")
        ),
    )
    op.create_index(
        op.f("ix_referral_person_returnee_id"), "referral_person", ["returnee_id"], unique=False
    )
    op.create_table(
        "case_member",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("arrival_id", sa.Uuid(), nullable=True),
        sa.Column("arrival_state", sa.Text(), nullable=True),
        sa.Column("arrived_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "member IN ('principal', 'adult', 'child')", name=op.f("ck_case_member_member_known")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_case_member_case_id")),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_case_member_returnee_id")
        ),
        sa.PrimaryKeyConstraint("case_id", "returnee_id", name=op.f("pk_case_member")),
    )
    op.create_index(
        op.f("ix_case_member_returnee_id"), "case_member", ["returnee_id"], unique=False
    )
    op.create_table(
        "deadline",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("rule", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
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
            "state IN ('open', 'met', 'missed', 'cancelled')", name=op.f("ck_deadline_state_known")
        ),
        sa.CheckConstraint(
            "(case_id IS NULL) <> (referral_id IS NULL)", name=op.f("ck_deadline_about_one_thing")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_deadline_case_id")),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referral.id"], name=op.f("fk_deadline_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline")),
        sa.UniqueConstraint("case_id", "kind", name=op.f("uq_deadline_case_id_kind")),
        sa.UniqueConstraint("referral_id", "kind", name=op.f("uq_deadline_referral_id_kind")),
    )
    op.create_index("ix_deadline_due_at", "deadline", ["due_at", "id"], unique=False)
    op.create_table(
        "journey_person",
        sa.Column("journey_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["journey_id"], ["journey.id"], name=op.f("fk_journey_person_journey_id")
        ),
        sa.PrimaryKeyConstraint("journey_id", "index", name=op.f("pk_journey_person")),
    )
    op.create_table(
        "plan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("preparers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("submitted_by", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("agreed_on", sa.Date(), nullable=True),
        sa.Column("agreed_language", sa.Text(), nullable=True),
        sa.Column("agreed_document", sa.Uuid(), nullable=True),
        sa.Column("return_reason", sa.Text(), nullable=True),
        sa.Column("return_comment", sa.Text(), nullable=True),
        sa.Column("amend_comment", sa.Text(), nullable=True),
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
            "state IN ('draft', 'submitted', 'approved', 'returned', 'superseded')",
            name=op.f("ck_plan_state_known"),
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> ALL (preparers)", name=op.f("ck_plan_four_eyes")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_plan_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        sa.UniqueConstraint("case_id", "plan_version", name=op.f("uq_plan_case_id_plan_version")),
    )
    op.create_index(
        "uq_plan_open",
        "plan",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('draft', 'submitted', 'returned')"),
    )
    op.create_table(
        "plan_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("housing", sa.Text(), nullable=True),
        sa.Column("beneficiary", sa.Uuid(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("course_id", sa.Uuid(), nullable=True),
        sa.Column("cohort_id", sa.Uuid(), nullable=True),
        sa.Column("level", sa.Text(), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_plan_line_amount_not_negative")),
        sa.ForeignKeyConstraint(
            ["beneficiary"], ["returnee.id"], name=op.f("fk_plan_line_beneficiary")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_plan_line_plan_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_line")),
        sa.UniqueConstraint("plan_id", "line_id", name=op.f("uq_plan_line_plan_id_line_id")),
        sa.UniqueConstraint("plan_id", "position", name=op.f("uq_plan_line_plan_id_position")),
    )
    op.create_index("ix_plan_line_line_id", "plan_line", ["line_id"], unique=False)
    op.create_index(op.f("ix_plan_line_plan_id"), "plan_line", ["plan_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_plan_line_plan_id"), table_name="plan_line")
    op.drop_index("ix_plan_line_line_id", table_name="plan_line")
    op.drop_table("plan_line")
    op.drop_index(
        "uq_plan_open",
        table_name="plan",
        postgresql_where=sa.text("state IN ('draft', 'submitted', 'returned')"),
    )
    op.drop_table("plan")
    op.drop_table("journey_person")
    op.drop_index("ix_deadline_due_at", table_name="deadline")
    op.drop_table("deadline")
    op.drop_index(op.f("ix_case_member_returnee_id"), table_name="case_member")
    op.drop_table("case_member")
    op.drop_index(op.f("ix_referral_person_returnee_id"), table_name="referral_person")
    op.drop_table("referral_person")
    op.drop_index(op.f("ix_journey_referral_id"), table_name="journey")
    op.drop_table("journey")
    op.drop_index(
        "uq_household_member_now",
        table_name="household_member",
        postgresql_where=sa.text("until IS NULL"),
    )
    op.drop_index(op.f("ix_household_member_returnee_id"), table_name="household_member")
    op.drop_index(op.f("ix_household_member_household_id"), table_name="household_member")
    op.drop_table("household_member")
    op.drop_index("ix_case_file_updated_at", table_name="case_file")
    op.drop_index("ix_case_file_state", table_name="case_file")
    op.drop_index(op.f("ix_case_file_referral_id"), table_name="case_file")
    op.drop_index(op.f("ix_case_file_household_id"), table_name="case_file")
    op.drop_index("ix_case_file_focal_point", table_name="case_file")
    op.drop_table("case_file")
    op.drop_table("returnee")
    op.drop_index("ix_referral_updated_at", table_name="referral")
    op.drop_index("ix_referral_state", table_name="referral")
    op.drop_table("referral")
    op.drop_table("household")
