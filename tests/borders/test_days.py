"""A fact of which only the day is known stands in the timeline on that day, told whenever."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from tests.platform import Platform, example, walk_of

BAGHDAD = ZoneInfo("Asia/Baghdad")


async def test_a_departure_stands_on_its_day_and_is_found_by_it(platform: Platform) -> None:
    walk = walk_of(platform)
    way = await walk.submit(example("FED-2019-00029"))
    for step in (walk.fund, walk.accept, walk.confirm_travel):
        await step(way)
    position = (await platform.log("cases"))[-1]["position"]
    partner = platform.client("iom-iraq")
    page = await platform.fresh_timeline(partner, way.returnees[0], up_to={"cases": position})
    (departed,) = [e for e in page["items"] if e["type"].endswith("cases.travel.departed.v1")]
    day = date.fromisoformat(departed["data"]["departed_on"])
    assert datetime.fromisoformat(departed["occurred_at"]).astimezone(BAGHDAD).date() == day
    around = {"from": f"{day}T00:00:00+03:00", "to": f"{day}T23:59:59+03:00"}
    found = await partner.get(f"/v1/returnees/{way.returnees[0]}/timeline", **around)
    assert departed["id"] in [entry["id"] for entry in found["items"]]
