"""The states of the resources of grants, and what each of them means."""

from enum import StrEnum


class GrantState(StrEnum):
    """Where a grant stands."""

    REQUESTED = "requested"
    QUOTED = "quoted"
    APPROVED = "approved"
    ORDERED = "ordered"
    DELIVERED = "delivered"
    CLOSED = "closed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def is_undecided(self) -> bool:
        """Whether its amount is reserved, and waits for approvals."""
        return self in {GrantState.REQUESTED, GrantState.QUOTED}

    @property
    def is_decided(self) -> bool:
        """Whether its amount is committed, and payments can be made of it."""
        return self in {GrantState.APPROVED, GrantState.ORDERED, GrantState.DELIVERED}

    @property
    def is_given_up(self) -> bool:
        """Whether nothing of it counts, neither against a ceiling nor for a line of a plan."""
        return self in {GrantState.REJECTED, GrantState.CANCELLED}

    @property
    def is_over(self) -> bool:
        """Whether nothing follows any more."""
        return self is GrantState.CLOSED or self.is_given_up


UNDECIDED = tuple(state for state in GrantState if state.is_undecided)
DECIDED = tuple(state for state in GrantState if state.is_decided)
GIVEN_UP = tuple(state for state in GrantState if state.is_given_up)
OVER = tuple(state for state in GrantState if state.is_over)


class CitationState(StrEnum):
    """What is known of a document that something about a grant cites."""

    CITED = "cited"
    """Cases was not heard yet."""
    FOUND = "found"
    UNKNOWN = "unknown"
    TAKEN = "taken"
    """Another grant rests on it, and it counts once."""


class PayeeState(StrEnum):
    """Whether a payee's account can be paid to."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    CHANGING = "changing"
    """An account was verified, and another one waits for a second person."""
    SCRUBBED = "scrubbed"
    """The person was erased."""


class FloatState(StrEnum):
    """Where cash at a desk stands."""

    OPEN = "open"
    RETURNED = "returned"
    RECONCILED = "reconciled"


class PaymentState(StrEnum):
    """Where a payment stands."""

    SCHEDULED = "scheduled"
    RELEASED = "released"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    REVERSED = "reversed"
    RECOVERED = "recovered"

    @property
    def is_on_its_way(self) -> bool:
        """Whether it may still arrive."""
        return self in {PaymentState.SCHEDULED, PaymentState.RELEASED}

    @property
    def is_spent(self) -> bool:
        """Whether it arrived; what was recovered later is not granted again by itself."""
        return self in {PaymentState.CONFIRMED, PaymentState.RECOVERED}

    @property
    def has_left(self) -> bool:
        """Whether its money left, and did not come back to the grant."""
        return self is PaymentState.RELEASED or self.is_spent

    @property
    def is_open(self) -> bool:
        """Whether it pays what it was earned by, now or soon."""
        return self.is_on_its_way or self is PaymentState.CONFIRMED

    @property
    def uses_grant(self) -> bool:
        """Whether it uses up its grant."""
        return self.is_on_its_way or self.is_spent


ON_THEIR_WAY = tuple(state for state in PaymentState if state.is_on_its_way)
SPENT = tuple(state for state in PaymentState if state.is_spent)
HAVE_LEFT = tuple(state for state in PaymentState if state.has_left)
OPEN = tuple(state for state in PaymentState if state.is_open)
USE_GRANT = tuple(state for state in PaymentState if state.uses_grant)


class CooperativeState(StrEnum):
    """Where a cooperative stands."""

    PROPOSED = "proposed"
    SELECTED = "selected"
    FORMED = "formed"
    REJECTED = "rejected"
