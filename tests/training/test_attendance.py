"""Attendance and what follows: thresholds, corrections that are told, certificates that name
nobody.
"""

from datetime import timedelta
from uuid import uuid4

import pytest
from fpdf import FPDF

from services.training.certificates.pdf import FONT, FONT_FILE, MARGIN, fitted
from services.training.courses.schemas import CourseIn
from tests.training.school import HOUR, School, sessions


async def test_a_whole_sheet_at_once_and_again_by_the_same_capture(school: School) -> None:
    cohort = await school.cohort(sessions=sessions(-5 * HOUR, -2 * HOUR, hours=1))
    people = [await school.somebody() for _ in range(2)]
    one, two = [(await school.enrol(cohort, person))["id"] for person in people]
    capture = str(uuid4())
    first = await school.attend(cohort, 1, {one: "present", two: "absent"}, capture_id=capture)
    assert first.status_code == 200, first.text
    again = await school.attend(cohort, 1, {one: "present", two: "absent"}, capture_id=capture)
    assert (again.status_code, again.json()) == (200, first.json())
    other = await school.attend(cohort, 1, {one: "absent", two: "absent"}, capture_id=capture)
    assert other.status_code == 409
    another = await school.attend(
        cohort, 1, {one: "absent", two: "absent"}, capture_id=str(uuid4())
    )
    assert another.status_code == 412
    told = await school.published(people[0])
    assert [name for name, _ in told][-2:] == ["enrolment.started", "attendance.recorded"]
    recorded = told[-1][1]
    assert (recorded["status"], recorded["minutes"], recorded["stipend"], recorded["session"]) == (
        "present",
        60,
        True,
        1,
    )
    assert [name for name, _ in await school.published(people[1])][-1] == "attendance.recorded"
    assert (await school.enrolment(two))["state"] == "enrolled"
    assert (await school.enrolment(one))["attendance"] == {
        "attended": 60,
        "held": 120,
        "percent_needed": 80,
        "sufficient": False,
    }


async def test_a_correction_is_audited_and_told_with_what_was_said_before(school: School) -> None:
    person, done = await school.finished()
    cohort, enrolment, code = done["cohort_id"], done["id"], done["certificate_code"]
    path = f"/v1/cohorts/{cohort}/sessions/2/attendance"
    seen = (await school.get(path)).headers["etag"]
    lower = await school.attend(cohort, 2, {enrolment: "absent"}, seen=seen)
    assert lower.status_code == 200, lower.text
    (name, told), (next_name, next_told) = (await school.published(person))[-2:]
    assert (name, next_name) == ("attendance.corrected", "certificate.invalidated")
    assert next_told["enrolment_id"] == enrolment
    assert (told["previous_status"], told["previous_minutes"]) == ("present", 60)
    assert (told["status"], told["minutes"], told["sufficient"]) == ("absent", 0, False)
    assert (await school.http.get(f"/v1/certificates/{code}")).json()["valid"] is False
    rows = await school.sql(
        "SELECT details FROM audit WHERE action = 'correct' AND resource_id = :id", id=cohort
    )
    assert rows[0].details["corrected"] == [
        {"enrolment": enrolment, "from": "present", "to": "absent"}
    ]
    assert await school.sql(
        "SELECT 1 FROM audit WHERE action = 'invalidate' AND resource = 'certificate'"
    )
    await school.attend(cohort, 2, {enrolment: "late"}, seen=lower.headers["etag"])
    assert (await school.published(person))[-1][0] == "certificate.restored"
    assert (await school.http.get(f"/v1/certificates/{code}")).json()["valid"] is True


