"""Referrals as they are submitted, one or many at a time, and completed while information is
requested.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, current_time
from chassis.errors import CONFLICT, FORBIDDEN, FieldError, Problem, invalid, state_conflict
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import ReferralSubmitted
from contracts.codes import DeadlineKind
from contracts.programmes import Decider, Eligibility
from participation.access import Role, grant, grant_all, revoke
from services.cases.access.referrals import require_submitter
from services.cases.casework.deadlines import service as deadlines
from services.cases.intake.referrals import pending, rules, service
from services.cases.intake.referrals.schemas import ReferralContent, ReferralIn
from services.cases.intake.travel import journeys
from services.cases.models import Referral, ReferralPerson
from services.cases.programmes import known_referrers, programmes, rules_of
from services.cases.states.casework import DeadlineState
from services.cases.states.intake import REFERRAL, ReferralAction, ReferralState

DUPLICATE = (
    "the reference was used with other content: a new reference, or the content first sent with it"
)


@dataclass(frozen=True, slots=True)
class EligibilityResult:
    """What a referral that is right amounts to.

    Attributes:
        version: Of the programme's rules, by which it is decided.
        eligibility: What the rules say of it.
        decider: Who decides first.
        partners: The organisations that are asked.
    """

    version: int
    eligibility: Eligibility
    decider: Decider
    partners: tuple[str, ...]


def assess(
    caller: Caller, content: ReferralContent, today: date, arrived_on: date | None = None
) -> EligibilityResult:
    """Decide whether a referral can be taken.

    Args:
        caller: Who submits it.
        content: The referral.
        today: The day.
        arrived_on: Of a retroactive one, when they had returned; it is submitted by who would
            implement it.

    Raises:
        Problem: 403; 422 with every defect and its place.
    """
    result, errors = rules.assess(content, programmes(), known_referrers(), today, arrived_on)
    if (
        arrived_on is None
        and content.sender in known_referrers()
        and content.sender != caller.organisation
    ):
        right = "the organisation of the client"
        errors.append(FieldError(pointer="/sender", code="sender_not_caller", detail=right))
    if errors or result is None or result.version is None:
        raise invalid(*errors)
    programme = rules_of(content.programme, result.version)
    if arrived_on is not None:
        if caller.organisation not in programme.implementers(content.return_.country_of_return):
            raise Problem(
                FORBIDDEN, "only an implementing organisation of the programme refers retroactively"
            )
        return EligibilityResult(result.version, result, Decider.REFERRER, (caller.organisation,))
    return EligibilityResult(
        version=result.version,
        eligibility=result,
        decider=programme.accepted_by.who,
        partners=rules.partners_asked(content, programme),
    )


def stored_content(content: ReferralContent) -> dict[str, Any]:
    """A referral as it is kept, without what is only said about the submission."""
    return content.model_dump(
        mode="json", by_alias=True, exclude={"id", "supersedes", "arrived_on"}
    )


@dataclass(frozen=True, slots=True)
class ReferralDraft:
    """A referral that can be taken.

    Attributes:
        sent: As it was sent.
        result: What it amounts to.
        content: As it is kept.
        digest: By what it is recognised.
        revision: Its number under its reference.
        arrived_on: Of a retroactive one, when the persons had returned.
    """

    sent: ReferralIn
    result: EligibilityResult
    content: dict[str, Any]
    digest: bytes
    revision: int
    arrived_on: date | None


def _draft(
    sent: ReferralIn,
    result: EligibilityResult,
    latest: Referral | None,
    arrived_on: date | None = None,
) -> ReferralDraft | Referral:
    """What is to be stored for a submission, or the referral that it repeats.

    Raises:
        Problem: 409 where the reference was used for something else; 422, it corrects nothing.
    """
    content = stored_content(sent)
    digest = rules.digest(content | ({"arrived_on": arrived_on.isoformat()} if arrived_on else {}))
    if (
        latest is not None
        and latest.digest == digest
        and sent.supersedes in {None, latest.supersedes}
    ):
        return latest
    return ReferralDraft(sent, result, content, digest, _revision(latest, sent), arrived_on)


def _revision(latest: Referral | None, sent: ReferralIn) -> int:
    """The number of a new referral under its reference.

    Raises:
        Problem: 409, the reference was used and this does not correct it; 422, there is nothing to
            correct.
    """
    if latest is None:
        if sent.supersedes is None:
            return 1
        right = (
            "the id of an own referral under this reference that was rejected, withdrawn or has "
            "expired"
        )
        raise invalid(FieldError(pointer="/supersedes", code="unknown_referral", detail=right))
    if sent.supersedes != latest.id:
        raise _duplicate()
    if latest.state not in ReferralState.CORRECTABLE:
        raise state_conflict(latest.state, REFERRAL.allowed(latest.state), "supersede")
    return latest.revision + 1


def _duplicate() -> Problem:
    error = FieldError(pointer="/external_reference", code="duplicate_reference", detail=DUPLICATE)
    return Problem(CONFLICT, DUPLICATE, errors=[error])


async def submit(
    session: Session,
    caller: Caller,
    sent: ReferralIn,
    *,
    dry_run: bool = False,
    arrived_on: date | None = None,
) -> tuple[Referral | None, EligibilityResult, bool]:
    """Take a referral; the same again is the first one.

    Args:
        session: The session.
        caller: Its sender.
        sent: The referral.
        dry_run: Only say what would happen.
        arrived_on: Of a retroactive referral, when the persons had returned.

    Returns:
        The referral (None on a dry run of a new one), what it amounts to, and whether it is new.

    Raises:
        Problem: 403; 422 with every defect; 409 where the reference or the id was used for
            something else.
    """
    at = await current_time(session)
    result = assess(caller, sent, at.date(), arrived_on)
    latest = await _lock_latest(session, caller, [sent.external_reference])
    draft = _draft(sent, result, latest.get(sent.external_reference), arrived_on)
    if isinstance(draft, Referral):
        return draft, result, False
    if dry_run:
        return None, result, True
    stored = await _store(session, caller, [draft], at)
    if stored:
        return stored[0], result, True
    latest = await _lock_latest(session, caller, [sent.external_reference])
    twin = latest.get(sent.external_reference)
    if twin is not None and twin.digest == draft.digest:
        return twin, result, False
    raise _duplicate() if twin is not None else Problem(CONFLICT, "the id is taken")


async def submit_together(
    session: Session, caller: Caller, sent: Sequence[ReferralIn]
) -> list[tuple[Referral, bool] | Problem | None]:
    """Take many referrals in few statements, each for itself as `submit` would.

    Args:
        session: The session.
        caller: Their sender.
        sent: The referrals; no reference twice.

    Returns:
        In their order: the referral and whether it is new, what is wrong with it, or None for one
            that is to be submitted alone, because a twin of it was submitted meanwhile or its id is
            taken.
    """
    at = await current_time(session)
    latest = await _lock_latest(session, caller, [one.external_reference for one in sent])
    answers: list[tuple[Referral, bool] | Problem | None] = [None] * len(sent)
    drafts: dict[int, ReferralDraft] = {}
    for index, one in enumerate(sent):
        try:
            result = assess(caller, one, at.date())
            draft = _draft(one, result, latest.get(one.external_reference))
        except Problem as problem:
            answers[index] = problem
            continue
        if isinstance(draft, Referral):
            answers[index] = (draft, False)
        else:
            drafts[index] = draft
        await asyncio.sleep(0)  # whatever else this process does goes on in between
    stored = {
        row.external_reference: row
        for row in await _store(session, caller, list(drafts.values()), at)
    }
    for index, draft in drafts.items():
        row = stored.get(draft.sent.external_reference)
        answers[index] = (row, True) if row is not None else None
    return answers


async def _lock_latest(
    session: Session, caller: Caller, references: Sequence[str]
) -> dict[str, Referral]:
    """The newest referral under each of the caller's references that was used, locked."""
    rows = await session.scalars(
        select(Referral)
        .where(
            Referral.submitter == caller.organisation,
            col(Referral.external_reference).in_(references),
        )
        .order_by(col(Referral.revision), col(Referral.id))
        .with_for_update()
    )
    return {row.external_reference: row for row in rows}


