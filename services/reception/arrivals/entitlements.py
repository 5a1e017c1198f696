"""What the programme gives to somebody at the port of entry, and until when."""

from datetime import datetime

from chassis.errors import (
    Problem,
    ProblemType,
)
from contracts.codes import (
    AssistanceKind,
    DeadlineKind,
)
from contracts.programmes import Rules, Silence
from services.reception.arrivals.batch import ArrivalBatch
from services.reception.arrivals.rules import entitled
from services.reception.context import ReceptionContext
from services.reception.models import (
    Arrival,
)

NOT_ENTITLED = ProblemType(
    "not-entitled",
    409,
    "The programme does not give this",
    "`code` says whether the programme does not give it to this person at all or has given it as "
    "often as it does; `source` says where the rule is published.",
)


async def require_entitlement(
    batch: ArrivalBatch, arrival: Arrival, kind: AssistanceKind, at: datetime
) -> None:
    """Raise why the programme does not give something to this person now, if it does not."""
    rules, return_kind = await batch.rules_of(arrival)
    if rules is None:
        return
    entitlement = rules.reception.assistance.get(kind)
    given = 0
    if entitlement is not None and entitlement.at_most is not None:
        given = await batch.given(arrival, kind, entitlement.per)
    code = entitled(entitlement, return_kind, given)
    if code is not None:
        source = entitlement.source if entitlement else rules.period.source
        raise Problem(NOT_ENTITLED, code=code, source=source)
    ends = post_arrival_until(batch.context, rules, arrival)
    if (
        ends is not None
        and at > ends
        and rules.deadlines[DeadlineKind.POST_ARRIVAL].then is not Silence.WARN
    ):
        source = rules.deadlines[DeadlineKind.POST_ARRIVAL].source
        raise Problem(NOT_ENTITLED, code="post_arrival_window_over", source=source)


def post_arrival_until(
    context: ReceptionContext, rules: Rules, arrival: Arrival
) -> datetime | None:
    """When the post-arrival window of somebody who has arrived ends; None where the programme sets
    none.
    """
    country = context.country_of(arrival.port_of_entry or "")
    if country is None or arrival.arrived_on is None or country not in rules.countries_of_return:
        return None
    return rules.due(DeadlineKind.POST_ARRIVAL, country, arrival.arrived_on)
