"""Flights, manifests, and one arrival for one person."""

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from chassis.audit import audit
from chassis.outbox import outbox
from contracts import cases
from services.reception.models import Arrival, Passenger
from tests.reception.desk import LANDS_AT, Desk, Person

DATA = Path(__file__).parent / "data"
FLIGHTS = list(csv.DictReader((DATA / "flights.csv").read_text().splitlines()))
NAMED = {
    "seat": "3A",
    "family_name": "BABAN",
    "given_names": "KAMERAN",
    "name_arab": "كامران بابان",
    "sex": "male",
    "birth_date": "1974-07-01",
    "nationality": "IRQ",
    "document_kind": "passport",
    "document_number": "A51951406",
}
SEAT = {"seat": "9F", "nationality": "IRQ"}


async def arrivals_on(desk: Desk, flight: str) -> int:
    async with desk.homeward.database.transaction() as session:
        return await session.scalar(select(func.count()).where(Arrival.flight_id == flight)) or 0


@pytest.mark.parametrize("flight", FLIGHTS, ids=lambda flight: flight["manifest"])
async def test_the_manifests_are_taken_as_they_are(desk: Desk, flight):
    announced = await desk.announce(
        carrier=flight["carrier"] or None,
        flight_number=flight["flight_number"] or None,
        charter=flight["charter"] == "true",
        origin=flight["origin"],
        port_of_entry=flight["port_of_entry"],
        scheduled_at=flight["scheduled_at"],
    )
    taken = await desk.manifest(announced, (DATA / flight["manifest"]).read_bytes())
    assert taken.status_code == 200, taken.text
    said = taken.json()
    assert said["passengers"] == said["added"] == int(flight["passengers"])
    assert said["anonymous"] == int(flight["anonymous"])
    assert await arrivals_on(desk, announced) == int(flight["passengers"])
    passengers = await desk.passengers(announced)
    assert len({p["family_group"] for p in passengers.values() if p["family_group"]}) == int(
        flight["families"]
    )
    again = await desk.manifest(
        announced, (DATA / flight["manifest"]).read_bytes(), version=taken.headers["etag"]
    )
    assert {name: again.json()[name] for name in ("added", "changed", "removed", "kept")} == {
        "added": 0,
        "changed": 0,
        "removed": 0,
        "kept": 0,
    }
    assert await desk.passengers(announced) == passengers


async def test_the_whole_file_is_judged_first_and_every_problem_has_its_row(desk: Desk):
    flight = await desk.announce()
    rows = [
        "seat,family_name,given_names,sex,birth_date,nationality",
        "1A,BABAN,KAMERAN,male,1974-07-01,IRQ",
        "1B,BABAN,ALI,mann,1974-07-01,IRQ",
        "1A,BABAN,SARA,female,1974-07-01,IRQ",
        "1C,BABAN,OMAR,male,1900-01-01,IRQ",
        "1D,BABAN,AZAD,male,1980-02-30,IRAQ",
        ",,,,,IRQ",
    ]
    refused = await desk.manifest(flight, "\n".join(rows).encode())
    assert refused.status_code == 422
    found = {
        (error["row"], error["pointer"].rpartition("/")[2], error["code"])
        for error in refused.json()["errors"]
    }
    assert {
        (3, "sex", "enum"),
        (5, "birth_date", "sentinel_birth_date"),
        (6, "birth_date", "date_from_datetime_parsing"),
        (6, "nationality", "bad_nationality"),
        (7, "5", "nobody"),
    } == found
    assert "mann" not in refused.text
    assert await arrivals_on(desk, flight) == 0
    two = await desk.manifest(flight, "\n".join([rows[0], rows[1], rows[3]]).encode())
    assert [(error["row"], error["code"]) for error in two.json()["errors"]] == [(3, "seat_taken")]
    assert two.json()["groups"] == [
        {
            "code": "seat_taken",
            "field": "seat",
            "detail": two.json()["errors"][0]["detail"],
            "count": 1,
            "rows": [3],
        }
    ]
    assert (await desk.manifest(flight, b"seat,nationality,phone\n1A,IRQ,1\n")).status_code == 422
    unreadable = await desk.manifest(flight, "seat,nationality\n1A,\u0416\u0437".encode("cp1251"))
    assert unreadable.json()["errors"][0]["code"] == "unreadable_file"