def _first_journeys(
    stored: Iterable[tuple[Referral, ReferralDraft]],
) -> Iterator[journeys.FirstJourney]:
    for referral, draft in stored:
        travel, people = draft.sent.travel, len(draft.sent.people)
        if travel is not None:
            arrived = draft.arrived_on is not None
            yield journeys.FirstJourney(referral.id, travel, people, arrived)


def _parts_of(referral: Referral, draft: ReferralDraft) -> list[tuple[UUID, Role, str]]:
    """Who takes part in a referral: its sender, its programme's office, and who is asked."""
    return [
        (referral.id, Role.REFERRER, referral.sender),
        (referral.id, Role.PROGRAMME, referral.programme),
        *((referral.id, Role.PARTNER, partner) for partner in draft.result.partners),
    ]


async def _store(
    session: Session, caller: Caller, drafts: Sequence[ReferralDraft], at: datetime
) -> list[Referral]:
    """Write referrals down with all that belongs to them, publish them, and have their deciders'
    clocks run.

    Returns:
        Those that were written, in the order of the drafts; one whose reference or id was taken
        meanwhile is left out.
    """
    stored = await _insert(session, caller, drafts)
    if not stored:
        return []
    people = [
        {"referral_id": referral.id, "index": index, "keys": keys}
        for referral, draft in stored
        for index, keys in enumerate(pending.keys_of_people(draft.sent.people))
    ]
    await session.execute(insert(ReferralPerson), people)
    parts = [part for referral, draft in stored for part in _parts_of(referral, draft)]
    await grant_all(session, parts)
    await journeys.add_for_new_referrals(session, list(_first_journeys(stored)))
    for referral, draft in stored:
        _publish_submitted(session, referral, draft.result, len(draft.sent.people))
        details = {"programme": referral.programme}
        audit.record(session, caller, "submit", REFERRAL.resource, referral.id, details)
    await deadlines.begin_for_referrals(
        session, [(referral, service.DECISIONS[referral.decider], at) for referral, _ in stored]
    )
    return [referral for referral, _ in stored]


