"""Who reads a vulnerability, and what screenings make of a case's urgency. Pure."""

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from uuid import UUID

from contracts.codes import NeedsPriority
from services.cases.codes import VulnerabilityKind


def readers_of(kind: str, named: Sequence[str] | None, recorder: str) -> list[str]:
    """Organisations that may read a vulnerability; none named means all that work on the case.

    Args:
        kind: Of the vulnerability.
        named: Who was named when it was recorded; None where nothing was said.
        recorder: The organisation that records it; it always reads what it wrote.
    """
    if named is None:
        return [recorder] if kind in VulnerabilityKind.HARMFUL_IF_KNOWN else []
    return sorted({*named, recorder}) if named or kind in VulnerabilityKind.HARMFUL_IF_KNOWN else []


def priority(
    before: NeedsPriority, screened: Mapping[UUID, NeedsPriority], members: Collection[UUID]
) -> NeedsPriority:
    """The urgency of a case: the highest of what its members were last found to need.

    Args:
        before: The case's urgency as it was; it stays the least while somebody was never screened.
        screened: What each member was last found to need.
        members: All of them.
    """
    least = NeedsPriority.ROUTINE if set(members) <= set(screened) else before
    found = [screened[member] for member in members if member in screened]
    return reduce(NeedsPriority.or_more_urgent, found, least)
