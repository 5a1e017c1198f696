"""Whatever refers to a row is found from it by an index, however large its table has become."""

from alembic import op

revision = "64e1f7a0b3d8"
down_revision = "a7d2c90f41be"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_enrolment_course_id", "enrolment", ["course_id"])
    op.create_index("ix_mentor_enrolment_id", "mentor", ["enrolment_id"])


def downgrade() -> None:
    op.drop_index("ix_mentor_enrolment_id", "mentor")
    op.drop_index("ix_enrolment_course_id", "enrolment")
