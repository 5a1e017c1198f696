"""References in what banks write around an entry, in every usual form. Pure.

The forms are listed in docs/statements.md with the bank's document from which each is known.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from stdnum import iban
from stdnum.iso7064 import mod_37_36

PREFIX = "HW"
LENGTH = 16
"""What `:61:` has room for, and every other field that repeats a reference."""
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: nothing in it is taken for another sign."""
NO_REFERENCE = frozenset(
    ("NONREF", "NOTPROVIDED", "NOTAVAILABLE", "UNKNOWN", "NONE", "EREF", "KREF", "PREF", "REF")
)
MOST_MENTIONS = 20
STRUCTURED = re.compile(r"\s*(?:\d{0,3}\s*(?P<separator>[?<^~>])|\d{3}(?P<plus>\+))\d{2}")
SUBFIELDS = {each: re.compile(rf"{re.escape(each)}(\d{{2}})") for each in "?<^~>+"}
PURPOSE = frozenset(map(str, (*range(20, 30), *range(60, 64))))
COUNTERPARTY = ("38", "31")
"""The IBAN, else the account number."""
PLUS = re.compile(
    r"(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|COAM|OAMT|IBAN|BIC|PURP|MDAT|PREF|SQTP|RREF|ORCR"
    r"|TAN|ANAM|BREF|RCCY|INFO)\+"
)
SLASH = re.compile(r"/([A-Z]{2,4}\d?)/")
NAMED = re.compile(
    r"(?:EREF|END-?TO-?END(?:[- ]?(?:REF(?:ERENCE|ERENZ)?|ID))?|KUNDENREF(?:ERENZ)?"
    r"|BETALINGSKENM(?:ERK)?|KENMERK|(?:CUSTOMER |YOUR )?REF(?:ERENCE)?)"
    r"\s*\.?\s*[:.]\s*(?P<value>[A-Z0-9-]{4,35})",
    re.IGNORECASE,
)
OWN = re.compile(rf"(?=({PREFIX}[0-9A-Z]{{{LENGTH - len(PREFIX)}}}))")
MENTION = re.compile(r"(?<![A-Z0-9-])(?=[A-Z-]*\d)[A-Z0-9][A-Z0-9-]{5,34}(?![A-Z0-9-])")
SURE = ("EREF", "KREF", "PREF")
IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}\b")
SIGN = re.compile(r"[^\W_]")
ACCOUNT = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}|\d{6,26}")


@dataclass(frozen=True, slots=True)
class Details:
    """What the text beside an entry tells.

    Attributes:
        references: Those that stand where a reference is expected.
        mentions: Those that only have the form of one.
        counterparty: The account of the other side.
    """

    references: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    counterparty: str = ""


def default_reference(payment_id: UUID) -> str:
    """What a bank repeats where the payer chose nothing: 16 characters about nobody.

    The last is a check digit (ISO 7064, mod 37-36), so that it is recognised in any text.
    """
    number = int.from_bytes(hashlib.sha256(payment_id.bytes).digest(), "big")
    body = PREFIX
    for _ in range(LENGTH - len(PREFIX) - 1):
        number, digit = divmod(number, len(DIGITS))
        body += DIGITS[digit]
    return body + str(mod_37_36.calc_check_digit(body))


def is_default(reference: str) -> bool:
    """Whether a text is a reference that the platform made: its form, and its check digit."""
    return len(reference) == LENGTH and OWN.match(reference) is not None and _checks(reference)


def tidy(text: str) -> str:
    """A reference as it is compared; empty for what says that there is none."""
    reference = "".join(text.split()).upper().rstrip("+")
    if reference in NO_REFERENCE or not SIGN.search(reference):
        return ""
    if IBAN.fullmatch(reference) and iban.is_valid(reference):
        return ""  # some banks write the other account where a reference belongs
    return reference[:35]


def sure(*texts: str) -> tuple[str, ...]:
    """References in the order given, each once, without those that say that there is none."""
    return tuple(dict.fromkeys(filter(None, map(tidy, texts))))


