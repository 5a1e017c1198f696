"""Places: never more than there are, and the waiting list in order, each offer once."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codes import CaseState
from tests.training.school import HOUR, Person, School, sessions


async def test_the_first_are_enrolled_and_the_others_wait_in_order(school: School) -> None:
    cohort = await school.cohort()
    enrolments = [await school.enrol(cohort) for _ in range(5)]
    assert [e["state"] for e in enrolments] == [
        "enrolled",
        "enrolled",
        "waitlisted",
        "waitlisted",
        "waitlisted",
    ]
    assert [e["queue"] for e in enrolments[2:]] == [1, 2, 3]


async def test_a_free_place_goes_to_the_first_who_waits_and_when_the_offer_lapses_to_the_next(
    school: School,
) -> None:
    cohort = await school.cohort(capacity=1)
    one, two, three = await school.somebody(), await school.somebody(), await school.somebody()
    first, second, third = [await school.enrol(cohort, who) for who in (one, two, three)]
    assert (await school.post(f"/v1/enrolments/{first['id']}/cancel")).status_code == 200
    assert (await school.enrolment(second["id"]))["state"] == "offered"
    await school.let_lapse(second["id"])
    lapsed = await school.enrolment(second["id"])
    assert (lapsed["state"], lapsed["reason"]) == ("cancelled", "offer_lapsed")
    assert (await school.enrolment(third["id"]))["state"] == "offered"
    await school.let_lapse(second["id"])  # the job, run again
    taken = await school.decide(f"/v1/enrolments/{third['id']}", "accept")
    assert taken.status_code == 200, taken.text
    assert taken.json()["state"] == "enrolled"
    told = [name for name, _ in await school.published(three)]
    assert told == [
        "enrolment.requested",
        "enrolment.waitlisted",
        "enrolment.offered",
        "enrolment.confirmed",
    ]
    assert [name for name, _ in await school.published(two)][-1] == "enrolment.cancelled"


async def test_an_offer_that_lapsed_is_not_accepted_even_before_the_job_ran(school: School) -> None:
    cohort = await school.cohort(capacity=1)
    first, second = [await school.enrol(cohort) for _ in range(2)]
    await school.post(f"/v1/enrolments/{first['id']}/cancel")
    await school.sql(
        "UPDATE enrolment SET offered_until = clock_timestamp() - interval '1 second' WHERE id = "
        ":id",
        id=second["id"],
    )
    answer = await school.decide(f"/v1/enrolments/{second['id']}", "accept")
    assert answer.status_code == 409
    assert (await school.enrolment(second["id"]))["state"] == "offered"


async def test_an_offer_lasts_as_long_as_the_programme_says(school: School) -> None:
    cohort = await school.cohort(capacity=1)
    first, second = [await school.enrol(cohort) for _ in range(2)]
    await school.post(f"/v1/enrolments/{first['id']}/cancel")
    rows = await school.sql(
        "SELECT offered_until - clock_timestamp() AS left, due_at = offered_until AS due FROM "
        "enrolment, job"
        " WHERE enrolment.id = :id AND job.key = CAST(enrolment.id AS text)",
        id=second["id"],
    )
    assert timedelta(days=3) - timedelta(minutes=1) < rows[0].left <= timedelta(days=3)
    assert rows[0].due


async def test_five_hundred_at_once_for_twelve_places(school: School) -> None:
    cohort = await school.cohort(capacity=12)
    people = [Person() for _ in range(500)]
    await school.tell_at_once(
        fact for who in people for fact in (who.opened(), who.moved(CaseState.ARRIVED))
    )
    answers = await asyncio.gather(
        *(
            school.post("/v1/enrolments", returnee_id=person.id, cohort_id=cohort)
            for person in people
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    got = [answer.json() for answer in answers]
    assert sum(e["state"] == "enrolled" for e in got) == 12
    assert sorted(e["queue"] for e in got if e["state"] == "waitlisted") == list(range(1, 489))
    assert (await school.get(f"/v1/cohorts/{cohort}")).json()["seats_taken"] == 12
    leaving = [e for e in got if e["state"] == "enrolled"][:7]
    left = await asyncio.gather(*(school.post(f"/v1/enrolments/{e['id']}/cancel") for e in leaving))
    assert {answer.status_code for answer in left} == {200}
    offered = [queue for queue, state in await school.states(cohort) if state == "offered"]
    assert offered == [1, 2, 3, 4, 5, 6, 7]


async def test_a_smaller_cohort_is_refused_and_a_larger_one_offers_its_new_places(
    school: School,
) -> None:
    cohort = await school.cohort(capacity=2)
    enrolments = [await school.enrol(cohort) for _ in range(4)]
    assert (await school.patch(f"/v1/cohorts/{cohort}", capacity=1)).status_code == 409
    assert (await school.patch(f"/v1/cohorts/{cohort}", capacity=3)).status_code == 200
    assert (await school.enrolment(enrolments[2]["id"]))["state"] == "offered"
    assert (await school.enrolment(enrolments[3]["id"]))["state"] == "waitlisted"


async def test_nothing_is_offered_to_who_could_not_attend_enough_any_more(school: School) -> None:
    cohort = await school.cohort(
        capacity=1, sessions=sessions(-3 * HOUR, timedelta(days=1), hours=1)
    )
    first, second = [await school.enrol(cohort) for _ in range(2)]
    await school.post(f"/v1/enrolments/{first['id']}/no-show")
    assert (await school.enrolment(second["id"]))["state"] == "waitlisted"


async def test_nothing_is_offered_to_whom_the_cohort_is_not_for_any_more(school: School) -> None:
    course = await school.course(
        phase="pre_departure",
        country="BEL",
        city="Brussels",
        isco_08=None,
        kind="orientation",
        isced_f="0031",
    )
    cohort = await school.cohort(course, capacity=1, time_zone="Europe/Brussels")
    people = [await school.somebody(CaseState.PRE_DEPARTURE) for _ in range(4)]
    first, gone, second = [(await school.enrol(cohort, person))["id"] for person in people[:3]]
    await school.tell(people[1].moved(CaseState.ARRIVED))
    await school.post(f"/v1/enrolments/{first}/cancel")
    assert (await school.enrolment(gone))["state"] == "waitlisted"
    assert (await school.enrolment(second))["state"] == "offered"
    await school.tell(people[2].moved(CaseState.ARRIVED))
    late = await school.decide(f"/v1/enrolments/{second}", "accept")
    assert (late.status_code, late.json()["type"]) == (409, "/problems/not-eligible")
    await school.post(f"/v1/enrolments/{second}/cancel")
    last = (await school.enrol(cohort, people[3]))["id"]
    assert (await school.enrolment(last))["state"] == "offered"


async def test_whose_case_goes_on_is_offered_what_nobody_took_meanwhile(school: School) -> None:
    cohort = await school.cohort(capacity=1)
    person = await school.somebody()
    first, waits = (await school.enrol(cohort))["id"], (await school.enrol(cohort, person))["id"]
    await school.tell(person.moved(CaseState.SUSPENDED))
    await school.post(f"/v1/enrolments/{first}/cancel")
    assert (await school.enrolment(waits))["state"] == "waitlisted"
    await school.tell(person.moved(CaseState.IN_DELIVERY))
    assert (await school.enrolment(waits))["state"] == "offered"


async def test_an_offer_ends_when_too_little_would_be_left(school: School) -> None:
    soon = sessions(timedelta(hours=1), timedelta(hours=5), timedelta(hours=9), hours=2)
    cohort = await school.cohort(
        await school.course(attendance_percent=60, capacity=1), sessions=soon
    )
    first, second = [(await school.enrol(cohort))["id"] for _ in range(2)]
    await school.post(f"/v1/enrolments/{first}/cancel")
    until = (await school.enrolment(second))["offered_until"]
    assert datetime.fromisoformat(until) == datetime.fromisoformat(soon[1]["starts_at"])
    begun = sessions(-HOUR)
    assert (await school.patch(f"/v1/cohorts/{cohort}", sessions=begun)).status_code == 200
    late = await school.decide(f"/v1/enrolments/{second}", "accept")
    assert (late.status_code, late.json()["detail"]) == (
        409,
        "too little of the course is left to attend",
    )


async def test_two_courses_at_the_same_time_are_seen(school: School) -> None:
    one, other = await school.cohort(), await school.cohort()
    person = await school.somebody()
    await school.enrol(one, person)
    answer = await school.post("/v1/enrolments", returnee_id=person.id, cohort_id=other)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/training-clash"
    assert one in answer.json()["errors"][0]["detail"]
    known = await school.enrol(other, person, despite_clash=True)
    assert (await school.enrolment(known["id"]))["clashes"][0]["cohort_id"] == one


async def test_two_clashing_requests_at_once_give_one_place(school: School) -> None:
    cohorts = [await school.cohort(), await school.cohort(), await school.cohort()]
    person = await school.somebody()
    answers = await asyncio.gather(
        *(
            school.post("/v1/enrolments", returnee_id=person.id, cohort_id=cohort)
            for cohort in cohorts
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


async def test_a_cohort_is_for_those_of_its_programme_phase_and_place(school: School) -> None:
    cohort = await school.cohort()
    cases_ = {
        "programme": await school.somebody(programme="eurp"),
        "phase": await school.somebody(CaseState.PRE_DEPARTURE),
    }
    for code, person in cases_.items():
        answer = await school.post("/v1/enrolments", returnee_id=person.id, cohort_id=cohort)
        assert answer.status_code == 409
        assert code in [error["code"] for error in answer.json()["errors"]]
    abroad = await school.cohort(
        await school.course(country="FIN", city="Helsinki"), time_zone="Europe/Helsinki"
    )
    answer = await school.post(
        "/v1/enrolments", returnee_id=(await school.somebody()).id, cohort_id=abroad
    )
    assert [error["code"] for error in answer.json()["errors"]] == ["place"]


async def test_nobody_is_in_a_cohort_twice_and_the_same_request_again_is_the_same(
    school: School,
) -> None:
    cohort = await school.cohort()
    person = await school.somebody()
    first = await school.enrol(cohort, person, id="0195f2a0-0000-7000-8000-000000000001")
    again = await school.enrol(cohort, person, id="0195f2a0-0000-7000-8000-000000000001")
    assert first == again
    answer = await school.post("/v1/enrolments", returnee_id=person.id, cohort_id=cohort)
    assert answer.status_code == 409


async def test_a_change_and_a_cancellation_tell_everyone(school: School) -> None:
    cohort = await school.cohort(capacity=1)
    people = [await school.somebody() for _ in range(2)]
    enrolments = [await school.enrol(cohort, person) for person in people]
    moved = await school.patch(
        f"/v1/cohorts/{cohort}", sessions=sessions(timedelta(days=9)), venue="Room 4"
    )
    assert moved.status_code == 200, moved.text
    assert len(moved.json()["sessions"]) == 1
    cancelled = await school.decide(f"/v1/cohorts/{cohort}", "cancel")
    assert cancelled.json()["state"] == "cancelled"
    for person, enrolment in zip(people, enrolments, strict=True):
        told = await school.published(person)
        names = [name for name, _ in told]
        assert names[-3:] == ["cohort.updated", "cohort.cancelled", "enrolment.cancelled"]
        assert told[-3][1]["changed"] == ["venue", "sessions"]
        assert (await school.enrolment(enrolment["id"]))["reason"] == "cohort_cancelled"
    assert (await school.get(f"/v1/cohorts/{cohort}")).json()["seats_taken"] == 0


class Model:
    """What a cohort should look like, without a database."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.states: dict[str, str] = {}
        self.waiting: list[str] = []
        self.offered: list[str] = []

    def taken(self) -> int:
        return sum(state in {"offered", "enrolled"} for state in self.states.values())

    def request(self, who: str) -> None:
        if self.taken() < self.capacity and not self.waiting:
            self.states[who] = "enrolled"
        else:
            self.states[who] = "waitlisted"
            self.waiting.append(who)

    def fill(self) -> None:
        while self.waiting and self.taken() < self.capacity:
            self.offered.append(self.waiting.pop(0))
            self.states[self.offered[-1]] = "offered"

    def leave(self, who: str) -> None:
        if who in self.waiting:
            self.waiting.remove(who)
        self.states[who] = "cancelled"
        self.fill()


