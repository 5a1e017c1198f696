"""Whatever refers to a row is found from it by an index, however large its table has become."""

from alembic import op

revision = "b81c40d97e25"
down_revision = "9e4b62d7f013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_case_transfer_case_id", "case_transfer", ["case_id"])
    op.create_index("ix_contact_attempt_returnee_id", "contact_attempt", ["returnee_id"])
    op.create_index("ix_deadline_case_id", "deadline", ["case_id"])
    op.create_index("ix_plan_line_beneficiary", "plan_line", ["beneficiary"])
    op.create_index("ix_visit_returnee_id", "visit", ["returnee_id"])


def downgrade() -> None:
    op.drop_index("ix_visit_returnee_id", "visit")
    op.drop_index("ix_plan_line_beneficiary", "plan_line")
    op.drop_index("ix_deadline_case_id", "deadline")
    op.drop_index("ix_contact_attempt_returnee_id", "contact_attempt")
    op.drop_index("ix_case_transfer_case_id", "case_transfer")
