"""Whatever refers to a row is found from it by an index, however large its table has become."""

from alembic import op

revision = "0f6ad2b9c713"
down_revision = "7d3f0a51c9e2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_journal_entry_budget_id", "journal_entry", ["budget_id"])
    op.create_index("ix_payment_budget_id", "payment", ["budget_id"])
    op.create_index("ix_payment_payee_id", "payment", ["payee_id"])


def downgrade() -> None:
    op.drop_index("ix_payment_payee_id", "payment")
    op.drop_index("ix_payment_budget_id", "payment")
    op.drop_index("ix_journal_entry_budget_id", "journal_entry")
