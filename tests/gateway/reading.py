"""Who reads timelines, and a journey to read of."""

import httpx

from tests import tokens
from tests.gateway.conftest import Gateway
from tests.gateway.facts import Person, Sources

SEES = {
    "bamf": tokens.bearer("bamf", "referrer", "timeline:read"),
    "fedasil": tokens.bearer("fedasil", "referrer", "timeline:read"),
    "iom-iraq": tokens.bearer("iom-iraq", "partner", "timeline:read"),
    "goal": tokens.bearer("goal", "partner", "timeline:read"),
    "eurp": tokens.bearer("frontex", "programme_office", "timeline:read", programmes=("eurp",)),
    "other office": tokens.bearer(
        "bosa", "programme_office", "timeline:read", programmes=("amif-be-2018",)
    ),
    "school": tokens.bearer("school", "training_provider", "timeline:read"),
    "ours": tokens.bearer("homeward", "internal", "internal timeline:read"),
}


async def timeline(
    gateway: Gateway, person: Person, who: str = "iom-iraq", **query: object
) -> httpx.Response:
    return await gateway.http.get(
        f"/v1/returnees/{person.id}/timeline", headers=SEES[who], params=query
    )


async def journey(sources: Sources) -> Person:
    person = Person(sources)
    for fact in (person.submitted, person.accepted, person.opened, person.met):
        fact()
    person.progressed("arrived")
    await sources.tell_all()
    return person
