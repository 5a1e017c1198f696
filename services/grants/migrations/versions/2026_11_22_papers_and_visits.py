"""Cited documents that cases is asked for, and visits for which instalments wait."""

import sqlalchemy as sa
from alembic import op

revision = "3f6c1d0a94e7"
down_revision = "be91097c5c48"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cited_document",
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="cited", nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('cited', 'found', 'unknown')", name=op.f("ck_cited_document_state_known")),
        sa.ForeignKeyConstraint(["grant_id"], ["assistance_grant.id"], name=op.f("fk_cited_document_grant_id")),
        sa.PrimaryKeyConstraint("grant_id", "document_id", name=op.f("pk_cited_document")),
    )
    op.create_table(
        "visit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("visited_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
    )
    op.create_index("ix_visit_case_id_returnee_id", "visit", ["case_id", "returnee_id"], unique=False)


def downgrade() -> None:
    op.drop_table("visit")
    op.drop_table("cited_document")
