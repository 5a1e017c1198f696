"""Events of a few types are read from an index; those of the others are not walked through."""

from alembic import op

revision = "d5037be9a1c6"
down_revision = "26a6ea3615cc"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_timeline_source_type", "timeline", ["source", "type", "position"])


def downgrade() -> None:
    op.drop_index("ix_timeline_source_type", "timeline")
