"""No table is walked through for want of an index: whatever refers to a row is found from it.

A foreign key without an index costs nothing among a thousand rows and seconds among a million: in
every query that starts at the row, and whenever the row is changed or deleted.
"""

import pytest
from sqlalchemy import Column, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.schema import Index

from cli.roles import ROLES

METADATA = {name: role.service().metadata for name, role in ROLES.items()}
REFERENCES = [
    pytest.param(table, key.parent, id=f"{name}.{table.name}.{key.parent.name}")
    for name, metadata in METADATA.items()
    if metadata is not None
    for table in metadata.sorted_tables
    for key in sorted(table.foreign_keys, key=lambda key: key.parent.name)
]


def holds_all(index: Index, column: Column[object]) -> bool:
    """Whether every row that refers to something is in an index."""
    where = index.dialect_options["postgresql"]["where"]
    return where is None or str(where).casefold() == f"{column.name} is not null"


def found_by_index(table: Table, column: Column[object]) -> bool:
    """Whether an index of the table begins with the column."""
    keys = [
        next(iter(constraint.columns), None)
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint)
    ]
    indexes = [
        next(iter(index.expressions), None) for index in table.indexes if holds_all(index, column)
    ]
    return any(first is column for first in (*keys, *indexes))


@pytest.mark.parametrize(("table", "column"), REFERENCES)
def test_what_refers_to_a_row_is_found_by_an_index(table: Table, column: Column[object]) -> None:
    assert found_by_index(table, column)


def test_a_reference_without_an_index_is_noticed() -> None:
    visit = METADATA["cases"].tables["visit"]
    assert not found_by_index(visit, visit.c.cause)
