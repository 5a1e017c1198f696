"""What is published of a grant: of each person whom it is of, with their part of each amount."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from chassis.db import Session
from chassis.outbox import publish
from contracts import grants as events
from contracts.codes import Money
from contracts.currencies import split
from services.grants.models import Grant
from services.grants.programmes.data import zone_of
from services.grants.schemas import money


def split_by_shares(grant: Grant, amount: Decimal) -> list[Decimal]:
    """An amount of a joint grant by its parts."""
    shares = [Decimal(part["share"]) for part in grant.parts]
    return split(amount, [share / sum(shares) for share in shares], grant.currency)


def event_payloads(grant: Grant, **amounts: Money) -> Iterator[dict[str, Any]]:
    """What an event about a grant carries, for each person whom it is of.

    About somebody who was erased nothing is published any more.
    """
    common = {
        "grant_id": grant.id,
        "programme": grant.programme,
        "group": grant.kind.group,
        "kind": grant.kind.published,
    }
    names = ("returnee_id", "case_id", "household_id", "plan_line_id")
    if not grant.parts:
        if grant.returnee_id is not None:
            yield common | {name: getattr(grant, name) for name in names} | amounts
        return
    by_part = {name: split_by_shares(grant, whole.amount) for name, whole in amounts.items()}
    for index, part in enumerate(grant.parts):
        if part["returnee_id"] is not None:
            shares = {
                name: money(by_part[name][index], whole.currency) for name, whole in amounts.items()
            }
            yield common | {name: part[name] for name in names} | shares


def publish_grant_event(
    session: Session, grant: Grant, model: type[events.GrantFact], **more: Any
) -> None:
    """Publish an event about a grant, of each person whom it is of."""
    amounts = {name: value for name, value in more.items() if isinstance(value, Money)}
    others = {name: value for name, value in more.items() if name not in amounts}
    amount = money(grant.amount, grant.currency)
    for payload in event_payloads(grant, amount=amount, **amounts):
        publish(
            session,
            model(**payload, **others),
            zone=zone_of(grant.programme, grant.implementer),
        )
