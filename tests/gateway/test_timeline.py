import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, select

from chassis.inbox import inbox_source
from contracts import grants, reception, training
from contracts.codes import Money
from gateway.models import Relation, TimelineEntry
from gateway.timeline.schemas import BELOW, LINKS
from gateway.timeline.service import rebuild
from participation.access import participation
from participation.beneficiaries import beneficiary
from tests import tokens
from tests.gateway.conftest import Gateway
from tests.gateway.facts import START, Person, Sources, hearing, rows
from tests.gateway.reading import SEES, journey, timeline


@pytest_asyncio.fixture
async def sources(gateway: Gateway) -> Sources:
    tokens.trust(gateway.here)
    return Sources(gateway.database)


def words(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [
        item["type"].removeprefix("org.homeward.").removesuffix(".v1")
        for item in answer.json()["items"]
    ]


JOURNEY = [
    "cases.referral.submitted",
    "cases.referral.accepted",
    "cases.case.opened",
    "reception.arrival.received",
    "cases.case.progressed",
]


async def test_facts_of_all_services_stand_in_one_order(gateway: Gateway, sources: Sources) -> None:
    person = await journey(sources)
    assert words(await timeline(gateway, person)) == JOURNEY[::-1]
    answer = await timeline(gateway, person, order="asc")
    assert words(answer) == JOURNEY
    said = [envelope for log in sources.logs.values() for envelope in log]
    items = answer.json()["items"]
    assert {(item["service"], item["position"], item["id"]) for item in items} == {
        (envelope.service, envelope.position, str(envelope.id)) for envelope in said
    }
    met = items[3]
    assert met["summary"] == "Met on arrival on 3 November 2026, port of entry EBL."
    assert met["data"]["port_of_entry"] == "EBL"
    assert met["links"]["case"] == f"/v1/cases/{person.case_id}"
    assert met["links"]["arrival"] == f"/v1/arrivals/{met['data']['arrival_id']}"


async def test_what_happened_earlier_stands_earlier_however_late_it_was_recorded(
    gateway: Gateway, sources: Sources
) -> None:
    person = await journey(sources)
    await sources.tell(person.met(occurred_at=START))
    answer = await timeline(gateway, person, order="asc")
    assert words(answer)[0] == "reception.arrival.received"


async def test_freshness_says_what_is_missing(gateway: Gateway, sources: Sources) -> None:
    person = Person(sources)
    first = [person.submitted(), person.accepted(), person.opened()]
    await sources.tell(*first)
    fresh = (await timeline(gateway, person)).json()["freshness"]
    assert (fresh["cases"]["applied"], fresh["cases"]["head"], fresh["cases"]["complete"]) == (
        3,
        3,
        True,
    )
    assert fresh["reception"] == {"applied": 0, "head": 0, "complete": False, "heard_at": None}
    person.progressed("arrived")
    last = person.deadline()
    await sources.tell(last)  # the one before is missing
    fresh = (await timeline(gateway, person)).json()["freshness"]["cases"]
    assert (fresh["applied"], fresh["head"], fresh["complete"]) == (3, 5, False)


@pytest.mark.parametrize(
    ("who", "status", "sees_profile"),
    [
        ("bamf", 200, False),
        ("iom-iraq", 200, True),
        ("eurp", 200, True),
        ("ours", 200, True),
        ("fedasil", 404, None),
        ("goal", 404, None),
        ("other office", 404, None),
        ("school", 404, None),
    ],
)
async def test_everybody_sees_what_is_meant_for_them(
    gateway: Gateway, sources: Sources, who: str, status: int, sees_profile: bool | None
) -> None:
    person = await journey(sources)
    await sources.tell(person.profiled())
    async with hearing(sources):
        answer = await timeline(gateway, person, who)
    assert answer.status_code == status
    if status == 200:
        assert ("reception.arrival.profiled" in words(answer)) is sees_profile
        assert ("needs_priority" in json.dumps(answer.json()["items"][0])) is sees_profile


async def test_who_is_absent_and_who_is_for_others_look_the_same(
    gateway: Gateway, sources: Sources
) -> None:
    person = await journey(sources)

    async with hearing(sources):
        answers = [await timeline(gateway, whom, "fedasil") for whom in (person, Person(sources))]
    documents = [answer.json() for answer in answers]
    for document in documents:
        document.pop("instance")
    assert documents[0] == documents[1]
    assert documents[0]["type"] == "/problems/not-found"


async def test_an_unknown_person_waits_for_cases_and_is_not_denied_before(
    gateway: Gateway, sources: Sources
) -> None:
    answer = await timeline(gateway, Person(sources))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-caught-up")
    assert answer.headers["retry-after"]


async def test_pages_hold_every_entry_once(gateway: Gateway, sources: Sources) -> None:
    person = await journey(sources)
    same = datetime(2026, 11, 20, 12, tzinfo=UTC)
    await sources.tell(*[person.met(occurred_at=same) for _ in range(7)])
    for order in ("asc", "desc"):
        seen, cursor = [], None
        while True:
            page = await timeline(
                gateway, person, order=order, limit=3, **({"after": cursor} if cursor else {})
            )
            body = page.json()
            seen += [item["id"] for item in body["items"]]
            cursor = body["next"]
            if cursor is None:
                assert "link" not in page.headers
                break
            assert page.headers["link"].endswith('rel="next"')
            assert f"after={cursor}" in page.headers["link"]
        assert len(seen) == len(set(seen)) == 12


async def test_filters_narrow(gateway: Gateway, sources: Sources) -> None:
    person = await journey(sources)
    assert words(await timeline(gateway, person, service="reception")) == [
        "reception.arrival.received"
    ]
    kind = "org.homeward.cases.case.opened.v1"
    assert words(await timeline(gateway, person, type=kind)) == ["cases.case.opened"]
    assert (
        len(
            words(
                await timeline(
                    gateway, person, type=[kind, "org.homeward.cases.case.progressed.v1"]
                )
            )
        )
        == 2
    )
    third = (START + timedelta(minutes=3)).isoformat()
    assert words(await timeline(gateway, person, **{"from": third, "order": "asc"})) == JOURNEY[2:]
    assert words(await timeline(gateway, person, to=third, order="asc")) == JOURNEY[:2]
    assert words(await timeline(gateway, person, as_of=third, order="asc")) == JOURNEY[:3]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"service": "catering"}, 422),
        ({"type": "cases"}, 422),
        ({"order": "up"}, 422),
        ({"from": "2026-01-01T00:00:00"}, 422),
        ({"limit": 0}, 422),
        ({"after": "nonsense"}, 400),
        ({"after": "WyIyMDI2LTAxLTAxIiwiMjAyNi0wMS0wMSIsImEiLCIxIl0"}, 400),
        ({"colour": "red"}, 400),
    ],
)
async def test_what_is_not_understood_is_refused(
    gateway: Gateway, sources: Sources, query: dict[str, object], status: int
) -> None:
    person = await journey(sources)
    answer = await timeline(gateway, person, **query)
    assert answer.status_code == status, answer.text
    assert all(
        str(value) not in answer.text
        for value in query.values()
        if isinstance(value, str) and len(value) > 5
    )


