"""Referrals: submitted, completed, decided, withdrawn, and what silence does to them."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, delete, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    FieldError,
    Problem,
    invalid,
    state_conflict,
)
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import (
    ReferralAccepted,
    ReferralEscalated,
    ReferralExpired,
    ReferralInformationRequested,
    ReferralRejected,
    ReferralSubmitted,
    ReferralWithdrawn,
    Registration,
)
from contracts.codes import (
    CaseState,
    ClosureReason,
    DeadlineKind,
    Member,
    NeedsPriority,
    RejectionReason,
    ReturnKind,
)
from contracts.programmes import Decider, Eligibility, Silence
from participation import aliases
from participation.access import Role, grant, grant_all, participation, revoke, roles_of, visible
from services.cases.casework.access import load_cases_of_referral, load_members
from services.cases.casework.cases.closing import close_case
from services.cases.casework.cases.service import open_case, progress
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.records import event_ids
from services.cases.intake.referrals import pending, rules
from services.cases.intake.referrals.schemas import (
    AcceptIn,
    BecameOut,
    InformationRequest,
    ReferralContent,
    ReferralIn,
    RejectIn,
    WithdrawIn,
)
from services.cases.intake.travel import service as travel
from services.cases.models import (
    CaseFile,
    CaseMember,
    Journey,
    JourneyPerson,
    Referral,
    ReferralPerson,
    Returnee,
)
from services.cases.people.matching import duplicates
from services.cases.people.returnees import service as returnees
from services.cases.people.rights import restricted
from services.cases.people.rights import service as rights
from services.cases.programmes import known_referrers, programmes, rules_of
from services.cases.states.casework import DeadlineState
from services.cases.states.intake import JourneyState, ReferralState

DECISIONS = {
    Decider.PARTNER: DeadlineKind.REFERRAL_DECISION,
    Decider.PROGRAMME_OFFICE: DeadlineKind.OFFICE_DECISION,
    Decider.REFERRER: DeadlineKind.RETROACTIVE_DECISION,
}
TURNS = {
    Decider.PARTNER: (Role.PARTNER, "the partner that was asked"),
    Decider.PROGRAMME_OFFICE: (Role.PROGRAMME, "the programme office"),
    Decider.REFERRER: (Role.REFERRER, "the host-country service"),
}
DUPLICATE = (
    "the reference was used with other content: a new reference, or the content first sent with it"
)


@dataclass(frozen=True, slots=True)
class Assessed:
    """What a referral that is right amounts to."""

    version: int
    eligibility: Eligibility
    first: Decider
    partners: tuple[str, ...]


def assess(
    content: ReferralContent, caller: Caller, today: date, arrived_on: date | None = None
) -> Assessed:
    """Decide whether a referral can be taken.

    Args:
        content: The referral.
        caller: Who submits it.
        today: The day.
        arrived_on: Of a retroactive one, when they had returned; it is submitted by who would
            implement it.

    Raises:
        Problem: 422, with every defect and its place.
    """
    result, errors = rules.assess(content, programmes(), known_referrers(), today, arrived_on)
    if (
        arrived_on is None
        and content.sender in known_referrers()
        and content.sender != caller.organisation
    ):
        errors.append(
            FieldError(
                pointer="/sender", code="sender_not_caller", detail="the organisation of the client"
            )
        )
    if errors or result is None or result.version is None:
        raise invalid(*errors)
    programme = rules_of(content.programme, result.version)
    if arrived_on is not None:
        if caller.organisation not in programme.implementers(content.return_.country_of_return):
            raise Problem(
                FORBIDDEN, "only an implementing organisation of the programme refers retroactively"
            )
        return Assessed(result.version, result, Decider.REFERRER, (caller.organisation,))
    return Assessed(
        version=result.version,
        eligibility=result,
        first=programme.accepted_by.who,
        partners=rules.partners_asked(content, programme),
    )


def plain(content: ReferralContent) -> dict[str, Any]:
    """A referral as JSON values, without what is only said about the submission."""
    return content.model_dump(
        mode="json", by_alias=True, exclude={"id", "supersedes", "arrived_on"}
    )


def content_of(referral: Referral) -> ReferralContent | None:
    """What a referral says, without persons who were erased; None if all of them were."""
    people = [person for person in referral.content["people"] if not person.get("erased")]
    return ReferralContent.model_validate(referral.content | {"people": people}) if people else None


async def today(session: Session) -> date:
    """The day by the database's clock, in UTC."""
    return (await clock(session)).astimezone(UTC).date()


