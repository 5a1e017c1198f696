"""What the tables of the services have in common: SQLModel classes, and one column type for each
Python type.
"""

from collections import ChainMap
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Union, get_args, get_origin
from uuid import UUID

from pydantic_core import PydanticUndefined
from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Dialect,
    FetchedValue,
    Identity,
    MetaData,
    Numeric,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel
from sqlmodel.main import SQLModelMetaclass

from chassis.db import NAMING, now
from chassis.ids import new_id

TYPES: dict[Any, Any] = {
    str: Text,
    datetime: DateTime(timezone=True),
    Decimal: Numeric(),  # keeps the decimals that were given
    dict: JSONB(none_as_null=True),  # an absent object is NULL, not the JSON word null
    list[dict[str, Any]]: JSONB(none_as_null=True),
    list[str]: ARRAY(Text),
    list[UUID]: ARRAY(Uuid),
}
"""The column type of each annotation whose type SQLModel would choose otherwise, or not at all."""

READ_BACK = {"eager_defaults": True}
"""Of a mapper: what the database's clock writes is read back with the statement that wrote it."""


def new_metadata() -> MetaData:
    """For the tables of one service, with constraints named as everywhere."""
    return MetaData(naming_convention=NAMING)


class Code(TypeDecorator[StrEnum]):
    """A column of text that holds one of a list of codes; rows are read as its members.

    The CHECK that holds it in the database is made from the codes (`code_check`), and made anew by
    `migrations.upgrade` when they have changed, so that a new code needs no migration.

    Args:
        codes: The codes.
    """

    impl = Text
    cache_ok = True

    def __init__(self, codes: type[StrEnum]) -> None:
        super().__init__()
        self.codes = codes
        self._members: dict[str, StrEnum] = {member.value: member for member in codes}

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """A code as it is stored; another word is refused by the CHECK."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002
        """The member that was stored."""
        return None if value is None else self._members[value]


CODES = "codes"
"""In the `info` of a CHECK that was made from a list of codes."""


def code_check(column: Column[Any]) -> CheckConstraint:
    """The CHECK of a column of codes, named as the column."""
    assert isinstance(column.type, Code)
    words = ", ".join(f"'{code}'" for code in column.type.codes)
    return CheckConstraint(f"{column.name} IN ({words})", name=column.name, info={CODES: words})


class _Column(dict[str, Any]):
    """What was said of a column, until its annotation is known too."""


def _present(**values: Any) -> dict[str, Any]:
    """What is said of some things that need not be said."""
    return {name: value for name, value in values.items() if value is not None}


def column(
    *,
    default: Any = PydanticUndefined,
    default_factory: Any = None,
    primary_key: bool = False,
    foreign_key: str | None = None,
    ondelete: str | None = None,
    index: bool = False,
    unique: bool = False,
    server_default: Any = None,
    computed: str | None = None,
    identity: Identity | None = None,
    comment: str | None = None,
    sa_type: Any = None,
    **options: Any,
) -> Any:
    """Says what the annotation of a column does not.

    Args:
        default: Of a new row, in Python; without one, an attribute that is not given is left to
            `server_default`.
        default_factory: As `default`, called for each row.
        primary_key: Whether it is (part of) the key.
        foreign_key: `<table>.<column>` that it refers to.
        ondelete: What happens to the row when the one that it refers to is deleted.
        index: Whether it has an index of its own.
        unique: Whether no two rows have the same.
        server_default: An SQL expression for a row that does not say.
        computed: The SQL expression that PostgreSQL computes and stores it from.
        identity: How PostgreSQL numbers the rows.
        comment: Kept in the database, for who reads it there.
        sa_type: The column type, where the annotation's is not meant.
        **options: Anything else of `sqlalchemy.Column`.
    """
    kwargs = options | _present(server_default=server_default, comment=comment)
    args: list[Any] = [] if identity is None else [identity]
    if computed is not None:
        args.append(Computed(computed, persisted=True))
    given = _present(
        primary_key=primary_key or None,
        foreign_key=foreign_key,
        ondelete=ondelete,
        index=index or None,
        unique=unique or None,
        sa_type=sa_type,
        default_factory=default_factory,
    )
    if default is not PydanticUndefined:
        given["default"] = default
    return _Column({"sa_column_kwargs": kwargs, "sa_column_args": args} | given)


def _type_of(annotation: Any, types: Mapping[Any, Any]) -> Any:
    """The column type of an annotation; None where SQLModel's own choice is right."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_of(get_args(annotation)[0], types)
    if origin in {Union, UnionType}:
        (only,) = (each for each in get_args(annotation) if each is not type(None))
        return _type_of(only, types)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return Code(annotation)
    return types.get(annotation, types.get(origin))


class _TableMeta(SQLModelMetaclass):
    """Gives each annotated column the type of `TYPES`, or the CHECK of its codes."""

    def __new__(
        cls, name: str, bases: tuple[type[Any], ...], namespace: dict[str, Any], **options: Any
    ) -> Any:
        declared = [getattr(base, "column_types", {}) for base in bases]
        types = {**TYPES, **ChainMap(*declared), **namespace.get("column_types", {})}
        for attribute, annotation in namespace.get("__annotations__", {}).items():
            if ClassVar in {annotation, get_origin(annotation)}:
                continue
            said = namespace.get(attribute, PydanticUndefined)
            given = dict(said) if isinstance(said, _Column) else {"default": said}
            chosen = _type_of(annotation, types)
            if chosen is not None:
                given.setdefault("sa_type", chosen)
            namespace[attribute] = Field(**given)
        return super().__new__(cls, name, bases, namespace, **options)

    def __init__(
        cls, name: str, bases: tuple[type[Any], ...], namespace: dict[str, Any], **options: Any
    ) -> None:
        super().__init__(name, bases, namespace, **options)
        table: Any = cls.__dict__.get("__table__")
        for column_ in () if table is None else table.columns:
            if isinstance(column_.type, Code):
                taken = {str(each.name) for each in table.constraints}
                mine = {column_.name, f"ck_{table.name}_{column_.name}"}
                assert not mine & taken, f"{name}: another CHECK is called {column_.name}"
                table.append_constraint(code_check(column_))


class Table(SQLModel, metaclass=_TableMeta):
    """Base of every table; a service's own base adds its registry.

    A row is not validated: what comes from outside was, in a body or an event.

    Attributes:
        column_types: What a service's own base adds to `TYPES`.
    """

    column_types: ClassVar[Mapping[Any, Any]] = {}
    if TYPE_CHECKING:
        __table__: ClassVar[SqlTable]


class ResourceColumns(Table):
    """What a table has whose rows are resources: an id, a version for the ETag, and when it
    changed.
    """

    id: UUID = column(primary_key=True, default_factory=new_id)
    version: int = column(default=1)
    created_at: datetime = column(server_default=now())
    updated_at: datetime = column(server_default=now(), server_onupdate=FetchedValue())

    def changed(self) -> None:
        """Count the change: another ETag, and a new `updated_at` by the database's clock."""
        self.version += 1
        self.updated_at = now()  # type: ignore[assignment] # evaluated by the database