async def _insert(
    session: Session, caller: Caller, drafts: Sequence[ReferralDraft]
) -> list[tuple[Referral, ReferralDraft]]:
    rows: list[dict[str, Any]] = [
        {
            "id": draft.sent.id or new_id(),
            "version": 1,
            "state": ReferralState.SUBMITTED,
            "external_reference": draft.sent.external_reference,
            "sender": draft.sent.sender,
            "submitter": caller.organisation,
            "retroactive": draft.arrived_on is not None,
            "arrived_on": draft.arrived_on,
            "revision": draft.revision,
            "supersedes": draft.sent.supersedes,
            "programme": draft.sent.programme,
            "programme_version": draft.result.version,
            "return_kind": draft.sent.return_.kind,
            "country_of_return": draft.sent.return_.country_of_return,
            "requested_partner": draft.sent.requested_partner,
            "decider": draft.result.decider,
            "needs_priority": rules.needs_priority(draft.sent),
            "content": draft.content,
            "digest": draft.digest,
        }
        for draft in drafts
    ]
    if not rows:
        return []
    # Waits for a twin that is being submitted, and then finds its reference taken.
    statement = insert(Referral).on_conflict_do_nothing().returning(Referral)
    inserted = {row.id: row for row in await session.scalars(statement, rows)}
    return [
        (inserted[row["id"]], draft)
        for row, draft in zip(rows, drafts, strict=True)
        if row["id"] in inserted
    ]


def _publish_submitted(
    session: Session, referral: Referral, result: EligibilityResult, people: int
) -> None:
    publish(
        session,
        ReferralSubmitted(
            **service.event_ids_of(referral),
            return_kind=referral.return_kind,
            requested_partner=referral.requested_partner,
            partners=result.partners,
            people=people,
            revision=referral.revision,
            supersedes=referral.supersedes,
            retroactive=referral.retroactive,
            needs_priority=referral.needs_priority,
        ),
    )


async def complete(
    session: Session,
    caller: Caller,
    referral_id: UUID,
    content: ReferralContent,
    precondition: Precondition,
) -> Referral:
    """Put a completed referral in the place of what was sent; its partner is asked again.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    referral = await require_submitter(session, caller, referral_id)
    precondition.check(await service.load_version(session, referral))
    REFERRAL.check(referral.state, ReferralAction.COMPLETE)
    _check_fixed(referral, content)
    today = (await current_time(session)).date()
    result = assess(caller, content, today, referral.arrived_on)
    await _replace_people(session, referral, content)
    await _ask_partners(session, referral, result.partners)
    await REFERRAL.move(
        session,
        caller,
        referral,
        ReferralAction.COMPLETE,
        programme_version=result.version,
        content=stored_content(content),
        return_kind=content.return_.kind,
        country_of_return=content.return_.country_of_return,
        requested_partner=content.requested_partner,
        needs_priority=rules.needs_priority(content),
    )
    if not referral.retroactive:
        await journeys.replace_first(session, referral, content.travel, len(content.people))
    await deadlines.settle(
        session, DeadlineState.MET, referral_id=referral.id, kinds=[DeadlineKind.INFORMATION]
    )
    _publish_submitted(session, referral, result, len(content.people))
    await service.await_decision(session, referral)
    return referral


def _check_fixed(referral: Referral, content: ReferralContent) -> None:
    """Refuse to complete a referral with another reference or programme.

    Raises:
        Problem: 422.
    """
    fixed = {"external_reference": referral.external_reference, "programme": referral.programme}
    right = "as it was submitted; withdraw it and send another"
    errors = [
        FieldError(pointer=f"/{name}", code="fixed", detail=right)
        for name, value in fixed.items()
        if getattr(content, name) != value
    ]
    if errors:
        raise invalid(*errors)


async def _replace_people(session: Session, referral: Referral, content: ReferralContent) -> None:
    before = {row.index: row for row in await service.load_people(session, referral.id)}
    keys = pending.keys_of_people(content.people)
    for index in range(max(len(before), len(keys))):
        if index >= len(keys):
            await session.delete(before[index])
        elif index in before:
            before[index].keys = keys[index]
        else:
            session.add(ReferralPerson(referral_id=referral.id, index=index, keys=keys[index]))


async def _ask_partners(session: Session, referral: Referral, partners: Sequence[str]) -> None:
    """Let the partners that are asked now see a referral, and those that were asked no more."""
    before = ReferralContent.model_validate(referral.content)
    programme = rules_of(referral.programme, referral.programme_version)
    for partner in rules.partners_asked(before, programme):
        if partner not in partners:
            await revoke(session, referral.id, Role.PARTNER, partner)
    for partner in partners:
        await grant(session, [referral.id], Role.PARTNER, partner)
