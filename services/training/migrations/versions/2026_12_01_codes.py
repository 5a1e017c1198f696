"""A placement's rule about its reason leaves its name to the CHECK of the reason's codes."""

from alembic import op

revision = "a7d2c90f41be"
down_revision = "3191d7a46da0"
branch_labels = None
depends_on = None

RENAME = "ALTER TABLE placement RENAME CONSTRAINT {} TO {}"
OLD, NEW = "ck_placement_reason", "ck_placement_reason_when_ended"


def upgrade() -> None:
    op.execute(RENAME.format(OLD, NEW))


def downgrade() -> None:
    op.execute(f"ALTER TABLE placement DROP CONSTRAINT IF EXISTS {OLD}")
    op.execute(RENAME.format(NEW, OLD))
