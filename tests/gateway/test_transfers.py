"""After a case went to another organisation, that one sees the timeline and the one before does not."""

import pytest
import pytest_asyncio

from contracts import cases
from tests import tokens
from tests.gateway.conftest import Gateway
from tests.gateway.facts import Person, Sources, hearing
from tests.gateway.test_timeline import SEES, journey, timeline


@pytest_asyncio.fixture
async def sources(gateway: Gateway) -> Sources:
    tokens.trust(gateway.here)
    return Sources(gateway.database)


def transferred(person: Person, before: str, after: str, *, keeps_part: bool = False) -> cases.CaseTransferred:
    return cases.CaseTransferred(
        **person.ids,
        transfer_id=person.case_id,
        previous_implementer=before,
        implementer=after,
        keeps_part=keeps_part,
    )


@pytest.mark.parametrize("at_once", [True, False])
async def test_the_one_before_has_no_part_any_more(gateway: Gateway, sources: Sources, at_once: bool) -> None:
    person = await journey(sources)
    facts = [
        sources.say(transferred(person, "iom-iraq", "goal")),
        sources.say(transferred(person, "goal", "iom-iraq")),
        sources.say(transferred(person, "iom-iraq", "goal")),
    ]
    for batch in [facts] if at_once else [[fact] for fact in facts]:
        await sources.tell(*batch)
    async with hearing(sources):
        seen = {who: (await timeline(gateway, person, who)).status_code for who in ("iom-iraq", "goal", "bamf", "eurp")}
        summary = await gateway.http.get(f"/v1/returnees/{person.id}/summary", headers=SEES["goal"])
    assert seen == {"iom-iraq": 404, "goal": 200, "bamf": 200, "eurp": 200}
    assert summary.json()["implementer"] == "goal"


async def test_it_keeps_its_part_by_another_case(gateway: Gateway, sources: Sources) -> None:
    person = await journey(sources)
    await sources.tell(sources.say(transferred(person, "iom-iraq", "goal", keeps_part=True)))
    assert (await timeline(gateway, person, "iom-iraq")).status_code == 200


async def test_in_the_batch_in_which_the_case_was_opened(gateway: Gateway, sources: Sources) -> None:
    person = Person(sources)
    await sources.tell(person.submitted(), person.opened(), sources.say(transferred(person, "iom-iraq", "goal")))
    async with hearing(sources):
        assert (await timeline(gateway, person, "goal")).status_code == 200
        assert (await timeline(gateway, person, "iom-iraq")).status_code == 404


async def test_a_waived_deadline_is_not_to_come_and_an_extended_one_is_later(
    gateway: Gateway, sources: Sources
) -> None:
    person = await journey(sources)
    plan, visit = person.deadline("plan"), person.deadline("visit")
    later = {"due_at": "2099-12-31T12:00:00+03:00", "previous_due_at": plan.data["due_at"]}
    extended = sources.say(cases.DeadlineExtended(**dict(plan.data) | later))
    waived = sources.say(cases.DeadlineWaived(**dict(visit.data)))
    await sources.tell(plan, visit, extended, waived)
    body = (await gateway.http.get(f"/v1/returnees/{person.id}/summary", headers=SEES["iom-iraq"])).json()
    assert [(d["kind"], d["due_at"]) for d in body["deadlines"]] == [("plan", "2099-12-31T12:00:00+03:00")]
