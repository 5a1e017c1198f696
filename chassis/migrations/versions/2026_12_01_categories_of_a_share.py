"""What of somebody is shared with whom."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "c41f7b2ad905"
down_revision = "6b1f0c7a94e2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "participation",
        sa.Column(
            "categories",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="of a share: what of the person is shown; nothing where it does not say",
        ),
    )


def downgrade() -> None:
    op.drop_column("participation", "categories")
