"""What the tables of the services have in common."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, FetchedValue, MetaData, Numeric, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from chassis.db import NAMING, now
from chassis.ids import new_id

TYPES: dict[Any, Any] = {
    str: Text,
    datetime: DateTime(timezone=True),
    Decimal: Numeric(),  # keeps the decimals that were given
    dict[str, Any]: JSONB,
    list[dict[str, Any]]: JSONB,
    list[str]: ARRAY(Text),
}
"""The column type of each annotation; a service adds its own."""

READ_BACK = {"eager_defaults": True}
"""Of a mapper: what the database's clock writes is read back with the statement that wrote it."""


def new_metadata() -> MetaData:
    """For the tables of one service, with constraints named as everywhere."""
    return MetaData(naming_convention=NAMING)


class ResourceColumns:
    """What a table has whose rows are resources: an id, a version for the ETag, and when it
    changed.
    """

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-2)
    version: Mapped[int] = mapped_column(default=1, sort_order=-1)
    created_at: Mapped[datetime] = mapped_column(server_default=now(), sort_order=1)
    updated_at: Mapped[datetime] = mapped_column(
        server_default=now(), server_onupdate=FetchedValue(), sort_order=1
    )

    def changed(self) -> None:
        """Count the change: another ETag, and a new `updated_at` by the database's clock."""
        self.version += 1
        self.updated_at = now()
