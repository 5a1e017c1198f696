"""Budgets, grants, payments, and the books; with the guards that hold whatever the code does."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "be91097c5c48"
down_revision = None
branch_labels = None
depends_on = None


GUARDS = (
    # What was booked stays booked.
    """
    CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE =
            'integrity_constraint_violation';
    END $$
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()
    """,
    # At the commit every entry has at least two sides, of its own budget, which add up to nothing.
    """
    CREATE FUNCTION entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        entry uuid;
        sides integer;
        total numeric;
        foreign_sides integer;
    BEGIN
        entry := (to_jsonb(NEW) ->> CASE TG_TABLE_NAME WHEN 'posting' THEN 'entry_id' ELSE 'id'
            END)::uuid;
        SELECT count(*), coalesce(sum(p.amount), 0), count(*) FILTER (WHERE p.budget_id <>
            e.budget_id)
        INTO sides, total, foreign_sides
        FROM journal_entry e LEFT JOIN posting p ON p.entry_id = e.id WHERE e.id = entry;
        IF sides < 2 OR total <> 0 OR foreign_sides > 0 THEN
            RAISE EXCEPTION 'an entry does not balance' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER balances AFTER INSERT ON journal_entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION entry_balances()
    """,
    """
    CREATE CONSTRAINT TRIGGER balances AFTER INSERT ON posting DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION entry_balances()
    """,
    # Balances follow the postings; their CHECK refuses a posting that would take more than there
    # is.
    """
    CREATE FUNCTION balance_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE budget_account SET balance = balance + NEW.amount
        WHERE budget_id = NEW.budget_id AND account = NEW.account;
        IF NOT FOUND THEN
            INSERT INTO budget_account (budget_id, account, balance) VALUES (NEW.budget_id,
                NEW.account, NEW.amount);
        END IF;
        RETURN NULL;
    END $$
    """,
    (
        "CREATE TRIGGER balance_follows AFTER INSERT ON posting FOR EACH ROW EXECUTE FUNCTION "
        "balance_follows()"
    ),
    # Nobody approves what they requested, changed or planned.
    """
    CREATE FUNCTION approver_is_another() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM assistance_grant g WHERE g.id = NEW.grant_id AND NEW.actor = ANY
            (g.preparers)) THEN
            RAISE EXCEPTION 'whoever prepared it does not approve' USING ERRCODE =
                'check_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    (
        "CREATE TRIGGER another BEFORE INSERT OR UPDATE ON approval FOR EACH ROW EXECUTE FUNCTION "
        "approver_is_another()"
    ),
    # Money leaves only with enough approvals, and by somebody who had no part in it before.
    """
    CREATE FUNCTION releaser_is_a_third() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (
            SELECT 1 FROM assistance_grant g
            WHERE g.id = NEW.grant_id AND g.state IN ('approved', 'ordered', 'delivered')
              AND NEW.released_by <> ALL (g.preparers)
              AND NOT EXISTS (SELECT 1 FROM approval a WHERE a.grant_id = g.id AND a.actor =
                  NEW.released_by)
              AND (SELECT count(*) FROM approval a WHERE a.grant_id = g.id AND a.round = g.round)
                  >= g.approvers_needed
        ) THEN
            RAISE EXCEPTION 'a third person releases what is approved' USING ERRCODE =
                'check_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER third_person BEFORE UPDATE OF released_by ON payment FOR EACH ROW
    WHEN (NEW.released_by IS NOT NULL AND NEW.released_by IS DISTINCT FROM OLD.released_by)
    EXECUTE FUNCTION releaser_is_a_third()
    """,
    """
    CREATE TRIGGER not_released_at_once BEFORE INSERT ON payment FOR EACH ROW
    WHEN (NEW.released_by IS NOT NULL) EXECUTE FUNCTION releaser_is_a_third()
    """,
    # Who says that released money did not arrive or came back had no part in sending it, and has
    # none in sending more.
    """
    CREATE FUNCTION taken_back_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        sending uuid[];
    BEGIN
        sending := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.scheduled_by, NEW.released_by] ELSE
            ARRAY[
            CASE WHEN NEW.scheduled_by <> OLD.scheduled_by THEN NEW.scheduled_by END,
            CASE WHEN NEW.released_by IS DISTINCT FROM OLD.released_by THEN NEW.released_by END]
                END;
        IF EXISTS (
            SELECT 1 FROM assistance_grant g WHERE g.id = NEW.grant_id
              AND g.requester = ANY (array_remove(NEW.undone_by,
                  '4a30cff8-09d0-53d9-ae2c-da80ece46793'::uuid))
        ) OR EXISTS (
            SELECT 1 FROM payment p WHERE p.grant_id = NEW.grant_id AND p.undone_by <> '{}'
              AND array_remove(p.undone_by, '4a30cff8-09d0-53d9-ae2c-da80ece46793'::uuid) && sending
        ) THEN
            RAISE EXCEPTION 'another person takes money back than sends it' USING ERRCODE =
                'check_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER another_takes_back BEFORE INSERT OR UPDATE OF scheduled_by, released_by,
        undone_by ON payment
    FOR EACH ROW EXECUTE FUNCTION taken_back_by_another()
    """,
    # Never more than the grant.
    """
    CREATE FUNCTION payments_within_grant() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT 1 FROM assistance_grant g JOIN payment p ON p.grant_id = g.id AND p.live
            WHERE g.id = NEW.grant_id GROUP BY g.id HAVING sum(p.amount) > g.amount
        ) THEN
            RAISE EXCEPTION 'more would be paid than is granted' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER within_grant AFTER INSERT OR UPDATE OF amount, state, grant_id ON
        payment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_within_grant()
    """,
)
FUNCTIONS = (
    "ledger_is_append_only",
    "entry_balances",
    "balance_follows",
    "approver_is_another",
    "releaser_is_a_third",
    "taken_back_by_another",
    "payments_within_grant",
)


