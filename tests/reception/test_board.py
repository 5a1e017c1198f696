"""The arrivals board."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from chassis.audit import audit
from chassis.pagination import encode_cursor
from contracts import cases
from tests.reception.desk import LANDS_AT, Desk, Person
from tests.tokens import bearer


async def test_a_day_is_the_ports_day(desk: Desk):
    arrival = str(await desk.expect(port_of_entry="BSR"))

    async def on(**query: str) -> list[str]:
        return [item["id"] for item in (await desk.get("", **query)).json()["items"]]

    assert arrival in await on(port="BSR", date="2026-03-15")
    assert arrival not in await on(port="BSR", date="2026-03-14")
    assert arrival in await on(date="2026-03-15")
    assert arrival not in await on(date="2026-03-14")
    assert arrival not in await on(port="EBL", date="2026-03-15")
    assert arrival not in await on(port="BSR", state="met")


async def test_a_journey_without_a_time_is_on_its_day_and_one_without_a_date_on_none(desk: Desk):
    dated = str(await desk.expect(port_of_entry="ISU", arrives_at=None, departs_on="2026-04-02"))
    dateless = str(await desk.expect(port_of_entry="ISU", arrives_at=None))
    for query in ({"port": "ISU", "date": "2026-04-02"}, {"date": "2026-04-02"}):
        assert [item["id"] for item in (await desk.get("", **query)).json()["items"]] == [dated]
    created = (await desk.get(f"/{dateless}")).json()["created_at"][:10]
    assert (await desk.get("", port="ISU", date=created)).json()["items"] == []
    everybody = [item["id"] for item in (await desk.get("", port="ISU")).json()["items"]]
    assert sorted(everybody) == sorted([dated, dateless])


async def test_pages_follow_one_another_in_the_order_of_landing(desk: Desk):
    ids = [
        str(
            await desk.expect(port_of_entry="NJF", arrives_at=LANDS_AT + timedelta(minutes=minutes))
        )
        for minutes in (40, 0, 20, 0)
    ]
    expected = sorted(ids, key=lambda i: ([0, 20, 40].index([40, 0, 20, 0][ids.index(i)]), i))
    seen: list[str] = []
    answer = await desk.get("", port="NJF", limit=3)
    assert answer.headers["link"].endswith('rel="next"')
    seen += [item["id"] for item in answer.json()["items"]]
    answer = await desk.get("", port="NJF", limit=3, after=answer.json()["next"])
    assert answer.json()["next"] is None
    assert "link" not in answer.headers
    assert seen + [item["id"] for item in answer.json()["items"]] == expected


async def test_only_what_has_changed_since(desk: Desk):
    first, second = [await desk.expect(port_of_entry="KIK") for _ in range(2)]
    mark = (await desk.get(f"/{second}")).json()["updated_at"]
    await desk.post(f"/{first}/check-in")
    changed = (await desk.get("", port="KIK", updated_since=mark)).json()["items"]
    assert {item["id"] for item in changed} == {str(first), str(second)}
    assert (await desk.get("", port="KIK", updated_since="2090-01-01T00:00:00Z")).json()[
        "items"
    ] == []


@pytest.mark.parametrize(
    ("organisation", "sees"),
    [("iom-iraq", True), ("bamf", True), ("frontex", True), ("ewec", False), (None, True)],
)
async def test_who_takes_part_sees_it_and_nobody_else(desk: Desk, organisation, sees):
    arrival = await desk.expect(port_of_entry="OSM")
    assert (await desk.get(f"/{arrival}", organisation=organisation)).status_code == (
        200 if sees else 404
    )
    ids = [
        item["id"]
        for item in (await desk.get("", port="OSM", organisation=organisation)).json()["items"]
    ]
    assert (str(arrival) in ids) is sees


async def test_a_programme_office_of_another_programme_sees_nothing(desk: Desk):
    arrival = await desk.expect()
    headers = bearer("frontex", "programme_office", "arrivals:read", programmes=("iom-iraq-avrr",))
    assert (await desk.http.get(f"/v1/arrivals/{arrival}", headers=headers)).status_code == 404


async def test_the_board_needs_its_scope(desk: Desk):
    answer = await desk.http.get(
        "/v1/arrivals", headers=bearer("iom-iraq", "partner", "arrivals:write")
    )
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"port": "Erbil"}, 422),
        ({"state": "lost"}, 422),
        ({"date": "2026-02-30"}, 422),
        ({"harbour": "EBL"}, 400),
        ({"after": "x"}, 400),
        ({"after": encode_cursor(["0001-01-01T00:00:00+14:00", uuid4()])}, 400),
        ({"after": encode_cursor(["2026-01-01T00:00:00", uuid4()])}, 400),
        ({"updated_since": "0001-01-01T00:00:00+14:00"}, 422),
        ({"date": "9999-12-31"}, 422),
        ({"date": "0001-01-01"}, 422),
        ({"date": "2099-12-31"}, 200),
        ({"date": "2000-01-01", "port": "EBL"}, 200),
    ],
)
async def test_a_filter_that_is_not_understood_is_refused(desk: Desk, query, status):
    assert (await desk.get("", **query)).status_code == status


async def test_somebody_unknown_may_be_news_on_its_way(desk: Desk):
    answer = await desk.get("", returnee_id=uuid4())
    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/not-caught-up"
    assert "retry-after" in answer.headers


async def test_a_known_person_without_a_journey_has_no_arrivals(desk: Desk):
    person = Person()
    await desk.tell(person.opened())
    assert (await desk.get("", returnee_id=person.id)).json() == {"items": [], "next": None}


async def test_reading_names_is_audited(desk: Desk):
    person = Person()
    arrival = await desk.expect(person, port_of_entry="IQTRB")
    await desk.get("", port="IQTRB")
    await desk.recognise(person)
    await desk.get("", port="IQTRB")
    await desk.get(f"/{arrival}")
    async with desk.homeward.database.transaction() as session:
        rows = await session.execute(
            select(audit.c.resource_id, audit.c.details)
            .where(
                audit.c.action == "read-identity", audit.c.resource_id.in_(["IQTRB", str(arrival)])
            )
            .order_by(audit.c.id)
        )
        assert [tuple(row) for row in rows] == [
            ("IQTRB", {"returnees": [str(person.id)]}),
            (str(arrival), {"returnees": [str(person.id)]}),
        ]


async def test_what_has_not_changed_is_not_sent_again_until_the_name_arrives(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    headers = desk.headers("iom-iraq")
    tag = (await desk.get(f"/{arrival}")).headers["etag"]
    again = await desk.http.get(f"/v1/arrivals/{arrival}", headers=headers | {"If-None-Match": tag})
    assert again.status_code == 304
    await desk.recognise(person)
    fresh = await desk.http.get(f"/v1/arrivals/{arrival}", headers=headers | {"If-None-Match": tag})
    assert fresh.status_code == 200
    assert fresh.json()["identity"]["nationality"] == "IRQ"


async def test_the_case_of_another_implementer_is_not_seen_after_the_return_to_ours(desk: Desk):
    person = Person()
    arrival = await desk.expect(person, implementer="ewec")
    assert (await desk.get(f"/{arrival}")).status_code == 404
    assert (await desk.get(f"/{arrival}", organisation="ewec")).status_code == 200
    await desk.tell(cases.TravelChanged(**person.journey(revision=2, port_of_entry="BGW")))
    assert (await desk.get(f"/{arrival}")).status_code == 404