async def test_a_manifest_and_a_referral_that_name_the_same_person_make_one_arrival(desk: Desk):
    person, other = Person(), Person()
    await desk.expect(person)
    await desk.recognise(person, marks=[desk.marks.reference("BAMF-2026-1", 0).hex()])
    flight = await desk.announce(scheduled_at=(LANDS_AT + timedelta(hours=3)).isoformat())
    passengers = [
        NAMED | {"external_reference": "bamf-2026-1", "person": 0},
        {**NAMED, "seat": "3B", "document_number": "LP287236", "document_kind": "laissez_passer"},
        SEAT,
    ]
    taken = await desk.manifest(flight, passengers)
    assert (taken.json()["passengers"], taken.json()["recognised"]) == (3, 1)
    (arrival,) = await desk.arrivals_of(person)
    assert await arrivals_on(desk, flight) == 3
    seats = await desk.passengers(flight)
    assert (seats["3A"]["arrival_id"], seats["3A"]["returnee_id"]) == (str(arrival), str(person.id))
    moved = [
        data["expected_at"]
        for kind, data in await desk.published(person)
        if kind == "arrival.expected"
    ]
    assert len(moved) == 2

    before = seats["3B"]["arrival_id"]  # the referral comes after the manifest
    await desk.expect(other)
    await desk.recognise(other, marks=[desk.marks.document("LP 287236").hex()])
    (theirs,) = await desk.arrivals_of(other)
    assert (await desk.passengers(flight))["3B"]["arrival_id"] == str(theirs) != before
    assert await arrivals_on(desk, flight) == 3
    assert (await desk.post(f"/{before}/check-in")).json()["id"] == str(
        theirs
    )  # a tablet still knows the old id


async def test_a_merged_person_is_recognised_by_the_marks_of_either_id(desk: Desk):
    person, other = Person(), Person()
    await desk.expect(person)
    await desk.recognise(person, marks=[desk.marks.reference("BAMF-MERGED-1", 0).hex()])
    await desk.tell(other.opened())
    await desk.recognise(other, marks=[desk.marks.document("LP 461188").hex()])
    await desk.tell(cases.ReturneeMerged(returnee_id=person.id, into=other.id))
    flight = await desk.announce()
    by_paper = {**NAMED, "document_number": "LP461188", "document_kind": "laissez_passer"}
    taken = await desk.manifest(flight, [by_paper])
    assert taken.json()["recognised"] == 1
    assert (await desk.passengers(flight))["3A"]["returnee_id"] == str(person.id)
    twice = await desk.manifest(
        flight,
        [by_paper | {"external_reference": "BAMF-MERGED-1", "person": 0}],
        version=taken.headers["etag"],
    )
    assert twice.status_code in {200, 201}, twice.text
    assert (await desk.passengers(flight))["3A"]["returnee_id"] == str(person.id)


async def test_who_is_not_referred_gets_an_id_when_they_are_met_and_cases_can_adopt_them(
    desk: Desk,
):
    flight = await desk.announce()
    await desk.manifest(flight, [NAMED, SEAT])
    seats = await desk.passengers(flight)
    met = await desk.post(f"/{seats['3A']['arrival_id']}/check-in")
    assert met.status_code == 200, met.text
    assert (met.json()["walk_in"], met.json()["state"]) == (True, "met")
    person = Person()
    person.id = met.json()["returnee_id"]
    ((kind, data),) = await desk.published(person)
    assert (kind, data["walk_in"], data["programme"]) == ("arrival.received", True, "eurp")
    asked = await desk.call("GET", f"/v1/arrivals/{met.json()['id']}/identity", organisation=None)
    assert (asked.json()["organisation"], asked.json()["country_of_return"]) == ("iom-iraq", "IRQ")
    assert asked.json()["documents"] == [
        {"kind": "passport", "number": "A51951406", "issuer": "IRQ"}
    ]
    assert (await desk.call("GET", f"/v1/arrivals/{met.json()['id']}/identity")).status_code == 403

    unknown = await desk.post(f"/{seats['9F']['arrival_id']}/check-in")
    assert (unknown.status_code, unknown.json()["type"]) == (409, "/problems/particulars-required")
    particulars = {
        "names": [{"script": "Latn", "given": "Zaynab", "family": "Example"}],
        "sex": "female",
        "birth": {"date": "1990-01-01", "precision": "estimated"},
        "nationality": "IRQ",
    }
    bound = await desk.post(f"/{seats['9F']['arrival_id']}/bind", particulars=particulars)
    assert bound.status_code == 200, bound.text
    assert (await desk.post(f"/{seats['9F']['arrival_id']}/check-in")).json()["walk_in"] is True


