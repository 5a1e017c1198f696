"""A unique marker in every personal field; then everything that is not meant to know a person is searched for it."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from anyascii import anyascii

import chassis.app  # loads every chassis table
from chassis.db import metadata as chassis_metadata
from cli.demo import eventually
from cli.roles import ROLES
from services.cases.returnees.rules import plain
from tests.platform import Platform, example, walk_of

assert chassis.app

LATIN = ["Zqavrin", "Qhoxbert", "Wuzqilam", "Vexqadir", "Jyqtorab", "Xuqmaliq", "Pfaqzeen", "Ghiqzoor"]
ARABIC = ["ظقغثاذ", "ضغظثوق", "ذخغظيث", "ثظغضاق"]
FIELDS = {
    "given": LATIN[0],
    "father": LATIN[1],
    "grandfather": LATIN[2],
    "family": LATIN[3],
    "given_arab": ARABIC[0],
    "father_arab": ARABIC[1],
    "grandfather_arab": ARABIC[2],
    "family_arab": ARABIC[3],
    "document": "QZX7319046",
    "national_id": "198731904655",
    "phone": "+9647800007319",
    "birth": "1987-02-19",
    "district": LATIN[4],
    "address": "Qxstreet 7319",
    "notes": "remember the qzxnote 7319",
    "external_reference": "BAMF-CANARY-QX7319",
    "corrected_name": LATIN[5],
    "plan_description": "a workshop near qzxplace 7319",
    "accept_comment": "spoken with qzxuncle 7319",
    "close_comment": "moved to qzxcousin 7319",
    "search": LATIN[6],
    "error": LATIN[7],
}


def forms(marker: str) -> Iterator[bytes]:
    """A marker as it might be written somewhere: plain, normalised, escaped, in base64 at any offset."""
    written = {marker, marker.lower(), marker.upper(), anyascii(marker), anyascii(marker).lower(), plain(marker)}
    written |= {json.dumps(marker).strip('"')}
    for text in sorted(form for form in written if len(form) >= 5):
        raw = text.encode()
        yield raw
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + raw)
            whole = encoded[4 if offset else 0 : len(encoded) - 4]
            if len(whole) >= 6:
                yield whole


def canary() -> dict[str, Any]:
    """A referral with a marker in every personal field."""
    content = example("BAMF-2022-00009")
    person = content["people"][0]
    latin = dict(zip(("given", "father", "grandfather", "family"), LATIN, strict=False))
    arabic = dict(zip(("given", "father", "grandfather", "family"), ARABIC, strict=True))
    person |= {
        "names": [{"script": "Latn"} | latin, {"script": "Arab"} | arabic],
        "birth": {"date": FIELDS["birth"], "precision": "day"},
        "documents": [
            {"kind": "passport", "number": FIELDS["document"], "issuer": "IRQ", "expires": None},
            {"kind": "national_id", "number": FIELDS["national_id"], "issuer": "IRQ", "expires": None},
        ],
        "contacts": [{"kind": "phone", "value": FIELDS["phone"], "owner": "self", "safe_hours": None}],
    }
    destination = content["destination"] | {"district": FIELDS["district"], "address": FIELDS["address"]}
    return content | {
        "people": [person],
        "destination": destination,
        "notes": FIELDS["notes"],
        "external_reference": FIELDS["external_reference"],
    }


class Places:
    """Where was searched, and what was found."""

    def __init__(self) -> None:
        self.searched: dict[str, int] = {}
        self.found: list[str] = []
        self._forms = [(name, form) for name, marker in FIELDS.items() for form in forms(marker)]

    def search(self, place: str, content: bytes) -> None:
        self.searched[place] = self.searched.get(place, 0) + len(content)
        self.found += [f"{name} in {place}" for name, form in self._forms if form in content]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def journey(platform: Platform) -> list[tuple[str, bytes]]:
    """The journey with its corrections and refusals; what was refused, as it was answered."""
    walk = walk_of(platform)
    lines = walk._lines
    walk._lines = lambda way: [line | {"description": FIELDS["plan_description"]} for line in lines(way)]  # type: ignore[method-assign]
    way = await walk.submit(canary())
    path = f"/v1/referrals/{way.referral_id}"
    await walk.coordinator.decide(path, "accept", {"implementer": "iom-iraq", "comment": FIELDS["accept_comment"]})
    for step in (walk.accept, walk.confirm_travel, walk.meet, walk.plan):
        await step(way)
    partner, sender = walk.coordinator, platform.client("bamf", "counsellor-12")

    async def granted() -> Any:
        items = (await partner.get("/v1/grants", case_id=way.case_id))["items"]
        return [grant for grant in items if grant["plan_line_id"]]

    grants = await eventually(granted, "the plan's lines are grants")
    assert all(grant["description"] is None for grant in grants), "the words of a plan stay in cases"
    returnee = f"/v1/returnees/{way.returnees[0]}"
    tag = (await partner.send("GET", returnee)).headers["etag"]
    names = [{"script": "Latn", "given": FIELDS["corrected_name"], "father": "", "grandfather": "", "family": ""}]
    await partner.send("PATCH", returnee, json={"names": names}, headers={"If-Match": tag})
    await partner.decide(
        f"/v1/cases/{way.case_id}", "close", {"reason": "withdrawn", "comment": FIELDS["close_comment"]}
    )
    await partner.post("/v1/returnees/search", {"q": FIELDS["search"]})
    await walk.timeline(partner, way.returnees[0])

    wrong = FIELDS["error"]
    everything = canary()
    bad = everything["people"][0] | {"sex": wrong, "birth": {"date": wrong, "precision": wrong}, wrong: wrong}
    requests = [
        (sender, "POST", "/v1/referrals", {"json": everything | {"notes": "other content"}}),
        (sender, "POST", "/v1/referrals", {"json": everything | {"people": [bad], "destination": wrong, wrong: 1}}),
        (sender, "POST", "/v1/referrals", {"content": wrong.encode(), "headers": {"Content-Type": "application/json"}}),
        (sender, "POST", "/v1/referrals", {"json": wrong}),
        (partner, "POST", "/v1/returnees/search", {"json": {"q": {"x": wrong}}}),
        (partner, "GET", f"/v1/returnees/{wrong}", {}),
        (partner, "GET", f"/v1/arrivals?port={wrong}&{wrong}=1", {}),
        (partner, "GET", f"/v1/{wrong}/{wrong}", {}),
        (partner, "PUT", f"/v1/cases/{way.case_id}/plan", {"json": {"lines": wrong}, "headers": {"If-Match": wrong}}),
        (partner, "POST", f"/v1/cases/{way.case_id}/close", {"json": {}, "headers": {"If-Match": f'"{wrong}"'}}),
        (partner, "PATCH", returnee, {"json": {"names": [{wrong: wrong}]}, "headers": {"If-Match": '"0"'}}),
    ]
    answers = []
    for client, method, where, options in requests:
        answer = await client.call(method, where, **options)
        assert 400 <= answer.status_code < 500, f"{method} {where}: {answer.status_code}"
        answers.append((f"answer to a refused {method}", answer.content + repr(answer.headers).encode()))
    return answers


async def topics(platform: Platform) -> bytes:
    consumer = AIOKafkaConsumer(bootstrap_servers=platform.bootstrap)
    await consumer.start()
    content = b""
    try:
        partitions = [
            TopicPartition(topic, partition)
            for topic in await consumer.topics()
            for partition in consumer.partitions_for_topic(topic) or ()
            if topic.startswith("homeward.")
        ]
        assert partitions
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    content += (record.key or b"") + (record.value or b"") + repr(record.headers).encode()
    finally:
        await consumer.stop()
    return content


async def tables(platform: Platform, role: str) -> dict[str, bytes]:
    """Every table that is not meant to know a person, as text: all but the owner's own."""
    connection = await asyncpg.connect(platform.database_url(role))
    try:
        names = [
            row["tablename"]
            for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        if role == "cases":
            names = [name for name in names if name in chassis_metadata.tables]
        rows = {name: await connection.fetch(f'SELECT t::text AS line FROM "{name}" t') for name in names}
        return {name: "\n".join(row["line"] for row in lines).encode() for name, lines in rows.items()}
    finally:
        await connection.close()


async def test_no_marker_is_where_it_must_not_be(platform: Platform, journey: list[tuple[str, bytes]]) -> None:
    places = Places()
    for place, content in journey:
        places.search(place, content)
    places.search("Kafka", await topics(platform))
    for role in ROLES:
        for name, content in (await tables(platform, role)).items():
            places.search(f"{role}.{name}", content)
        metrics = await platform.client("bamf").call("GET", f"{platform.urls[role]}/metrics")
        assert b"homeward_" in metrics.content
        places.search(f"metrics of {role}", metrics.content)
    for log in sorted(Path(platform.machine.logs).iterdir()):
        places.search(f"log {log.name}", log.read_bytes())
    places.search("terminal", platform.output.read_bytes())
    assert places.searched["Kafka"] > 5000
    assert places.searched["cases.event_log"] > 5000
    assert places.searched["gateway.timeline"] > 2000
    assert places.searched["log cases.log"] > 2000
    assert places.searched["grants.assistance_grant"] > 100
    print(
        f"\n{len(FIELDS)} markers in {len(places._forms)} forms, searched in {len(places.searched)} places, "
        f"{sum(places.searched.values())} bytes"
    )
    assert sorted(set(places.found)) == []


async def test_the_search_would_find_one(platform: Platform, journey: list[tuple[str, bytes]]) -> None:
    """The owner's tables do hold the markers, so a search that finds nothing elsewhere is one that works."""
    connection = await asyncpg.connect(platform.database_url("cases"))
    rows = await connection.fetch("SELECT t::text AS line FROM referral t")
    await connection.close()
    places = Places()
    places.search("cases.referral", "\n".join(row["line"] for row in rows).encode())
    assert {found.partition(" in ")[0] for found in places.found} >= {"given", "family_arab", "phone", "notes"}