async def clock(session: Session) -> datetime:
    """The time by the database's clock."""
    at: datetime = (await session.execute(select(now()))).scalar_one()
    return at


@dataclass(frozen=True, slots=True)
class Draft:
    """A referral that can be taken.

    Attributes:
        body: As it was sent.
        assessed: What it amounts to.
        content: As it is kept.
        digest: By what it is recognised.
        revision: Its number under its reference.
        arrived_on: Of a retroactive one, when the persons had returned.
    """

    body: ReferralIn
    assessed: Assessed
    content: dict[str, Any]
    digest: bytes
    revision: int
    arrived_on: date | None


def _drafted(
    body: ReferralIn, assessed: Assessed, latest: Referral | None, arrived_on: date | None = None
) -> Draft | Referral:
    """What is to be stored for a submission, or the referral that it repeats.

    Raises:
        Problem: 409 where the reference was used for something else; 422, it corrects nothing.
    """
    content = plain(body)
    digest = rules.digest(content | ({"arrived_on": arrived_on.isoformat()} if arrived_on else {}))
    if (
        latest is not None
        and latest.digest == digest
        and body.supersedes in {None, latest.supersedes}
    ):
        return latest
    return Draft(body, assessed, content, digest, _revision(latest, body), arrived_on)


async def submit(
    session: Session,
    body: ReferralIn,
    caller: Caller,
    *,
    dry_run: bool = False,
    arrived_on: date | None = None,
) -> tuple[Referral | None, Assessed, bool]:
    """Take a referral; the same again is the first one.

    Args:
        session: The session.
        body: The referral.
        caller: Its sender.
        dry_run: Only say what would happen.
        arrived_on: Of a retroactive referral, when the persons had returned.

    Returns:
        The referral (None on a dry run of a new one), what it amounts to, and whether it is new.

    Raises:
        Problem: 422 with every defect; 409 where the reference or the id was used for something
            else.
    """
    at = await clock(session)
    assessed = assess(body, caller, at.astimezone(UTC).date(), arrived_on)
    references = [body.external_reference]
    draft = _drafted(
        body, assessed, (await _latest(session, references, caller)).get(references[0]), arrived_on
    )
    if isinstance(draft, Referral):
        return draft, assessed, False
    if dry_run:
        return None, assessed, True
    stored = await _store(session, [draft], caller, at)
    if stored:
        return stored[0], assessed, True
    twin = (await _latest(session, references, caller)).get(references[0])
    if twin is not None and twin.digest == draft.digest:
        return twin, assessed, False
    raise _duplicate() if twin is not None else Problem(CONFLICT, "the id is taken")


async def submit_together(
    session: Session, bodies: Sequence[ReferralIn], caller: Caller
) -> list[tuple[Referral, bool] | Problem | None]:
    """Take many referrals in few statements, each for itself as `submit` would.

    Args:
        session: The session.
        bodies: The referrals; no reference twice.
        caller: Their sender.

    Returns:
        In their order: the referral and whether it is new, what is wrong with it, or None for one
            that is to be submitted alone, because a twin of it was submitted meanwhile or its id is
            taken.
    """
    at = await clock(session)
    latest = await _latest(session, [body.external_reference for body in bodies], caller)
    found: list[tuple[Referral, bool] | Problem | None] = [None] * len(bodies)
    drafts: dict[int, Draft] = {}
    for place, body in enumerate(bodies):
        try:
            assessed = assess(body, caller, at.astimezone(UTC).date())
            draft = _drafted(body, assessed, latest.get(body.external_reference))
        except Problem as problem:
            found[place] = problem
            continue
        if isinstance(draft, Referral):
            found[place] = (draft, False)
        else:
            drafts[place] = draft
        await asyncio.sleep(0)  # whatever else this process does goes on in between
    stored = {
        row.external_reference: row
        for row in await _store(session, list(drafts.values()), caller, at)
    }
    for place, draft in drafts.items():
        row = stored.get(draft.body.external_reference)
        found[place] = (row, True) if row is not None else None
    return found


