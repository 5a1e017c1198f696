"""Codes that tables hold and that leave this service only in answers; those that events have too
are in `contracts.codes`.
"""

from enum import StrEnum


class SuspensionReason(StrEnum):
    """Why a case rests. It stays in the case: some of these say something about health or
    justice.
    """

    HOSPITAL = "hospital"
    DETENTION = "detention"
    TRAVELLING = "travelling"
    FAMILY = "family"
    SECURITY = "security"
    OTHER = "other"


class TransferReason(StrEnum):
    """Why a case is to be implemented by another organisation."""

    MOVED = "moved"
    NO_CAPACITY = "no_capacity"
    PARTNER_LEAVES = "partner_leaves"
    SAFETY = "safety"
    WISH_OF_THE_RETURNEE = "wish_of_the_returnee"
    OTHER = "other"


class DecisionReason(StrEnum):
    """Why a deadline need not be kept as the rule says."""

    VULNERABILITY = "vulnerability"
    HOSPITAL = "hospital"
    DETENTION = "detention"
    FAMILY = "family"
    SECURITY = "security"
    NOT_REACHABLE = "not_reachable"
    OFFICE = "office"
    OTHER = "other"


class ReturnReason(StrEnum):
    """Why a plan goes back to who prepared it."""

    NOT_FEASIBLE = "not_feasible"
    OUTSIDE_PROGRAMME = "outside_programme"
    BUDGET = "budget"
    INCOMPLETE = "incomplete"
    NOT_AGREED = "not_agreed"
    OTHER = "other"


class Level(StrEnum):
    """For whom a line is."""

    INDIVIDUAL = "individual"
    COLLECTIVE = "collective"
    COMMUNITY = "community"


class Housing(StrEnum):
    """What housing help is for."""

    ITEMS = "items"
    RENT = "rent"
    MATERIALS = "materials"
    TEMPORARY = "temporary"


class FlagStatus(StrEnum):
    """How sure a vulnerability is, or that it is over."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    RESOLVED = "resolved"


class FlagSource(StrEnum):
    """Who said it, or what shows it."""

    SELF = "self"
    FAMILY = "family"
    REFERRER = "referrer"
    ASSESSMENT = "assessment"
    MEDICAL = "medical"
    AUTHORITY = "authority"


class Outcome(StrEnum):
    """What came of trying to reach somebody."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    WRONG_NUMBER = "wrong_number"
    NOT_THERE = "not_there"
    MOVED = "moved"
    DECLINED = "declined"
    NOT_SAFE = "not_safe"


class NotReceivedReason(StrEnum):
    """Why not."""

    REFUSED_BY_SERVICE = "refused_by_service"
    NO_CAPACITY = "no_capacity"
    TOO_FAR = "too_far"
    COST = "cost"
    DECLINED = "declined"
    NOT_REACHED = "not_reached"
    OTHER = "other"


class Scan(StrEnum):
    """What a virus scanner said of a document."""

    NOT_SCANNED = "not_scanned"
    CLEAN = "clean"


class Sex(StrEnum):
    """As the person, or their document, says."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = "unknown"


class Precision(StrEnum):
    """How much of a date of birth is known."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    ESTIMATED = "estimated"


class RestrictionReason(StrEnum):
    """Why an organisation may know of somebody no more."""

    OBJECTION = "objection"
    SAFETY = "safety"
    CONTESTED = "contested"
    UNLAWFUL = "unlawful"


class HoldReason(StrEnum):
    """Why data must be kept."""

    LITIGATION = "litigation"
    COMPLAINT = "complaint"
    AUDIT = "audit"
    FRAUD = "fraud"
    AUTHORITY = "authority"


class ErasureReason(StrEnum):
    """Why somebody is erased."""

    REQUEST = "request"
    RETENTION = "retention"
    RECORDED_IN_ERROR = "recorded_in_error"


class BatchOutcome(StrEnum):
    """What became of one referral of a batch."""

    SUBMITTED = "submitted"
    REPLAYED = "replayed"
    """It had been submitted before."""
    REFUSED = "refused"
