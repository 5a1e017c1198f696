"""Bank statements: the files as banks send them, right, wrong, unknown, reversed, and twice."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.grants.payments.statements.rules import Unreadable, read_csv, read_mt940
from tests.grants.office import SECOND, Office

DATA = Path(__file__).parent / "data"
TEXTS = {kind: (DATA / f"statement.{kind}").read_text("utf-8") for kind in ("csv", "mt940")}
TYPES = {"csv": "text/csv", "mt940": "application/x-mt940"}
EXPECTED = {
    (row["account"], int(row["line"])): row["outcome"]
    for row in csv.DictReader(
        (DATA / "statement_expected.csv").read_text(encoding="utf-8").splitlines()
    )
}
PAYMENTS = list(csv.DictReader((DATA / "payments.csv").read_text(encoding="utf-8").splitlines()))


def test_both_files_hold_the_same_entries() -> None:
    one, other = read_csv(TEXTS["csv"]), read_mt940(TEXTS["mt940"])
    assert one == other
    assert len(one) == 24
    assert {entry.direction for entry in one} == {"debit", "credit"}


@pytest.mark.parametrize(
    ("kind", "old", "new", "code"),
    [
        ("mt940", "D2284,80", "D2284,81", "does_not_add_up"),
        ("mt940", "D2284,80", "D2284,801", "too_fine"),
        ("mt940", ":60F:C190502EUR85000,00", ":60F:C190502EUR", "balance"),
        ("mt940", "190502", "199902", "date"),
        ("mt940", ":20:STMT1905EUR", "Dear Sir", "no_tag"),
        ("csv", "2284.80", "2284.801", "too_fine"),
        ("csv", ",debit,", ",sideways,", "direction"),
        ("csv", "2019-05-02", "02.05.2019", "date"),
        ("csv", "2284.80", "NaN", "amount"),
        ("csv", "bank_reference", "reference_of_bank", "columns_missing"),
    ],
)
def test_what_is_no_statement_says_where(kind: str, old: str, new: str, code: str) -> None:
    read = read_csv if kind == "csv" else read_mt940
    with pytest.raises(Unreadable) as wrong:
        read(TEXTS[kind].replace(old, new))
    assert wrong.value.code == code
    assert wrong.value.row >= 1


async def send(office: Office, kind: str, text: str | None = None) -> httpx.Response:
    headers = office.headers(None) | {"Idempotency-Key": str(uuid4()), "Content-Type": TYPES[kind]}
    return await office.http.post(
        "/v1/statements", content=(text or TEXTS[kind]).encode(), headers=headers
    )


async def released_payments(office: Office) -> str:
    """The payments of the data, released, each of a grant of its own; dinars at a rate."""
    budget = await office.budget("200000.00", programme="errin-iraq-2021")
    payee = await office.payee()
    for row in PAYMENTS:
        more: dict[str, Any] = {"reference": row["reference"]}
        amount = Decimal(row["amount"])
        if row["currency"] == "IQD":
            rate = {"value": "2000", "on": "2019-05-01", "source": "un-treasury"}
            more |= {"payout_currency": "IQD", "rate": rate}
            amount = (amount / 2000).quantize(Decimal("0.01"))
        person = await office.here(programme="errin-iraq-2021", office="icmpd")
        grant = await office.approved(person, format(amount, "f"))
        await office.released(grant, payee, **more)
    return budget


def outcomes(answer: httpx.Response) -> dict[tuple[str, int], str]:
    assert answer.status_code == 201, answer.text
    return {
        (statement["account"], line["line"]): line["outcome"]
        for statement in answer.json()["items"]
        for line in statement["lines"]
    }


async def test_each_entry_is_what_the_data_say_and_is_booked_once(office: Office) -> None:
    budget = await released_payments(office)
    assert outcomes(await send(office, "mt940")) == EXPECTED
    first = await office.sums(budget)
    reversed_, differing = "PAY-000131", "PAY-000159"
    payments = {
        p["reference"]: p for p in (await office.get("/v1/payments", limit=200)).json()["items"]
    }
    paid = {row["reference"] for row in PAYMENTS} - {reversed_, differing}
    assert {p["state"] for reference, p in payments.items() if reference in paid} == {"confirmed"}
    assert (payments[reversed_]["state"], payments[differing]["state"]) == ("reversed", "released")
    assert first["paid"] == sum(
        Decimal(payments[reference]["amount"]["amount"]) for reference in paid
    )
    for kind in ("mt940", "csv"):
        assert outcomes(await send(office, kind)) == EXPECTED
    assert await office.sums(budget) == first
    await office.proved()


async def test_money_that_the_bank_sent_twice_is_seen(office: Office) -> None:
    await released_payments(office)
    await send(office, "csv")
    again = (
        TEXTS["csv"]
        .replace(",00005,", ",00006,")
        .replace("EUR1905", "EUR1906")
        .replace("IQD1905", "IQD1906")
    )
    answer = await send(office, "csv", again)
    why = {line["why"] for statement in answer.json()["items"] for line in statement["lines"]}
    assert "matched" not in set(outcomes(answer).values())
    assert {"paid_twice", "no_payment", "amount_differs"} <= why
    await office.proved()


async def test_a_file_with_one_wrong_line_books_nothing(office: Office) -> None:
    budget = await office.budget()
    answer = await send(
        office,
        "csv",
        TEXTS["csv"] + "BE00000000000001,00005,99,2019-05-09,2019-05-09,debit,x,EUR,A,B,C,1",
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["row"] == 26
    assert (await office.get("/v1/statements")).json()["items"] == []
    assert (await office.sums(budget))["paid"] == 0


def csv_of(*lines: tuple[str, str, str, str, str]) -> str:
    """Statement number, day, direction, amount and reference of each line, without a reference of
    the bank.
    """
    rows = [
        "account,statement,line,booking_date,direction,amount,currency,bank_reference,reference"
    ]
    for place, (number, day, direction, amount, reference) in enumerate(lines, start=1):
        rows.append(f"BE1,{number},{place},{day},{direction},{amount},EUR,,{reference}")
    return "\r\n".join(rows)


async def first_line(office: Office, *lines: tuple[str, str, str, str, str]) -> dict[str, Any]:
    answer = await send(office, "csv", csv_of(*lines))
    assert answer.status_code == 201, answer.text
    last: dict[str, Any] = answer.json()["items"][-1]["lines"][-1]
    return last


def test_pages_are_told_apart() -> None:
    page = ":20:S\n:25:BE1\n:28C:7/{page}\n:60F:C261101EUR100,00\n:61:261102D10,00NTRFREF\n:62F:C261102EUR90,00\n"
    entries = read_mt940(page.format(page="00001") + page.format(page="00002"))
    assert [entry.key for entry in entries] == ["line 1", "page 2 line 1"]
    with pytest.raises(Unreadable):
        read_mt940(page.format(page="two"))


async def test_numbers_begin_again_each_year_and_an_entry_that_differs_is_said(
    office: Office,
) -> None:
    await office.budget()
    grant, payee = await office.approved(await office.here()), await office.payee()
    one, two = [await office.released(grant, payee, "100.00") for _ in range(2)]
    first = ("5", "2025-11-20", "debit", "100.00", one["reference"])
    assert (await first_line(office, first))["outcome"] == "matched"
    again = await first_line(office, first)
    assert again["outcome"] == "matched"
    changed = await first_line(office, ("5", "2025-11-20", "debit", "99.00", one["reference"]))
    listed = (await office.get("/v1/statements")).json()["items"]
    assert [len(statement["lines"]) for statement in listed] == [2], (
        "the first is kept, and the other beside it"
    )
    assert (changed["outcome"], changed["why"]) == ("mismatched", "differs_from_before")
    next_year = await first_line(office, ("5", "2026-11-20", "debit", "100.00", two["reference"]))
    assert next_year["outcome"] == "matched"
    paged = (await office.get(f"/v1/statements/{listed[0]['id']}/lines", limit=1)).json()
    assert (len(paged["items"]), paged["next"] is None) == (1, False)
    await office.proved()


async def test_a_debit_of_what_was_said_to_have_failed_is_booked_or_asked_about(
    office: Office,
) -> None:
    budget = await office.budget()
    grant, payee = await office.approved(await office.here()), await office.payee()
    kept, lost = [await office.released(grant, payee, "450.00") for _ in range(2)]
    for payment in (kept, lost):
        await office.done(
            f"/v1/payments/{payment['id']}/fail", {"reason": "account_closed"}, by=SECOND
        )
    debit = ("6", "2026-11-20", "debit", "450.00", kept["reference"])
    assert (await first_line(office, debit))["outcome"] == "matched"
    assert (await office.sums(budget))["paid"] == Decimal("450.00")
    await office.paid(grant, payee, "450.00")
    for direction, outcome, questioned in (("debit", "mismatched", 1), ("credit", "reversed", 0)):
        late = ("7" + direction, "2026-11-20", direction, "450.00", lost["reference"])
        assert (await first_line(office, late))["outcome"] == outcome
        asked = (await office.get("/v1/payments", questioned="true")).json()["items"]
        assert [each["questioned"] for each in asked] == ["paid_after_failure"] * questioned
    twice = ("8", "2026-11-20", "debit", "450.00", kept["reference"])
    assert (await first_line(office, twice))["why"] == "paid_twice"
    assert (await first_line(office, ("9", "2026-11-20", "credit", "450.00", kept["reference"])))[
        "outcome"
    ] == "reversed"
    assert (await office.get(f"/v1/payments/{kept['id']}")).json()["state"] == "confirmed", (
        "the second came back"
    )
    await office.proved()
