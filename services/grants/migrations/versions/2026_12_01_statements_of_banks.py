"""Statements by currency, entries by the bank's reference and how many equal ones there are, what
waits for a person, and how the tables of banks are read.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "c41e7a9b2d60"
down_revision = "5d0c7b1e94a2"
branch_labels = None
depends_on = None

NO_REFERENCE_OF_THE_BANK = r"key ~ '^(page \d+ )?line \d+$'"
"""Entries that were known by their place: from now on by the number and page of their statement."""
REKEYED = rf"""
    UPDATE statement_line l
    SET key = CASE
        WHEN s.number ~ '^0*$' THEN ''
        WHEN s.number ~ '^\d+$' THEN ltrim(s.number, '0')
        ELSE s.number
    END || CASE
        WHEN s.number ~ '^0*$' THEN ''
        ELSE '/' || coalesce(substring(key from 'page (\d+)'), '1')
    END
    FROM statement s WHERE s.id = l.statement_id AND l.{NO_REFERENCE_OF_THE_BANK}
"""  # noqa: S608 - only an expression of our own is filled in
COUNTED = """
    UPDATE statement_line l SET ordinal = n.ordinal
    FROM (
        SELECT id, row_number() OVER (
            PARTITION BY statement_id, key, booked_on, direction, amount, reference
            ORDER BY line, id
        ) - 1 AS ordinal
        FROM statement_line
    ) n
    WHERE n.id = l.id AND n.ordinal > 0
"""


def upgrade() -> None:
    op.create_table(
        "statement_mapping",
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_mapping")),
        sa.UniqueConstraint(
            "organisation", "name", name=op.f("uq_statement_mapping_organisation_name")
        ),
    )
    op.drop_constraint(
        op.f("uq_statement_organisation_account_year_number"), "statement", type_="unique"
    )
    op.create_unique_constraint(
        op.f("uq_statement_organisation_account_currency_year_number"),
        "statement",
        ["organisation", "account", "currency", "year", "number"],
    )
    op.add_column(
        "statement_line",
        sa.Column("ordinal", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column(
        "statement_line",
        sa.Column(
            "candidates",
            postgresql.ARRAY(sa.Uuid()),
            server_default=sa.text("'{}'::uuid[]"),
            nullable=False,
        ),
    )
    op.add_column("statement_line", sa.Column("imported_by", sa.Uuid(), nullable=True))
    op.add_column("statement_line", sa.Column("decided_by", sa.Uuid(), nullable=True))
    op.drop_constraint("uq_statement_line_entry", "statement_line", type_="unique")
    op.execute(REKEYED)
    op.execute(COUNTED)
    op.create_unique_constraint(
        "uq_statement_line_entry",
        "statement_line",
        ["statement_id", "key", "ordinal", "booked_on", "direction", "amount", "reference"],
    )
    op.drop_constraint(op.f("ck_statement_line_outcome_known"), "statement_line", type_="check")
    op.create_check_constraint(
        op.f("ck_statement_line_outcome_known"),
        "statement_line",
        "outcome IN ('matched', 'mismatched', 'unknown', 'reversed', 'question')",
    )
    op.create_check_constraint(op.f("ck_statement_line_ordinal"), "statement_line", "ordinal >= 0")
    op.create_index("ix_statement_line_outcome", "statement_line", ["outcome", "id"])
    op.create_index(op.f("ix_statement_line_payment_id"), "statement_line", ["payment_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_statement_line_payment_id"), table_name="statement_line")
    op.drop_index("ix_statement_line_outcome", table_name="statement_line")
    op.drop_constraint(op.f("ck_statement_line_ordinal"), "statement_line", type_="check")
    op.drop_constraint(op.f("ck_statement_line_outcome_known"), "statement_line", type_="check")
    op.execute("UPDATE statement_line SET outcome = 'unknown' WHERE outcome = 'question'")
    op.create_check_constraint(
        op.f("ck_statement_line_outcome_known"),
        "statement_line",
        "outcome IN ('matched', 'mismatched', 'unknown', 'reversed')",
    )
    op.drop_constraint("uq_statement_line_entry", "statement_line", type_="unique")
    op.execute("UPDATE statement_line SET key = key || ' ' || ordinal WHERE ordinal > 0")
    op.create_unique_constraint(
        "uq_statement_line_entry",
        "statement_line",
        ["statement_id", "key", "booked_on", "direction", "amount", "reference"],
    )
    for name in ("decided_by", "imported_by", "candidates", "ordinal"):
        op.drop_column("statement_line", name)
    op.drop_constraint(
        op.f("uq_statement_organisation_account_currency_year_number"), "statement", type_="unique"
    )
    op.create_unique_constraint(
        op.f("uq_statement_organisation_account_year_number"),
        "statement",
        ["organisation", "account", "year", "number"],
    )
    op.drop_table("statement_mapping")
