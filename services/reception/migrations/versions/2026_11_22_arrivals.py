"""Arrivals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "81fc75e0090e"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "arrival",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("travel_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "expected",
                "met",
                "completed",
                "no_show",
                "not_departed",
                "diverted",
                "declined",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "state_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the state was reached, as claimed",
        ),
        sa.Column(
            "state_recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "state_by",
            sa.Text(),
            nullable=True,
            comment="organisation; none where a journey's news did it",
        ),
        sa.Column("state_by_person", sa.Text(), nullable=True),
        sa.Column("clock_suspect", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("port_of_entry", sa.Text(), nullable=True),
        sa.Column("expected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("departs_on", sa.Date(), nullable=True),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("flight_number", sa.Text(), nullable=True),
        sa.Column(
            "confirmed", sa.Boolean(), nullable=False, comment="whether the journey is booked"
        ),
        sa.Column("met_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "arrived_on", sa.Date(), nullable=True, comment="the day in the time zone of the port"
        ),
        sa.Column(
            "confirmation_method",
            sa.Enum(
                "office_visit",
                "phone",
                "travel_document",
                "authority",
                "met_as_walk_in",
                name="confirmation_method",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("confirmation_evidence", sa.Text(), nullable=True),
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
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "listed_at",
            sa.DateTime(timezone=True),
            sa.Computed(
                "coalesce(met_at, expected_at, departs_on::timestamp AT TIME ZONE 'UTC', "
                "created_at)",
                persisted=True,
            ),
            nullable=False,
            comment="orders the board",
        ),
        sa.CheckConstraint(
            "state <> 'completed' OR arrived_on IS NOT NULL", name=op.f("ck_arrival_completed")
        ),
        sa.CheckConstraint(
            "state <> 'met' OR met_at IS NOT NULL", name=op.f("ck_arrival_met_when")
        ),
        sa.CheckConstraint(
            "(confirmation_method IS NULL) = (confirmation_evidence IS NULL)",
            name=op.f("ck_arrival_confirmation"),
        ),
        sa.CheckConstraint(
            "confirmation_method IS NULL OR arrived_on IS NOT NULL",
            name=op.f("ck_arrival_confirmed_when"),
        ),
        sa.CheckConstraint(
            "met_at IS NULL OR (arrived_on IS NOT NULL AND port_of_entry IS NOT NULL)",
            name=op.f("ck_arrival_met"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival")),
    )
    op.create_index("ix_arrival_listed_at", "arrival", ["listed_at", "id"], unique=False)
    op.create_index(
        "ix_arrival_port_of_entry_listed_at",
        "arrival",
        ["port_of_entry", "listed_at", "id"],
        unique=False,
    )
    op.create_index("ix_arrival_updated_at", "arrival", ["updated_at"], unique=False)
    op.create_index("uq_arrival_journey", "arrival", ["returnee_id", "travel_id"], unique=True)
    op.create_table(
        "arrival_assistance",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("arrival_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "temporary_accommodation",
                "nutrition",
                "clothing",
                "medical",
                "interpretation",
                "pocket_money",
                "family_tracing",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("clock_suspect", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'pocket_money') = (amount IS NOT NULL)",
            name=op.f("ck_arrival_assistance_pocket_money"),
        ),
        sa.CheckConstraint(
            "(amount IS NULL) = (currency IS NULL)", name=op.f("ck_arrival_assistance_money")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_arrival_assistance_amount")),
        sa.ForeignKeyConstraint(
            ["arrival_id"], ["arrival.id"], name=op.f("fk_arrival_assistance_arrival_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival_assistance")),
    )
    op.create_index(
        op.f("ix_arrival_assistance_arrival_id"), "arrival_assistance", ["arrival_id"], unique=False
    )
    op.create_table(
        "arrival_onward_transport",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("arrival_id", sa.Uuid(), nullable=False),
        sa.Column(
            "mode",
            sa.Enum(
                "taxi",
                "bus",
                "rail",
                "flight",
                "vehicle",
                "family",
                name="mode",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("governorate", sa.Text(), nullable=False),
        sa.Column("district", sa.Text(), nullable=True),
        sa.Column("departs_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cost", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("clock_suspect", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(cost IS NULL) = (currency IS NULL)", name=op.f("ck_arrival_onward_transport_money")
        ),
        sa.CheckConstraint("cost >= 0", name=op.f("ck_arrival_onward_transport_cost")),
        sa.ForeignKeyConstraint(
            ["arrival_id"], ["arrival.id"], name=op.f("fk_arrival_onward_transport_arrival_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival_onward_transport")),
    )
    op.create_index(
        op.f("ix_arrival_onward_transport_arrival_id"),
        "arrival_onward_transport",
        ["arrival_id"],
        unique=False,
    )
    op.create_table(
        "arrival_profile",
        sa.Column("arrival_id", sa.Uuid(), nullable=False),
        sa.Column("household", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("skills", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("reasons_for_return", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("immediate_needs", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "needs_priority",
            sa.Enum(
                "routine",
                "raised",
                "urgent",
                name="needs_priority",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("clock_suspect", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["arrival_id"], ["arrival.id"], name=op.f("fk_arrival_profile_arrival_id")
        ),
        sa.PrimaryKeyConstraint("arrival_id", name=op.f("pk_arrival_profile")),
    )


def downgrade() -> None:
    op.drop_table("arrival_profile")
    op.drop_index(
        op.f("ix_arrival_onward_transport_arrival_id"), table_name="arrival_onward_transport"
    )
    op.drop_table("arrival_onward_transport")
    op.drop_index(op.f("ix_arrival_assistance_arrival_id"), table_name="arrival_assistance")
    op.drop_table("arrival_assistance")
    op.drop_index("uq_arrival_journey", table_name="arrival")
    op.drop_index("ix_arrival_updated_at", table_name="arrival")
    op.drop_index("ix_arrival_port_of_entry_listed_at", table_name="arrival")
    op.drop_index("ix_arrival_listed_at", table_name="arrival")
    op.drop_table("arrival")