async def test_what_is_told_of_attendance_says_what_pays_for_it_each_session_once(
    school: School,
) -> None:
    cohort = await school.cohort(sessions=sessions(-5 * HOUR, -2 * HOUR, hours=1.5))
    person, other = [await school.somebody() for _ in range(2)]
    allowance = {"id": str(uuid4()), "kind": "living_allowance", "beneficiary": str(person.id)}
    await school.approve(person, allowance)
    one, two = [(await school.enrol(cohort, each))["id"] for each in (person, other)]
    sheet = {one: "late", two: "excused"}
    seen = (await school.attend(cohort, 1, sheet)).headers["etag"]
    await school.attend(cohort, 1, sheet, seen=seen)  # the same again says nothing
    await school.attend(cohort, 2, {one: "present"})
    told = [data for name, data in await school.published(person) if name == "attendance.recorded"]
    assert [(each["session"], each["status"], each["minutes"]) for each in told] == [
        (1, "late", 90),
        (2, "present", 90),
    ]
    assert {each["allowance_line_id"] for each in told} == {allowance["id"]}
    assert {each["case_id"] for each in told} == {str(person.case_id)}
    ((_, unpaid),) = [
        each for each in await school.published(other) if each[0] == "attendance.recorded"
    ]
    assert (unpaid["status"], unpaid["minutes"], "allowance_line_id" in unpaid) == (
        "excused",
        0,
        False,
    )


