"""Bank statements: the files as banks send them, right, wrong, unknown, reversed, and twice."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from services.grants.statement_files.delimited import read_csv
from services.grants.statement_files.model import Entry, Statement
from services.grants.statement_files.mt940 import read_mt940
from services.grants.statement_files.references import LENGTH, is_default
from tests.grants.bank import as_of_today, csv_of, decide, imported, mt940_of, send, state_of
from tests.grants.office import APPROVER, RELEASER, REQUESTER, SECOND, THIRD, Office, today
from tests.grants.statement_files.camt_messages import Booking, Detail, balance, message

DATA = Path(__file__).parent / "data"
CASES = Path(__file__).parent / "statement_files" / "cases"
TEXTS = {
    kind: as_of_today((DATA / f"statement.{kind}").read_text("utf-8")) for kind in ("csv", "mt940")
}
EXPECTED = {
    (row["account"], int(row["line"])): row["outcome"]
    for row in csv.DictReader(
        (DATA / "statement_expected.csv").read_text(encoding="utf-8").splitlines()
    )
}
PAYMENTS = list(csv.DictReader((DATA / "payments.csv").read_text(encoding="utf-8").splitlines()))


def entries_of(statements: list[Statement]) -> list[Entry]:
    return [entry for statement in statements for entry in statement.entries]


def test_both_files_hold_the_same_entries() -> None:
    one, other = (
        entries_of(read(TEXTS[kind])) for read, kind in ((read_csv, "csv"), (read_mt940, "mt940"))
    )
    assert [(entry.content, entry.key) for entry in one] == [
        (entry.content, entry.key) for entry in other
    ]
    assert len(one) == 24
    assert {entry.direction for entry in one} == {"debit", "credit"}


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
    assert outcomes(await send(office, "mt940", TEXTS["mt940"])) == EXPECTED
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
        assert outcomes(await send(office, kind, TEXTS[kind])) == EXPECTED
    assert await office.sums(budget) == first
    await office.proved()


async def test_money_that_the_bank_sent_twice_is_seen(office: Office) -> None:
    await released_payments(office)
    await send(office, "csv", TEXTS["csv"])
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
    wrong = "BE00000000000001,00005,99,2019-05-09,2019-05-09,debit,x,EUR,A,B,C,1"
    answer = await send(office, "csv", TEXTS["csv"] + wrong)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["row"] == 26
    assert (await office.get("/v1/statements")).json()["items"] == []
    assert (await office.sums(budget))["paid"] == 0


class Payer:
    """Releases payments of its own grants, of amounts that add up to little."""

    def __init__(self, office: Office, payee: str, grant: Any) -> None:
        self.office, self.payee, self.grant = office, payee, grant

    async def released(self, amount: str, reference: str | None = None) -> Any:
        more = {"reference": reference} if reference else {}
        return await self.office.released(self.grant, self.payee, amount, **more)


async def payer_of(office: Office) -> Payer:
    await office.budget()
    grant = await office.approved(await office.here(), "900.00")
    return Payer(office, await office.payee(), grant)


MATCHED = {
    "00-control-right.sta": "40.00",
    "01-field-28-not-28C.sta": "41.00",
    "02-abn-header.sta": "41.00",
    "03-ing-header.sta": "41.00",
    "05-soh.sta": "41.00",
    "06-rabo-940-line.sta": "41.00",
    "07-blank-line-in-86.sta": "41.00",
    "09-unknown-tag-NS.sta": "41.00",
    "10-type-with-blanks.sta": "41.00",
    "11-entry-of-nothing.sta": "41.00",
    "13-latin1.sta": "41.00",
    "15-german-EREF-plus.sta": "42.00",
    "16-slash-EREF.sta": "43.00",
    "22-long-ref-cut-to-16.sta": "50.00",
    "32-default-reference-in-61.sta": "12.00",
}


async def test_every_handed_dialect_confirms_its_payment(office: Office) -> None:
    payer = await payer_of(office)
    for index, (name, amount) in enumerate(MATCHED.items()):
        text = as_of_today((CASES / name).read_bytes().decode("latin-1"))
        (entry,) = entries_of(read_mt940(text))
        own = f"CASE-{index:06}"
        reference = own + "-AND-MORE-THAN-FITS" if name.startswith("22") else own
        payment = await payer.released(amount, None if name.startswith("32") else reference)
        sent = text.replace(entry.reference, payment["reference"][:16])
        (line,) = await imported(office, "sta", sent.encode("latin-1"))
        assert (line["outcome"], line["payment_id"]) == ("matched", payment["id"]), name
        assert await state_of(office, payment) == "confirmed", name
    await office.proved()


async def test_a_day_without_movement_is_taken_and_what_is_cut_off_is_not(office: Office) -> None:
    await office.budget()
    nothing = (CASES / "14-day-without-movement.sta").read_text()
    answer = await send(office, "sta", nothing)
    assert [item["lines"] for item in answer.json()["items"]] == [[]]
    for name in ("17-truncated-no-62F.sta", "18-entries-after-62F.sta"):
        assert (await send(office, "sta", (CASES / name).read_text())).status_code == 422
    assert len((await office.get("/v1/statements")).json()["items"]) == 1


async def test_a_default_reference_fits_and_old_longer_ones_are_found_cut(office: Office) -> None:
    payer = await payer_of(office)
    default = await payer.released("12.00")
    assert len(default["reference"]) == LENGTH
    assert is_default(default["reference"])
    broken = f"{default['reference'][:6]}?21{default['reference'][6:]}"
    (line,) = await imported(
        office, "sta", mt940_of(f"D12,NTRFNONREF//X1\n:86:177?20SVWZ+COURSE {broken} FEE")
    )
    assert line["outcome"] == "matched"
    old = [
        await payer.released(f"1{n}.00", f"HW01A22EB1B4DC7300800{n}0123456789AB") for n in (3, 4)
    ]
    assert len({payment["reference"][:LENGTH] for payment in old}) == 1
    cut = old[0]["reference"][:LENGTH]
    lines = await imported(office, "sta", mt940_of(f"D14,NTRF{cut}//X2", number="2"))
    assert [line["payment_id"] for line in lines] == [old[1]["id"]]
    unknown = await imported(office, "sta", mt940_of(f"D15,NTRF{cut}//X3", number="3"))
    assert [(line["outcome"], line["why"]) for line in unknown] == [("unknown", "several_payments")]
    await office.proved()


async def test_nothing_vanishes_and_nothing_is_booked_twice(office: Office) -> None:
    """Number 0 for ever, one account in two currencies, equal fees, and each file sent twice."""
    await payer_of(office)
    for name in ("19a-number-0-monday.sta", "19b-number-0-tuesday.sta", "34a-eur.sta"):
        for _ in range(2):
            assert len(await imported(office, "sta", (CASES / name).read_text())) == 1, name
    (dinars,) = await imported(
        office, "sta", (CASES / "34b-iqd-of-the-same-account.sta").read_text()
    )
    assert dinars["amount"]["currency"] == "IQD"
    for _ in range(2):
        fees = await imported(
            office, "sta", (CASES / "21-two-equal-entries-one-bank-ref.sta").read_text()
        )
        assert [line["amount"]["amount"] for line in fees] == ["5.00", "5.00"]
    listed = (await office.get("/v1/statements", limit=200)).json()["items"]
    assert sum(len(item["lines"]) for item in listed) == 6


async def test_two_days_of_a_bank_that_numbers_nothing_confirm_two_payments(office: Office) -> None:
    payer = await payer_of(office)
    one, two = [await payer.released(amount) for amount in ("47.00", "48.00")]
    for payment, amount, opening in ((one, "47", "1000"), (two, "48", "953")):
        entry = f"D{amount},NTRF{payment['reference']}"
        for _ in range(2):
            await imported(office, "sta", mt940_of(entry, number="0", opening=opening))
    assert {await state_of(office, payment) for payment in (one, two)} == {"confirmed"}
    listed = (await office.get("/v1/statements")).json()["items"]
    assert [len(item["lines"]) for item in listed] == [2], "of one day"


async def test_equal_entries_in_two_deliveries_are_counted(office: Office) -> None:
    await office.budget()
    fee = "D5,NCHGNONREF//FEE"
    assert len(await imported(office, "sta", mt940_of(fee))) == 1
    assert len(await imported(office, "sta", mt940_of(fee, fee))) == 2
    assert len(await imported(office, "sta", mt940_of(fee, fee))) == 2
    later = await imported(office, "sta", mt940_of(fee, number="2", opening="990"))
    assert len(later) == 1, "of another statement"
    listed = (await office.get("/v1/statements")).json()["items"]
    assert sum(len(item["lines"]) for item in listed) == 3


async def test_a_collective_order_in_two_deliveries(office: Office) -> None:
    payer = await payer_of(office)
    paid = [await payer.released("20.00") for _ in range(4)]
    refs = [payment["reference"] for payment in paid]
    for part in (refs[:2], refs[2:], refs):
        entries = [f"D20,NTRF{reference}//ORDER1" for reference in part]
        await imported(office, "sta", mt940_of(*entries))
    assert {await state_of(office, payment) for payment in paid} == {"confirmed"}
    (statement,) = (await office.get("/v1/statements")).json()["items"]
    assert len(statement["lines"]) == 4
    await office.proved()


async def test_a_batch_is_booked_as_a_sum_and_told_in_detail_later(office: Office) -> None:
    payer = await payer_of(office)
    paid = [await payer.released(amount) for amount in ("20.00", "30.00")]
    up = balance("OPBD", "1000.00", day=today()) + balance("CLBD", "950.00", day=today())
    whole = Booking("50.00", bank_reference="BATCH9", day=today())
    (line,) = await imported(office, "camt", message(whole, balances=up))
    assert (line["outcome"], line["why"]) == ("unknown", "no_payment")
    details = tuple(Detail(p["reference"], p["payout"]["amount"]) for p in paid)
    notice = Booking("50.00", bank_reference="BATCH9", day=today(), details=details)
    lines = await imported(office, "camt", message(notice, kind="054", version=4))
    assert sorted(line["outcome"] for line in lines) == ["matched", "matched"]
    assert {await state_of(office, payment) for payment in paid} == {"confirmed"}
    await office.proved()


async def test_the_same_entry_in_every_form_is_one(office: Office) -> None:
    """Told during the day, on the statement in two forms, and from the portal; with a reference of
    the bank, and without.
    """
    for bank_reference in ("B77", ""):
        payer = await payer_of(office)
        payment = await payer.released("40.00")
        detail = (Detail(payment["reference"]),)
        booking = Booking("40.00", bank_reference=bank_reference, day=today(), details=detail)
        account = f"DE02100100100006820101{'' if bank_reference else '9'}"
        up = balance("OPBD", "1000.00") + balance("CLBD", "960.00")
        entry = f"D40,NTRFNONREF//{bank_reference}\n:86:/EREF/{payment['reference']}/"
        own = f"{account},229,1,{today()},debit,40.00,EUR,{bank_reference},{payment['reference']}"
        forms: tuple[tuple[str, str | bytes], ...] = (
            ("camt", message(booking, kind="052", account=account)),
            ("camt", message(booking, kind="054", account=account)),
            ("camt", message(booking, balances=up, account=account)),
            ("sta", mt940_of(entry, number="229/1", account=account + "EUR")),
            ("csv", csv_of().strip() + "\r\n" + own),
        )
        for kind, content in forms:
            await imported(office, kind, content)
        listed = (await office.get("/v1/statements", limit=200)).json()["items"]
        lines = [line for item in listed if item["account"] == account for line in item["lines"]]
        assert [line["outcome"] for line in lines] == ["matched"], bank_reference
    assert (await office.get("/v1/payments", questioned="true")).json()["items"] == []
    await office.proved()


async def test_numbers_begin_again_each_year_and_an_entry_that_differs_is_said(
    office: Office,
) -> None:
    payer = await payer_of(office)
    one, two = [await payer.released("100.00") for _ in range(2)]
    first = ("5", today(), "debit", "100.00", one["reference"])
    for _ in range(2):
        assert (await imported(office, "csv", csv_of(first)))[-1]["outcome"] == "matched"
    other = ("5", today(), "debit", "99.00", one["reference"])
    changed = (await imported(office, "csv", csv_of(other)))[-1]
    listed = (await office.get("/v1/statements")).json()["items"]
    assert [len(statement["lines"]) for statement in listed] == [2], (
        "the first is kept, and the other beside it"
    )
    assert (changed["outcome"], changed["why"]) == ("mismatched", "differs_from_before")
    last_year = ("5", today(-366), "credit", "7.00", "OTHER-1")
    assert len(await imported(office, "csv", csv_of(last_year))) == 1
    same_number = ("5", today(), "debit", "100.00", two["reference"])
    assert (await imported(office, "csv", csv_of(first, same_number)))[-1]["outcome"] == "matched"
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

    async def last(number: str, direction: str, payment: Any) -> Any:
        line = (number, today(), direction, "450.00", payment["reference"])
        return (await imported(office, "csv", csv_of(line)))[-1]

    assert (await last("6", "debit", kept))["outcome"] == "matched"
    assert (await office.sums(budget))["paid"] == Decimal("450.00")
    await office.paid(grant, payee, "450.00")
    for direction, outcome, questioned in (("debit", "mismatched", 1), ("credit", "reversed", 0)):
        assert (await last("7" + direction, direction, lost))["outcome"] == outcome
        asked = (await office.get("/v1/payments", questioned="true")).json()["items"]
        assert [each["questioned"] for each in asked] == ["paid_after_failure"] * questioned
    assert (await last("8", "debit", kept))["why"] == "paid_twice"
    assert (await last("9", "credit", kept))["outcome"] == "reversed"
    assert await state_of(office, kept) == "confirmed", "the second came back"
    await office.proved()


async def test_an_import_is_the_act_of_a_person(office: Office) -> None:
    payer = await payer_of(office)
    payment = await payer.released("51.00")
    line = ("1", today(), "debit", "51.00", payment["reference"])
    refused = await send(office, "csv", csv_of(line), by=None)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/person-required")
    assert await state_of(office, payment) == "released"


async def test_who_released_neither_confirms_nor_takes_back_by_an_import(office: Office) -> None:
    payer = await payer_of(office)
    payment = await payer.released("51.00")
    debit = csv_of(("1", today(), "debit", "51.00", payment["reference"]))
    for _ in range(2):
        (line,) = await imported(office, "csv", debit, by=RELEASER)
        assert (line["outcome"], line["why"]) == ("question", "own_payment")
    assert await state_of(office, payment) == "released"
    (asked,) = (await office.get("/v1/payments", questioned="true")).json()["items"]
    assert asked["questioned"] == "bank_entry"
    for who in (RELEASER,):
        assert (await decide(office, line, "book", by=who)).status_code == 403
    decided = await decide(office, line, "book", by=SECOND)
    assert decided.json()["outcome"] == "matched", decided.text
    assert await state_of(office, payment) == "confirmed"
    assert (await office.get("/v1/payments", questioned="true")).json()["items"] == []
    credit = csv_of(("2", today(), "credit", "51.00", payment["reference"]))
    for who in (RELEASER, REQUESTER):
        (line,) = await imported(office, "csv", credit, by=who)
        assert (line["outcome"], line["why"]) == ("question", "own_payment"), who
    assert await state_of(office, payment) == "confirmed"
    for who in (REQUESTER, RELEASER):
        assert (await decide(office, line, "book", by=who)).status_code == 403
    (line,) = await imported(office, "csv", credit, by=THIRD)
    assert line["outcome"] == "reversed", "sent again by another person, it is taken back"
    assert await state_of(office, payment) == "reversed"
    grant = f"/v1/grants/{payer.grant['id']}/payments"
    body = {"method": "bank", "amount": {"amount": "51.00", "currency": "EUR"}, "papers": []}
    again = await office.post(grant, body | {"payee_id": payer.payee}, by=THIRD)
    assert again.status_code == 403, "who took it back does not send it again"
    await office.proved()


async def test_a_question_is_dismissed_by_another(office: Office) -> None:
    payer = await payer_of(office)
    payment = await payer.released("51.00")
    debit = csv_of(("1", today(), "debit", "51.00", payment["reference"]))
    (line,) = await imported(office, "csv", debit, by=RELEASER)
    assert (await decide(office, line, "dismiss", by=RELEASER)).status_code == 403
    answer = (await decide(office, line, "dismiss", by=SECOND)).json()
    assert (answer["outcome"], answer["why"]) == ("mismatched", "dismissed")
    assert (await office.get("/v1/payments", questioned="true")).json()["items"] == []
    (again,) = await imported(office, "csv", debit)
    assert again["why"] == "dismissed", "it stays decided"
    assert await state_of(office, payment) == "released"


async def test_days_before_the_release_and_to_come_confirm_nothing(office: Office) -> None:
    payer = await payer_of(office)
    for number, (day, why) in enumerate(
        (
            ("2019-01-02", "before_release"),
            (today(-2), "before_release"),
            ("2031-01-02", "in_future"),
            (today(2), "in_future"),
        )
    ):
        payment = await payer.released("6.50")
        line = (str(number), day, "debit", "6.50", payment["reference"])
        (found,) = await imported(office, "csv", csv_of(line))
        assert (found["outcome"], found["why"]) == ("mismatched", why), day
        assert await state_of(office, payment) == "released"
        right = (f"9{number}", today(), "debit", "6.50", payment["reference"])
        (found,) = await imported(office, "csv", csv_of(right))
        assert found["outcome"] == "matched"
    await office.proved()


async def test_a_day_on_which_a_source_does_not_pay_is_a_question(
    office: Office, monkeypatch: Any
) -> None:
    payer = await payer_of(office)
    payment = await payer.released("6.50")
    monkeypatch.setattr("services.grants.books.ledger.pays_on", lambda *_: False)
    (line,) = await imported(
        office, "csv", csv_of(("1", today(), "debit", "6.50", payment["reference"]))
    )
    assert (line["outcome"], line["why"]) == ("question", "outside_period")
    assert await state_of(office, payment) == "released"
    assert (await decide(office, line, "book", by=THIRD)).status_code == 403, "who imported it"
    assert (await decide(office, line, "book", by=SECOND)).json()["outcome"] == "matched"
    assert await state_of(office, payment) == "confirmed"


async def test_one_cent_less_is_told(office: Office) -> None:
    payer = await payer_of(office)
    payment = await payer.released("20.02")
    for number, amount in enumerate(("20.01", "20.03")):
        line = (str(number), today(), "debit", amount, payment["reference"])
        (found,) = await imported(office, "csv", csv_of(line))
        assert (found["outcome"], found["why"]) == ("mismatched", "amount_differs")
    assert await state_of(office, payment) == "released"


async def test_candidates_are_for_a_person_to_choose_from(office: Office) -> None:
    payer = await payer_of(office)
    account = "BE68539007547034"
    details = {"name": "Example Workshop", "account": account}
    other = Payer(office, await office.payee(details=details), payer.grant)
    by_amount = await payer.released("77.00")
    by_account = await other.released("77.00")
    await payer.released("78.00")
    entry = f"D77,NTRFNONREF//Z1\n:86:/IBAN/{account}/REMI/COURSE FEE"
    (line,) = await imported(office, "sta", mt940_of(entry))
    assert (line["outcome"], line["why"]) == ("unknown", "no_payment")
    assert line["candidates"] == [by_account["id"], by_amount["id"]], "the account comes first"
    assert await state_of(office, by_account) == "released", "nothing is booked by itself"
    chosen = by_account["id"]
    refused = await decide(office, line, "book", by=RELEASER, payment_id=chosen)
    assert refused.status_code == 403, "not by who released it"
    assert (await decide(office, line, "book", by=APPROVER)).status_code == 422, "which?"
    wrong = await decide(office, line, "book", by=APPROVER, payment_id=str(payer.grant["id"]))
    assert wrong.status_code == 422
    booked = await decide(office, line, "book", by=APPROVER, payment_id=chosen)
    assert (booked.json()["outcome"], booked.json()["payment_id"]) == ("matched", chosen)
    assert await state_of(office, by_account) == "confirmed"
    (again,) = await imported(office, "sta", mt940_of(entry))
    assert (again["id"], again["payment_id"]) == (line["id"], chosen)
    await office.proved()


async def test_an_entry_that_came_before_its_payment_was_known_is_matched_when_sent_again(
    office: Office,
) -> None:
    payer = await payer_of(office)
    for number, reference in enumerate(("LATER-1", "RENT-OF-NOVEMBER")):
        content = csv_of((str(number), today(), "debit", "33.00", reference))
        assert (await imported(office, "csv", content))[0]["outcome"] == "unknown"
        payment = await payer.released("33.00", reference)
        (line,) = await imported(office, "csv", content)
        assert (line["outcome"], line["payment_id"]) == ("matched", payment["id"])
    await office.proved()


MAPPING = {
    "name": "Example Bank",
    "columns": {
        "booked_on": ["Date"],
        "text": ["Particulars"],
        "debit": ["Out"],
        "credit": ["In"],
        "balance": ["Balance"],
    },
    "separator": ",",
    "decimal": ".",
    "day_format": "DD/MM/YYYY",
    "sign": "two_columns",
    "account": "0012345",
    "currency": "EUR",
    "header_row": 2,
}


async def test_a_banks_own_table_is_read_by_a_mapping_that_is_saved_once(office: Office) -> None:
    payer = await payer_of(office)
    payment = await payer.released("40.25")
    saved = await office.done("/v1/statement-mappings", MAPPING)
    year, month, day = today().split("-")
    table = (
        "Account of Example Office,,,,\nDate,Particulars,Out,In,Balance\n"
        f'{day}/{month}/{year},OPENING,,"1,000.00","1,000.00"\n'
        f"{day}/{month}/{year},FEE {payment['reference'].lower()} NOV,40.25,,959.75\n"
    )
    headers = office.headers(THIRD) | {"Content-Type": "text/csv"}
    preview = await office.http.post(
        "/v1/statements/preview",
        content=table.replace("959.75", "x").encode(),
        headers=headers,
        params={"mapping": saved["id"]},
    )
    assert [line["amount"]["amount"] for line in preview.json()["lines"]] == ["1000.00", "40.25"]
    assert (await office.get("/v1/statements")).json()["items"] == [], "a preview keeps nothing"
    lines = await imported(office, "csv", table, mapping=saved["id"])
    assert [line["outcome"] for line in lines] == ["unknown", "matched"]
    wrong = await send(office, "csv", table.replace("959.75", "959.76"), mapping=saved["id"])
    assert wrong.json()["errors"][0]["code"] == "does_not_add_up"
    taken = await office.post("/v1/statement-mappings", MAPPING)
    assert taken.status_code == 409
    incomplete = await office.post("/v1/statement-mappings", MAPPING | {"account": None})
    assert incomplete.status_code == 422
    listed = (await office.get("/v1/statement-mappings")).json()["items"]
    assert [each["id"] for each in listed] == [saved["id"]]
    other = await office.get(f"/v1/statement-mappings/{saved['id']}", organisation="bamf")
    assert other.status_code in {403, 404}
    path = f"/v1/statement-mappings/{saved['id']}"
    changed = await office.http.put(
        path,
        json=MAPPING | {"decimal": ",", "separator": ";"},
        headers=office.headers(THIRD) | {"If-Match": '"1"'},
    )
    assert (changed.status_code, changed.json()["decimal"]) == (200, ",")
    await office.proved()


async def test_files_that_are_something_else_say_so(office: Office) -> None:
    await office.budget()
    for kind, content, code in (
        ("camt", b"<!DOCTYPE a><Document/>", "doctype"),
        ("camt", b"nothing", "xml"),
        ("sta", b"Dear customer", "no_tag"),
        ("sta", b"PK\x03\x04\0\0", "text"),
        ("csv", b"a;b\n1;2\n", "columns_missing"),
    ):
        answer = await send(office, kind, content)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
