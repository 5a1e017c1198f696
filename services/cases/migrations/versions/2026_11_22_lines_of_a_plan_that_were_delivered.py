"""Lines of a plan that were delivered."""

import sqlalchemy as sa
from alembic import op

revision = "bb70e8b1f181"
down_revision = "e5513866b181"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "line_delivery",
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_line_delivery_case_id")),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_line_delivery")),
    )
    op.create_index(op.f("ix_line_delivery_case_id"), "line_delivery", ["case_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_line_delivery_case_id"), table_name="line_delivery")
    op.drop_table("line_delivery")
