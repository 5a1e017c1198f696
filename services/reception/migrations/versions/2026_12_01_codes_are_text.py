"""Columns of codes are text; their CHECKs are made from the codes."""

from alembic import op

revision = "5b1d0c7e2f4a"
down_revision = "ff24e51a971a"
branch_labels = None
depends_on = None

COLUMNS = """
    SELECT format('ALTER TABLE %I ALTER COLUMN %I TYPE {kind}', table_name, column_name)
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type = 'character varying'
        AND character_maximum_length = 32
"""


def upgrade() -> None:
    connection = op.get_bind()
    for (statement,) in connection.exec_driver_sql(COLUMNS.format(kind="text")).all():
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    pass
