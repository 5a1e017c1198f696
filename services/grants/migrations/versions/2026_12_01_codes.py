"""Columns of codes: their CHECKs are made from the codes, and bear the columns' names.

The state of a participant is that of their case, and says so.
"""

from alembic import op

revision = "7d3f0a51c9e2"
down_revision = "5d0c7b1e94a2"
branch_labels = None
depends_on = None

REPLACED = (
    ("assistance_grant", "state"),
    ("assistance_grant", "source"),
    ("budget_account", "account"),
    ("cash_float", "state"),
    ("cited_document", "state"),
    ("cooperative", "state"),
    ("cooperative", "kind"),
    ("cooperative_activity", "kind"),
    ("payee", "state"),
    ("payee", "kind"),
    ("payment", "state"),
)
RENAMED = ("assistance_grant", "cooperative")
"""Their CHECK `reason` says when a reason is given, and not which there are."""


def upgrade() -> None:
    for table, column in REPLACED:
        op.drop_constraint(op.f(f"ck_{table}_{column}_known"), table, type_="check")
    for table in RENAMED:
        op.execute(
            f"ALTER TABLE {table} RENAME CONSTRAINT ck_{table}_reason TO ck_{table}_reason_given"
        )
    op.alter_column("participant", "state", new_column_name="case_state")


def downgrade() -> None:
    pass
