"""Plans: nobody loses work, nobody approves their own, the approved one stays in force while it is
amended.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Problem
from contracts.entitlements import Ceiling, Package, Per
from contracts.grants import GrantDelivered
from contracts.training import (
    CertificateInvalidated,
    CertificateRestored,
    EnrolmentCompleted,
    PlacementStarted,
)
from services.cases.states.casework import PLAN, PlanAction, PlanState
from tests.cases.house import EVERYTHING, Accepted, House, alone, today
from tests.cases.steps import approved, drafted, line, path, submitted

LOWER = Ceiling(per=Per.PERSON, amount=Decimal("100.00"), source="Assumed.", verified=False)


class TestDraft:
    async def test_amounts_are_exact(self, house: House) -> None:
        accepted = await house.arrived()
        principal, child = accepted.people
        answer = await drafted(
            house,
            accepted,
            line(principal, "0.10"),
            line(principal, "0.20"),
            line(child, "0.30", kind="education"),
            line(principal, "99.99", kind="housing", housing="rent"),
        )
        assert answer.json()["totals"] == [{"amount": "100.59", "currency": "EUR"}]

    async def test_what_the_programme_does_not_give_is_not_promised(self, house: House) -> None:
        accepted = await house.arrived()
        principal, child = accepted.people
        wanted = [
            line(principal, "1200.00"),
            line(principal, "900.00", kind="housing", housing="rent"),
            line(child, "10.00", budget={"amount": "10.00", "currency": "IQD"}),
        ]
        refused = await house.call("PUT", path(accepted), {"lines": wanted}, new=True)
        assert refused.status_code == 422, refused.text
        told = {error["pointer"]: error["code"] for error in refused.json()["errors"]}
        assert told == {
            "/lines/1/budget": "ceiling",
            "/lines/2/budget": "currency",
        }
        (ceiling, *_) = refused.json()["rules"]
        assert ceiling["left"] == {"amount": "800.00", "currency": "EUR"}
        assert ceiling["source"]
        assert (await house.get(path(accepted))).status_code == 404, "nothing is half-applied"

    @pytest.mark.parametrize("step", ["submit", "approve"])
    async def test_nor_when_the_rules_changed_since_it_was_written(
        self, house: House, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        accepted = await house.arrived(alone())
        if step == "submit":
            await drafted(house, accepted)
        else:
            await submitted(house, accepted)
        monkeypatch.setattr(Package, "ceiling", lambda *_: LOWER)
        etag = await house.etag(path(accepted))
        refused = await house.post(f"{path(accepted)}/{step}", person="bert", etag=etag)
        assert (refused.status_code, refused.json()["type"]) == (
            409,
            "/problems/plan-exceeds-programme",
        )
        assert refused.json()["rules"][0]["left"] == {"amount": "100.00", "currency": "EUR"}
        state = (await house.get(path(accepted))).json()["state"]
        assert state == {"submit": "draft", "approve": "submitted"}[step]

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"beneficiary": str(uuid4())}, "not_in_case"),
            ({"kind": "yacht"}, "unknown_assistance"),
            ({"kind": "housing"}, "housing_kind"),
            ({"housing": "rent"}, "housing_kind"),
            ({"description": "=1+1"}, "formula_injection"),
        ],
    )
    async def test_a_line_that_is_wrong_is_refused(
        self, house: House, values: dict[str, Any], code: str
    ) -> None:
        accepted = await house.arrived(alone())
        body = {"lines": [line(accepted.people[0]) | values]}
        answer = await house.call("PUT", path(accepted), body, new=True)
        assert answer.status_code == 422
        assert code in {error["code"] for error in answer.json()["errors"]}

    async def test_two_case_workers_and_neither_loses_work(self, house: House) -> None:
        accepted = await house.arrived(alone())
        first = await drafted(house, accepted)
        body = {"lines": [line(accepted.people[0], "700.00")]}
        answers = await asyncio.gather(
            *(
                house.call("PUT", path(accepted), body, etag=first.headers["etag"], person=person)
                for person in ("anna", "cara")
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        # Who was refused reads what the other one wrote, and writes it with their own work beside
        # it.
        current = await house.get(path(accepted))
        theirs = current.json()["lines"]
        assert [each["budget"]["amount"] for each in theirs] == ["700.00"]
        kept = [line(accepted.people[0], "700.00", id=theirs[0]["id"])]
        both = {"lines": [*kept, line(accepted.people[0], "300.00", kind="education")]}
        merged = await house.call(
            "PUT", path(accepted), both, etag=current.headers["etag"], person="cara"
        )
        assert merged.status_code == 200, merged.text
        assert [each["budget"]["amount"] for each in merged.json()["lines"]] == ["700.00", "300.00"]
        assert merged.json()["lines"][0]["id"] == theirs[0]["id"]
        assert (await house.call("PUT", path(accepted), body, new=True)).status_code == 412
        assert (await house.call("PUT", path(accepted), body)).status_code == 428

    async def test_nothing_is_there_before(self, house: House) -> None:
        accepted = await house.arrived(alone())
        assert (await house.get(path(accepted))).status_code == 404
        assert (await house.post(f"{path(accepted)}/submit")).status_code == 404


class TestApproval:
    async def test_the_first_approval_begins_the_delivery(self, house: House) -> None:
        accepted = await house.arrived()
        await approved(house, accepted)
        case = (await house.get(f"/cases/{accepted.case_id}")).json()
        assert case["state"] == "in_delivery"
        for person in accepted.people:
            facts = await house.published(person)
            assert [name for name, _ in facts][-4:] == [
                "plan.submitted",
                "plan.approved",
                "deadline.met",
                "case.progressed",
            ]
            payload = facts[-3][1]
            assert payload["preparer"] != payload["approver"]
            assert "anna" not in str(payload)
        due = (await house.get("/deadlines", case_id=accepted.case_id)).json()["items"]
        assert {item["kind"]: item["state"] for item in due}["plan"] == "met"

    async def test_nobody_approves_what_they_prepared(self, house: House) -> None:
        accepted = await house.arrived(alone())
        etag = await submitted(house, accepted)
        for spelt in ("anna", "Anna", "ANNA"):
            own = await house.post(f"{path(accepted)}/approve", person=spelt, etag=etag)
            assert own.status_code == 403
            assert own.json()["type"] == "/problems/four-eyes"

    async def test_who_edited_it_prepared_it_too(self, house: House) -> None:
        accepted = await house.arrived(alone())
        first = await drafted(house, accepted, person="cara")
        body = {"lines": [line(accepted.people[0], "10.00")]}
        await house.call("PUT", path(accepted), body, etag=first.headers["etag"], person="anna")
        etag = (await house.post(f"{path(accepted)}/submit", person="anna")).headers["etag"]
        assert (
            await house.post(f"{path(accepted)}/approve", person="cara", etag=etag)
        ).status_code == 403
        assert (
            await house.post(f"{path(accepted)}/approve", person="bert", etag=etag)
        ).status_code == 200

    async def test_who_writes_or_amends_it_is_named_so_that_they_cannot_approve_it(
        self, house: House
    ) -> None:
        accepted = await house.arrived(alone())
        body = {"lines": [line(accepted.people[0])]}
        nobody = await house.call("PUT", path(accepted), body, new=True, person=None)
        assert (nobody.status_code, nobody.json()["type"]) == (403, "/problems/person-required")
        await approved(house, accepted)
        amending = {"comment": "more tools"}
        nobody = await house.post(f"{path(accepted)}/amend", amending, person=None)
        assert (nobody.status_code, nobody.json()["type"]) == (403, "/problems/person-required")
        assert (
            await house.post(f"{path(accepted)}/amend", amending, person="cara")
        ).status_code == 200
        etag = (await house.post(f"{path(accepted)}/submit", person="anna")).headers["etag"]
        own = await house.post(f"{path(accepted)}/approve", person="cara", etag=etag)
        assert (own.status_code, own.json()["type"]) == (403, "/problems/four-eyes")
        assert (
            await house.post(f"{path(accepted)}/approve", person="bert", etag=etag)
        ).status_code == 200

    async def test_nobody_approves_what_they_have_not_seen(self, house: House) -> None:
        accepted = await house.arrived(alone())
        await submitted(house, accepted)
        assert (
            await house.post(f"{path(accepted)}/approve", person="bert", etag='"1"')
        ).status_code == 412
        assert (await house.post(f"{path(accepted)}/approve", person="bert")).status_code == 428

    async def test_not_before_the_arrival(self, house: House) -> None:
        accepted = await house.accepted(alone())
        await drafted(house, accepted)
        answer = await house.post(f"{path(accepted)}/submit")
        assert answer.status_code == 409
        assert answer.json()["state"] == "pre_departure"

    async def test_it_goes_back_for_a_reason(self, house: House) -> None:
        accepted = await house.arrived(alone())
        etag = await submitted(house, accepted)
        back = await house.post(
            f"{path(accepted)}/return",
            {"reason": "budget", "comment": "Too dear"},
            person="bert",
            etag=etag,
        )
        assert (back.json()["state"], back.json()["return_reason"]) == ("returned", "budget")
        early = await house.post(f"{path(accepted)}/submit")
        assert (early.status_code, early.json()["allowed"]) == (409, ["edit"])
        body = {"lines": [line(accepted.people[0], "900.00")]}
        again = await house.call("PUT", path(accepted), body, etag=back.headers["etag"])
        assert again.json()["state"] == "draft"
        assert (await house.post(f"{path(accepted)}/submit")).json()["state"] == "submitted"

    async def test_what_was_signed_is_there(self, house: House) -> None:
        accepted = await house.arrived(alone())
        await drafted(house, accepted)
        body = {"agreed_on": "2026-03-20", "language": "ckb", "document": str(uuid4())}
        unknown = await house.post(f"{path(accepted)}/agree", body)
        assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/document")
        signed = (
            await house.upload(b"%PDF-1.7 signed", kind="plan_agreement", case_id=accepted.case_id)
        ).json()
        agreed = await house.post(f"{path(accepted)}/agree", body | {"document": signed["id"]})
        assert agreed.json()["agreed_document"] == signed["id"]

    async def test_it_is_agreed_as_it_is(self, house: House) -> None:
        accepted = await house.arrived(alone())
        await drafted(house, accepted)
        agreed = await house.post(
            f"{path(accepted)}/agree", {"agreed_on": "2026-03-20", "language": "ckb"}
        )
        assert agreed.json()["agreed_on"] == "2026-03-20"
        assert (await house.published(accepted.people[0]))[-1][0] == "plan.agreed"
        body = {"lines": [line(accepted.people[0], "1.00")]}
        edited = await house.call("PUT", path(accepted), body, etag=agreed.headers["etag"])
        assert edited.json()["agreed_on"] is None

    async def test_what_was_edited_since_it_was_shown_is_neither_agreed_to_nor_submitted(
        self, house: House
    ) -> None:
        accepted = await house.arrived(alone())
        shown = (await drafted(house, accepted)).headers["etag"]
        body = {"lines": [line(accepted.people[0], "1.00")]}
        edited = await house.call("PUT", path(accepted), body, etag=shown)
        signed = {"agreed_on": today(), "language": "ckb"}
        for action, sent in (("agree", signed), ("submit", None)):
            assert (
                await house.post(f"{path(accepted)}/{action}", sent, etag=shown)
            ).status_code == 412
        ahead = signed | {"agreed_on": today() + timedelta(days=1)}
        early = await house.post(f"{path(accepted)}/agree", ahead, etag=edited.headers["etag"])
        assert (early.status_code, early.json()["errors"][0]["code"]) == (422, "date_ahead")
        agreed = await house.post(f"{path(accepted)}/agree", signed, etag=edited.headers["etag"])
        assert agreed.status_code == 200, agreed.text
        sent = await house.post(f"{path(accepted)}/submit", etag=agreed.headers["etag"])
        assert sent.json()["state"] == "submitted"


class TestAmendment:
    async def test_the_approved_one_stays_in_force(self, house: House) -> None:
        accepted = await house.arrived(alone())
        first = await approved(house, accepted)
        draft = await house.post(
            f"{path(accepted)}/amend", {"comment": "Prices rose"}, person="anna"
        )
        assert (draft.json()["plan_version"], draft.json()["state"]) == (2, "draft")
        assert draft.json()["amend_comment"] == "Prices rose"
        assert draft.headers["etag"] != first.headers["etag"]
        assert [entry["id"] for entry in draft.json()["lines"]] == [
            entry["id"] for entry in first.json()["lines"]
        ]
        old = (await house.get(path(accepted), plan_version=1)).json()
        assert old["state"] == "approved"
        assert (await house.post(f"{path(accepted)}/amend", {})).status_code == 409
        await house.post(f"{path(accepted)}/submit", person="anna")
        etag = await house.etag(path(accepted))
        assert (
            await house.post(f"{path(accepted)}/approve", person="bert", etag=etag)
        ).status_code == 200
        assert (await house.get(path(accepted), plan_version=1)).json()["state"] == "superseded"
        assert (await house.types(accepted.people[0])).count("case.progressed") == 2

    async def test_a_line_of_another_case_is_not_taken_over(self, house: House) -> None:
        one, other = await house.arrived(alone()), await house.arrived(alone())
        theirs = (await drafted(house, one)).json()["lines"][0]["id"]
        body = {"lines": [line(other.people[0], id=theirs)]}
        refused = await house.call("PUT", path(other), body, new=True)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "id_taken")

    async def test_who_does_not_work_on_it_reads_of_their_own_people(self, house: House) -> None:
        accepted = await house.arrived()
        person, child = accepted.people
        care = {"kind": "medical", "description": "Dialysis", "provider": "a-hospital"}
        found = [{"criterion": "costs", "rating": "good", "comment": "Her aunt pays"}]
        own = [line(child, "100", **care), line(child, "200", feasibility=found)]
        await drafted(house, accepted, line(person, "700"), *own)
        terms = {
            "organisation": "mercy-hands",
            "purpose": "referred_service",
            "legal_basis": "public_task",
        }
        until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        shared = await house.post(
            f"/returnees/{child}/share", terms | {"categories": [], "until": until}
        )
        assert shared.status_code == 201, shared.text

        async def shown(who: str, scopes: str = EVERYTHING) -> list[tuple[Any, ...]]:
            plan = (await house.get(path(accepted), who, scopes=scopes)).json()
            case = (await house.get(f"/cases/{accepted.case_id}", who, scopes=scopes)).json()
            assert {each["returnee_id"] for each in case["members"]} == {
                each["beneficiary"] for each in plan["lines"]
            }
            names = ("kind", "group", "description", "provider")
            return [
                (*(each[name] for name in names), bool(each["feasibility"]))
                for each in plan["lines"]
            ]

        tools = ("business", "economic", "Tools for a barber shop", None)
        dialysis = ("medical", "care", "Dialysis", "a-hospital", False)
        nameless = (None, "care", "", None, False)
        assert await shown("iom-iraq") == [(*tools, False), dialysis, (*tools, True)]
        assert await shown("mercy-hands") == [nameless, (*tools, False)]
        assert await shown("fedasil") == [(*tools, False), dialysis, (*tools, False)]
        assert await shown("fedasil", "cases:read") == [(*tools, False), nameless, (*tools, False)]
        totals = (await house.get(path(accepted), "mercy-hands")).json()["totals"]
        assert totals == [{"amount": "300.00", "currency": "EUR"}]

    async def test_a_referrer_reads_it_and_writes_nothing(self, house: House) -> None:
        accepted = await house.arrived(alone())
        await approved(house, accepted)
        assert (await house.get(path(accepted), "fedasil")).status_code == 200
        assert (await house.post(f"{path(accepted)}/amend", {}, who="fedasil")).status_code == 403
        assert (await house.get(path(accepted), "other-ngo")).status_code == 404


@given(st.lists(st.sampled_from(PlanAction), max_size=15))
def test_no_sequence_of_actions_leads_outside_the_table(actions: list[PlanAction]) -> None:
    state = PlanState.DRAFT
    refusals: list[tuple[PlanAction, Problem]] = []
    for action in actions:
        try:
            state = PLAN.target(state, action)
        except Problem as problem:
            refusals.append((action, problem))
    assert state in PLAN.table
    assert all(problem.kind.status == 409 for _, problem in refusals)
    assert all(action not in problem.extensions["allowed"] for action, problem in refusals)


class TestDelivery:
    async def test_the_last_line_that_is_delivered_moves_the_case_once(self, house: House) -> None:
        accepted = await house.arrived()
        principal = accepted.people[0]
        lines = [line(principal, kind=kind) for kind in ("vocational_training", "job_placement")]
        await drafted(house, accepted, *lines)
        etag = (await house.post(f"{path(accepted)}/submit", person="anna")).headers["etag"]
        plan = (await house.post(f"{path(accepted)}/approve", person="bert", etag=etag)).json()
        first, second = [UUID(each["id"]) for each in plan["lines"]]
        common = {"returnee_id": UUID(principal), "case_id": UUID(accepted.case_id)}
        done = EnrolmentCompleted(
            **common,
            enrolment_id=uuid4(),
            group="economic",
            plan_line_id=first,
            attended=60,
            held=60,
        )
        await house.tell(done, done)
        assert await states(house, accepted) == ("in_delivery", [True, False])
        begun = PlacementStarted(
            **common,
            placement_id=uuid4(),
            vacancy_id=uuid4(),
            kind="job",
            occupation="5141",
            plan_line_id=second,
            wage_subsidy=False,
            started_on="2026-03-01",
        )
        stray = begun.model_copy(update={"plan_line_id": None})
        unknown = done.model_copy(update={"case_id": uuid4()})
        await house.tell(stray, unknown, begun, begun)
        assert await states(house, accepted) == ("monitoring", [True, True])

    async def test_a_certificate_that_no_longer_holds_takes_the_line_back(
        self, house: House
    ) -> None:
        accepted = await house.arrived(alone())
        principal = accepted.people[0]
        await drafted(house, accepted, line(principal, kind="vocational_training"))
        etag = (await house.post(f"{path(accepted)}/submit", person="anna")).headers["etag"]
        plan = (await house.post(f"{path(accepted)}/approve", person="bert", etag=etag)).json()
        common = {"returnee_id": UUID(principal), "case_id": UUID(accepted.case_id)}
        asked = {"plan_line_id": UUID(plan["lines"][0]["id"]), "enrolment_id": uuid4()}
        done = EnrolmentCompleted(**common, **asked, group="economic", attended=60, held=60)
        await house.tell(done)
        assert await states(house, accepted) == ("monitoring", [True])

        certificate = {"certificate_id": uuid4(), "cohort_id": uuid4(), "course_id": uuid4()}
        undone = CertificateInvalidated(**common, **asked, **certificate)
        fees = GrantDelivered(
            **common,
            grant_id=uuid4(),
            programme="eurp",
            group="economic",
            kind="vocational_training",
            amount={"amount": "400.00", "currency": "EUR"},
            plan_line_id=asked["plan_line_id"],
            delivered_on="2026-03-20",
            complete=True,
        )
        await house.tell(undone, undone)
        assert (await house.types(principal))[-1] == "case.progressed"
        await house.tell(fees)  # that they were paid does not make the course good
        assert await states(house, accepted) == ("in_delivery", [False])
        (back,) = (await house.get(path(accepted))).json()["lines"]
        assert (back["status"], back["undone_at"] is None) == ("in_delivery", False)
        assert await house.audited("undo-line", accepted.case_id) == 1

        await house.tell(CertificateRestored(**common, **asked, **certificate))
        assert await states(house, accepted) == ("monitoring", [True])
        assert (await house.get(path(accepted))).json()["lines"][0]["undone_at"] is None
        await house.tell(undone, done)  # the course was taken again
        assert await states(house, accepted) == ("monitoring", [True])


async def states(house: House, accepted: Accepted) -> tuple[str, list[bool]]:
    """The case's state, and which lines of its plan were delivered."""
    plan = (await house.call("GET", path(accepted))).json()
    case = (await house.call("GET", f"/cases/{accepted.case_id}")).json()
    return case["state"], [each["delivered_at"] is not None for each in plan["lines"]]