async def test_only_who_has_a_place_is_on_the_sheet_and_only_of_what_was_held(
    school: School,
) -> None:
    cohort = await school.cohort(
        capacity=1, sessions=sessions(-2 * HOUR, timedelta(days=1), hours=1)
    )
    placed, waiting = (await school.enrol(cohort))["id"], (await school.enrol(cohort))["id"]
    answer = await school.attend(cohort, 1, {placed: "present", waiting: "present"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/entries/1/enrolment_id"
    assert (await school.attend(cohort, 2, {placed: "present"})).json()["errors"][0][
        "code"
    ] == "not_begun"
    assert (await school.attend(cohort, 3, {placed: "present"})).status_code == 404
    assert (await school.attend(cohort, 1, {placed: "present"})).status_code == 200
    moved = await school.patch(
        f"/v1/cohorts/{cohort}", sessions=sessions(-3 * HOUR, timedelta(days=1), hours=1)
    )
    assert moved.status_code == 409


async def test_too_little_is_not_completed(school: School) -> None:
    cohort = await school.cohort(sessions=sessions(-5 * HOUR, -2 * HOUR, hours=1))
    enrolment = await school.enrol(cohort)
    await school.attend(cohort, 1, {enrolment["id"]: "present"})
    answer = await school.decide(f"/v1/enrolments/{enrolment['id']}", "complete")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/attendance-insufficient")
    assert "60 of 120" in answer.json()["detail"]


async def test_a_course_may_ask_for_less_than_its_programme(school: School) -> None:
    cohort = await school.cohort(
        await school.course(attendance_percent=50), sessions=sessions(-5 * HOUR, -2 * HOUR, hours=1)
    )
    enrolment = await school.enrol(cohort)
    await school.attend(cohort, 1, {enrolment["id"]: "present"})
    assert (await school.decide(f"/v1/enrolments/{enrolment['id']}", "complete")).status_code == 200


async def test_a_certificate_is_verified_without_a_token_and_without_a_name(school: School) -> None:
    person, done = await school.finished()
    public = await school.http.get(f"/v1/certificates/{done['certificate_code'].lower()}")
    assert public.status_code == 200
    assert public.json().keys() == {
        "code",
        "valid",
        "title",
        "hours",
        "provider",
        "starts_on",
        "ends_on",
        "issued_on",
    }
    assert (await school.http.get("/v1/certificates/0000-0000-0000-0000")).status_code == 404
    paper = f"/v1/enrolments/{done['id']}/certificate"
    assert (await school.get(paper)).status_code == 503  # the name has not been fetched yet
    await school.recognise(person)
    pdf = await school.get(paper)
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")
    reads = await school.sql(
        "SELECT 1 FROM audit WHERE action = 'read-identity' AND resource = 'certificate'"
    )
    assert reads
    told = [name for name, _ in await school.published(person)]
    assert told[-2:] == ["enrolment.completed", "certificate.issued"]


def test_a_certificate_has_room_for_every_name() -> None:
    page = FPDF(orientation="landscape", format="A4")
    page.add_font(FONT, fname=FONT_FILE)
    page.set_text_shaping(True)
    page.add_page()
    short, long = "Ismail al-Dulaimi", " ".join(["Abd-al-Rahman"] * 9)
    for text, most in (
        (short, 1),
        ("زینب محەممەد ئەمین", 1),
        (long, 2),
        ("عبد الرحمن نور الدين " * 6, 2),
        ("W" * 200, 1),
    ):
        lines = fitted(page, text, 26)
        assert len(lines) <= most
        assert " ".join(lines) == " ".join(text.split())
        assert max(page.get_string_width(line) for line in lines) <= page.w - 2 * MARGIN
        assert page.font_size * len(lines) <= 14
    fitted(page, short, 26)
    assert page.font_size_pt == 26


async def test_assessed_evaluated_and_given_the_manual(school: School) -> None:
    person, done = await school.finished()
    path = f"/v1/enrolments/{done['id']}"
    assert (await school.post(f"{path}/assess", stage="before", score=30)).status_code == 200
    assert (await school.post(f"{path}/assess", stage="after", score=75)).json()[
        "score_after"
    ] == 75
    assert (await school.post(f"{path}/manual", handed_on="2026-01-05")).json()[
        "manual_on"
    ] == "2026-01-05"
    assert (await school.post(f"{path}/manual", handed_on="2099-01-05")).status_code == 422
    assert (
        await school.post(f"{path}/evaluate", overall=4, content=5, trainer=4)
    ).status_code == 200
    told = [data for name, data in await school.published(person) if name == "enrolment.assessed"]
    assert [data["stage"] for data in told] == ["before", "after"]
    assert not any("score" in data for data in told)


async def test_a_place_is_given_back_by_who_drops_out_or_never_came(school: School) -> None:
    cohort = await school.cohort(
        sessions=sessions(-2 * HOUR, *(timedelta(days=d) for d in range(1, 10)), hours=1)
    )
    came, absent = [(await school.enrol(cohort))["id"] for _ in range(2)]
    next_one, last = [(await school.enrol(cohort))["id"] for _ in range(2)]
    await school.attend(cohort, 1, {came: "present", absent: "absent"})
    gone = await school.post(f"/v1/enrolments/{absent}/no-show")
    assert gone.json()["state"] == "no_show"
    assert (await school.enrolment(next_one))["state"] == "offered"
    dropped = await school.post(
        f"/v1/enrolments/{came}/drop-out", reason="found_work", comment="began on Monday"
    )
    assert (dropped.json()["state"], dropped.json()["reason"]) == ("dropped_out", "found_work")
    assert (await school.enrolment(last))["state"] == "offered"
    assert (await school.post(f"/v1/enrolments/{came}/drop-out", reason="other")).status_code == 409


async def test_a_provider_sees_the_participants_of_its_cohorts_only(school: School) -> None:
    mine = await school.cohort(
        await school.course(provider="training-provider-7"), sessions=sessions(-2 * HOUR)
    )
    theirs = await school.cohort(await school.course(provider="training-provider-8"))
    person = await school.somebody()
    here, there = [(await school.enrol(cohort, person))["id"] for cohort in (mine, theirs)]
    await school.recognise(person)
    provider = "training-provider-7"
    roster = await school.get(f"/v1/cohorts/{mine}/participants", organisation=provider)
    assert [entry["identity"]["names"][0]["given"] for entry in roster.json()["items"]] == [
        "Ismail"
    ]
    assert (
        await school.get(f"/v1/cohorts/{theirs}/participants", organisation=provider)
    ).status_code == 404
    assert (await school.get(f"/v1/enrolments/{here}", organisation=provider)).status_code == 200
    assert (await school.get(f"/v1/enrolments/{there}", organisation=provider)).status_code == 404
    sheet = await school.attend(mine, 1, {here: "present"}, organisation=provider)
    assert sheet.status_code == 200
    stranger = await school.get(f"/v1/enrolments/{here}", organisation="iom-albania")
    assert stranger.status_code == 404


async def test_a_certificate_says_what_the_course_was_when_the_cohort_was_scheduled(
    school: School,
) -> None:
    course = await school.course(stipend=False, attendance_percent=50)
    cohort = await school.cohort(course, sessions=sessions(-5 * HOUR, -2 * HOUR, hours=1))
    path = f"/v1/courses/{course['id']}"
    seen = (await school.get(path)).headers["etag"]
    now_is = {name: course[name] for name in CourseIn.model_fields if name in course}
    now_is |= {
        "title": "Grown",
        "hours": "40",
        "days": 5,
        "isco_08": None,
        "stipend": True,
        "attendance_percent": 100,
    }
    now_is |= {"programmes": ["eurp"], "provider": "training-provider-5"}
    assert (await school.put(path, seen=seen, **now_is)).status_code == 200
    enrolment = await school.enrol(cohort)
    await school.attend(cohort, 1, {enrolment["id"]: "present"})
    done = await school.decide(f"/v1/enrolments/{enrolment['id']}", "complete")
    assert done.status_code == 200, done.text
    certificate = (
        await school.http.get(f"/v1/certificates/{done.json()['certificate_code']}")
    ).json()
    assert (certificate["title"], certificate["hours"]) == ("Barbering and hairdressing", "4")
    assert (await school.get(f"/v1/enrolments/{enrolment['id']}/profile")).json()[
        "occupations"
    ] == ["5141"]
    assert done.json()["stipend"] is False


async def test_a_course_is_completed_after_its_last_session(school: School) -> None:
    cohort = await school.cohort(
        await school.course(attendance_percent=50),
        sessions=sessions(-2 * HOUR, timedelta(days=1), hours=1),
    )
    enrolment = await school.enrol(cohort)
    await school.attend(cohort, 1, {enrolment["id"]: "present"})
    answer = await school.decide(f"/v1/enrolments/{enrolment['id']}", "complete")
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "the course goes on: it is completed after its last session",
    )


async def test_a_certificate_that_does_not_hold_is_not_drawn(school: School) -> None:
    person, done = await school.finished()
    await school.recognise(person)
    sheet = f"/v1/cohorts/{done['cohort_id']}/sessions/2/attendance"
    await school.attend(
        done["cohort_id"], 2, {done["id"]: "absent"}, seen=(await school.get(sheet)).headers["etag"]
    )
    assert (await school.get(f"/v1/enrolments/{done['id']}/certificate")).status_code == 409


@pytest.mark.parametrize("left", ["drop-out", "no-show"])
async def test_what_was_recorded_of_who_left_is_put_right(school: School, left: str) -> None:
    cohort = await school.cohort(sessions=sessions(-3 * HOUR, timedelta(days=1), hours=1))
    person = await school.somebody()
    stays, leaves = (await school.enrol(cohort))["id"], (await school.enrol(cohort, person))["id"]
    sheet = {stays: "present", leaves: "present" if left == "drop-out" else "absent"}
    seen = (await school.attend(cohort, 1, sheet)).headers["etag"]
    await school.post(
        f"/v1/enrolments/{leaves}/{left}", **({"reason": "other"} if left == "drop-out" else {})
    )
    right = await school.attend(cohort, 1, {stays: "late", leaves: "excused"}, seen=seen)
    assert right.status_code == 200, right.text
    name, told = (await school.published(person))[-1]
    assert (name, told["status"], told["minutes"]) == ("attendance.corrected", "excused", 0)
    await school.sql(
        "UPDATE cohort_session SET starts_at = clock_timestamp(), ends_at = clock_timestamp() + "
        "interval"
        " '1 hour' WHERE cohort_id = :id AND number = 2",
        id=cohort,
    )
    later = await school.attend(cohort, 2, {stays: "present", leaves: "present"})
    assert [error["pointer"] for error in later.json()["errors"]] == ["/entries/1/enrolment_id"]
