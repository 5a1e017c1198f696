"""Who is in two referrals that nobody has decided: each is shown to the other before the same human
being is accepted twice.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

from sqlalchemy import Text, cast
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col, select, update

from chassis.auth import Caller
from chassis.db import Session
from participation.access import visible
from services.cases.intake.referrals.schemas import ReferredOut
from services.cases.models import Referral, ReferralPerson
from services.cases.people.duplicates.schemas import EvidenceOut
from services.cases.people.duplicates.service import COMPARED, SHOWN
from services.cases.people.matching import likeness
from services.cases.people.matching.keys import keys_of
from services.cases.people.matching.likeness import Profile, Verdict
from services.cases.people.particulars import Person, as_written
from services.cases.states.intake import ReferralState


async def load_referred_alike(
    session: Session, caller: Caller, referral: Referral, people: Mapping[int, Person]
) -> dict[int, list[ReferredOut]]:
    """Load who of other undecided referrals the people of one may be, best first.

    Of a referral that the caller may not know of nothing is told but that there is one.
    """
    matches = {
        index: await _alike(session, referral.id, likeness.profile(person))
        for index, person in people.items()
    }
    ids = {row.referral_id for matched in matches.values() for row, _ in matched}
    known = set(
        await session.scalars(
            select(Referral.id).where(col(Referral.id).in_(ids), visible(col(Referral.id), caller))
        )
    )
    return {
        index: [
            _render(referral.id, row, verdict, masked=row.referral_id not in known)
            for row, verdict in matched
        ]
        for index, matched in matches.items()
    }


async def _alike(
    session: Session, own: UUID, entry: Profile
) -> list[tuple[ReferralPerson, Verdict]]:
    rows = await session.execute(
        select(ReferralPerson, Referral.content)
        .join(Referral, col(Referral.id) == ReferralPerson.referral_id)
        .where(
            col(ReferralPerson.keys).overlap(cast(keys_of(entry), ARRAY(Text))),  # type: ignore[attr-defined]
            ReferralPerson.referral_id != own,
            col(Referral.state).in_(ReferralState.UNDECIDED),
        )
        .order_by(col(ReferralPerson.referral_id), col(ReferralPerson.index))
        .limit(COMPARED)
    )
    compared = [
        (row, likeness.weigh(entry, likeness.profile(as_written(person))))
        for row, content in rows
        if not (person := content["people"][row.index]).get("erased")
    ]
    possible = [match for match in compared if match[1].score >= likeness.POSSIBLE]
    return sorted(possible, key=lambda match: (-match[1].score, match[0].referral_id))[:SHOWN]


def _render(of: UUID, row: ReferralPerson, verdict: Verdict, *, masked: bool) -> ReferredOut:
    return ReferredOut(
        id=uuid5(of, f"{row.referral_id}/{row.index}"),
        referral_id=None if masked else row.referral_id,
        index=None if masked else row.index,
        score=round(verdict.score, 1) if masked else verdict.score,
        likely=verdict.likely,
        masked=masked,
        evidence=[]
        if masked
        else [
            EvidenceOut(reason=evidence.reason, weight=evidence.weight)
            for evidence in verdict.evidence
        ],
    )


def keys_of_people(people: Sequence[Person]) -> list[list[str]]:
    """Returns by what each person of an undecided referral is found."""
    return [keys_of(likeness.profile(person)) for person in people]


async def forget_keys(session: Session, referral_id: UUID) -> None:
    """Lets the people of a referral that was decided not be found by it any more."""
    await session.execute(
        update(ReferralPerson).where(col(ReferralPerson.referral_id) == referral_id).values(keys=[])
    )
