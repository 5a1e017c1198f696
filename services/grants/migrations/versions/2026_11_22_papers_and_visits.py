"""Cited documents that cases is asked for, arrivals and plans as they are told, visits for which
instalments wait.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

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
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('cited', 'found', 'unknown', 'taken')",
            name=op.f("ck_cited_document_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["assistance_grant.id"], name=op.f("fk_cited_document_grant_id")
        ),
        sa.PrimaryKeyConstraint("grant_id", "document_id", name=op.f("pk_cited_document")),
    )
    op.create_index(
        "uq_cited_document_alone",
        "cited_document",
        ["document_id"],
        unique=True,
        postgresql_where=sa.text("state = 'found' AND kind IN ('invoice', 'delivery')"),
    )
    op.create_table(
        "arrival",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("arrived_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival")),
    )
    op.create_index(op.f("ix_arrival_returnee_id"), "arrival", ["returnee_id"], unique=False)
    op.create_table(
        "applied_plan",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_applied_plan")),
    )
    op.create_table(
        "visit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("returnee_id", sa.Uuid(), nullable=False),
        sa.Column("visited_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
    )
    op.create_index(
        "ix_visit_case_id_returnee_id", "visit", ["case_id", "returnee_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("visit")
    op.drop_table("applied_plan")
    op.drop_table("arrival")
    op.drop_table("cited_document")