def mentioned(text: str) -> tuple[str, ...]:
    """What has the form of a reference in a text; the platform's own also where it is broken."""
    upper = text.upper()
    compact = re.sub(r"[^0-9A-Z]", "", upper)
    own = [found[1] for found in OWN.finditer(compact) if _checks(found[1])]
    others = [found[0] for found in MENTION.finditer(upper)]
    return tuple(dict.fromkeys(own + others))[:MOST_MENTIONS]


def details_of(text: str) -> Details:
    """Read the text of `:86:`, whichever of its forms the bank uses; lines are still apart."""
    whole = re.sub(r"\n", "", text)
    numbered = STRUCTURED.match(whole)
    if numbered is not None:
        return _subfields(whole, numbered["separator"] or numbered["plus"])
    if SLASH.search(whole):
        return _codewords(whole)
    return _plain(text)


def _subfields(text: str, separator: str) -> Details:
    """`166?00…?20EREF+…?31DE…`: code words within numbered fields, in which a value goes on."""
    parts = SUBFIELDS[separator].split(text)
    fields = list(zip(parts[1::2], parts[2::2], strict=True))
    purposes = [value for name, value in fields if name in PURPOSE]
    account = next(
        (_account(value) for wanted in COUNTERPARTY for name, value in fields if name == wanted), ""
    )
    joined, apart = "".join(purposes), "\n".join(purposes)
    # A bank may begin the text in the field after the reference without a code word: then the
    # value ends with its field. Both readings are offered; a payment has one of them.
    values = [*_by_plus(joined), *_by_plus(apart)]
    found = sure(*(value for name, value in values if name in SURE), *_named(apart))
    texts = [value for name, value in values if name == "SVWZ"] or [joined, apart]
    return Details(found, mentioned("\n".join(texts)), account or _iban(values))


def _by_plus(text: str) -> list[tuple[str, str]]:
    """`EREF+value` pairs; a value ends where the next begins, or the line does."""
    parts = PLUS.split(text)
    pairs = list(zip(parts[1::2], parts[2::2], strict=True))
    return [(name, value if name == "SVWZ" else value.split("\n")[0]) for name, value in pairs]


def _codewords(text: str) -> Details:
    """`/EREF/…/REMI/…`: a value goes on to the next code word; empty ones are doubled slashes."""
    parts = SLASH.split(text)
    pairs = [
        (name, value.strip("/ ")) for name, value in zip(parts[1::2], parts[2::2], strict=True)
    ]
    structured = [value for name, value in pairs if name in {"CUR", "ISO", "STRD"}]
    found = [value.split("/")[0] for wanted in SURE for name, value in pairs if name == wanted]
    account = next(
        (
            _account(value.partition("/")[0])
            for name, value in pairs
            if name in {"IBAN", "CNTP", "ACCW"}
        ),
        "",
    )
    texts = "\n".join(value for name, value in pairs if name in {"REMI", "USTD", "STRD", "OCMT"})
    return Details(sure(*found, *structured), mentioned(texts or text), account)


def _plain(text: str) -> Details:
    joined = text.replace("\n", "")
    values = [*_by_plus(joined), *_by_plus(text)]
    found = sure(*(value for name, value in values if name in SURE), *_named(joined), *_named(text))
    account = _iban(values) or iban_of(text.partition(" ")[0])
    return Details(found, mentioned(f"{text}\n{joined}"), account)


def _named(text: str) -> Iterator[str]:
    return (found["value"] for found in NAMED.finditer(text))


def _iban(values: Iterable[tuple[str, str]]) -> str:
    return next((_account(value) for name, value in values if name == "IBAN"), "")


def iban_of(text: str) -> str:
    """The IBAN with which a text begins; empty where it begins with something else."""
    found = IBAN.match(re.sub(r"[ ]", "", text))
    return found[0] if found else ""


def _account(text: str) -> str:
    found = ACCOUNT.match(re.sub(r"[\s/]", "", text).upper())
    return found[0] if found else ""


def _checks(reference: str) -> bool:
    return bool(mod_37_36.is_valid(reference))
