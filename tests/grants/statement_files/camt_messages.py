"""Makes the messages of the tests: one content in each version, as the ISO schemas order it."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:{}"
CONTAINERS = {"053": ("BkToCstmrStmt", "Stmt"), "052": ("BkToCstmrAcctRpt", "Rpt")}
CONTAINERS["054"] = ("BkToCstmrDbtCdtNtfctn", "Ntfctn")
CODED_STATUS = 7
"""From this version on the status of an entry is an element with a code."""
AMOUNT_OF_A_DETAIL = 3
"""From this version on a detail has its own amount and direction."""


@dataclass(frozen=True)
class Detail:
    end_to_end: str = "NOTPROVIDED"
    amount: str = ""
    structured: str = ""
    text: str = ""
    account: str = ""
    bank_reference: str = ""


@dataclass(frozen=True)
class Booking:
    amount: str
    sign: str = "DBIT"
    bank_reference: str = ""
    status: str = "BOOK"
    day: str = "2026-11-30"
    currency: str = "EUR"
    reversal: bool = False
    details: tuple[Detail, ...] = field(default=())


def money(amount: str, currency: str = "EUR") -> str:
    return f'<Amt Ccy="{currency}">{amount}</Amt>'


def of_detail(detail: Detail, version: int, booking: Booking) -> str:
    amount = detail.amount or booking.amount
    references = f"<EndToEndId>{escape(detail.end_to_end)}</EndToEndId>"
    if detail.bank_reference:
        references = f"<AcctSvcrRef>{detail.bank_reference}</AcctSvcrRef>" + references
    parts = [f"<Refs>{references}</Refs>"]
    if version >= AMOUNT_OF_A_DETAIL:
        parts.append(money(amount, booking.currency) + f"<CdtDbtInd>{booking.sign}</CdtDbtInd>")
    else:
        parts.append(f"<AmtDtls><TxAmt>{money(amount, booking.currency)}</TxAmt></AmtDtls>")
    if detail.account:
        parts.append(
            f"<RltdPties><CdtrAcct><Id><IBAN>{detail.account}</IBAN></Id></CdtrAcct></RltdPties>"
        )
    remittance = f"<Ustrd>{escape(detail.text)}</Ustrd>" if detail.text else ""
    if detail.structured:
        remittance += f"<Strd><CdtrRefInf><Ref>{detail.structured}</Ref></CdtrRefInf></Strd>"
    if remittance:
        parts.append(f"<RmtInf>{remittance}</RmtInf>")
    return f"<TxDtls>{''.join(parts)}</TxDtls>"


def of_booking(booking: Booking, version: int) -> str:
    status = booking.status if version < CODED_STATUS else f"<Cd>{booking.status}</Cd>"
    details = "".join(of_detail(detail, version, booking) for detail in booking.details)
    batch = f"<Btch><NbOfTxs>{len(booking.details)}</NbOfTxs></Btch>"
    reference = booking.bank_reference
    return (
        f"<Ntry>{money(booking.amount, booking.currency)}<CdtDbtInd>{booking.sign}</CdtDbtInd>"
        + ("<RvslInd>true</RvslInd>" if booking.reversal else "")
        + f"<Sts>{status}</Sts><BookgDt><Dt>{booking.day}</Dt></BookgDt>"
        + f"<ValDt><Dt>{booking.day}</Dt></ValDt>"
        + (f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else "")
        + "<BkTxCd><Prtry><Cd>NTRF</Cd></Prtry></BkTxCd>"
        + (
            f"<NtryDtls>{batch if len(booking.details) > 1 else ''}{details}</NtryDtls>"
            if details
            else ""
        )
        + "</Ntry>"
    )


def balance(code: str, amount: str, currency: str = "EUR", day: str = "2026-11-30") -> str:
    sign = "DBIT" if amount.startswith("-") else "CRDT"
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{money(amount.lstrip('-'), currency)}"
        f"<CdtDbtInd>{sign}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def message(
    *bookings: Booking,
    kind: str = "053",
    version: int = 8,
    number: str = "229",
    balances: str | None = None,
    currency: str = "EUR",
    account: str = "DE02100100100006820101",
) -> bytes:
    """A message of one account; its balances are given, as a bank gives them."""
    container, statement = CONTAINERS[kind]
    name = f"camt.{kind}.001.{version:02}"
    if balances is None:
        balances = ""
    sequence = f"<ElctrncSeqNb>{number}</ElctrncSeqNb>" if number else ""
    body = "".join(of_booking(booking, version) for booking in bookings)
    header = "<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-30T20:00:00+01:00</CreDtTm></GrpHdr>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE.format(name)}">'
        f"<{container}>{header}<{statement}><Id>S1</Id>{sequence}"
        f"<CreDtTm>2026-11-30T20:00:00+01:00</CreDtTm>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>{currency}</Ccy></Acct>"
        f"{balances}{body}</{statement}></{container}></Document>"
    ).encode()