async def test_a_family_shares_what_concerns_their_referral_and_nothing_else(
    gateway: Gateway, sources: Sources
) -> None:
    one = Person(sources)
    two = Person(sources, referral_id=one.referral_id, case_id=one.case_id)
    one.submitted(people=2)
    one.deadline("referral_decision", returnee_id=None, case_id=None)
    for person in (one, two):
        person.accepted()
        person.opened()
    two.progressed("arrived")
    await sources.tell_all()
    shared = [
        "cases.referral.submitted",
        "cases.deadline.set",
        "cases.referral.accepted",
        "cases.case.opened",
    ]
    assert words(await timeline(gateway, one, order="asc")) == shared
    assert words(await timeline(gateway, two, order="asc")) == [*shared, "cases.case.progressed"]


async def test_the_same_facts_in_any_batches_make_the_same_timeline(
    gateway: Gateway, sources: Sources
) -> None:
    person = Person(sources)
    facts = [
        person.submitted(),
        person.accepted(),
        person.opened(),
        person.met(),
        person.progressed("arrived"),
    ]
    for fact in facts:
        await sources.tell(fact)
    await sources.tell(*facts)
    assert words(await timeline(gateway, person, order="asc")) == JOURNEY
    state = await rows(gateway.database, select(beneficiary.c.state, beneficiary.c.implementer))
    assert state == [("arrived", "iom-iraq")]