async def _store(
    session: Session, drafts: Sequence[Draft], caller: Caller, at: datetime
) -> list[Referral]:
    """Write referrals down with all that belongs to them, tell them, and have their deciders'
    clocks run.

    Returns:
        Those that were written, in the order of the drafts; one whose reference or id was taken
        meanwhile is left out.
    """
    rows: list[dict[str, Any]] = [
        {
            "id": draft.body.id or new_id(),
            "version": 1,
            "state": ReferralState.SUBMITTED,
            "external_reference": draft.body.external_reference,
            "sender": draft.body.sender,
            "submitter": caller.organisation,
            "retroactive": draft.arrived_on is not None,
            "arrived_on": draft.arrived_on,
            "revision": draft.revision,
            "supersedes": draft.body.supersedes,
            "programme": draft.body.programme,
            "programme_version": draft.assessed.version,
            "return_kind": draft.body.return_.kind,
            "country_of_return": draft.body.return_.country_of_return,
            "requested_partner": draft.body.requested_partner,
            "decider": draft.assessed.first,
            "needs_priority": rules.needs_priority(draft.body),
            "content": draft.content,
            "digest": draft.digest,
        }
        for draft in drafts
    ]
    if not rows:
        return []
    # Waits for a twin that is being submitted, and then finds its reference taken.
    statement = insert(Referral).on_conflict_do_nothing().returning(Referral)
    written = {row.id: row for row in await session.scalars(statement, rows)}
    taken = [
        (written[row["id"]], draft)
        for row, draft in zip(rows, drafts, strict=True)
        if row["id"] in written
    ]
    if not taken:
        return []
    places = [
        {"referral_id": r.id, "index": index, "keys": keys}
        for r, draft in taken
        for index, keys in enumerate(pending.keys_of_people(draft.body.people))
    ]
    await session.execute(insert(ReferralPerson), places)
    await grant_all(
        session,
        [
            part
            for referral, draft in taken
            for part in (
                (referral.id, Role.REFERRER, referral.sender),
                (referral.id, Role.PROGRAMME, referral.programme),
                *((referral.id, Role.PARTNER, partner) for partner in draft.assessed.partners),
            )
        ],
    )
    await travel.note_all(
        session,
        [
            (referral, draft.body.travel, len(draft.body.people), draft.arrived_on is not None)
            for referral, draft in taken
            if draft.body.travel is not None
        ],
    )
    for referral, draft in taken:
        publish(
            session,
            ReferralSubmitted(
                **_ids(referral),
                return_kind=referral.return_kind,
                requested_partner=referral.requested_partner,
                partners=draft.assessed.partners,
                people=len(draft.body.people),
                revision=referral.revision,
                supersedes=referral.supersedes,
                retroactive=referral.retroactive,
                needs_priority=referral.needs_priority,
            ),
        )
        audit.record(
            session, caller, "submit", "referral", referral.id, {"programme": referral.programme}
        )
    kinds = [(referral, DECISIONS[Decider(referral.decider)], at) for referral, _ in taken]
    await deadlines.begin_for_referrals(session, kinds)
    return [referral for referral, _ in taken]


def _revision(latest: Referral | None, body: ReferralIn) -> int:
    """The number of a new referral under its reference.

    Raises:
        Problem: 409, the reference was used and this does not correct it; 422, there is nothing to
            correct.
    """
    if latest is None:
        if body.supersedes is None:
            return 1
        right = "the id of an own referral under this reference that was rejected, withdrawn or has expired"
        raise invalid(FieldError(pointer="/supersedes", code="unknown_referral", detail=right))
    if body.supersedes != latest.id:
        raise _duplicate()
    if latest.state not in rules.CORRECTABLE:
        raise state_conflict(
            latest.state, list(rules.TRANSITIONS[ReferralState(latest.state)]), "supersede"
        )
    return latest.revision + 1


def _duplicate() -> Problem:
    error = FieldError(pointer="/external_reference", code="duplicate_reference", detail=DUPLICATE)
    return Problem(CONFLICT, DUPLICATE, errors=[error])


