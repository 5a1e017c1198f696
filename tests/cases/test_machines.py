"""The state machines as they are served: random calls over HTTP do what the tables say, and no call
anything else.
"""

import random
from typing import Any

import pytest

from contracts.codes import CaseState
from services.cases.casework.plans import rules as plan_rules
from services.cases.states.casework import CASE, PLAN, PlanAction, PlanState
from services.cases.states.intake import REFERRAL, ReferralAction, ReferralState
from tests.cases.house import House, alone
from tests.cases.steps import drafted, line

CALLS = 14
HELD = {"suspend": CaseState.SUSPENDED, "close": CaseState.CLOSED}
BACK = {"suspend": "resume", "close": "reopen"}


def refused(answer: Any, state: str, action: str) -> None:
    """A 409 that says where things stand and does not offer what it refuses."""
    assert answer.status_code == 409, (state, action, answer.text)
    assert (answer.json()["state"], action in answer.json()["allowed"]) == (state, False)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_referral(house: House, seed: int) -> None:
    chance = random.Random(seed)
    sent = await house.submit(alone())
    body = (await house.get(f"/referrals/{sent['id']}", "fedasil")).json()["content"]
    at, state = f"/referrals/{sent['id']}", ReferralState.SUBMITTED
    for _ in range(CALLS):
        if state in REFERRAL.final:
            break
        # What ends it is tried less often, so that the walk goes on.
        action = chance.choice(
            ["request-information", "complete"] * 3 + ["accept", "reject", "withdraw"]
        )
        etag = await house.etag(at, "fedasil")
        match action:
            case "request-information":
                answer = await house.post(f"{at}/{action}", {"question": "Which flight?"})
            case "complete":
                answer = await house.call("PUT", at, body, who="fedasil", etag=etag)
            case "accept":
                answer = await house.post(f"{at}/{action}", {}, etag=etag)
            case "reject":
                answer = await house.post(
                    f"{at}/{action}", {"reason": "other", "comment": "No"}, etag=etag
                )
            case _:
                answer = await house.post(f"{at}/{action}", {}, who="fedasil")
        targets = REFERRAL.table[state].get(ReferralAction(action))
        if targets is None:
            refused(answer, state, action)
        else:
            assert answer.status_code == 200, (state, action, answer.text)
            (state,) = targets
        assert (await house.get(at, "fedasil")).json()["state"] == state, action


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_case_and_its_plan(house: House, seed: int) -> None:
    chance = random.Random(seed)
    accepted = await house.arrived(alone())
    await drafted(house, accepted)
    at = f"/cases/{accepted.case_id}"
    case, plan = CaseState.ARRIVED, PlanState.DRAFT
    went_from: dict[str, CaseState] = {}
    of_plan = ["edit", "agree", "submit", "approve", "return", "amend"]
    for _ in range(CALLS):
        action = chance.choice([*of_plan * 2, "suspend", "resume", "close", "reopen"])
        answer = await _call(house, at, action, accepted.people[0])
        if action in of_plan:
            targets = (
                PLAN.table[plan].get(PlanAction(action)) if case in plan_rules.PLANNED_IN else None
            )
            if targets is None:
                refused(answer, plan if case in plan_rules.PLANNED_IN else case, action)
            else:
                assert answer.status_code in {200, 201}, (case, plan, action, answer.text)
                (plan,) = targets
                if action == "approve" and case is CaseState.ARRIVED:
                    case = CaseState.IN_DELIVERY
        elif action not in CASE.allowed(case):
            refused(answer, case, action)
        else:
            assert answer.status_code == 200, (case, action, answer.text)
            if action in HELD:
                went_from[BACK[action]] = case
                case = HELD[action]
            else:
                case = went_from[action]
        assert (await house.get(at)).json()["state"] == case, action
        assert (await house.get(f"{at}/plan")).json()["state"] == plan, action


async def _call(house: House, at: str, action: str, person: str) -> Any:
    plan = await house.etag(f"{at}/plan")
    match action:
        case "edit":
            return await house.call("PUT", f"{at}/plan", {"lines": [line(person)]}, etag=plan)
        case "agree":
            return await house.post(
                f"{at}/plan/agree", {"agreed_on": "2026-03-20", "language": "ckb"}
            )
        case "approve":
            return await house.post(f"{at}/plan/approve", person="bert", etag=plan)
        case "return":
            body = {"reason": "budget", "comment": "Too dear"}
            return await house.post(f"{at}/plan/return", body, person="bert", etag=plan)
        case "submit" | "amend":
            return await house.post(f"{at}/plan/{action}", {} if action == "amend" else None)
    bodies = {
        "suspend": {"reason": "hospital"},
        "resume": {},
        "close": {"reason": "lost_contact"},
        "reopen": {"reason": "in_contact_again"},
    }
    return await house.post(f"{at}/{action}", bodies[action], etag=await house.etag(at))