def upgrade() -> None:
    op.create_table(
        "budget",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("low_at", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("low_told", sa.Boolean(), nullable=False),
        sa.Column("sources", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
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
        sa.CheckConstraint("amount > 0", name=op.f("ck_budget_amount")),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_budget_period")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget")),
    )
    op.create_index("ix_budget_programme", "budget", ["programme", "organisation"], unique=False)
    op.create_table(
        "cash_float",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("port_of_entry", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("drawn", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("handed_in", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("counted", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=False),
        sa.Column("returned_by", sa.Uuid(), nullable=True),
        sa.Column("reconciled_by", sa.Uuid(), nullable=True),
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
            "(state = 'open') = (handed_in IS NULL)", name=op.f("ck_cash_float_handed_in")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'returned', 'reconciled')", name=op.f("ck_cash_float_state_known")
        ),
        sa.CheckConstraint(
            "amount > 0 AND drawn >= 0 AND drawn <= amount", name=op.f("ck_cash_float_drawn")
        ),
        sa.CheckConstraint(
            "reconciled_by IS NULL OR (reconciled_by <> opened_by AND reconciled_by <> "
            "returned_by)",
            name=op.f("ck_cash_float_four_eyes"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cash_float")),
    )
    op.create_index(
        "ix_cash_float_organisation", "cash_float", ["organisation", "id"], unique=False
    )
    op.create_table(
        "participant",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column("return_kind", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("implementer", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("arrived_on", sa.Date(), nullable=True),
        sa.Column("suspended_on", sa.Date(), nullable=True),
        sa.Column("rests", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "returnee_id", name=op.f("pk_participant")),
    )
    op.create_index(
        op.f("ix_participant_household_id"), "participant", ["household_id"], unique=False
    )
    op.create_index(
        op.f("ix_participant_returnee_id"), "participant", ["returnee_id"], unique=False
    )
    op.create_table(
        "payee",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("pending", sa.LargeBinary(), nullable=True),
        sa.Column("details_version", sa.Integer(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=True),
        sa.Column("verified_by", sa.Uuid(), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
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
            "kind IN ('returnee', 'supplier', 'landlord', 'employer', 'provider')",
            name=op.f("ck_payee_kind_known"),
        ),
        sa.CheckConstraint(
            "state <> 'verified' OR (sealed IS NOT NULL AND pending IS NULL)",
            name=op.f("ck_payee_verified"),
        ),
        sa.CheckConstraint(
            "state IN ('unverified', 'verified', 'changing', 'scrubbed')",
            name=op.f("ck_payee_state_known"),
        ),
        sa.CheckConstraint(
            "verified_by IS NULL OR proposed_by IS NULL OR verified_by <> proposed_by",
            name=op.f("ck_payee_four_eyes"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payee")),
    )
    op.create_index("ix_payee_organisation", "payee", ["organisation", "id"], unique=False)
    op.create_index(op.f("ix_payee_returnee_id"), "payee", ["returnee_id"], unique=False)
    op.create_table(
        "statement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement")),
        sa.UniqueConstraint(
            "organisation",
            "account",
            "year",
            "number",
            name=op.f("uq_statement_organisation_account_year_number"),
        ),
    )
    op.create_table(
        "desk_receipt",
        sa.Column("assistance_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("handed_on", sa.Date(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("assistance_id", name=op.f("pk_desk_receipt")),
    )
    op.create_index(
        op.f("ix_desk_receipt_returnee_id"), "desk_receipt", ["returnee_id"], unique=False
    )
    op.create_table(
        "assistance_grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=True),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column("implementer", sa.Text(), nullable=False),
        sa.Column("package", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("housing", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("counted", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("budget_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("requester", sa.Uuid(), nullable=False),
        sa.Column("preparers", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("plan_line_id", sa.Uuid(), nullable=True),
        sa.Column("travel_id", sa.Uuid(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("planned", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("approvers_needed", sa.Integer(), nullable=False),
        sa.Column("quotes_needed", sa.Integer(), nullable=False),
        sa.Column("outside_window", sa.Boolean(), nullable=False),
        sa.Column("delivered_on", sa.Date(), nullable=True),
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
            "(state IN ('rejected', 'cancelled')) = (reason IS NOT NULL)",
            name=op.f("ck_assistance_grant_reason"),
        ),
        sa.CheckConstraint(
            "source IN ('hand', 'plan', 'travel')", name=op.f("ck_assistance_grant_source_known")
        ),
        sa.CheckConstraint(
            "state = 'rejected' OR budget_id IS NOT NULL",
            name=op.f("ck_assistance_grant_from_a_budget"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'quoted', 'approved', 'ordered', 'delivered', 'closed', "
            "'rejected', 'cancelled')",
            name=op.f("ck_assistance_grant_state_known"),
        ),
        sa.CheckConstraint(
            "amount > 0 AND counted >= 0 AND counted <= amount",
            name=op.f("ck_assistance_grant_amount"),
        ),
        sa.ForeignKeyConstraint(
            ["budget_id"], ["budget.id"], name=op.f("fk_assistance_grant_budget_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assistance_grant")),
    )
    op.create_index(
        op.f("ix_assistance_grant_budget_id"), "assistance_grant", ["budget_id"], unique=False
    )
    op.create_index(
        op.f("ix_assistance_grant_case_id"), "assistance_grant", ["case_id"], unique=False
    )
    op.create_index(
        op.f("ix_assistance_grant_household_id"), "assistance_grant", ["household_id"], unique=False
    )
    op.create_index(
        op.f("ix_assistance_grant_plan_id"), "assistance_grant", ["plan_id"], unique=False
    )
    op.create_index(
        op.f("ix_assistance_grant_returnee_id"), "assistance_grant", ["returnee_id"], unique=False
    )
    op.create_index("ix_grant_state", "assistance_grant", ["state", "id"], unique=False)
    op.create_index("ix_grant_updated_at", "assistance_grant", ["updated_at"], unique=False)
    op.create_index(
        "uq_grant_plan_line",
        "assistance_grant",
        ["plan_line_id"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('rejected', 'cancelled')"),
    )
    op.create_index(
        "uq_grant_travel",
        "assistance_grant",
        ["returnee_id", "travel_id"],
        unique=True,
        postgresql_where=sa.text("source = 'travel'"),
    )
    op.create_table(
        "budget_account",
        sa.Column("budget_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("balance", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.CheckConstraint(
            "account = 'funds' OR balance >= 0", name=op.f("ck_budget_account_nothing_below_zero")
        ),
        sa.CheckConstraint(
            "account IN ('funds', 'available', 'reserved', 'committed', 'paid', 'recovered')",
            name=op.f("ck_budget_account_account_known"),
        ),
        sa.ForeignKeyConstraint(
            ["budget_id"], ["budget.id"], name=op.f("fk_budget_account_budget_id")
        ),
        sa.PrimaryKeyConstraint("budget_id", "account", name=op.f("pk_budget_account")),
    )
    op.create_table(
        "journal_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("budget_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=True),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Uuid(), nullable=True),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["budget_id"], ["budget.id"], name=op.f("fk_journal_entry_budget_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entry")),
    )
    op.create_index(op.f("ix_journal_entry_grant_id"), "journal_entry", ["grant_id"], unique=False)
    op.create_index(
        "uq_journal_entry_payment_id_kind",
        "journal_entry",
        ["payment_id", "kind"],
        unique=True,
        postgresql_where=sa.text("payment_id IS NOT NULL AND kind <> 'recover'"),
    )
    op.create_table(
        "approval",
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("actor", sa.Uuid(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["assistance_grant.id"], name=op.f("fk_approval_grant_id")
        ),
        sa.PrimaryKeyConstraint("grant_id", "round", "actor", name=op.f("pk_approval")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("delivered_on", sa.Date(), nullable=False),
        sa.Column("certificate", sa.Uuid(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["assistance_grant.id"], name=op.f("fk_delivery_grant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    op.create_index(op.f("ix_delivery_grant_id"), "delivery", ["grant_id"], unique=False)
    op.create_table(
        "payment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("budget_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("instalment", sa.Integer(), nullable=False),
        sa.Column("session", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("payout", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("payout_currency", sa.Text(), nullable=False),
        sa.Column("ordered", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column(
            "recovered",
            sa.Numeric(precision=18, scale=3),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column(
            "recovered_payout",
            sa.Numeric(precision=18, scale=3),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column("as_cash", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reimbursement", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("rate", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("rate_on", sa.Date(), nullable=True),
        sa.Column("rate_source", sa.Text(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("papers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("papers_there", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("papers_needed", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("scheduled_by", sa.Uuid(), nullable=False),
        sa.Column("released_by", sa.Uuid(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "undone_by",
            postgresql.ARRAY(sa.Uuid()),
            server_default=sa.text("'{}'::uuid[]"),
            nullable=False,
        ),
        sa.Column("confirmed_on", sa.Date(), nullable=True),
        sa.Column("receipt", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("float_id", sa.Uuid(), nullable=True),
        sa.Column(
            "live",
            sa.Boolean(),
            sa.Computed(
                "state IN ('scheduled', 'released', 'confirmed', 'recovered')", persisted=True
            ),
            nullable=False,
            comment="whether it uses up its grant",
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
            "state IN ('scheduled', 'failed') OR released_by IS NOT NULL",
            name=op.f("ck_payment_released"),
        ),
        sa.CheckConstraint(
            "state IN ('scheduled', 'released', 'confirmed', 'failed', 'reversed', 'recovered')",
            name=op.f("ck_payment_state_known"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('confirmed', 'reversed', 'recovered') OR confirmed_on IS NOT NULL",
            name=op.f("ck_payment_when"),
        ),
        sa.CheckConstraint(
            "(payout_currency = currency) OR (rate_on IS NOT NULL AND rate_source IS NOT NULL)",
            name=op.f("ck_payment_rate"),
        ),
        sa.CheckConstraint(
            "amount > 0 AND payout > 0 AND rate > 0", name=op.f("ck_payment_amounts")
        ),
        sa.CheckConstraint(
            "released_by IS NULL OR papers_needed <@ papers_there", name=op.f("ck_payment_papers")
        ),
        sa.CheckConstraint(
            "method <> 'cash' OR (as_cash AND (released_by IS NULL OR float_id IS NOT NULL))",
            name=op.f("ck_payment_cash_from_a_float"),
        ),
        sa.CheckConstraint(
            "NOT (as_cash AND reimbursement)", name=op.f("ck_payment_reimbursement")
        ),
        sa.CheckConstraint(
            "ordered IS NULL OR (ordered > payout AND undone_by <> '{}')",
            name=op.f("ck_payment_ordered"),
        ),
        sa.CheckConstraint(
            "recovered BETWEEN 0 AND amount AND recovered_payout BETWEEN 0 AND payout "
            "AND (state = 'recovered') = (recovered = amount) "
            "AND (recovered = 0 OR state IN ('confirmed', 'recovered'))",
            name=op.f("ck_payment_recovered"),
        ),
        sa.CheckConstraint(
            "state <> 'failed' OR released_by IS NULL OR undone_by <> '{}'",
            name=op.f("ck_payment_undone"),
        ),
        sa.CheckConstraint(
            "NOT ARRAY[scheduled_by, released_by] "
            "&& array_remove(undone_by, '4a30cff8-09d0-53d9-ae2c-da80ece46793'::uuid)",
            name=op.f("ck_payment_undone_by_another"),
        ),
        sa.CheckConstraint(
            "released_by IS NULL OR released_by <> scheduled_by", name=op.f("ck_payment_four_eyes")
        ),
        sa.ForeignKeyConstraint(["budget_id"], ["budget.id"], name=op.f("fk_payment_budget_id")),
        sa.ForeignKeyConstraint(["float_id"], ["cash_float.id"], name=op.f("fk_payment_float_id")),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["assistance_grant.id"], name=op.f("fk_payment_grant_id")
        ),
        sa.ForeignKeyConstraint(["payee_id"], ["payee.id"], name=op.f("fk_payment_payee_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("reference", name=op.f("uq_payment_reference")),
        sa.UniqueConstraint("session", name=op.f("uq_payment_session")),
    )
    op.create_index(op.f("ix_payment_float_id"), "payment", ["float_id"], unique=False)
    op.create_index(op.f("ix_payment_grant_id"), "payment", ["grant_id"], unique=False)
    op.create_index(op.f("ix_payment_returnee_id"), "payment", ["returnee_id"], unique=False)
    op.create_index("ix_payment_state", "payment", ["state", "id"], unique=False)
    op.create_index("ix_payment_updated_at", "payment", ["updated_at"], unique=False)
    op.create_table(
        "posting",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("budget_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_posting_amount")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entry.id"], name=op.f("fk_posting_entry_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posting")),
    )
    op.create_index("ix_posting_budget_id_id", "posting", ["budget_id", "id"], unique=False)
    op.create_index(op.f("ix_posting_entry_id"), "posting", ["entry_id"], unique=False)
    op.create_index(op.f("ix_posting_grant_id"), "posting", ["grant_id"], unique=False)
    op.create_table(
        "quote",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("document", sa.Uuid(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["assistance_grant.id"], name=op.f("fk_quote_grant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quote")),
        sa.UniqueConstraint("grant_id", "payee_id", name=op.f("uq_quote_grant_id_payee_id")),
    )
    op.create_index(op.f("ix_quote_grant_id"), "quote", ["grant_id"], unique=False)
    op.create_table(
        "statement_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "direction IN ('debit', 'credit')", name=op.f("ck_statement_line_direction_known")
        ),
        sa.CheckConstraint(
            "outcome IN ('matched', 'mismatched', 'unknown', 'reversed')",
            name=op.f("ck_statement_line_outcome_known"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.id"], name=op.f("fk_statement_line_payment_id")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["statement.id"], name=op.f("fk_statement_line_statement_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_line")),
        sa.UniqueConstraint(
            "statement_id",
            "key",
            "booked_on",
            "direction",
            "amount",
            "reference",
            name="uq_statement_line_entry",
        ),
    )
    for guard in GUARDS:
        op.execute(guard)


def downgrade() -> None:
    op.drop_table("statement_line")
    op.drop_index(op.f("ix_quote_grant_id"), table_name="quote")
    op.drop_table("quote")
    op.drop_index(op.f("ix_posting_grant_id"), table_name="posting")
    op.drop_index(op.f("ix_posting_entry_id"), table_name="posting")
    op.drop_index("ix_posting_budget_id_id", table_name="posting")
    op.drop_table("posting")
    op.drop_index("ix_payment_updated_at", table_name="payment")
    op.drop_index("ix_payment_state", table_name="payment")
    op.drop_index(op.f("ix_payment_returnee_id"), table_name="payment")
    op.drop_index(op.f("ix_payment_grant_id"), table_name="payment")
    op.drop_index(op.f("ix_payment_float_id"), table_name="payment")
    op.drop_table("payment")
    op.drop_index(op.f("ix_delivery_grant_id"), table_name="delivery")
    op.drop_table("delivery")
    op.drop_table("approval")
    op.drop_index(
        "uq_journal_entry_payment_id_kind",
        table_name="journal_entry",
        postgresql_where=sa.text("payment_id IS NOT NULL AND kind <> 'recover'"),
    )
    op.drop_index(op.f("ix_journal_entry_grant_id"), table_name="journal_entry")
    op.drop_table("journal_entry")
    op.drop_table("budget_account")
    op.drop_index(
        "uq_grant_plan_line",
        table_name="assistance_grant",
        postgresql_where=sa.text("state NOT IN ('rejected', 'cancelled')"),
    )
    op.drop_index(
        "uq_grant_travel",
        table_name="assistance_grant",
        postgresql_where=sa.text("source = 'travel'"),
    )
    op.drop_index("ix_grant_updated_at", table_name="assistance_grant")
    op.drop_index("ix_grant_state", table_name="assistance_grant")
    op.drop_index(op.f("ix_assistance_grant_returnee_id"), table_name="assistance_grant")
    op.drop_index(op.f("ix_assistance_grant_plan_id"), table_name="assistance_grant")
    op.drop_index(op.f("ix_assistance_grant_household_id"), table_name="assistance_grant")
    op.drop_index(op.f("ix_assistance_grant_case_id"), table_name="assistance_grant")
    op.drop_index(op.f("ix_assistance_grant_budget_id"), table_name="assistance_grant")
    op.drop_table("assistance_grant")
    op.drop_index(op.f("ix_desk_receipt_returnee_id"), table_name="desk_receipt")
    op.drop_table("desk_receipt")
    op.drop_table("statement")
    op.drop_index(op.f("ix_payee_returnee_id"), table_name="payee")
    op.drop_index("ix_payee_organisation", table_name="payee")
    op.drop_table("payee")
    op.drop_index(op.f("ix_participant_returnee_id"), table_name="participant")
    op.drop_index(op.f("ix_participant_household_id"), table_name="participant")
    op.drop_table("participant")
    op.drop_index("ix_cash_float_organisation", table_name="cash_float")
    op.drop_table("cash_float")
    op.drop_index("ix_budget_programme", table_name="budget")
    op.drop_table("budget")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
