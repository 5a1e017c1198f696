"""Run by Alembic: migrates over the connection that it is handed, inside the transaction that is
open on it.
"""

from typing import Any

from alembic import context

tables = context.config.attributes["metadata"].tables


def only_this_chain(name: str | None, kind: str, _: Any) -> bool:
    """The other chain's tables are in the same database, and none of this one's business."""
    return kind != "table" or name in tables


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    version_table=context.config.attributes["version_table"],
    transaction_per_migration=False,
    include_name=only_this_chain,
    compare_type=True,
)
context.run_migrations()
