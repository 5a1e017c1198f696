import pytest

from chassis.events import EventData
from contracts.asyncapi import EVENTS, event_schema
from tests.samples import sample


@pytest.fixture
def facts() -> list[EventData]:
    """One event of every published type, with every member."""
    schemas = [(model, event_schema(model)) for model in EVENTS]
    return [model.model_validate(sample(schema, schema)) for model, schema in schemas]
