"""Four eyes: the table of who may not have had which part before, tried cell by cell, and compared
with every place from which the state of a payment is changed.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.grants.payments.separation import TABLE, Cell, Part, Step, Way, is_barred
from tests.grants.bank import csv_of, imported, state_of
from tests.grants.office import APPROVER, RELEASER, REQUESTER, SECOND, THIRD, Office, today

ROOT = Path(__file__).resolve().parents[2]
GRANTS = ROOT / "services" / "grants"
ROOM = "services.grants.payments.payments"
WRITERS = ("outcomes", "preparation", "releasing", "scheduling")
"""The modules of that room in which a payment is made or its state is changed."""
PAYMENTS = [GRANTS / "payments" / "payments" / f"{name}.py" for name in WRITERS]
HOLDERS = {
    Part.PREPARED_GRANT: "amends-6",
    Part.APPROVED_GRANT: APPROVER,
    Part.SCHEDULED: "schedules-7",
    Part.RELEASED: RELEASER,
    Part.TOOK_BACK: "takes-back-8",
}
NOBODY = "had-no-part-9"
BY_PERSONS = sorted(cell for cell, who in TABLE.items() if who.person)


@dataclass
class Desk:
    """Payments of one grant, in which each part is another person's."""

    office: Office
    grant: Any
    payee: str
    number: int = 0

    async def scheduled(self, by: str = HOLDERS[Part.SCHEDULED]) -> Any:
        self.number += 1
        body = {
            "method": "bank",
            "amount": {"amount": f"{self.number / 100:.2f}", "currency": "EUR"},
            "payee_id": self.payee,
            "papers": [{"kind": "invoice", "document": uuid4()}],
        }
        return await self.office.done(f"/v1/grants/{self.grant['id']}/payments", body, by=by)

    async def released(self) -> Any:
        payment = await self.scheduled()
        return await self.act(payment, "release", {}, by=HOLDERS[Part.RELEASED])

    async def confirmed(self) -> Any:
        payment = await self.released()
        receipt = {"confirmed_on": today(), "receipt": uuid4()}
        return await self.act(payment, "confirm", receipt, by=SECOND)

    async def failed(self) -> Any:
        payment = await self.released()
        reason = {"reason": "account_closed"}
        return await self.act(payment, "fail", reason, by=HOLDERS[Part.TOOK_BACK])

    async def act(self, payment: Any, action: str, body: Any, *, by: str) -> Any:
        return await self.office.done(f"/v1/payments/{payment['id']}/{action}", body, by=by)

    async def tried(self, payment: Any, action: str, body: Any, who: str) -> bool:
        """Whether somebody may do something over HTTP."""
        path = f"/v1/payments/{payment['id']}"
        version = await self.office.version(path)
        answer = await self.office.post(f"{path}/{action}", body, by=who, version=version)
        return allowed(answer)

    async def told(self, payment: Any, direction: str, who: str, state: str) -> bool:
        """Whether an entry that somebody imports changes a payment's state to what it says."""
        payout, number = payment["payout"]["amount"], f"{self.number}-{who}-{direction}"
        entry = (number, today(), direction, payout, payment["reference"])
        before = await state_of(self.office, payment)
        (line,) = await imported(self.office, "csv", csv_of(entry), by=who)
        after = await state_of(self.office, payment)
        assert (after == state) == (line["outcome"] != "question"), line
        assert after in {before, state}
        return after == state


def allowed(answer: httpx.Response) -> bool:
    if answer.status_code == 403:
        assert answer.json()["type"] == "/problems/four-eyes", answer.text
        return False
    assert answer.is_success, answer.text
    return True


async def desk_of(office: Office) -> Desk:
    await office.budget()
    grant = await office.grant(await office.here(), "100.00")
    path = f"/v1/grants/{grant['id']}"
    amended = {"amount": {"amount": "101.00", "currency": "EUR"}}
    await office.done(f"{path}/amend", amended, by=HOLDERS[Part.PREPARED_GRANT])
    for who in (APPROVER, SECOND, THIRD)[: grant["approvers_needed"]]:
        grant = await office.done(f"{path}/approve", by=who)
    desk = Desk(office, grant, await office.payee())
    await desk.failed()
    return desk