async def test_a_new_epoch_replaces_what_its_source_has_lost(
    gateway: Gateway, sources: Sources
) -> None:
    person = await journey(sources)
    await sources.tell(person.deadline(), person.deadline())
    log = sources.logs["cases"]
    del log[4:]  # restored from a backup of before the deadlines
    sources.epochs["cases"].append((uuid4(), 4))
    sources.minutes += 60
    await sources.tell(person.progressed("in_delivery", "arrived"))
    positions = await rows(
        gateway.database,
        select(TimelineEntry.position, TimelineEntry.type)
        .where(TimelineEntry.source == "cases", TimelineEntry.position >= 4)
        .order_by(TimelineEntry.position),
    )
    assert positions == [
        (4, "org.homeward.cases.case.progressed.v1"),
        (5, "org.homeward.cases.case.progressed.v1"),
    ]


async def test_after_an_erasure_the_timeline_is_gone_and_only_amounts_and_codes_stay(
    gateway: Gateway, sources: Sources
) -> None:
    person = await journey(sources)
    await sources.tell(person.erased())
    async with hearing(sources):
        assert (await timeline(gateway, person)).status_code == 404
        assert (await timeline(gateway, person, "ours")).status_code == 404
    await sources.tell(person.met())  # a device was offline
    kept = await rows(
        gateway.database, select(TimelineEntry.subject, TimelineEntry.type, TimelineEntry.data)
    )
    about = [row for row in kept if str(person.id) in str(row)]
    assert [row.type for row in about] == ["org.homeward.cases.returnee.erased.v1"]
    assert sum("arrived_on" in row.data for row in kept) == 2
    assert await rows(gateway.database, select(Relation)) == []
    left = select(participation.c.role).where(participation.c.subject_id == person.id)
    assert await rows(gateway.database, left) == []


async def test_a_rebuild_begins_from_nothing(gateway: Gateway, sources: Sources) -> None:
    person = await journey(sources)
    before = (await timeline(gateway, person)).json()["items"]
    async with gateway.database.transaction() as session:
        await rebuild(session)
    for table in (TimelineEntry, Relation, beneficiary, participation):
        assert await rows(gateway.database, select(func.count()).select_from(table)) == [(0,)]
    assert {w for (w,) in await rows(gateway.database, select(inbox_source.c.watermark))} == {0}
    await sources.tell_all()
    assert (await timeline(gateway, person)).json()["items"] == before


async def test_the_summary_says_where_they_stand(gateway: Gateway, sources: Sources) -> None:
    person = await journey(sources)
    past = person.deadline("first_contact", "2026-01-01T12:00:00+03:00")
    await sources.tell(person.profiled(), past, person.deadline("plan"))
    path = f"/v1/returnees/{person.id}/summary"
    body = (await gateway.http.get(path, headers=SEES["iom-iraq"])).json()
    assert (body["state"], body["programme"], body["implementer"]) == (
        "arrived",
        "eurp",
        "iom-iraq",
    )
    assert body["case"]["state"] == "arrived"
    assert [deadline["kind"] for deadline in body["deadlines"]] == ["plan"]
    assert body["plan"] is None
    assert body["freshness"]["cases"]["complete"] is True
    theirs = (await gateway.http.get(path, headers=SEES["bamf"])).json()
    assert theirs["deadlines"] == []
    assert theirs["arrival"]["state"] == "received"
    assert theirs["arrival"]["needs_priority"] is None
    async with hearing(sources):
        assert (await gateway.http.get(path, headers=SEES["fedasil"])).status_code == 404


