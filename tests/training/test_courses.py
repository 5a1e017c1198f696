"""Courses: the list of them as it is, codes checked, revisions, cohorts and their calendar."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from icalendar import Calendar

from services.training.classifications import ISCED_F, ISCO_08
from services.training.courses.service import read_courses
from tests.training.school import School, sessions

LIST = Path(__file__).parents[2] / "examples" / "courses.csv"


async def imported(
    school: School, file: bytes, organisation: str = "iom-iraq"
) -> "tuple[int, dict[str, object]]":
    headers = school.headers(organisation) | {
        "Idempotency-Key": f"i-{next(school.numbers)}",
        "Content-Type": "text/csv",
    }
    answer = await school.http.post("/v1/courses/import", content=file, headers=headers)
    return answer.status_code, answer.json()


async def test_the_list_is_taken_over_as_it_is_and_again_changes_nothing(school: School) -> None:
    assert await imported(school, LIST.read_bytes()) == (
        200,
        {"created": 46, "changed": 0, "unchanged": 0, "providers": 14},
    )
    assert (await imported(school, LIST.read_bytes()))[1] == {
        "created": 0,
        "changed": 0,
        "unchanged": 46,
        "providers": 0,
    }
    changed = LIST.read_bytes().replace(
        b"Car mechanics,vocational,post_arrival,240", b"Car mechanics,vocational,post_arrival,200"
    )
    assert (await imported(school, changed))[1] == {
        "created": 0,
        "changed": 3,
        "unchanged": 43,
        "providers": 0,
    }
    found = (
        await school.get("/v1/courses", kind="vocational", programme="amif-be-2018", limit=200)
    ).json()["items"]
    mechanics = [course for course in found if course["code"] == "C021"]
    assert [(course["revision"], course["hours"]) for course in mechanics] == [(2, "200")]
    online = [
        c
        for c in (await school.get("/v1/courses", limit=200)).json()["items"]
        if c["code"] == "C040"
    ]
    assert [(course["online"], course["city"]) for course in online] == [(True, None)]


async def test_a_list_with_defects_is_refused_whole_with_every_row(school: School) -> None:
    text = LIST.read_text().splitlines()
    rows = [
        text[0],
        text[1].replace("C001", "X1").replace(",0031,", ",0000,"),
        text[13].replace("C013", "X2").replace("1420", "1419"),
        text[2].replace("C002", "X3").replace("post_arrival", "whenever"),
        text[3].replace("C003", "X3"),
        "X5,short",
    ]
    status, problem = await imported(school, "\n".join(rows).encode(), "iom-albania")
    assert status == 422
    errors = {(error["row"], error["pointer"], error["code"]) for error in problem["errors"]}  # type: ignore[attr-defined]
    assert errors == {
        (2, "/isced_f", "unknown_isced_f"),
        (3, "/isco_08", "unknown_isco_08"),
        (4, "/phase", "enum"),
        (5, "/code", "duplicate_code"),
        (6, "", "columns"),
    }
    mine = await school.sql("SELECT count(*) FROM course WHERE organisation = 'iom-albania'")
    assert mine[0][0] == 0


def test_what_is_no_list_is_refused() -> None:
    for file in (b"", b"a,b\n1,2\n", b"\xff\xfe\x00", LIST.read_bytes().splitlines()[0]):
        bodies, errors = read_courses(file)
        assert not bodies
        assert len(errors) == 1


def test_the_classifications_are_whole() -> None:
    assert len(ISCO_08) == 436
    assert {"5141", "7231", "7422", "0110"} <= ISCO_08
    assert {"1012", "0716", "0231", "0413", "1013", "0732", "0415"} <= ISCED_F
    assert "5149" not in ISCO_08


async def test_only_who_offers_a_course_changes_it(school: School) -> None:
    course = await school.course()
    seen = (await school.get(f"/v1/courses/{course['id']}")).headers["etag"]
    names = set(course) - {
        "id",
        "created_at",
        "updated_at",
        "organisation",
        "revision",
        "provider_id",
    }
    body = {name: course[name] for name in names} | {
        "provider": "training-provider-5",
        "hours": "8",
    }
    stranger = await school.put(
        f"/v1/courses/{course['id']}", organisation="iom-albania", seen=seen, **body
    )
    assert stranger.status_code == 403
    changed = await school.put(f"/v1/courses/{course['id']}", seen=seen, **body)
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    assert (await school.put(f"/v1/courses/{course['id']}", seen=seen, **body)).status_code == 412


async def test_a_calendar_follows_changes_and_names_nobody(school: School) -> None:
    course = await school.course(title="Run your own business, part 1; the basics")
    cohort = await school.cohort(course, lecturers=["Somebody Known"], venue="Room 4")
    await school.enrol(cohort)
    before = await school.get(f"/v1/cohorts/{cohort}/calendar.ics")
    assert before.headers["content-type"].startswith("text/calendar")
    assert b"Somebody" not in before.content
    events = Calendar.from_ical(before.text).walk("VEVENT")
    assert [str(event["SUMMARY"]) for event in events] == [
        "Run your own business, part 1; the basics (1/2)",
        "Run your own business, part 1; the basics (2/2)",
    ]
    assert str(events[0]["LOCATION"]) == "Room 4, Baghdad"
    await school.patch(
        f"/v1/cohorts/{cohort}", sessions=sessions(timedelta(days=10), timedelta(days=11))
    )
    moved = Calendar.from_ical((await school.get(f"/v1/cohorts/{cohort}/calendar.ics")).text).walk(
        "VEVENT"
    )
    assert [event["UID"] for event in moved] == [event["UID"] for event in events]
    assert moved[0]["SEQUENCE"] > events[0]["SEQUENCE"]
    assert moved[0].start != events[0].start
    await school.decide(f"/v1/cohorts/{cohort}", "cancel")
    gone = Calendar.from_ical((await school.get(f"/v1/cohorts/{cohort}/calendar.ics")).text)
    assert str(gone["METHOD"]) == "CANCEL"
    assert {str(event["STATUS"]) for event in gone.walk("VEVENT")} == {"CANCELLED"}


async def test_a_calendar_keeps_local_time_when_clocks_change(school: School) -> None:
    """Two sessions at nine, before and after the clocks went forward in Helsinki; Baghdad's never
    do.
    """
    for country, city, zone, days in (
        (
            "FIN",
            "Helsinki",
            "Europe/Helsinki",
            ("2026-03-27T09:00:00+02:00", "2026-03-30T09:00:00+03:00"),
        ),
        ("IRQ", "Baghdad", None, ("2026-03-27T09:00:00+03:00", "2026-03-30T09:00:00+03:00")),
    ):
        meetings = [{"starts_at": day, "ends_at": day.replace("T09", "T12")} for day in days]
        course = await school.course(country=country, city=city)
        cohort = await school.cohort(course, sessions=meetings, time_zone=zone)
        seen = (await school.get(f"/v1/cohorts/{cohort}")).json()
        file = Calendar.from_ical((await school.get(f"/v1/cohorts/{cohort}/calendar.ics")).text)
        assert (str(file["VERSION"]), str(file["X-WR-TIMEZONE"])) == ("2.0", seen["time_zone"])
        for event, day in zip(file.walk("VEVENT"), days, strict=True):
            assert event.errors == []
            assert event.start == datetime.fromisoformat(day)
            assert event.start.astimezone(ZoneInfo(seen["time_zone"])).hour == 9
            assert event.end - event.start == timedelta(hours=3)
            assert event["DTSTART"].to_ical().endswith(b"Z")
            assert event["DTSTAMP"].dt.tzinfo is not None


async def test_sessions_are_in_order_and_where_they_are_is_known(school: School) -> None:
    course = await school.course()
    overlapping = sessions(timedelta(days=1), timedelta(days=1, hours=1))
    answer = await school.post("/v1/cohorts", course_id=course["id"], sessions=overlapping)
    assert answer.json()["errors"][0]["code"] == "session_order"
    abroad = await school.course(country="FIN", city="Helsinki")
    answer = await school.post(
        "/v1/cohorts", course_id=abroad["id"], sessions=sessions(timedelta(days=1))
    )
    assert answer.json()["errors"][0]["code"] == "time_zone_required"
