"""The kinds that grants tells apart, beside those of `contracts.codes`."""

from enum import StrEnum


class GrantSource(StrEnum):
    """What asked for a grant."""

    HAND = "hand"
    PLAN = "plan"
    TRAVEL = "travel"
    """Cash that is prepared for the desk at the port of entry."""


class PayeeKind(StrEnum):
    """Who is paid."""

    RETURNEE = "returnee"
    SUPPLIER = "supplier"
    LANDLORD = "landlord"
    EMPLOYER = "employer"
    PROVIDER = "provider"


class CooperativeKind(StrEnum):
    """What it is for."""

    BUSINESS = "business"
    SOCIAL = "social"


class ActivityKind(StrEnum):
    """What a cooperative took part in that was recorded elsewhere."""

    TRAINING = "training"
    VISIT = "visit"


class Account(StrEnum):
    """Where money is."""

    FUNDS = "funds"
    """Where it came from; the other side of everything."""
    AVAILABLE = "available"
    RESERVED = "reserved"
    """Requested, not approved."""
    COMMITTED = "committed"
    """Approved, not paid."""
    PAID = "paid"
    RECOVERED = "recovered"
    """Paid and come back later; not granted again before the office makes it available."""


class Movement(StrEnum):
    """Why money moves."""

    FUND = "fund"
    RESERVE = "reserve"
    RELEASE = "release"
    COMMIT = "commit"
    GIVE_BACK = "give_back"
    PAY = "pay"
    REVERSE = "reverse"
    RECOVER = "recover"
    REUSE = "reuse"