async def try_step(desk: Desk, step: Step, way: Way, who: str) -> bool:
    """Whether somebody may do a step, tried on a payment that waits for it; they spell their id in
    another way than before, and are no second person for that.
    """
    who = who.swapcase()
    receipt = {"confirmed_on": today(), "receipt": uuid4()}
    reason = {"reason": "account_closed"}
    if way is Way.IMPORT:
        if step is Step.REVERSE:
            return await desk.told(await desk.confirmed(), "credit", who, "reversed")
        payment = await (desk.failed() if step is Step.RESURRECT else desk.released())
        return await desk.told(payment, "debit", who, "confirmed")
    if step is Step.SCHEDULE:
        body = {"method": "bank", "amount": {"amount": "0.01", "currency": "EUR"}}
        path = f"/v1/grants/{desk.grant['id']}/payments"
        return allowed(await desk.office.post(path, body | {"payee_id": desk.payee}, by=who))
    if step is Step.CONFIRM_LESS:
        desk.number += 1
        less = receipt | {"amount": {"amount": "0.01", "currency": "EUR"}}
        return await desk.tried(await desk.released(), "confirm", less, who)
    of_state = {
        Step.RELEASE: (desk.scheduled, "release", {}),
        Step.CONFIRM: (desk.released, "confirm", receipt),
        Step.CANCEL: (desk.scheduled, "fail", reason),
        Step.FAIL: (desk.released, "fail", reason),
        Step.REVERSE: (desk.confirmed, "reverse", reason),
        Step.RECOVER: (desk.confirmed, "recover", reason),
    }
    make, action, body = of_state[step]
    return await desk.tried(await make(), action, body, who)


@pytest.mark.parametrize(("step", "way"), BY_PERSONS)
async def test_each_part_bars_from_what_the_table_says_and_from_nothing_else(
    office: Office, step: Step, way: Way
) -> None:
    desk = await desk_of(office)
    # Who takes back in one cell has that part in the next: those who are barred try first.
    barred = TABLE[step, way].barred
    for part in sorted(Part, key=lambda part: part not in barred):
        assert await try_step(desk, step, way, HOLDERS[part]) == (part not in barred), part
    assert await try_step(desk, step, way, NOBODY)
    first = await try_step(desk, step, way, REQUESTER)
    assert first == (Part.PREPARED_GRANT not in barred), "who requested it, before it was amended"
    await office.proved()


@pytest.mark.parametrize(("step", "way"), sorted(TABLE))
def test_every_cell_says_who_and_the_platform_is_barred_from_nothing(step: Step, way: Way) -> None:
    cell = TABLE[step, way]
    person = uuid4()
    for part in Part:
        parts: dict[Part, tuple[UUID, ...]] = {part: (person,)}
        assert is_barred(step, way, person, parts) == (part in cell.barred)
        assert not is_barred(step, way, uuid4(), parts)
    assert cell.person == (way in {Way.HTTP, Way.IMPORT})
    if not cell.person:
        assert cell == Cell(person=False)


PAGE = ROOT / "docs" / "four-eyes.md"


def test_the_page_shows_the_table() -> None:
    rows = [
        f"| {step.value} | {way.value} | {'a person' if cell.person else 'the platform'} | "
        f"{', '.join(sorted(part.value for part in cell.barred)) or 'nobody'} |"
        for (step, way), cell in TABLE.items()
    ]
    shown = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][1:]
    assert shown == rows


