"""People of undecided referrals are looked for by the keys of their names, births and numbers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "5c1e7a90d2b4"
down_revision = "0652cd12d039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "referral_person",
        sa.Column(
            "keys", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
    )
    op.create_index("ix_referral_person_keys", "referral_person", ["keys"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("ix_referral_person_keys", table_name="referral_person")
    op.drop_column("referral_person", "keys")