async def test_the_summary_says_what_was_granted_paid_and_learnt(
    gateway: Gateway, sources: Sources
) -> None:
    person = await journey(sources)
    ours = {
        "returnee_id": person.id,
        "case_id": person.case_id,
        "programme": "eurp",
        "group": "economic",
    }

    def money(amount: str) -> Money:
        return Money(amount=Decimal(amount), currency="EUR")

    kept, dropped = (ours | {"grant_id": uuid4(), "amount": money("1500.00")} for _ in range(2))
    first, second = (
        kept
        | {
            "payment_id": uuid4(),
            "method": "bank",
            "amount": money(amount),
            "payout": money(amount),
        }
        for amount in ("600.00", "400.10")
    )
    learnt = ours | {"enrolment_id": uuid4(), "cohort_id": uuid4(), "course_id": uuid4()}
    day = date(2026, 11, 20)
    facts = [
        grants.GrantApproved(**kept),
        grants.GrantApproved(**dropped),
        grants.GrantCancelled(**dropped, reason="not_wanted"),
        *(grants.PaymentConfirmed(**payment, confirmed_on=day) for payment in (first, second)),
        grants.PaymentReversed(**second),
        training.EnrolmentConfirmed(**learnt, stipend=False),
        training.EnrolmentCompleted(**learnt, attended=600, held=600),
        reception.ArrivalDiverted(
            **person.ids,
            arrival_id=uuid4(),
            port_of_entry="BGW",
            expected_at=datetime(2026, 11, 4, tzinfo=UTC),
        ),
    ]
    await sources.tell(*map(sources.say, facts))
    body = (
        await gateway.http.get(f"/v1/returnees/{person.id}/summary", headers=SEES["iom-iraq"])
    ).json()
    assert [(grant["state"], grant["amount"]["amount"]) for grant in body["grants"]] == [
        ("approved", "1500.00"),
        ("cancelled", "1500.00"),
    ]
    assert [payment["state"] for payment in body["payments"]] == ["confirmed", "reversed"]
    assert [enrolment["state"] for enrolment in body["enrolments"]] == ["completed"]
    assert body["totals"] == {
        "granted": [{"amount": "1500.00", "currency": "EUR"}],
        "paid": [{"amount": "600.00", "currency": "EUR"}],
        "enrolments_completed": 1,
    }
    assert (body["arrival"]["state"], body["arrival"]["port_of_entry"]) == ("diverted", "BGW")
    entry = next(
        i for i in (await timeline(gateway, person)).json()["items"] if "payment_id" in i["data"]
    )
    assert entry["links"]["payment"] == f"/v1/payments/{entry['data']['payment_id']}"


async def test_every_link_leads_to_a_resource() -> None:
    document = json.loads((Path(__file__).parents[2] / "contracts" / "openapi.json").read_text())
    there = {
        re.sub(r"\{\w+\}", "{}", path)
        for path, methods in document["paths"].items()
        if "get" in methods
    }
    below = {LINKS[f"{above}_id"][1] + path for above, _, path in BELOW.values()}
    assert {path for _, path in LINKS.values()} | below <= there


async def test_the_language_asked_for(gateway: Gateway, sources: Sources) -> None:
    person = await journey(sources)
    path = f"/v1/returnees/{person.id}/timeline"
    for wish, tag, starts in (
        ("ar", "ar", None),
        ("sv, fr;q=0.8, en;q=0.1", "fr", "Le dossier"),
        ("de-AT", "de", "Der Fall"),
        ("sv", "en", "The case"),
    ):
        answer = await gateway.http.get(path, headers=SEES["iom-iraq"] | {"Accept-Language": wish})
        assert answer.headers["content-language"] == tag
        first = answer.json()["items"][0]["summary"]
        assert starts is None or first.startswith(starts)
        assert "arrived" not in first or tag == "en"
