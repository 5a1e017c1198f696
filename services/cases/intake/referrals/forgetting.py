"""What referrals say of people is forgotten: when somebody is erased, and in time where nobody
accepted it.
"""

from collections.abc import Collection
from datetime import timedelta
from functools import cache
from typing import Any

from pydantic import Field
from sqlalchemy import func
from sqlmodel import col, delete, select, update

from chassis import idempotency
from chassis.db import Session, now
from chassis.jobs import JobKind, Payload
from contracts.programmes import read
from contracts.sourced import Sourced
from services.cases.documents import service as documents
from services.cases.models import (
    BatchItem,
    Referral,
    ReferralBatch,
    ReferralMessage,
    ReferralPerson,
)
from services.cases.people.rights.erasure import ERASED, Erased
from services.cases.programmes import folder
from services.cases.states.intake import ReferralState

FILE = "referrals/retention.yaml"
EVERY = timedelta(hours=1)
AT_ONCE = 200


class Retention(Sourced):
    """How long something is kept."""

    keep_months: int = Field(ge=1)


@cache
def never_accepted() -> Retention:
    """How long a referral is kept that was rejected, withdrawn or has expired and was never
    accepted.
    """
    return Retention.model_validate(read(folder() / FILE)["never_accepted"])


async def scrub(
    session: Session, referral: Referral, indices: Collection[int] | None = None
) -> None:
    """Take persons out of a referral, and what it says of all of them with the last one.

    Args:
        session: The session.
        referral: The referral, locked.
        indices: Which persons of it; everybody where nothing is said.
    """
    await idempotency.erase(session, [referral.id])
    people = [
        {"role": person["role"], "erased": True} if indices is None or index in indices else person
        for index, person in enumerate(referral.content["people"])
    ]
    content = referral.content | {"people": people, "notes": ERASED, "vulnerabilities": []}
    if all(person.get("erased") for person in people):
        content |= {
            "needs": [],
            "consents": [],
            "destination": {"governorate": content["destination"]["governorate"]},
        }
        # The sender's number for them is theirs too; its digest still recognises it for whoever has
        # it.
        referral.external_reference = f"erased-{referral.id}"
        content["external_reference"] = referral.external_reference
        await documents.forget_of_referral(session, referral.id)
        await session.execute(
            update(BatchItem)
            .where(col(BatchItem.referral_id) == referral.id)
            .values(external_reference=None)
        )
    referral.content, referral.question, referral.comment = content, None, None
    referral.changed()
    await session.execute(
        delete(ReferralMessage).where(col(ReferralMessage.referral_id) == referral.id)
    )
    await session.flush()


def _without_returnees() -> Any:
    """Referrals that are over and of whose persons nobody is a returnee; those that were scrubbed
    are left out.
    """
    bound = select(ReferralPerson.referral_id).where(
        ReferralPerson.referral_id == Referral.id, col(ReferralPerson.returnee_id).is_not(None)
    )
    return (
        select(Referral)
        .where(
            col(Referral.state).in_(ReferralState.CORRECTABLE),
            ~bound.exists(),
            ~Referral.content["people"].contains([{"erased": True}]),
        )
        .order_by(col(Referral.id))
    )


async def scrub_revisions(session: Session, referral: Referral) -> int:
    """Scrub what was submitted under the same reference before or after and was never accepted; how
    many.
    """
    same = _without_returnees().where(
        Referral.submitter == referral.submitter,
        Referral.external_reference == referral.external_reference,
    )
    rows = list(await session.scalars(same.with_for_update()))
    for row in rows:
        await scrub(session, row)
    return len(rows)


async def scrub_referrals(session: Session, erased: Erased) -> None:
    """Take somebody who is erased out of what was submitted about them; of the others nothing is
    lost but what was said of all.
    """
    erased.scrubbed["referrals"] += 0  # it says so where there was none
    about = select(ReferralPerson.referral_id).where(
        col(ReferralPerson.returnee_id).in_(erased.ids)
    )
    rows = await session.scalars(
        select(Referral)
        .where(col(Referral.id).in_(about))
        .order_by(col(Referral.id))
        .with_for_update()
    )
    for referral in list(rows):
        indices = await session.scalars(
            select(ReferralPerson.index).where(
                ReferralPerson.referral_id == referral.id,
                col(ReferralPerson.returnee_id).in_(erased.ids),
            )
        )
        erased.scrubbed["referrals"] += 1 + await scrub_revisions(session, referral)
        await scrub(session, referral, set(indices))


async def forget_expired(session: Session) -> int:
    """Scrub referrals that were never accepted when their time is over, and the references of old
    batches; how many.
    """
    over_since = now() - func.make_interval(0, never_accepted().keep_months)
    old = _without_returnees().where(Referral.updated_at < over_since).limit(AT_ONCE)
    rows = list(await session.scalars(old.with_for_update(skip_locked=True)))
    for row in rows:
        await scrub(session, row)
    batches = select(ReferralBatch.id).where(ReferralBatch.finished_at < over_since)
    named = col(BatchItem.external_reference).is_not(None)
    await session.execute(
        update(BatchItem)
        .where(col(BatchItem.batch_id).in_(batches), named)
        .values(external_reference=None)
    )
    return len(rows)


async def apply(session: Session, _: Payload, __: Any) -> None:
    """Forget what nobody accepted."""
    await forget_expired(session)


JOB = JobKind("cases.referral.retention", apply, every=EVERY)
