"""What training does when cases or reception tells something."""

from datetime import timedelta
from uuid import UUID, uuid4

from contracts import cases, reception
from contracts.codes import CaseState
from tests.training.school import HOUR, School, sessions


def line(kind: str, person_id: UUID, line_id: UUID | None = None) -> dict[str, str]:
    return {
        "id": str(line_id or uuid4()),
        "kind": kind,
        "beneficiary": str(person_id),
        "description": "kept in cases",
    }


async def of(school: School, person_id: UUID) -> dict[str, str]:
    items = (await school.get("/v1/enrolments", returnee_id=person_id)).json()["items"]
    return {item["kind"]: item["state"] for item in items}


async def test_an_approved_plan_requests_what_it_asks_for_once(school: School) -> None:
    person = await school.somebody()
    lines = [
        line(kind, person.id) for kind in ("vocational_training", "language_training", "business")
    ]
    await school.approve(person, *lines)
    await school.approve(person, *lines)
    assert await of(school, person.id) == {"vocational": "requested", "language": "requested"}
    told = await school.published(person)
    assert [name for name, _ in told] == ["enrolment.requested"] * 2
    assert {data["plan_line_id"] for _, data in told} == {each["id"] for each in lines[:2]}


async def test_a_newer_version_cancels_what_it_asks_for_no_more_and_an_older_one_changes_nothing(
    school: School,
) -> None:
    person = await school.somebody()
    kept, dropped = line("vocational_training", person.id), line("language_training", person.id)
    await school.approve(person, kept, dropped)
    await school.approve(person, kept, plan_version=3)
    await school.approve(person, kept, dropped, plan_version=2)
    assert await of(school, person.id) == {"vocational": "requested", "language": "cancelled"}
    await school.approve(person, kept, dropped, plan_version=4)
    states = [
        item["state"]
        for item in (await school.get("/v1/enrolments", returnee_id=person.id)).json()["items"]
    ]
    assert sorted(states) == ["cancelled", "requested", "requested"]


async def test_what_a_plan_asks_for_is_given_a_cohort(school: School) -> None:
    person = await school.somebody()
    await school.approve(person, line("vocational_training", person.id))
    (wish,) = (await school.get("/v1/enrolments", returnee_id=person.id)).json()["items"]
    cohort = await school.cohort()
    answer = await school.decide(f"/v1/enrolments/{wish['id']}", "place", cohort_id=cohort)
    assert (answer.status_code, answer.json()["state"]) == (200, "enrolled"), answer.text
    assert answer.json()["plan_line_id"] == wish["plan_line_id"]
    again = await school.decide(
        f"/v1/enrolments/{wish['id']}", "place", cohort_id=await school.cohort()
    )
    assert again.status_code == 409


async def test_a_closed_case_cancels_what_has_not_begun_and_the_place_is_offered(
    school: School,
) -> None:
    cohort = await school.cohort(capacity=1)
    person = await school.somebody()
    first, second = await school.enrol(cohort, person), await school.enrol(cohort)
    begun = await school.cohort(sessions=sessions(-2 * HOUR, hours=1))
    attending = await school.enrol(begun, person)
    await school.attend(begun, 1, {attending["id"]: "present"})
    await school.tell(person.closed())
    await school.tell(person.closed())
    assert (await school.enrolment(first["id"]))["reason"] == "case_closed"
    assert (await school.enrolment(second["id"]))["state"] == "offered"
    assert (await school.enrolment(attending["id"]))["state"] == "attending"


async def test_a_return_that_does_not_take_place_cancels_what_has_not_begun(school: School) -> None:
    preparing = await school.course(
        phase="pre_departure",
        country="BEL",
        city="Brussels",
        isco_08=None,
        kind="orientation",
        isced_f="0031",
    )
    for told in ("withdrawn", "not_departed", "no_show"):
        cohort = await school.cohort(preparing, time_zone="Europe/Brussels")
        person = await school.somebody(CaseState.PRE_DEPARTURE)
        enrolment = await school.enrol(cohort, person)
        fact = {
            "withdrawn": lambda p: cases.ReferralWithdrawn(**p.ids, referrer="fedasil"),
            "not_departed": lambda p: cases.TravelNotDeparted(**p.ids, travel_id=uuid4()),
            "no_show": lambda p: reception.ArrivalNoShow(**p.ids, arrival_id=uuid4()),
        }[told](person)
        await school.tell(fact)
        assert (await school.enrolment(enrolment["id"]))["reason"] == "not_returned"


