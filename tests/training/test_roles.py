"""Who may look is not who may act: the referrer, whoever gives the course, and whom somebody was
shared with.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from contracts import cases
from contracts.codes import CaseState
from tests.training.school import HOUR, Person, School, sessions, vacancy

SHARED, REFERRER = "iom-albania", "fedasil"


async def shared(
    school: School, person: Person, categories: tuple[str, ...] = ("identity",)
) -> None:
    terms: dict[str, Any] = {
        "purpose": "referred_service",
        "legal_basis": "consent",
        "categories": categories,
    }
    until = datetime.now(UTC) + timedelta(days=1)
    await school.tell(
        cases.ReturneeShared(returnee_id=person.id, organisation=SHARED, until=until, **terms)
    )


async def refused(school: School, organisation: str, path: str, *words: str, **body: Any) -> None:
    """Whoever sees it is told that they do not decide."""
    for word in words:
        answer = await school.post(f"{path}/{word}", organisation=organisation, seen='"1"', **body)
        assert answer.status_code == 403, (word, answer.text)


async def test_with_whom_somebody_was_shared_looks_and_decides_nothing(school: School) -> None:
    school_slug = "training-roles-1"
    cohort = await school.cohort(
        await school.course(provider=school_slug), sessions=sessions(-2 * HOUR, hours=1)
    )
    person = await school.somebody()
    enrolment = (await school.enrol(cohort, person))["id"]
    await shared(school, person)
    path = f"/v1/enrolments/{enrolment}"
    for organisation in (SHARED, REFERRER):
        assert (await school.get(path, organisation=organisation)).status_code == 200
        await refused(school, organisation, path, "cancel", "no-show", "keep", "complete", "accept")
        await refused(school, organisation, path, "drop-out", reason="other")
        await refused(school, organisation, path, "assess", stage="before", score=3)
        await refused(school, organisation, path, "manual", handed_on="2026-01-05")
        await refused(school, organisation, path, "evaluate", overall=4, content=5, trainer=4)
        await refused(school, organisation, path, "place", cohort_id=cohort)
        assert (
            await school.attend(cohort, 1, {enrolment: "present"}, organisation=organisation)
        ).status_code == 403
        assert (
            await school.put(f"{path}/profile", organisation=organisation, country="IRQ")
        ).status_code == 403
        other = {"returnee_id": person.id, "cohort_id": await school.cohort()}
        assert (
            await school.post("/v1/enrolments", organisation=organisation, **other)
        ).status_code == 403
        proposal = {"returnee_id": person.id, "vacancy_id": await vacancy(school)}
        assert (
            await school.post("/v1/placements", organisation=organisation, **proposal)
        ).status_code == 403
        placement = (await school.post("/v1/placements", **proposal)).json()["id"]
        await refused(
            school, organisation, f"/v1/placements/{placement}", "start", started_on="2026-01-05"
        )
    assert (await school.enrolment(enrolment))["state"] == "enrolled"


async def test_a_share_without_identity_names_nobody(school: School) -> None:
    cohort = await school.cohort()
    person = await school.somebody()
    await school.enrol(cohort, person)
    await school.recognise(person)
    roster = f"/v1/cohorts/{cohort}/participants"
    for categories, named in (((), False), (("documents",), False), (("identity",), True)):
        await shared(school, person, categories)
        (entry,) = (await school.get(roster, organisation=SHARED)).json()["items"]
        assert entry["returnee_id"] == str(person.id)
        assert (entry["identity"] is not None) is named, categories


async def test_with_whom_a_graduate_was_shared_has_them_accompany_nobody(school: School) -> None:
    graduate, done = await school.finished()
    mentee = await school.somebody()
    for each in (graduate, mentee):
        await shared(school, each)
    agreed = {"enrolment_id": done["id"], "agreed_on": "2026-01-01", "capacity": 1}
    assert (await school.post("/v1/mentors", organisation=SHARED, **agreed)).status_code == 403
    path = f"/v1/mentors/{(await school.post('/v1/mentors', **agreed)).json()['id']}"
    pair = {"returnee_id": mentee.id, "started_on": "2026-01-02"}
    await refused(school, SHARED, path, "mentorships", **pair)
    pair_id = (await school.post(f"{path}/mentorships", **pair)).json()["id"]
    await refused(
        school,
        SHARED,
        f"{path}/mentorships/{pair_id}",
        "end",
        reason="completed",
        ended_on="2026-03-01",
    )
    await refused(school, SHARED, path, "end")
    assert (await school.get(path, organisation=SHARED)).status_code == 200


async def test_a_referrer_decides_about_what_it_prepares(school: School) -> None:
    course = await school.course(
        phase="pre_departure",
        country="BEL",
        city="Brussels",
        isco_08=None,
        kind="orientation",
        isced_f="0031",
    )
    cohort = await school.cohort(
        course, time_zone="Europe/Brussels", sessions=sessions(-2 * HOUR, hours=1)
    )
    person = await school.somebody(CaseState.PRE_DEPARTURE)
    body = {"returnee_id": person.id, "cohort_id": cohort}
    enrolment = (await school.post("/v1/enrolments", organisation=REFERRER, **body)).json()["id"]
    sheet = await school.attend(cohort, 1, {enrolment: "present"}, organisation=REFERRER)
    assert sheet.status_code == 200, sheet.text
    done = await school.decide(f"/v1/enrolments/{enrolment}", "complete", organisation=REFERRER)
    assert done.status_code == 200


async def test_whoever_gives_a_course_notes_what_happens_in_it_and_no_more(school: School) -> None:
    provider = "training-roles-2"
    course = await school.course(provider=provider, capacity=1)
    cohort = await school.cohort(course, sessions=sessions(-5 * HOUR, -2 * HOUR, hours=1))
    person, waiting = await school.somebody(), await school.somebody()
    enrolment, wait = [(await school.enrol(cohort, each))["id"] for each in (person, waiting)]
    path = f"/v1/enrolments/{enrolment}"
    assert (await school.get(f"/v1/enrolments/{wait}", organisation=provider)).status_code == 404
    roster = (await school.get(f"/v1/cohorts/{cohort}/participants", organisation=provider)).json()[
        "items"
    ]
    assert [each["id"] for each in roster] == [enrolment]
    placement = {"returnee_id": person.id, "vacancy_id": await vacancy(school)}
    placed = (await school.post("/v1/placements", **placement)).json()["id"]
    assert (await school.get("/v1/placements", organisation=provider)).json()["items"] == []
    assert (await school.get(f"/v1/placements/{placed}", organisation=provider)).status_code == 404
    assert (
        await school.post("/v1/placements", organisation=provider, **placement)
    ).status_code == 404
    other = {"returnee_id": person.id, "cohort_id": await school.cohort(course)}
    assert (await school.post("/v1/enrolments", organisation=provider, **other)).status_code == 404
    assert (
        await school.put(f"{path}/profile", organisation=provider, country="IRQ")
    ).status_code == 404
    await refused(school, provider, path, "cancel", "accept", "keep")
    assert (
        await school.attend(cohort, 1, {enrolment: "present"}, organisation=provider)
    ).status_code == 200
    dropped = await school.post(f"{path}/drop-out", organisation=provider, reason="other")
    assert dropped.status_code == 200
    seen = (
        await school.get(f"/v1/cohorts/{cohort}/sessions/1/attendance", organisation=provider)
    ).headers["etag"]
    late = await school.attend(cohort, 1, {enrolment: "late"}, organisation=provider, seen=seen)
    assert late.status_code == 200, late.text


async def test_who_did_not_come_to_a_course_after_all_is_not_known_to_whoever_gives_it(
    school: School,
) -> None:
    provider = "training-roles-3"
    cohort = await school.cohort(await school.course(provider=provider))
    path = f"/v1/enrolments/{(await school.enrol(cohort))['id']}"
    assert (await school.get(path, organisation=provider)).status_code == 200
    await school.post(f"{path}/cancel")
    assert (await school.get(path, organisation=provider)).status_code == 404


async def test_a_line_pays_one_employer_of_two_at_once(school: School) -> None:
    person, other = await school.somebody(), await vacancy(school)
    await school.approve(
        person, {"id": str(uuid4()), "kind": "wage_subsidy", "beneficiary": str(person.id)}
    )
    work = [other, await vacancy(school), await vacancy(school)]
    body = {"returnee_id": person.id, "wage_subsidy": True}
    answers = await asyncio.gather(
        *(school.post("/v1/placements", vacancy_id=each, **body) for each in work)
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


async def test_two_at_once_who_say_the_same_are_both_answered(school: School) -> None:
    _, done = await school.finished(await school.course(isco_08=None))
    agreed = {"enrolment_id": done["id"], "agreed_on": "2026-01-01", "capacity": 1}
    mentors = await asyncio.gather(*(school.post("/v1/mentors", **agreed) for _ in range(3)))
    assert sorted(answer.status_code for answer in mentors) == [201, 409, 409]
    path = f"/v1/enrolments/{done['id']}/profile"
    noted = await asyncio.gather(*(school.put(path, country="IRQ") for _ in range(3)))
    assert min(answer.status_code for answer in noted) == 200
    assert {answer.status_code for answer in noted} <= {200, 409, 412}
