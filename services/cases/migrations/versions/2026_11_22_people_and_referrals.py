"""Duplicates, batches, retroactive referrals, and what a person may ask for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0652cd12d039"
down_revision = "03f6f4d3d542"
branch_labels = None
depends_on = None


KNOWN_TO = (
    # Who takes part is noted beside the terms, so that one index finds the people of an
    # organisation who bear a name.
    """
    CREATE FUNCTION returnee_is_known_to() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.known_to := ARRAY(
            SELECT DISTINCT organisation FROM participation WHERE subject_id = NEW.id AND role <>
                'programme'
        );
        RETURN NEW;
    END $$
    """,
    (
        "CREATE TRIGGER known_to BEFORE INSERT ON returnee FOR EACH ROW EXECUTE FUNCTION "
        "returnee_is_known_to()"
    ),
    # Nothing is taken out: another transaction may just be giving the same organisation another
    # part.
    """
    CREATE FUNCTION participation_is_known() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE returnee SET known_to = known_to || NEW.organisation
        WHERE id = NEW.subject_id AND NOT known_to @> ARRAY[NEW.organisation];
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER known_to AFTER INSERT ON participation FOR EACH ROW WHEN (NEW.role <>
        'programme')
    EXECUTE FUNCTION participation_is_known()
    """,
)


def upgrade() -> None:
    op.create_table(
        "referral_batch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("caller", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("submitted", sa.Integer(), nullable=False),
        sa.Column("replayed", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
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
            "state IN ('waiting', 'running', 'done')", name=op.f("ck_referral_batch_state_known")
        ),
        sa.CheckConstraint(
            "done = submitted + replayed + refused AND done <= total",
            name=op.f("ck_referral_batch_adds_up"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_batch")),
    )
    op.create_index(
        "ix_referral_batch_organisation", "referral_batch", ["organisation", "id"], unique=False
    )
    op.create_table(
        "access_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("because_of", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=True),
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
            "state IN ('requested', 'shared')", name=op.f("ck_access_request_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_access_request_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_request")),
        sa.UniqueConstraint(
            "returnee_id",
            "organisation",
            "because_of",
            name=op.f("uq_access_request_returnee_id_organisation_because_of"),
        ),
    )
    op.create_index(
        op.f("ix_access_request_returnee_id"), "access_request", ["returnee_id"], unique=False
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("consent_version", sa.Text(), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("withdrawn_on", sa.Date(), nullable=True),
        sa.Column("document_id", sa.Uuid(), nullable=True),
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
            "withdrawn_on >= given_on", name=op.f("ck_consent_withdrawn_afterwards")
        ),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_consent_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index(op.f("ix_consent_returnee_id"), "consent", ["returnee_id"], unique=False)
    op.create_index(
        "uq_consent_now",
        "consent",
        ["returnee_id", "purpose"],
        unique=True,
        postgresql_where=sa.text("withdrawn_on IS NULL"),
    )
    op.create_table(
        "erasure",
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column(
            "erased_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("scrubbed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_erasure_returnee_id")
        ),
        sa.PrimaryKeyConstraint("returnee_id", name=op.f("pk_erasure")),
    )
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.Text(), nullable=True),
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
            "(released_at IS NULL) = (released_by IS NULL)",
            name=op.f("ck_legal_hold_released_by_somebody"),
        ),
        sa.ForeignKeyConstraint(
            ["returnee_id"], ["returnee.id"], name=op.f("fk_legal_hold_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
    )
    op.create_index(op.f("ix_legal_hold_returnee_id"), "legal_hold", ["returnee_id"], unique=False)
    op.create_table(
        "referral_batch_item",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rows", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("external_reference", sa.Text(), nullable=True),
        sa.Column(
            "content", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("candidates", sa.Integer(), nullable=True),
        sa.Column(
            "problem", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.CheckConstraint(
            "outcome IN ('submitted', 'replayed', 'refused')",
            name=op.f("ck_referral_batch_item_outcome_known"),
        ),
        sa.CheckConstraint(
            "outcome IS NULL OR content IS NULL",
            name=op.f("ck_referral_batch_item_content_not_kept"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["referral_batch.id"], name=op.f("fk_referral_batch_item_batch_id")
        ),
        sa.PrimaryKeyConstraint("batch_id", "number", name=op.f("pk_referral_batch_item")),
    )
    op.create_table(
        "referral_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("written_by", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referral.id"], name=op.f("fk_referral_message_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_message")),
    )
    op.create_index(
        op.f("ix_referral_message_referral_id"), "referral_message", ["referral_id"], unique=False
    )
    op.create_table(
        "restriction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
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
            ["returnee_id"], ["returnee.id"], name=op.f("fk_restriction_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restriction")),
    )
    op.create_index(
        op.f("ix_restriction_returnee_id"), "restriction", ["returnee_id"], unique=False
    )
    op.create_index(
        "uq_restriction_now",
        "restriction",
        ["returnee_id", "organisation"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_table(
        "share",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("categories", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shared_by", sa.Text(), nullable=False),
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
            ["returnee_id"], ["returnee.id"], name=op.f("fk_share_returnee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share")),
    )
    op.create_index(op.f("ix_share_returnee_id"), "share", ["returnee_id"], unique=False)
    op.create_index(
        "uq_share_now",
        "share",
        ["returnee_id", "organisation"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column("journey", sa.Column("queried_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("referral", sa.Column("submitter", sa.Text(), nullable=True))
    op.execute("UPDATE referral SET submitter = sender")
    op.alter_column("referral", "submitter", existing_type=sa.Text(), nullable=False)
    op.add_column(
        "referral",
        sa.Column("retroactive", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("referral", sa.Column("arrived_on", sa.Date(), nullable=True))
    op.drop_constraint(
        op.f("uq_referral_sender_external_reference_revision"), "referral", type_="unique"
    )
    op.create_unique_constraint(
        op.f("uq_referral_submitter_external_reference_revision"),
        "referral",
        ["submitter", "external_reference", "revision"],
    )
    op.add_column(
        "returnee",
        sa.Column(
            "keys", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
    )
    op.add_column(
        "returnee",
        sa.Column(
            "terms", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
    )
    op.add_column(
        "returnee",
        sa.Column(
            "known_to", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
    )
    op.add_column(
        "returnee", sa.Column("found_by", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("returnee", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("returnee", "birth_date", existing_type=sa.DATE(), nullable=True)
    op.create_index("ix_returnee_keys", "returnee", ["keys"], unique=False, postgresql_using="gin")
    off = {"fastupdate": "off"}
    op.create_index(
        "ix_returnee_terms",
        "returnee",
        ["terms", "known_to"],
        postgresql_using="gin",
        postgresql_with=off,
    )
    for statement in KNOWN_TO:
        op.execute(statement)
    op.create_table(
        "name_word",
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("keys", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_name_word")),
    )
    op.create_index(
        "ix_name_word_keys", "name_word", ["keys"], postgresql_using="gin", postgresql_with=off
    )
    op.create_index(
        "ix_referral_external_reference", "referral", ["external_reference"], unique=False
    )
    op.create_index("ix_returnee_found_by", "returnee", ["found_by"], unique=False)
    op.drop_constraint(op.f("ck_referral_decider_known"), "referral", type_="check")
    op.create_check_constraint(
        op.f("ck_referral_decider_known"),
        "referral",
        "decider IN ('partner', 'programme_office', 'referrer')",
    )
    op.create_check_constraint(
        op.f("ck_referral_retroactive_after_an_arrival"),
        "referral",
        "retroactive = (arrived_on IS NOT NULL)",
    )
    op.create_check_constraint(
        op.f("ck_returnee_born_unless_erased"),
        "returnee",
        "(erased_at IS NULL) = (birth_date IS NOT NULL)",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_returnee_born_unless_erased"), "returnee", type_="check")
    op.drop_constraint(op.f("ck_referral_retroactive_after_an_arrival"), "referral", type_="check")
    op.drop_constraint(op.f("ck_referral_decider_known"), "referral", type_="check")
    op.create_check_constraint(
        op.f("ck_referral_decider_known"), "referral", "decider IN ('partner', 'programme_office')"
    )
    op.drop_index("ix_referral_external_reference", table_name="referral")
    op.drop_table("name_word")
    op.drop_index("ix_returnee_found_by", table_name="returnee")
    op.drop_index("ix_returnee_terms", table_name="returnee", postgresql_using="gin")
    op.drop_index("ix_returnee_keys", table_name="returnee", postgresql_using="gin")
    op.alter_column("returnee", "birth_date", existing_type=sa.DATE(), nullable=False)
    op.drop_column("returnee", "erased_at")
    op.drop_column("returnee", "found_by")
    for table in ("participation", "returnee"):
        op.execute(f"DROP TRIGGER known_to ON {table}")
    op.execute("DROP FUNCTION returnee_is_known_to, participation_is_known")
    op.drop_column("returnee", "known_to")
    op.drop_column("returnee", "terms")
    op.drop_column("returnee", "keys")
    op.drop_constraint(
        op.f("uq_referral_submitter_external_reference_revision"), "referral", type_="unique"
    )
    op.create_unique_constraint(
        op.f("uq_referral_sender_external_reference_revision"),
        "referral",
        ["sender", "external_reference", "revision"],
        postgresql_nulls_not_distinct=False,
    )
    op.drop_column("referral", "arrived_on")
    op.drop_column("referral", "retroactive")
    op.drop_column("referral", "submitter")
    op.drop_column("journey", "queried_at")
    op.drop_index("uq_share_now", table_name="share", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_index(op.f("ix_share_returnee_id"), table_name="share")
    op.drop_table("share")
    op.drop_index(
        "uq_restriction_now",
        table_name="restriction",
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.drop_index(op.f("ix_restriction_returnee_id"), table_name="restriction")
    op.drop_table("restriction")
    op.drop_index(op.f("ix_referral_message_referral_id"), table_name="referral_message")
    op.drop_table("referral_message")
    op.drop_table("referral_batch_item")
    op.drop_index(op.f("ix_legal_hold_returnee_id"), table_name="legal_hold")
    op.drop_table("legal_hold")
    op.drop_table("erasure")
    op.drop_index(
        "uq_consent_now", table_name="consent", postgresql_where=sa.text("withdrawn_on IS NULL")
    )
    op.drop_index(op.f("ix_consent_returnee_id"), table_name="consent")
    op.drop_table("consent")
    op.drop_index(op.f("ix_access_request_returnee_id"), table_name="access_request")
    op.drop_table("access_request")
    op.drop_index("ix_referral_batch_organisation", table_name="referral_batch")
    op.drop_table("referral_batch")
