"""Two ids that turned out to be one person."""

import sqlalchemy as sa
from alembic import op

revision = "6b1f0c7a94e2"
down_revision = "d3f384902ba5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alias",
        sa.Column("returnee_id", sa.Uuid(), nullable=False, comment="is found under the other"),
        sa.Column("into_id", sa.Uuid(), nullable=False),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("returnee_id <> into_id", name=op.f("ck_alias_two_ids")),
        sa.PrimaryKeyConstraint("returnee_id", name=op.f("pk_alias")),
    )
    op.create_index("ix_alias_into_id", "alias", ["into_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_alias_into_id", table_name="alias")
    op.drop_table("alias")
