"""What attendance and work earn; cooperatives, and grants that several people have together."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "5d0c7b1e94a2"
down_revision = "3f6c1d0a94e7"
branch_labels = None
depends_on = None

GUARDS = (
    # Nobody selects what they proposed.
    """
    CREATE FUNCTION committee_is_of_others() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM cooperative c WHERE c.id = NEW.cooperative_id AND c.proposer =
            NEW.actor) THEN
            RAISE EXCEPTION 'the proposer does not select' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER of_others BEFORE INSERT OR UPDATE ON cooperative_committee
    FOR EACH ROW EXECUTE FUNCTION committee_is_of_others()
    """,
    # The members' shares are all that there are.
    """
    CREATE FUNCTION shares_are_the_whole() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        which uuid;
    BEGIN
        which := (to_jsonb(NEW) ->> CASE TG_TABLE_NAME WHEN 'cooperative' THEN 'id' ELSE
            'cooperative_id' END)::uuid;
        IF EXISTS (
            SELECT 1 FROM cooperative c LEFT JOIN cooperative_member m ON m.cooperative_id = c.id
            WHERE c.id = which GROUP BY c.id HAVING sum(m.share) IS DISTINCT FROM c.shares
        ) THEN
            RAISE EXCEPTION 'the shares do not add up' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER the_whole AFTER INSERT OR UPDATE OF shares ON cooperative DEFERRABLE
        INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION shares_are_the_whole()
    """,
    """
    CREATE CONSTRAINT TRIGGER the_whole AFTER INSERT OR UPDATE OF share ON cooperative_member
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shares_are_the_whole()
    """,
)
FUNCTIONS = ("committee_is_of_others", "shares_are_the_whole")


def upgrade() -> None:
    op.add_column(
        "assistance_grant",
        sa.Column(
            "unsettled",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "assistance_grant",
        sa.Column(
            "parts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
    )
    op.create_index(
        "ix_grant_parts",
        "assistance_grant",
        ["parts"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"parts": "jsonb_path_ops"},
    )
    op.add_column("payment", sa.Column("questioned", sa.Text(), nullable=True))
    op.drop_constraint(op.f("uq_payment_session"), "payment", type_="unique")
    op.create_index(
        "uq_payment_session",
        "payment",
        ["session"],
        unique=True,
        postgresql_where=sa.text("state IN ('scheduled', 'released', 'confirmed')"),
    )
    op.create_table(
        "attended_session",
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("enrolment_id", "number", name=op.f("pk_attended_session")),
    )
    op.create_index(
        op.f("ix_attended_session_returnee_id"), "attended_session", ["returnee_id"], unique=False
    )
    op.create_table(
        "subsidised_placement",
        sa.Column("placement_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=True),
        sa.Column("wage", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column(
            "checks",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(wage IS NULL) = (currency IS NULL)", name=op.f("ck_subsidised_placement_wage")
        ),
        sa.PrimaryKeyConstraint("placement_id", name=op.f("pk_subsidised_placement")),
    )
    op.create_index(
        op.f("ix_subsidised_placement_line_id"), "subsidised_placement", ["line_id"], unique=False
    )
    op.create_index(
        op.f("ix_subsidised_placement_returnee_id"),
        "subsidised_placement",
        ["returnee_id"],
        unique=False,
    )
    op.create_table(
        "cooperative",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("implementer", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("shares", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("proposer", sa.Uuid(), nullable=False),
        sa.Column("committee_needed", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Uuid(), nullable=True),
        sa.Column("formed_on", sa.Date(), nullable=True),
        sa.Column("statutes", sa.Uuid(), nullable=True),
        sa.Column("grant_id", sa.Uuid(), nullable=True),
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
            "state IN ('proposed', 'selected', 'formed', 'rejected')",
            name=op.f("ck_cooperative_state_known"),
        ),
        sa.CheckConstraint(
            "kind IN ('business', 'social')", name=op.f("ck_cooperative_kind_known")
        ),
        sa.CheckConstraint(
            "(state = 'rejected') = (reason IS NOT NULL)", name=op.f("ck_cooperative_reason")
        ),
        sa.CheckConstraint(
            "state NOT IN ('selected', 'formed') OR minutes IS NOT NULL",
            name=op.f("ck_cooperative_selected"),
        ),
        sa.CheckConstraint(
            "(state = 'formed') = (formed_on IS NOT NULL AND statutes IS NOT NULL)",
            name=op.f("ck_cooperative_formed"),
        ),
        sa.CheckConstraint("shares > 0", name=op.f("ck_cooperative_shares")),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["assistance_grant.id"], name=op.f("fk_cooperative_grant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cooperative")),
        sa.UniqueConstraint("grant_id", name=op.f("uq_cooperative_grant_id")),
    )
    op.create_index("ix_cooperative_state", "cooperative", ["state", "id"], unique=False)
    op.create_index("ix_cooperative_updated_at", "cooperative", ["updated_at"], unique=False)
    op.create_table(
        "cooperative_member",
        sa.Column("cooperative_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("share", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.CheckConstraint("share > 0", name=op.f("ck_cooperative_member_share")),
        sa.ForeignKeyConstraint(
            ["cooperative_id"],
            ["cooperative.id"],
            name=op.f("fk_cooperative_member_cooperative_id"),
        ),
        sa.PrimaryKeyConstraint("cooperative_id", "place", name=op.f("pk_cooperative_member")),
        sa.UniqueConstraint(
            "cooperative_id",
            "returnee_id",
            name=op.f("uq_cooperative_member_cooperative_id_returnee_id"),
        ),
    )
    op.create_index(
        op.f("ix_cooperative_member_returnee_id"),
        "cooperative_member",
        ["returnee_id"],
        unique=False,
    )
    op.create_table(
        "cooperative_committee",
        sa.Column("cooperative_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Uuid(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["cooperative_id"],
            ["cooperative.id"],
            name=op.f("fk_cooperative_committee_cooperative_id"),
        ),
        sa.PrimaryKeyConstraint("cooperative_id", "actor", name=op.f("pk_cooperative_committee")),
    )
    op.create_table(
        "cooperative_activity",
        sa.Column("cooperative_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('training', 'visit')", name=op.f("ck_cooperative_activity_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["cooperative_id"],
            ["cooperative.id"],
            name=op.f("fk_cooperative_activity_cooperative_id"),
        ),
        sa.PrimaryKeyConstraint(
            "cooperative_id", "kind", "activity_id", name=op.f("pk_cooperative_activity")
        ),
    )
    op.create_table(
        "cooperative_impact",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cooperative_id", sa.Uuid(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("services", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("replaces", sa.Uuid(), nullable=True),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_cooperative_impact_period")),
        sa.CheckConstraint("jobs >= 0", name=op.f("ck_cooperative_impact_jobs")),
        sa.ForeignKeyConstraint(
            ["cooperative_id"],
            ["cooperative.id"],
            name=op.f("fk_cooperative_impact_cooperative_id"),
        ),
        sa.ForeignKeyConstraint(
            ["replaces"], ["cooperative_impact.id"], name=op.f("fk_cooperative_impact_replaces")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cooperative_impact")),
        sa.UniqueConstraint("replaces", name=op.f("uq_cooperative_impact_replaces")),
    )
    op.create_index(
        op.f("ix_cooperative_impact_cooperative_id"),
        "cooperative_impact",
        ["cooperative_id"],
        unique=False,
    )
    for guard in GUARDS:
        op.execute(guard)


def downgrade() -> None:
    for table in (
        "cooperative_impact",
        "cooperative_activity",
        "cooperative_committee",
        "cooperative_member",
        "cooperative",
        "subsidised_placement",
        "attended_session",
    ):
        op.drop_table(table)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index("uq_payment_session", table_name="payment")
    op.create_unique_constraint(op.f("uq_payment_session"), "payment", ["session"])
    op.drop_column("payment", "questioned")
    op.drop_index("ix_grant_parts", table_name="assistance_grant")
    op.drop_column("assistance_grant", "parts")
    op.drop_column("assistance_grant", "unsettled")
