"""Of whom a stored answer tells, so that it is told again only to those who still take part."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "e3a95d07c6b2"
down_revision = "c41f7b2ad905"
branch_labels = None
depends_on = None

OLD, NEW = "encrypted", "encrypted; null while it is awaited, and once it is erased"


def upgrade() -> None:
    op.add_column(
        "idempotency",
        sa.Column(
            "subjects",
            postgresql.ARRAY(sa.Uuid()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="of whom the answer tells, as far as the caller took part in their return",
        ),
    )
    op.alter_column("idempotency", "body", existing_comment=OLD, comment=NEW)
    # Of those that are kept already nobody knows of whom they tell.
    op.execute("UPDATE idempotency SET body = NULL, headers = '{}' WHERE body IS NOT NULL")


def downgrade() -> None:
    op.alter_column("idempotency", "body", existing_comment=NEW, comment=OLD)
    op.drop_column("idempotency", "subjects")
