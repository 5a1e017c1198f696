"""A bank for tests: its statements are of today, as nothing is booked before it was released."""

import re
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx

from tests.grants.office import THIRD, Office, today

MEDIA_TYPES = {
    "csv": "text/csv",
    "mt940": "application/x-mt940",
    "sta": "application/x-mt940",
    "camt": "application/xml",
}
COLUMNS = "account,statement,line,booking_date,direction,amount,currency,bank_reference,reference"


def as_of_today(text: str) -> str:
    """A file with all its days moved to today."""
    day = today()
    short = day[2:].replace("-", "")
    text = re.sub(r"\b20\d\d-\d\d-\d\d\b", day, text)
    text = re.sub(r"(?m)^(:6[0-5][FM]?:[CD])\d{6}", rf"\g<1>{short}", text)
    return re.sub(r"(?m)^(:61:)\d{6}\d{4}", rf"\g<1>{short}{short[2:]}", text)


def csv_of(*lines: tuple[str, str, str, str, str], account: str = "BE1") -> str:
    """Statement number, day, direction, amount and reference of each line, without a reference of
    the bank.
    """
    rows = [COLUMNS]
    for index, (number, day, direction, amount, reference) in enumerate(lines, start=1):
        rows.append(f"{account},{number},{index},{day},{direction},{amount},EUR,,{reference}")
    return "\r\n".join(rows)


def mt940_of(
    *entries: str,
    number: str = "1",
    account: str = "BE1",
    opening: str = "1000",
    currency: str = "EUR",
) -> str:
    """Entries as they stand after their days in `:61:`, such as `D40,00NTRFREF//B1`."""
    short = today()[2:].replace("-", "")
    total, lines = Decimal(opening), []
    for entry in entries:
        found = re.match(r"(R?[CD])(\d+,\d*)", entry)
        assert found is not None
        amount = Decimal(found[2].replace(",", ".").removesuffix("."))
        total += amount if found[1] in {"C", "RD"} else -amount
        lines.append(f":61:{short}{short[2:]}{entry}")
    body = "\n".join(lines) + ("\n" if lines else "")
    ends = str(total).replace(".", ",") + ("" if "." in str(total) else ",")
    return (
        f":20:S\n:25:{account}\n:28C:{number}\n:60F:C{short}{currency}{opening},\n{body}"
        f":62F:C{short}{currency}{ends}\n"
    )


async def send(
    office: Office,
    kind: str,
    content: str | bytes,
    *,
    by: str | None = THIRD,
    mapping: str | None = None,
) -> httpx.Response:
    headers = office.headers(by) | {
        "Idempotency-Key": str(uuid4()),
        "Content-Type": MEDIA_TYPES[kind],
    }
    data = content if isinstance(content, bytes) else content.encode()
    params = {"mapping": mapping} if mapping else {}
    return await office.http.post("/v1/statements", content=data, headers=headers, params=params)


async def imported(office: Office, kind: str, content: str | bytes, **options: Any) -> list[Any]:
    """The lines of all statements of a file that must be taken."""
    answer = await send(office, kind, content, **options)
    assert answer.status_code == 201, answer.text
    return [line for statement in answer.json()["items"] for line in statement["lines"]]


async def decide(
    office: Office, line: Any, decision: str, *, by: str, payment_id: str | None = None
) -> httpx.Response:
    """Decide about a line that waits."""
    items = (await office.get("/v1/statements/open-lines", limit=200)).json()["items"]
    statement = next(each["statement_id"] for each in items if each["id"] == line["id"])
    body = {"decision": decision, "payment_id": payment_id}
    return await office.post(f"/v1/statements/{statement}/lines/{line['id']}/decide", body, by=by)


async def state_of(office: Office, payment: Any) -> str:
    return str((await office.get(f"/v1/payments/{payment['id']}")).json()["state"])
