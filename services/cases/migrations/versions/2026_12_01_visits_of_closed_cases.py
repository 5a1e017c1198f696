"""Why a visit is not paid; those of cases that are closed are not scheduled any more."""

import sqlalchemy as sa
from alembic import op

revision = "c2f80d4e6b19"
down_revision = "7a1c93e0b5d2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("visit", sa.Column("cancelled_for", sa.Text()))
    op.execute("UPDATE visit SET cancelled_for = 'undone' WHERE state = 'cancelled'")
    op.execute("""
        UPDATE visit SET state = 'cancelled', cancelled_for = 'case_closed',
            version = visit.version + 1, updated_at = clock_timestamp()
        FROM case_file
        WHERE case_file.id = visit.case_id AND case_file.state = 'closed'
            AND visit.state = 'scheduled'
    """)
    op.create_check_constraint(
        op.f("ck_visit_cancelled_for_a_reason"),
        "visit",
        "(state = 'cancelled') = (cancelled_for IS NOT NULL)",
    )


def downgrade() -> None:
    op.execute("""
        UPDATE visit SET state = 'scheduled', version = visit.version + 1
        WHERE cancelled_for = 'case_closed'
    """)
    op.drop_column("visit", "cancelled_for")