CALLERS = {
    "payments/payments/routes.py:schedule": {(Step.SCHEDULE, Way.HTTP)},
    "payments/payments/routes.py:release": {(Step.RELEASE, Way.HTTP)},
    "payments/payments/routes.py:release_many": {(Step.RELEASE, Way.HTTP)},
    "payments/payments/routes.py:confirm": {
        (Step.CONFIRM, Way.HTTP),
        (Step.CONFIRM_LESS, Way.HTTP),
    },
    "payments/payments/routes.py:fail": {(Step.CANCEL, Way.HTTP), (Step.FAIL, Way.HTTP)},
    "payments/payments/routes.py:reverse": {(Step.REVERSE, Way.HTTP)},
    "payments/payments/routes.py:recover": {(Step.RECOVER, Way.HTTP)},
    "payments/payments/instalments.py:schedule_next": {
        (Step.SCHEDULE, Way.EVENT),
        (Step.SCHEDULE, Way.CONSEQUENCE),
    },
    "app.py:registered": {(Step.SCHEDULE, Way.CONSEQUENCE), (Step.CANCEL, Way.HTTP)},
    "payments/statements/service.py:_carry_out": {
        (Step.CONFIRM, Way.IMPORT),
        (Step.RESURRECT, Way.IMPORT),
        (Step.REVERSE, Way.IMPORT),
    },
    "closing.py:close_or_cancel": {
        (Step.CANCEL, Way.EVENT),
        (Step.CANCEL, Way.JOB),
        (Step.FAIL, Way.EVENT),
    },
    "payments/earned/service.py:_schedule": {
        (Step.SCHEDULE, Way.EVENT),
        (Step.SCHEDULE, Way.JOB),
    },
    "payments/earned/service.py:_reconcile_payment": {
        (Step.CANCEL, Way.EVENT),
        (Step.CANCEL, Way.JOB),
    },
    "handlers.py:_received_at_desk": {(Step.CONFIRM, Way.DESK), (Step.CONFIRM_LESS, Way.DESK)},
    "transfers.py:hand_over": {(Step.CANCEL, Way.EVENT)},
}
"""Every function that changes the state of a payment, and the cells of the table that it is."""


def writers() -> set[str]:
    """Functions of the payments' room that change a state, themselves or by one another."""
    functions = {
        node.name: node
        for path in PAYMENTS
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    }
    found = {name for name, node in functions.items() if writes_a_state(node)}
    while True:
        more = {name for name, node in functions.items() if calls(node) & found}
        if more <= found:
            return found
        found |= more


def writes_a_state(function: ast.AST) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Attribute) and target.attr == "state"
            for each in node.targets
            for target in (each.elts if isinstance(each, ast.Tuple) else [each])
        ):
            return True
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in {"move", "apply"}:
                owner = ast.unparse(node.func.value)
                if owner.isupper() or owner.rpartition(".")[2].isupper():
                    return True
            if isinstance(node.func, ast.Name) and node.func.id == "Payment":
                return True
    return False


def calls(function: ast.AST) -> set[str]:
    return {
        node.func.id
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def changes(path: Path, names: set[str]) -> Iterator[str]:
    """Functions of a file that call or hand on a writer of payments, or make a payment."""
    tree = ast.parse(path.read_text("utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules = {
        alias.asname or alias.name
        for node in imported
        if node.module == ROOM
        for alias in node.names
        if alias.name in WRITERS
    }
    functions = {
        alias.asname or alias.name
        for node in imported
        if node.module in {f"{ROOM}.{name}" for name in WRITERS}
        for alias in node.names
        if alias.name in names
    } | {"Payment"}
    for part in tree.body:
        for node in ast.walk(part):
            by_module = (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in modules
                and node.attr in names
            )
            called = node.func if isinstance(node, ast.Call) else None
            if by_module or (isinstance(called, ast.Name) and called.id in functions):
                name = getattr(part, "name", "registered")
                yield f"{path.relative_to(GRANTS).as_posix()}:{name}"
                break


def test_no_state_is_changed_by_a_way_that_is_not_in_the_table() -> None:
    names = writers()
    assert {"confirm", "fail", "reverse", "recover", "schedule", "cancel_scheduled"} <= names
    found = {
        caller
        for path in GRANTS.rglob("*.py")
        if path not in PAYMENTS
        for caller in changes(path, names)
    }
    assert found == set(CALLERS)
    assert {cell for cells in CALLERS.values() for cell in cells} == set(TABLE)
