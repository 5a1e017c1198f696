"""Flights, manifests, handovers, and what devices did without a connection."""

import sqlalchemy as sa
from alembic import op

revision = "ff24e51a971a"
down_revision = "81fc75e0090e"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_mutation",
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("arrival_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="keyed, of what was sent"),
        sa.Column(
            "occurred_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="by the device's clock",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "ahead_seconds",
            sa.Integer(),
            nullable=False,
            comment="by how much the device's clock was ahead when it was sent",
        ),
        sa.PrimaryKeyConstraint("organisation", "id", name=op.f("pk_device_mutation")),
    )
    op.create_table(
        "flight",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "announced",
                "landed",
                "cancelled",
                "diverted",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("flight_number", sa.Text(), nullable=True),
        sa.Column("charter", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("port_of_entry", sa.Text(), nullable=False),
        sa.Column(
            "previous_port",
            sa.Text(),
            nullable=True,
            comment="where it was to land before it was diverted",
        ),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("landed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("programme", sa.Text(), nullable=True),
        sa.Column(
            "return_kind",
            sa.Enum(
                "voluntary",
                "forced",
                "forced_charter",
                name="return_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("announced_by", sa.Text(), nullable=False),
        sa.Column(
            "receiver", sa.Text(), nullable=True, comment="the organisation whose desk meets it"
        ),
        sa.Column("manifest_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
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
        sa.CheckConstraint(
            "(state = 'landed') = (landed_at IS NOT NULL)", name=op.f("ck_flight_landed_when")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flight")),
    )
    op.create_index(
        "ix_flight_port_of_entry_scheduled_at",
        "flight",
        ["port_of_entry", "scheduled_at", "id"],
        unique=False,
    )
    op.create_index("ix_flight_scheduled_at", "flight", ["scheduled_at", "id"], unique=False)
    op.create_index("ix_flight_updated_at", "flight", ["updated_at"], unique=False)
    op.create_table(
        "returnee_mark",
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("returnee_id", "digest", name=op.f("pk_returnee_mark")),
    )
    op.create_index(op.f("ix_returnee_mark_digest"), "returnee_mark", ["digest"], unique=False)
    op.create_table(
        "arrival_alias",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("arrival_id", sa.Uuid(), nullable=False),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["arrival_id"], ["arrival.id"], name=op.f("fk_arrival_alias_arrival_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival_alias")),
    )
    op.create_index(
        op.f("ix_arrival_alias_arrival_id"), "arrival_alias", ["arrival_id"], unique=False
    )
    op.create_index(op.f("ix_arrival_alias_since"), "arrival_alias", ["since"], unique=False)
    op.create_table(
        "arrival_handover",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("arrival_id", sa.Uuid(), nullable=False),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=True, comment="encrypted; none after an erasure"
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
            ["arrival_id"], ["arrival.id"], name=op.f("fk_arrival_handover_arrival_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival_handover")),
    )
    op.create_index(
        op.f("ix_arrival_handover_arrival_id"), "arrival_handover", ["arrival_id"], unique=False
    )
    op.create_table(
        "passenger",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flight_id", sa.Uuid(), nullable=False),
        sa.Column("arrival_id", sa.Uuid(), nullable=False),
        sa.Column(
            "key",
            sa.LargeBinary(),
            nullable=False,
            comment="by which the same passenger is known in the next version",
        ),
        sa.Column("seat", sa.Text(), nullable=True),
        sa.Column("family_group", sa.Text(), nullable=True),
        sa.Column("nationality", sa.Text(), nullable=False),
        sa.Column("reference_digest", sa.LargeBinary(), nullable=True),
        sa.Column("document_digest", sa.LargeBinary(), nullable=True),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="encrypted; none for a seat without a name",
        ),
        sa.ForeignKeyConstraint(
            ["arrival_id"], ["arrival.id"], name=op.f("fk_passenger_arrival_id")
        ),
        sa.ForeignKeyConstraint(["flight_id"], ["flight.id"], name=op.f("fk_passenger_flight_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passenger")),
        sa.UniqueConstraint("flight_id", "key", name=op.f("uq_passenger_flight_id_key")),
    )
    op.create_index(op.f("ix_passenger_arrival_id"), "passenger", ["arrival_id"], unique=False)
    op.create_index("ix_passenger_document_digest", "passenger", ["document_digest"], unique=False)
    op.create_index(
        "ix_passenger_reference_digest", "passenger", ["reference_digest"], unique=False
    )
    op.add_column("arrival", sa.Column("flight_id", sa.Uuid(), nullable=True))
    op.add_column(
        "arrival",
        sa.Column(
            "walk_in",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="the returnee id was minted here",
        ),
    )
    op.add_column(
        "arrival",
        sa.Column(
            "return_kind",
            sa.Enum(
                "voluntary",
                "forced",
                "forced_charter",
                name="return_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
    )
    op.add_column(
        "arrival",
        sa.Column(
            "identity_doubtful", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
    )
    op.add_column(
        "arrival",
        sa.Column(
            "held_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="by the authorities; shown to few, published to nobody",
        ),
    )
    op.add_column(
        "arrival",
        sa.Column("held_by", sa.Text(), nullable=True, comment="organisation that said so"),
    )
    op.add_column(
        "arrival",
        sa.Column(
            "met_by", sa.Text(), nullable=True, comment="organisation whose desk met the person"
        ),
    )
    op.add_column(
        "arrival",
        sa.Column(
            "member",
            sa.Enum(
                "principal",
                "adult",
                "child",
                name="member",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
            comment="a walk-in's place in the family, as the desk says",
        ),
    )
    op.add_column(
        "arrival",
        sa.Column(
            "seen_through",
            sa.Uuid(),
            sa.Computed("coalesce(returnee_id, flight_id)", persisted=True),
            nullable=False,
            comment="whose participants see it",
        ),
    )
    op.alter_column(
        "arrival",
        "returnee_id",
        existing_type=sa.UUID(),
        nullable=True,
        comment="none while a manifest only gives a seat",
    )
    op.alter_column(
        "arrival",
        "travel_id",
        existing_type=sa.UUID(),
        nullable=True,
        comment="the journey of a referral",
    )
    op.create_check_constraint(
        "somebody",
        "arrival",
        "returnee_id IS NOT NULL OR (flight_id IS NOT NULL AND met_at IS NULL AND "
        "confirmation_method IS NULL)",
    )
    op.create_check_constraint("held", "arrival", "held_at IS NULL OR state IN ('expected', 'met')")
    op.create_index("ix_arrival_flight_id", "arrival", ["flight_id"], unique=False)
    op.create_index("ix_arrival_household_id", "arrival", ["household_id"], unique=False)
    op.create_foreign_key(op.f("fk_arrival_flight_id"), "arrival", "flight", ["flight_id"], ["id"])
    op.add_column(
        "arrival_profile",
        sa.Column(
            "restricted",
            sa.LargeBinary(),
            nullable=True,
            comment="encrypted: what the desk noted about health or a child",
        ),
    )


def downgrade() -> None:
    op.drop_column("arrival_profile", "restricted")
    op.drop_constraint(op.f("fk_arrival_flight_id"), "arrival", type_="foreignkey")
    op.drop_constraint("held", "arrival", type_="check")
    op.drop_constraint("somebody", "arrival", type_="check")
    op.drop_index("ix_arrival_household_id", table_name="arrival")
    op.drop_index("ix_arrival_flight_id", table_name="arrival")
    op.alter_column(
        "arrival",
        "travel_id",
        existing_type=sa.UUID(),
        nullable=False,
        comment=None,
        existing_comment="the journey of a referral",
    )
    op.alter_column(
        "arrival",
        "returnee_id",
        existing_type=sa.UUID(),
        nullable=False,
        comment=None,
        existing_comment="none while a manifest only gives a seat",
    )
    op.drop_column("arrival", "seen_through")
    op.drop_column("arrival", "member")
    op.drop_column("arrival", "met_by")
    op.drop_column("arrival", "held_by")
    op.drop_column("arrival", "held_at")
    op.drop_column("arrival", "identity_doubtful")
    op.drop_column("arrival", "return_kind")
    op.drop_column("arrival", "walk_in")
    op.drop_column("arrival", "flight_id")
    op.drop_index("ix_passenger_reference_digest", table_name="passenger")
    op.drop_index("ix_passenger_document_digest", table_name="passenger")
    op.drop_index(op.f("ix_passenger_arrival_id"), table_name="passenger")
    op.drop_table("passenger")
    op.drop_index(op.f("ix_arrival_handover_arrival_id"), table_name="arrival_handover")
    op.drop_table("arrival_handover")
    op.drop_index(op.f("ix_arrival_alias_since"), table_name="arrival_alias")
    op.drop_index(op.f("ix_arrival_alias_arrival_id"), table_name="arrival_alias")
    op.drop_table("arrival_alias")
    op.drop_index(op.f("ix_returnee_mark_digest"), table_name="returnee_mark")
    op.drop_table("returnee_mark")
    op.drop_index("ix_flight_updated_at", table_name="flight")
    op.drop_index("ix_flight_scheduled_at", table_name="flight")
    op.drop_index("ix_flight_port_of_entry_scheduled_at", table_name="flight")
    op.drop_table("flight")
    op.drop_table("device_mutation")
