"""After a case went to another organisation, that one sees the timeline and the one before does
not.
"""

import pytest
import pytest_asyncio
from sqlalchemy import select

from contracts import cases
from participation.access import participation
from tests import tokens
from tests.gateway.conftest import Gateway
from tests.gateway.facts import Person, Sources, hearing, rows
from tests.gateway.reading import SEES, journey, timeline


@pytest_asyncio.fixture
async def sources(gateway: Gateway) -> Sources:
    tokens.trust(gateway.here)
    return Sources(gateway.database)


def transferred(
    person: Person, before: str, after: str, *, keeps_part: bool = False
) -> cases.CaseTransferred:
    return cases.CaseTransferred(
        **person.ids,
        transfer_id=person.case_id,
        previous_implementer=before,
        implementer=after,
        keeps_part=keeps_part,
    )


@pytest.mark.parametrize("at_once", [True, False])
async def test_the_one_before_has_no_part_any_more(
    gateway: Gateway, sources: Sources, at_once: bool
) -> None:
    person = await journey(sources)
    facts = [
        sources.say(transferred(person, "iom-iraq", "goal")),
        sources.say(transferred(person, "goal", "iom-iraq")),
        sources.say(transferred(person, "iom-iraq", "goal")),
    ]
    for batch in [facts] if at_once else [[fact] for fact in facts]:
        await sources.tell(*batch)
    async with hearing(sources):
        seen = {
            who: (await timeline(gateway, person, who)).status_code
            for who in ("iom-iraq", "goal", "bamf", "eurp")
        }
        summary = await gateway.http.get(f"/v1/returnees/{person.id}/summary", headers=SEES["goal"])
    assert seen == {"iom-iraq": 404, "goal": 200, "bamf": 200, "eurp": 200}
    assert summary.json()["implementer"] == "goal"


async def test_it_keeps_its_part_by_another_case(gateway: Gateway, sources: Sources) -> None:
    person = await journey(sources)
    await sources.tell(sources.say(transferred(person, "iom-iraq", "goal", keeps_part=True)))
    assert (await timeline(gateway, person, "iom-iraq")).status_code == 200


async def test_in_the_batch_in_which_the_case_was_opened(
    gateway: Gateway, sources: Sources
) -> None:
    person = Person(sources)
    await sources.tell(
        person.submitted(), person.opened(), sources.say(transferred(person, "iom-iraq", "goal"))
    )
    async with hearing(sources):
        assert (await timeline(gateway, person, "goal")).status_code == 200
        assert (await timeline(gateway, person, "iom-iraq")).status_code == 404


def restricted(
    person: Person, organisation: str, *, lifted: bool = False
) -> cases.ReturneeRestricted:
    role = "referrer" if organisation == "bamf" else "partner"
    return cases.ReturneeRestricted(
        returnee_id=person.id, organisation=organisation, roles=(role,), restricted=not lifted
    )


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_is_known_of_whom_is_the_same_event_by_event_and_after_a_rebuild(
    gateway: Gateway, sources: Sources, at_once: bool
) -> None:
    one, two, other = Person(sources), Person(sources), Person(sources)
    one.submitted()
    two.referral_id, two.case_id = one.referral_id, one.case_id  # a couple
    for person in (one, two, other):
        person.accepted()
        person.opened()
    for fact in (
        restricted(one, "bamf"),
        restricted(two, "bamf"),
        restricted(one, "bamf", lifted=True),
        restricted(other, "bamf"),
        restricted(other, "bamf", lifted=True),
        restricted(other, "iom-iraq"),
        restricted(other, "iom-iraq", lifted=True),
        transferred(other, "iom-iraq", "goal"),
        restricted(other, "goal"),
        transferred(other, "goal", "iom-iraq"),
    ):
        sources.say(fact)
    log = sources.logs["cases"]
    for batch in [log] if at_once else [[event] for event in log]:
        await sources.tell(*batch)
    known = {
        one.id: "one",
        two.id: "two",
        other.id: "other",
        one.case_id: "case",
        one.referral_id: "referral",
    }
    known |= {other.case_id: "other case", other.referral_id: "other referral"}
    part = participation.c
    seen = select(part.organisation, part.subject_id).where(
        part.until.is_(None), part.role != "programme"
    )
    assert {(who, known[whom]) for who, whom in await rows(gateway.database, seen)} == {
        ("bamf", "one"),
        *(("iom-iraq", whom) for whom in ("one", "two", "case", "referral")),
        *(
            (who, whom)
            for who in ("bamf", "iom-iraq")
            for whom in ("other", "other case", "other referral")
        ),
    }
    await sources.tell(sources.say(restricted(two, "bamf", lifted=True)))
    whole = {("bamf", each) for each in (one.id, two.id, one.case_id, one.referral_id)}
    assert whole <= set(await rows(gateway.database, seen))
    answer = await gateway.http.get("/v1/events", headers=SEES["bamf"])
    assert any(item["subject"] == str(one.referral_id) for item in answer.json()["items"])


async def test_a_deadline_that_ended_is_not_to_come_until_it_is_set_again(
    gateway: Gateway, sources: Sources
) -> None:
    person = await journey(sources)
    met, called_off = person.deadline("first_contact"), person.deadline("plan")
    await sources.tell(
        met,
        called_off,
        sources.say(cases.DeadlineMet(**dict(met.data))),
        sources.say(cases.DeadlineMissed(**dict(called_off.data))),
        sources.say(cases.DeadlineCancelled(**dict(called_off.data))),
    )
    summary = f"/v1/returnees/{person.id}/summary"
    body = (await gateway.http.get(summary, headers=SEES["iom-iraq"])).json()
    assert body["deadlines"] == []
    await sources.tell(sources.say(cases.DeadlineSet(**dict(called_off.data))))
    body = (await gateway.http.get(summary, headers=SEES["iom-iraq"])).json()
    assert [(item["kind"], item["missed"]) for item in body["deadlines"]] == [("plan", False)]


async def test_a_waived_deadline_is_not_to_come_and_an_extended_one_is_later(
    gateway: Gateway, sources: Sources
) -> None:
    person = await journey(sources)
    plan, visit = person.deadline("plan"), person.deadline("visit")
    later = {"due_at": "2099-12-31T12:00:00+03:00", "previous_due_at": plan.data["due_at"]}
    extended = sources.say(cases.DeadlineExtended(**dict(plan.data) | later))
    waived = sources.say(cases.DeadlineWaived(**dict(visit.data)))
    await sources.tell(plan, visit, extended, waived)
    body = (
        await gateway.http.get(f"/v1/returnees/{person.id}/summary", headers=SEES["iom-iraq"])
    ).json()
    assert [(d["kind"], d["due_at"]) for d in body["deadlines"]] == [
        ("plan", "2099-12-31T12:00:00+03:00")
    ]
