"""Columns of codes: their CHECKs are made from the codes, and bear the columns' names.

The state of a participant is that of their case, and says so.
"""

from alembic import op

revision = "7d3f0a51c9e2"
down_revision = "c41e7a9b2d60"
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
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{column}_known")
    for table in RENAMED:
        op.execute(
            f"ALTER TABLE {table} RENAME CONSTRAINT ck_{table}_reason TO ck_{table}_reason_given"
        )
    op.alter_column("participant", "state", new_column_name="case_state")


def downgrade() -> None:
    op.alter_column("participant", "case_state", new_column_name="state")
    for table in RENAMED:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_reason")
        op.execute(
            f"ALTER TABLE {table} RENAME CONSTRAINT ck_{table}_reason_given TO ck_{table}_reason"
        )