async def test_a_seat_is_bound_to_a_returnee_whose_arrival_it_becomes(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    flight = await desk.announce()
    await desk.manifest(flight, [SEAT])
    seat = (await desk.passengers(flight))["9F"]["arrival_id"]
    bound = await desk.post(f"/{seat}/bind", returnee_id=person.id)
    assert (bound.json()["id"], bound.json()["flight_id"]) == (str(arrival), flight)
    assert "arrival.bound" in [kind for kind, _ in await desk.published(person)]
    assert await desk.arrivals_of(person) == [arrival]


async def test_a_new_version_loses_nothing_that_was_done(desk: Desk):
    flight = await desk.announce()
    first = await desk.manifest(
        flight,
        [NAMED, SEAT, {**SEAT, "seat": "9G"}, {**NAMED, "seat": "4A", "document_number": "B1"}],
    )
    seats = await desk.passengers(flight)
    await desk.post(f"/{seats['3A']['arrival_id']}/check-in")
    second = await desk.manifest(
        flight,
        [
            {**NAMED, "seat": "9F", "document_number": "C7"},
            {**NAMED, "seat": "5A", "document_number": "B1"},
        ],
        version=first.headers["etag"],
    )
    assert {name: second.json()[name] for name in ("added", "changed", "removed", "kept")} == {
        "added": 0,
        "changed": 2,
        "removed": 1,
        "kept": 1,
    }
    after = await desk.passengers(flight)
    assert after["3A"]["state"] == "met"  # off the list, but at the desk
    assert after["9F"]["arrival_id"] == seats["9F"]["arrival_id"]  # the seat has a name now
    assert after["5A"]["arrival_id"] == seats["4A"]["arrival_id"]
    stale = await desk.manifest(flight, [], version=first.headers["etag"])
    assert stale.status_code == 412


async def test_the_desk_that_meets_a_flight_sees_who_was_recognised_on_it(desk: Desk):
    person = Person()
    arrival = await desk.expect(person, implementer="ewec")
    await desk.recognise(person, marks=[desk.marks.reference("BAMF-EWEC-1", 0).hex()])
    assert (await desk.get(f"/{arrival}")).status_code == 404
    flight = await desk.announce(receiver="iom-iraq")
    await desk.manifest(flight, [NAMED | {"external_reference": "BAMF-EWEC-1", "person": 0}])
    assert (await desk.post(f"/{arrival}/check-in")).status_code == 200


async def test_two_passengers_whom_nothing_tells_apart_are_refused(desk: Desk):
    flight = await desk.announce()
    twin = {
        name: NAMED[name] for name in ("family_name", "given_names", "birth_date", "nationality")
    }
    refused = await desk.manifest(flight, [twin, twin])
    (error,) = refused.json()["errors"]
    assert (error["code"], error["pointer"]) == ("not_told_apart", "/passengers/1/seat")
    assert "BABAN" not in refused.text
    assert (await desk.manifest(flight, [twin, twin | {"seat": "3B"}])).json()["added"] == 2


async def test_who_was_met_stays_the_same_when_a_spelling_or_a_number_is_corrected(desk: Desk):
    flight = await desk.announce()
    unsure = {name: value for name, value in NAMED.items() if not name.startswith("document")}
    taken = await desk.manifest(flight, [unsure])
    arrival = (await desk.passengers(flight))["3A"]["arrival_id"]
    assert (await desk.post(f"/{arrival}/check-in")).status_code == 200
    corrected = unsure | {
        "given_names": "KAMRAN",
        "document_number": "A51951406",
        "document_kind": "passport",
    }
    taken = await desk.manifest(flight, [corrected], version=taken.headers["etag"])
    assert (taken.json()["added"], taken.json()["changed"]) == (0, 1)
    assert await arrivals_on(desk, flight) == 1
    other = {"seat": "3A", "family_name": "OTHER", "given_names": "ONE", "nationality": "IRQ"}
    taken = await desk.manifest(flight, [other], version=taken.headers["etag"])
    assert (taken.json()["added"], taken.json()["kept"]) == (1, 1)


async def test_what_happened_to_a_seat_is_not_handed_to_who_has_it_next(desk: Desk):
    flight = await desk.announce()
    taken = await desk.manifest(flight, [SEAT])
    arrival = (await desk.passengers(flight))["9F"]["arrival_id"]
    assert (await desk.post(f"/{arrival}/no-show")).status_code == 200
    taken = await desk.manifest(flight, [NAMED | {"seat": "9F"}], version=taken.headers["etag"])
    assert (taken.json()["added"], taken.json()["kept"]) == (1, 1)


async def test_an_erased_person_does_not_come_back_with_the_next_version(desk: Desk):
    person = Person()
    await desk.expect(person)
    await desk.recognise(person, marks=[desk.marks.reference("BAMF-ERASED-1", 0).hex()])
    flight = await desk.announce()
    line = NAMED | {"external_reference": "BAMF-ERASED-1", "person": 0}
    taken = await desk.manifest(flight, [line])
    await desk.tell(cases.ReturneeErased(returnee_id=person.id))
    again = await desk.manifest(flight, [line | {"seat": "4A"}], version=taken.headers["etag"])
    assert (again.json()["added"], again.json()["changed"]) == (0, 0)
    async with desk.homeward.database.transaction() as session:
        (row,) = await session.scalars(select(Passenger).where(Passenger.flight_id == flight))
        assert (row.sealed, row.document_digest, row.reference_digest) == (None, None, None)
    other = {"seat": row.seat, "family_name": "OTHER", "given_names": "ONE", "nationality": "IRQ"}
    after = await desk.manifest(flight, [other], version=again.headers["etag"])
    assert after.json()["added"] == 1, "nobody is lost because of who had their seat"


async def test_delay_diversion_and_cancellation_reach_who_is_on_it(desk: Desk):
    person = Person()
    arrival = await desk.expect(person, port_of_entry="BGW")
    flight = await desk.announce(port_of_entry="BGW", carrier="TK", flight_number="TK808")
    await desk.recognise(person, marks=[desk.marks.reference("X-1", 0).hex()])
    taken = await desk.manifest(flight, [SEAT, {**NAMED, "external_reference": "X-1", "person": 0}])
    later = (LANDS_AT + timedelta(hours=5)).isoformat()
    late = await desk.call(
        "PATCH",
        f"/v1/flights/{flight}",
        json={"scheduled_at": later},
        headers={"If-Match": taken.headers["etag"]},
    )
    assert late.status_code == 200, late.text
    diverted = await desk.call(
        "POST", f"/v1/flights/{flight}/diverted", json={"port_of_entry": "BSR"}
    )
    assert diverted.json()["previous_port"] == "BGW"
    shown = (await desk.get(f"/{arrival}")).json()
    assert (shown["state"], shown["port_of_entry"]) == ("diverted", "BSR")
    assert (await desk.post(f"/{arrival}/check-in")).json()["state"] == "met"
    assert (await desk.call("POST", f"/v1/flights/{flight}/landed", json={})).json()[
        "state"
    ] == "landed"
    refused = await desk.call("POST", f"/v1/flights/{flight}/cancelled", json={})
    assert (refused.status_code, refused.json()["allowed"]) == (409, ["manifest"])
    told = [kind for kind, _ in await desk.published(person)]
    assert told == ["arrival.expected", "arrival.expected", "arrival.diverted", "arrival.received"]
    async with desk.homeward.database.transaction() as session:
        query = select(outbox.c.type).where(outbox.c.aggregateid == flight).order_by(outbox.c.seq)
        about = [name.split(".")[4] for name in await session.scalars(query)]
    assert about == ["announced", "updated", "diverted", "landed"]


async def test_who_was_to_come_on_a_cancelled_flight_is_expected_again_by_another_journey(
    desk: Desk,
):
    person = Person()
    arrival = await desk.expect(person)
    await desk.recognise(person, marks=[desk.marks.reference("X-2", 0).hex()])
    flight = await desk.announce()
    await desk.manifest(flight, [{**NAMED, "external_reference": "X-2", "person": 0}])
    await desk.call("POST", f"/v1/flights/{flight}/cancelled", json={})
    assert (await desk.get(f"/{arrival}")).json()["state"] == "not_departed"
    rebooked = LANDS_AT + timedelta(days=1)
    await desk.tell(cases.TravelChanged(**person.journey(arrives_at=rebooked, revision=2)))
    assert (await desk.get(f"/{arrival}")).json()["state"] == "expected"


class TestDisclosure:
    async def test_an_authority_gets_the_papers_and_nothing_of_the_desk(self, desk: Desk):
        flight = await desk.announce()
        await desk.manifest(
            flight,
            [{**NAMED, "remarks": ["medical"], "destination": "IQ-NI", "family_group": "F1"}, SEAT],
        )
        query = {
            "view": "authority",
            "recipient": "border-police-erbil",
            "purpose": "border_control",
        }
        reduced = await desk.call("GET", f"/v1/flights/{flight}/manifest", params=query)
        assert set(reduced.json()["passengers"][0]) == {
            *(
                "seat",
                "family_name",
                "given_names",
                "sex",
                "birth_date",
                "birth_precision",
                "nationality",
                "document_kind",
            ),
            "document_number",
        }
        for word in ("medical", "IQ-NI", "arrival_id", "programme"):
            assert word not in reduced.text
        assert (
            await desk.call("GET", f"/v1/flights/{flight}/manifest", params={"view": "authority"})
        ).status_code == 422
        page = await desk.call(
            "GET", f"/v1/flights/{flight}/manifest", headers={"Accept": "text/html"}
        )
        assert page.headers["content-type"].startswith("text/html")
        assert "كامران بابان" in page.text
        assert "BABAN" in page.text
        sheet = await desk.call(
            "GET", f"/v1/flights/{flight}/manifest", headers={"Accept": "text/csv"}
        )
        lines = list(csv.DictReader(io.StringIO(sheet.text.removeprefix("\ufeff"))))
        assert [line["seat"] for line in lines] == ["3A", "9F"]
        async with desk.homeward.database.transaction() as session:
            rows = await session.scalars(
                select(audit.c.details)
                .where(audit.c.action == "disclose-manifest", audit.c.resource_id == flight)
                .order_by(audit.c.id)
            )
            recorded = [
                (row["form"], row["view"], row.get("recipient"), row.get("purpose")) for row in rows
            ]
        assert recorded == [
            ("json", "authority", "border-police-erbil", "border_control"),
            ("page", "desk", None, None),
            ("csv", "desk", None, None),
        ]

    async def test_who_takes_no_part_in_a_flight_sees_nothing_of_it(self, desk: Desk):
        flight = await desk.announce(receiver=None)
        await desk.manifest(flight, [SEAT])
        seat = (await desk.passengers(flight))["9F"]["arrival_id"]
        for path in (
            f"/v1/flights/{flight}",
            f"/v1/flights/{flight}/manifest",
            f"/v1/arrivals/{seat}",
        ):
            assert (await desk.call("GET", path, organisation="ewec")).status_code == 404
            assert (await desk.call("GET", path, organisation="frontex")).status_code == 200
        listed = (await desk.call("GET", "/v1/flights", organisation="ewec")).json()["items"]
        assert flight not in [item["id"] for item in listed]

    async def test_a_day_is_the_ports_day(self, desk: Desk):
        flight = await desk.announce(port_of_entry="ISU")

        async def on(day: str, **query: str) -> list[str]:
            answer = await desk.call("GET", "/v1/flights", params={"date": day, **query})
            return [item["id"] for item in answer.json()["items"]]

        assert flight in await on("2026-03-15", port="ISU")
        assert flight in await on("2026-03-15")
        assert flight not in await on("2026-03-14", port="ISU")


async def test_the_list_of_flights_is_printed_too(desk: Desk):
    flight = await desk.announce(
        port_of_entry="NJF", carrier="TK", flight_number="TK808", charter=False
    )
    query = {"port": "NJF"}
    sheet = await desk.call("GET", "/v1/flights", params=query, headers={"Accept": "text/csv"})
    lines = list(csv.DictReader(io.StringIO(sheet.text.removeprefix("\ufeff"))))
    assert [(line["id"], line["flight_number"], line["state"]) for line in lines] == [
        (flight, "TK808", "announced")
    ]
    page = await desk.call("GET", "/v1/flights", params=query, headers={"Accept": "text/html"})
    assert "15 Mar 2026 01:30" in page.text
    nothing = await desk.call(
        "GET", "/v1/flights", params={"port": "IQTRB"}, headers={"Accept": "text/html"}
    )
    assert "Nothing." in nothing.text