STEPS = st.lists(
    st.tuples(st.sampled_from(["request", "cancel", "accept", "lapse", "grow"]), st.integers(0, 9)),
    min_size=4,
    max_size=24,
)


async def test_a_waiting_list_under_random_cancellations(school: School) -> None:
    """Every step against the real thing and against the model, on the session's own loop."""
    loop, course = asyncio.get_running_loop(), await school.course()

    @settings(max_examples=20, deadline=None, derandomize=True, database=None)
    @given(capacity=st.integers(1, 3), steps=STEPS)
    def holds(capacity: int, steps: list[tuple[str, int]]) -> None:
        asyncio.run_coroutine_threadsafe(_walk(school, course, capacity, steps), loop).result(60)

    await asyncio.to_thread(holds)


async def _walk(
    school: School, course: dict[str, Any], capacity: int, steps: list[tuple[str, int]]
) -> None:
    model, cohort = Model(capacity), await school.cohort(course, capacity=capacity)
    ids: list[str] = []
    for step, number in steps:
        if step == "request":
            ids.append((await school.enrol(cohort))["id"])
            model.request(ids[-1])
        elif step == "grow":
            model.capacity += 1
            assert (
                await school.patch(f"/v1/cohorts/{cohort}", capacity=model.capacity)
            ).status_code == 200
            model.fill()
        elif ids:
            await _act(school, model, step, ids[number % len(ids)])
        await _compare(school, model, cohort, ids)


