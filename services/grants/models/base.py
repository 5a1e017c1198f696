"""What the tables of grants have in common."""

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from sqlalchemy import Numeric, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import registry

from chassis.tables import READ_BACK, ResourceColumns, Table, new_metadata
from contracts.codes import actor_id

SYSTEM_ACTOR = actor_id("homeward", "service-grants")
"""Who acts where nobody does: a reaction to another service's event."""
MONEY = Numeric(18, 3)


class Base(Table, registry=registry(metadata=new_metadata())):
    """Base of the tables of grants."""

    column_types: ClassVar = {Decimal: MONEY, list[UUID]: ARRAY(Uuid)}
    __mapper_args__ = READ_BACK


class Resource(ResourceColumns, Base):
    """What a table has whose rows are resources."""