async def test_an_erased_person_leaves_counts_and_nothing_else(school: School) -> None:
    person, done = await school.finished()
    await school.recognise(person)
    path = f"/v1/enrolments/{done['id']}"
    await school.post(
        f"{path}/evaluate", overall=4, content=5, trainer=4, comment="a word of theirs"
    )
    await school.tell(cases.ReturneeErased(returnee_id=person.id))
    await school.tell(cases.ReturneeErased(returnee_id=person.id))
    assert (await school.get(path)).status_code == 404
    rows = await school.sql(
        "SELECT state, evaluation, comment, score_before FROM enrolment WHERE id = :id",
        id=done["id"],
    )
    assert tuple(rows[0]) == ("completed", None, None, None)
    for table, column in (
        ("seeker", "id"),
        ("identity_copy", "returnee_id"),
        ("participation", "subject_id"),
    ):
        left = await school.sql(f"SELECT count(*) FROM {table} WHERE {column} = :id", id=person.id)
        assert left[0][0] == 0, table
    assert (await school.published(person))[-1][0] == "returnee.scrubbed"
    assert (await school.http.get(f"/v1/certificates/{done['certificate_code']}")).json()[
        "valid"
    ] is True
    await school.recognise(person)
    assert (
        await school.sql("SELECT count(*) FROM identity_copy WHERE returnee_id = :id", id=person.id)
    )[0][0] == 0


async def test_a_health_related_course_is_told_as_care_only(school: School) -> None:
    course = await school.course(kind="psychosocial", isco_08=None, isced_f="0031")
    person = await school.somebody()
    await school.enrol(await school.cohort(course), person)
    for _, data in await school.published(person):
        assert data["group"] == "care"
        assert "kind" not in data


async def wishes(school: School, person_id: UUID) -> list[tuple[str, str | None]]:
    """State and reason of each enrolment of somebody, the oldest first."""
    items = (await school.get("/v1/enrolments", returnee_id=person_id)).json()["items"]
    return [(item["state"], item["reason"]) for item in reversed(items)]


async def test_what_ends_although_the_person_goes_on_is_asked_for_again(school: School) -> None:
    waits, missed, without = [await school.somebody() for _ in range(3)]
    course = await school.course(capacity=1)
    full, begun, cancelled = [
        await school.cohort(course, **values)
        for values in ({}, {"sessions": sessions(-2 * HOUR, timedelta(days=20), hours=1)}, {})
    ]
    first = (await school.enrol(full))["id"]
    ids = {}
    for person, cohort in ((waits, full), (missed, begun), (without, cancelled)):
        await school.approve(person, line("vocational_training", person.id))
        (wish,) = (await school.get("/v1/enrolments", returnee_id=person.id)).json()["items"]
        placed = await school.decide(f"/v1/enrolments/{wish['id']}", "place", cohort_id=cohort)
        assert placed.status_code == 200, placed.text
        ids[person.id] = wish["id"]
    await school.post(f"/v1/enrolments/{first}/cancel")
    await school.let_lapse(ids[waits.id])
    await school.post(f"/v1/enrolments/{ids[missed.id]}/no-show")
    await school.decide(f"/v1/cohorts/{cancelled}", "cancel")
    assert await wishes(school, waits.id) == [("cancelled", "offer_lapsed"), ("requested", None)]
    assert await wishes(school, missed.id) == [("no_show", None), ("requested", None)]
    assert await wishes(school, without.id) == [
        ("cancelled", "cohort_cancelled"),
        ("requested", None),
    ]
    for person in (waits, missed, without):
        lines = {
            data["plan_line_id"]
            for name, data in await school.published(person)
            if "plan_line_id" in data
        }
        assert len(lines) == 1


async def test_what_the_person_gave_up_is_asked_for_by_the_next_version_of_the_plan_only(
    school: School,
) -> None:
    person = await school.somebody()
    wanted = line("vocational_training", person.id)
    await school.approve(person, wanted)
    (wish,) = (await school.get("/v1/enrolments", returnee_id=person.id)).json()["items"]
    await school.post(f"/v1/enrolments/{wish['id']}/cancel")
    assert await wishes(school, person.id) == [("cancelled", "declined")]
    await school.approve(person, wanted, plan_version=2)
    assert await wishes(school, person.id) == [("cancelled", "declined"), ("requested", None)]


async def test_an_enrolment_by_hand_may_carry_out_a_line(school: School) -> None:
    person, other = await school.somebody(), await school.somebody()
    wanted, theirs = line("vocational_training", person.id), line("vocational_training", other.id)
    tongue = line("language_training", person.id)
    await school.approve(person, wanted, tongue)
    await school.approve(other, theirs)
    body = {
        "returnee_id": person.id,
        "cohort_id": await school.cohort(sessions=sessions(-2 * HOUR, hours=1)),
    }
    for which, status in ((theirs, 422), (tongue, 422), (wanted, 409)):
        answer = await school.post("/v1/enrolments", plan_line_id=which["id"], **body)
        assert answer.status_code == status, answer.text
    items = (await school.get("/v1/enrolments", returnee_id=person.id)).json()["items"]
    await school.post(
        f"/v1/enrolments/{next(i['id'] for i in items if i['kind'] == 'vocational')}/cancel"
    )
    got = await school.post("/v1/enrolments", plan_line_id=wanted["id"], **body)
    assert (got.status_code, got.json()["plan_line_id"]) == (201, wanted["id"])
    await school.attend(body["cohort_id"], 1, {got.json()["id"]: "present"})
    await school.decide(f"/v1/enrolments/{got.json()['id']}", "complete")
    (told,) = [
        data for name, data in await school.published(person) if name == "enrolment.completed"
    ]
    assert told["plan_line_id"] == wanted["id"]