async def _act(school: School, model: Model, step: str, who: str) -> None:
    state = model.states[who]
    if step == "lapse":
        await school.let_lapse(who)
        if state == "offered":
            model.leave(who)
        return
    if step == "accept":
        answer = await school.decide(f"/v1/enrolments/{who}", "accept")
        assert answer.status_code == (200 if state == "offered" else 409)
        if state == "offered":
            model.states[who] = "enrolled"
        return
    answer = await school.post(f"/v1/enrolments/{who}/cancel")
    assert answer.status_code == (409 if state == "cancelled" else 200)
    if state != "cancelled":
        model.leave(who)


async def _compare(school: School, model: Model, cohort: str, ids: list[str]) -> None:
    rows = await school.sql(
        "SELECT CAST(id AS text) AS id, state, queue FROM enrolment WHERE cohort_id = :c", c=cohort
    )
    assert {row.id: row.state for row in rows} == model.states
    waiting = sorted((row.queue, row.id) for row in rows if row.state == "waitlisted")
    assert [who for _, who in waiting] == model.waiting
    (seats,) = await school.sql(
        "SELECT seats_taken, waiting, capacity FROM cohort WHERE id = :c", c=cohort
    )
    assert tuple(seats) == (model.taken(), len(model.waiting), model.capacity)
    told = await school.sql(
        "SELECT payload ->> 'enrolment_id' FROM outbox WHERE payload ->> 'cohort_id' = :c"
        " AND type LIKE '%.enrolment.offered.%' ORDER BY seq",
        c=cohort,
    )
    assert [row[0] for row in told] == model.offered  # in order, each once
    assert len(ids) == len(rows)