async def _latest(
    session: Session, references: Sequence[str], caller: Caller
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


def _ids(referral: Referral) -> dict[str, Any]:
    return {
        "referral_id": referral.id,
        "programme": referral.programme,
        "referrer": referral.sender,
    }


async def _await_decision(session: Session, referral: Referral) -> None:
    kind = DECISIONS[Decider(referral.decider)]
    await deadlines.set_for_referral(session, referral, kind, await clock(session))


async def find(
    session: Session, referral_id: UUID, caller: Caller, *, lock: bool = False
) -> Referral:
    """A referral that the caller may know of.

    Raises:
        Problem: 404.
    """
    statement = select(Referral).where(
        Referral.id == referral_id, visible(col(Referral.id), caller)
    )
    if lock:
        statement = statement.with_for_update(of=Referral)
    referral: Referral | None = await session.scalar(statement)
    if referral is None:
        raise Problem(NOT_FOUND)
    return referral


async def _submitted(session: Session, referral_id: UUID, caller: Caller) -> Referral:
    """A referral, locked, for who submitted it: the sender, or the partner after the return.

    Raises:
        Problem: 404, 403.
    """
    referral = await find(session, referral_id, caller, lock=True)
    if caller.organisation != referral.submitter:
        raise Problem(FORBIDDEN, "only who submitted it does this")
    return referral


async def _to_decide(session: Session, referral_id: UUID, caller: Caller) -> Referral:
    """A referral, locked, for whose turn it is: the partner's, or the programme office's.

    Raises:
        Problem: 404, or 403 naming whose turn it is.
    """
    referral = await find(session, referral_id, caller, lock=True)
    turn, who = TURNS[Decider(referral.decider)]
    if turn not in await roles_of(session, referral_id, caller):
        raise Problem(FORBIDDEN, f"{who} decides on this referral")
    return referral


async def request_information(
    session: Session, referral_id: UUID, body: InformationRequest, caller: Caller
) -> Referral:
    """Ask the sender for more; its clock runs now, not the partner's.

    Raises:
        Problem: 404, 403, 409.
    """
    referral = await _to_decide(session, referral_id, caller)
    referral.state = rules.after(referral.state, "request-information")
    referral.question = body.question
    referral.changed()
    await deadlines.settle(session, DeadlineState.CANCELLED, referral_id=referral.id)
    publish(session, ReferralInformationRequested(**_ids(referral)))
    await deadlines.set_for_referral(
        session, referral, DeadlineKind.INFORMATION, await clock(session)
    )
    audit.record(session, caller, "request-information", "referral", referral.id)
    await session.flush()
    return referral


async def complete(
    session: Session,
    referral_id: UUID,
    body: ReferralContent,
    caller: Caller,
    precondition: Precondition,
) -> Referral:
    """Put a completed referral in the place of what was sent; its partner is asked again.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    referral = await _submitted(session, referral_id, caller)
    precondition.check(await version_of(session, referral))
    state = rules.after(referral.state, "complete")
    fixed = {"external_reference": referral.external_reference, "programme": referral.programme}
    wrong = [
        FieldError(
            pointer=f"/{name}",
            code="fixed",
            detail="as it was submitted; withdraw it and send another",
        )
        for name, value in fixed.items()
        if getattr(body, name) != value
    ]
    if wrong:
        raise invalid(*wrong)
    assessed = assess(body, caller, await today(session), referral.arrived_on)
    before = {row.index: row for row in await _people(session, referral.id)}
    keys = pending.keys_of_people(body.people)
    for index in range(max(len(before), len(keys))):
        if index >= len(keys):
            await session.delete(before[index])
        elif index in before:
            before[index].keys = keys[index]
        else:
            session.add(ReferralPerson(referral_id=referral.id, index=index, keys=keys[index]))
    asked = ReferralContent.model_validate(referral.content)
    for partner in rules.partners_asked(
        asked, rules_of(referral.programme, referral.programme_version)
    ):
        if partner not in assessed.partners:
            await revoke(session, referral.id, Role.PARTNER, partner)
    for partner in assessed.partners:
        await grant(session, [referral.id], Role.PARTNER, partner)
    referral.state, referral.programme_version = state, assessed.version
    referral.content = plain(body)
    referral.return_kind, referral.country_of_return = (
        body.return_.kind,
        body.return_.country_of_return,
    )
    referral.requested_partner = body.requested_partner
    referral.needs_priority = rules.needs_priority(body)
    referral.changed()
    await session.flush()
    if not referral.retroactive:
        await travel.replace_first(session, referral, body.travel, len(body.people))
    await deadlines.settle(
        session, DeadlineState.MET, referral_id=referral.id, kinds=[DeadlineKind.INFORMATION]
    )
    publish(
        session,
        ReferralSubmitted(
            **_ids(referral),
            return_kind=referral.return_kind,
            requested_partner=referral.requested_partner,
            partners=assessed.partners,
            people=len(body.people),
            revision=referral.revision,
            supersedes=referral.supersedes,
            retroactive=referral.retroactive,
            needs_priority=referral.needs_priority,
        ),
    )
    await _await_decision(session, referral)
    audit.record(session, caller, "complete", "referral", referral.id)
    return referral


async def version_of(session: Session, referral: Referral) -> int:
    """The version of a referral together with what is shown of its journeys and its cases.

    None of them ever counts down, so that every change of any of them is another sum.
    """
    journeys = select(func.coalesce(func.sum(Journey.version), 0)).where(
        Journey.referral_id == referral.id
    )
    files = await load_cases_of_referral(session, referral.id)
    return (
        referral.version
        + int(await session.scalar(journeys) or 0)
        + sum(case.version for case in files.values())
    )


async def _people(session: Session, referral_id: UUID) -> Sequence[ReferralPerson]:
    rows = await session.scalars(
        select(ReferralPerson)
        .where(ReferralPerson.referral_id == referral_id)
        .order_by(col(ReferralPerson.index))
    )
    return rows.all()


async def _decided(session: Session, referral: Referral, caller: Caller) -> None:
    referral.decided_by = caller.require_person()
    referral.decided_at = await clock(session)
    referral.changed()
    decision = list(DECISIONS.values())
    await deadlines.settle(session, DeadlineState.MET, referral_id=referral.id, kinds=decision)
    await deadlines.settle(session, DeadlineState.CANCELLED, referral_id=referral.id)


async def accept(
    session: Session, referral_id: UUID, body: AcceptIn, caller: Caller, precondition: Precondition
) -> Referral:
    """Accept a referral: its persons become returnees of a household, and their case opens.

    Raises:
        Problem: 404, 403, 412, 422, 428; 409 also where somebody of whom nothing is said is likely
            to be known already.
    """
    referral = await _to_decide(session, referral_id, caller)
    precondition.check(await version_of(session, referral))
    referral.state = rules.after(referral.state, "accept")
    content = ReferralContent.model_validate(referral.content)
    errors = rules.binding_errors([binding.index for binding in body.people], len(content.people))
    referral.implementer = _implementer(referral, body, caller, errors)
    roots = await aliases.resolve_all(
        session, [b.returnee_id for b in body.people if b.returnee_id is not None]
    )
    bound = {b.index: roots[b.returnee_id] for b in body.people if b.returnee_id is not None}
    known = await _known(
        session, bound, body, caller, {referral.sender, referral.implementer}, errors
    )
    if errors:
        raise invalid(*errors)
    named = {binding.index for binding in body.people}
    unnamed = {i: person for i, person in enumerate(content.people) if i not in named}
    await duplicates.check_second_records(session, referral.id, unnamed, caller)
    referral.comment = body.comment or None
    await _decided(session, referral, caller)
    await session.flush()

    rows = await _people(session, referral.id)
    for row, person in zip(rows, content.people, strict=True):
        returnee = known.get(row.index)
        if returnee is None:
            returnee = await returnees.register(
                session,
                person,
                via=Registration.REFERRAL,
                referral_id=referral.id,
                programme=referral.programme,
            )
        else:
            returnee.changed()  # another case, perhaps another household
        row.returnee_id = returnee.id
    ids = [row.returnee_id for row in rows if row.returnee_id is not None]
    await grant(session, ids, Role.REFERRER, referral.sender)
    await grant(session, ids, Role.PROGRAMME, referral.programme)
    await grant(session, ids, Role.PARTNER, referral.implementer)
    await _keep_partner(session, referral)
    await rights.give_consents(session, ids, content.consents)
    await _open(session, referral, content, ids)
    await travel.tell_all(session, referral)
    if referral.arrived_on is not None:
        await _returned(session, referral, referral.arrived_on)
    audit.record(
        session,
        caller,
        "accept",
        "referral",
        referral.id,
        {
            "implementer": referral.implementer,
            "returnees": [str(i) for i in ids],
            "known": [str(i) for i in bound.values()],
            "said_to_be_new": sorted(named - bound.keys()),
        },
    )
    return referral


async def _returned(session: Session, referral: Referral, arrived_on: date) -> None:
    """The persons of a retroactive referral have returned: their windows began that day."""
    files = await load_cases_of_referral(session, referral.id, lock=True)
    for case_id, members in (await load_members(session, files)).items():
        case = files[case_id]
        for member in members:
            member.arrived_on = arrived_on
        case.arrived_on = arrived_on
        await progress(session, case, members, CaseState.ARRIVED)
        await session.flush()
        await deadlines.set_for_case(session, case, members, arrived_on)


def _implementer(
    referral: Referral, body: AcceptIn, caller: Caller, errors: list[FieldError]
) -> str:
    programme = rules_of(referral.programme, referral.programme_version)
    possible = programme.implementers(referral.country_of_return)
    if referral.decider == Decider.PARTNER:
        possible = tuple(name for name in possible if name == caller.organisation)
    if referral.retroactive:
        possible = (referral.submitter,)
    chosen = body.implementer or (
        referral.requested_partner
        if referral.requested_partner in possible
        else next(iter(possible), "")
    )
    if chosen not in possible:
        right = "an organisation that may implement: " + (", ".join(possible) or "none")
        errors.append(
            FieldError(pointer="/implementer", code="implementer_outside_programme", detail=right)
        )
    return chosen


async def _known(
    session: Session,
    bound: dict[int, UUID],
    body: AcceptIn,
    caller: Caller,
    taking_part: set[str],
    errors: list[FieldError],
) -> dict[int, Returnee]:
    places = {binding.index: place for place, binding in enumerate(body.people)}
    # Whoever knows them by another id of theirs may name them, or is named them as a candidate.
    ids = await aliases.same_people(session, bound.values())
    roots = {ids[each] for each in await returnees.known_ids(session, list(ids), caller)}
    statement = (
        select(Returnee)
        .where(col(Returnee.id).in_(roots), col(Returnee.erased_at).is_(None))
        .order_by(col(Returnee.id))
        .with_for_update(of=Returnee)
    )
    found = {returnee.id: returnee for returnee in await session.scalars(statement)}
    seen: set[UUID] = set()
    for index, returnee_id in bound.items():
        pointer = f"/people/{places[index]}/returnee_id"
        if returnee_id not in found:
            errors.append(
                FieldError(
                    pointer=pointer,
                    code="unknown_returnee",
                    detail="a returnee known to you, or null",
                )
            )
        elif returnee_id in seen:
            errors.append(
                FieldError(pointer=pointer, code="returnee_twice", detail="each returnee once")
            )
        elif await returnees.has_open_case(session, returnee_id):
            errors.append(
                FieldError(
                    pointer=pointer,
                    code="case_open",
                    detail="a returnee whose earlier cases are closed",
                )
            )
        elif kept := taking_part & await restricted.kept_from(session, [returnee_id]):
            right = "a returnee from whom nobody is kept who would take part; lift the restriction first: "
            errors.append(
                FieldError(
                    pointer=pointer, code="restricted", detail=right + ", ".join(sorted(kept))
                )
            )
        seen.add(returnee_id)
    return {
        index: found[returnee_id] for index, returnee_id in bound.items() if returnee_id in found
    }


async def _keep_partner(session: Session, referral: Referral) -> None:
    """Of the partners that were asked, only the one that implements goes on seeing the referral, or
    who submitted it.

    Whom it is about, what was written and what was uploaded is no concern any more of who was asked
    in vain; nor are its people looked for among those of undecided ones.
    """
    await pending.forget_keys(session, referral.id)
    asked = participation.c
    await session.execute(
        delete(participation).where(
            asked.subject_id == referral.id,
            asked.role == Role.PARTNER,
            asked.organisation != (referral.implementer or referral.submitter),
        )
    )
    if referral.implementer is not None:
        await grant(session, [referral.id], Role.PARTNER, referral.implementer)


async def _open(
    session: Session, referral: Referral, content: ReferralContent, ids: Sequence[UUID]
) -> None:
    on = content.travel.departs_on if content.travel else await today(session)
    members = [rules.member_of_household(person, on) for person in content.people]
    people = [
        (i, person.role, member)
        for i, person, member in zip(ids, content.people, members, strict=True)
    ]
    household, changes = await returnees.form_household(
        session, people, referral_id=referral.id, programme=referral.programme
    )
    programme = rules_of(referral.programme, referral.programme_version)
    grown = [
        rules.has_own_file(person, member, programme)
        for person, member in zip(content.people, members, strict=True)
    ]
    family = [place for place, own in enumerate(grown) if not own]
    opened: list[CaseFile] = []
    followed_in: dict[UUID, CaseFile] = {}
    for places in (family, *([place] for place, own in enumerate(grown) if own)):
        case = CaseFile(
            id=new_id(),
            state=CaseState.PRE_DEPARTURE,
            needs_priority=NeedsPriority(referral.needs_priority),
            programme=referral.programme,
            programme_version=referral.programme_version,
            programme_office=programmes()[referral.programme].office,
            return_kind=ReturnKind(referral.return_kind),
            country_of_return=referral.country_of_return,
            referral_id=referral.id,
            household_id=household.id,
            split_from=opened[0].id if opened else None,
            referrer=referral.sender,
            implementer=referral.implementer,
            governorate=content.destination.governorate,
            district=content.destination.district,
            address=content.destination.address,
        )
        opened.append(case)
        followed_in |= {ids[place]: case for place in places}
        of_case = [(ids[place], members[place]) for place in places]
        tell_accepted(session, referral, case, of_case)
        await open_case(session, case, of_case, referral.arrived_on)
    for change in changes:
        case = followed_in.get(change.returnee_id, opened[0])
        publish(session, change.model_copy(update={"case_id": case.id}))


def tell_accepted(
    session: Session, referral: Referral, case: CaseFile, people: Sequence[tuple[UUID, Member]]
) -> None:
    """Tell of each of some people that the referral was accepted, and in which case they are
    followed.
    """
    for returnee_id, member in people:
        publish(
            session,
            ReferralAccepted(
                returnee_id=returnee_id,
                case_id=case.id,
                referral_id=referral.id,
                household_id=case.household_id,
                programme=referral.programme,
                programme_version=referral.programme_version,
                return_kind=referral.return_kind,
                member=member,
                referrer=referral.sender,
                implementer=case.implementer,
                needs_priority=referral.needs_priority,
            ),
        )


async def reject(
    session: Session, referral_id: UUID, body: RejectIn, caller: Caller, precondition: Precondition
) -> Referral:
    """Reject a referral for a coded reason; it may come back corrected.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    referral = await _to_decide(session, referral_id, caller)
    precondition.check(await version_of(session, referral))
    referral.state = rules.after(referral.state, "reject")
    referral.rejection_reason, referral.comment = body.reason, body.comment
    await _decided(session, referral, caller)
    await _keep_partner(session, referral)
    publish(session, ReferralRejected(**_ids(referral), reason=body.reason))
    audit.record(session, caller, "reject", "referral", referral.id, {"reason": body.reason})
    await session.flush()
    return referral


async def withdraw(
    session: Session, referral_id: UUID, body: WithdrawIn, caller: Caller
) -> Referral:
    """Withdraw a referral, also after acceptance until somebody has left: people may change their
    mind.

    Raises:
        Problem: 404, 403, 409.
    """
    referral = await _submitted(session, referral_id, caller)
    state = rules.after(referral.state, "withdraw")
    files = await load_cases_of_referral(session, referral.id, lock=True)
    journeys = await travel.of_referral(session, referral.id)
    if not referral.retroactive and any(
        journey.state == JourneyState.DEPARTED for journey in journeys
    ):
        raise state_conflict(JourneyState.DEPARTED, [], "withdraw")
    for case in files.values():
        rests = case.suspended_from == CaseState.PRE_DEPARTURE and case.arrived_on is None
        if case.state not in {CaseState.PRE_DEPARTURE, CaseState.CLOSED} and not rests:
            raise state_conflict(case.state, [], "withdraw")
    referral.state, referral.comment = state, body.comment or referral.comment
    referral.changed()
    await deadlines.settle(session, DeadlineState.CANCELLED, referral_id=referral.id)
    await travel.cancel_all(session, referral)
    if not files:
        await _keep_partner(session, referral)
        publish(session, ReferralWithdrawn(**_ids(referral)))
    for case_id, members in (await load_members(session, files)).items():
        for member in members:
            publish(
                session, ReferralWithdrawn(**event_ids(files[case_id], member) | _ids(referral))
            )
        if files[case_id].state != CaseState.CLOSED:
            await close_case(session, files[case_id], members, ClosureReason.WITHDRAWN)
    audit.record(session, caller, "withdraw", "referral", referral.id)
    await session.flush()
    return referral


async def on_silence(session: Session, referral: Referral, kind: str, then: Silence) -> None:
    """What the programme says happens when nobody answered in time; `referral` is locked.

    Args:
        session: The session.
        referral: The referral.
        kind: The deadline that has passed.
        then: What the programme's rule says.
    """
    state = rules.ON_SILENCE.get(ReferralState(referral.state), {}).get(then)
    waits_for = {
        ReferralState.INFORMATION_REQUESTED: {DeadlineKind.INFORMATION},
        ReferralState.SUBMITTED: set(DECISIONS.values()),
    }.get(ReferralState(referral.state), set())
    if state is None or kind not in waits_for:
        return
    referral.state = state
    match then:
        case Silence.ESCALATE:
            referral.decider = Decider.PROGRAMME_OFFICE
            office = programmes()[referral.programme].office
            publish(session, ReferralEscalated(**_ids(referral), office=office))
            await _await_decision(session, referral)
        case Silence.EXPIRE:
            await _keep_partner(session, referral)
            publish(session, ReferralExpired(**_ids(referral)))
        case Silence.REJECT:
            referral.rejection_reason = RejectionReason.SILENCE
            await _keep_partner(session, referral)
            publish(session, ReferralRejected(**_ids(referral), reason=RejectionReason.SILENCE))
    referral.changed()
    await session.flush()


async def became(session: Session, referral: Referral) -> list[BecameOut]:
    """What became of each person of a referral."""
    people = await _people(session, referral.id)
    files = await load_cases_of_referral(session, referral.id)
    members: dict[UUID, CaseMember] = {}
    for rows in (await load_members(session, files)).values():
        members |= {member.returnee_id: member for member in rows}
    first = next(iter(files.values()), None)
    journeys = await _last_journeys(session, referral.id)
    roles = [person["role"] for person in referral.content["people"]]
    found = []
    for row in people:
        journey, member = (
            journeys.get(row.index),
            members.get(row.returnee_id) if row.returnee_id else None,
        )
        case = files[member.case_id] if member else first
        found.append(
            BecameOut(
                index=row.index,
                role=roles[row.index],
                returnee_id=row.returnee_id,
                travel_state=journey.state if journey else None,
                departs_on=travel.legs_of(journey)[0].departs_on if journey else None,
                arrival_state=member.arrival_state if member else None,
                arrived_on=member.arrived_on if member else None,
                case_id=case.id if case else None,
                case_state=case.state if case else None,
                closure_reason=case.closure_reason if case else None,
            )
        )
    return found


async def _last_journeys(session: Session, referral_id: UUID) -> dict[int, Journey]:
    rows: Iterable[Any] = await session.execute(
        select(JourneyPerson.index, Journey)
        .join(Journey, col(Journey.id) == JourneyPerson.journey_id)
        .where(Journey.referral_id == referral_id)
        .order_by(col(Journey.id))
    )
    return {row[0]: row[1] for row in rows}
