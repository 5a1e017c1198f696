"""What makes a referral right, who decides on it, and what may happen to it. Pure."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from chassis.errors import FieldError
from contracts.codes import Member, NeedsPriority
from contracts.programmes import (
    Decider,
    Described,
    Eligibility,
    Programme,
    Rules,
    eligibility,
)
from services.cases.codes import VulnerabilityKind
from services.cases.fields import governorates
from services.cases.intake.referrals.schemas import Need, PersonIn, ReferralContent, Role
from services.cases.intake.travel.schemas import arrives_before
from services.cases.people.ages import may_be_child
from services.cases.people.matching.repetitions import repeated_documents, repeated_people
from services.cases.people.matching.zones import zone_errors

RAISING_NEEDS = frozenset({Need.MEDICAL, Need.WHEELCHAIR})


def described(referral: ReferralContent, today: date) -> Described:
    """What a programme looks at. Without a consent the day of the referral stands in for the
    counselling.
    """
    travel = referral.travel
    return Described(
        sender=referral.sender,
        return_kind=referral.return_.kind,
        legal_status=referral.return_.legal_status,
        host_country=referral.return_.host_country,
        country_of_return=referral.return_.country_of_return,
        consents={consent.purpose: consent.legal_basis for consent in referral.consents},
        counselled_on=max((consent.given_on for consent in referral.consents), default=today),
        departs_on=travel.departs_on if travel else None,
        port_of_entry=travel.port_of_entry if travel else None,
        documents={
            document.kind
            for person in referral.people
            if person.role is Role.PRINCIPAL
            for document in person.documents
        },
    )


def assess(
    referral: ReferralContent,
    programmes: Mapping[str, Programme],
    referrers: Collection[str],
    today: date,
    arrived_on: date | None = None,
) -> tuple[Eligibility | None, list[FieldError]]:
    """Everything that is wrong with a referral beyond its shape.

    Args:
        referral: The referral.
        programmes: Every programme.
        referrers: Every registered service.
        today: The day on which it is submitted.
        arrived_on: Of a retroactive referral, the day of the return.

    Returns:
        The programme's rules as they were applied (None where there is no such programme), and the
        errors.
    """
    errors = consistency(referral, today)
    if arrived_on is not None:
        errors = [error for error in errors if error.code != "consent_after_departure"]
        departed = referral.travel.departs_on if referral.travel else arrived_on
        if not departed <= arrived_on <= today:
            right = "a day from the departure until today"
            errors.append(FieldError(pointer="/arrived_on", code="bad_arrival", detail=right))
    known_sender = referral.sender in referrers
    if not known_sender:
        errors.append(
            FieldError(pointer="/sender", code="unknown_sender", detail="a registered service")
        )
    programme = programmes.get(referral.programme)
    if programme is None:
        detail = "a programme that exists: " + ", ".join(sorted(programmes))
        return None, [
            *errors,
            FieldError(pointer="/programme", code="unknown_programme", detail=detail),
        ]
    result = eligibility(programme, described(referral, today))
    for finding in result.refusals:
        if finding.rule == "sender" and not known_sender:
            continue
        errors.append(
            FieldError(
                pointer=_pointer(finding.rule, referral), code=finding.code, detail=finding.right
            )
        )
    if result.version is not None and referral.requested_partner is not None:
        partners = programme.version(result.version).implementers(
            referral.return_.country_of_return
        )
        if partners and referral.requested_partner not in partners:
            detail = "an implementing organisation of the programme: " + ", ".join(partners)
            errors.append(
                FieldError(
                    pointer="/requested_partner", code="partner_outside_programme", detail=detail
                )
            )
    return result, errors


def _pointer(rule: str, referral: ReferralContent) -> str:
    if rule == "departs_on" and referral.travel is None:
        return "/programme"
    return {
        "departs_on": "/travel/departs_on",
        "sender": "/sender",
        "host_country": "/return/host_country",
        "country_of_return": "/return/country_of_return",
        "return_kind": "/return/kind",
        "legal_status": "/return/legal_status",
        "consents": "/consents",
        "documents": f"/people/{_principal(referral)}/documents",
        "port_of_entry": "/travel/port_of_entry",
    }[rule]


def _principal(referral: ReferralContent) -> int:
    return next(
        (
            position
            for position, person in enumerate(referral.people)
            if person.role is Role.PRINCIPAL
        ),
        0,
    )


def consistency(referral: ReferralContent, today: date) -> list[FieldError]:
    """What contradicts itself in a referral, whatever the programme says."""
    return [
        *_travel_and_consents(referral, today),
        *_people(referral, today),
        *_destination(referral),
    ]


def _travel_and_consents(referral: ReferralContent, today: date) -> Iterator[FieldError]:
    travel = referral.travel
    if travel and arrives_before(travel.departs_on, travel.arrives_at):
        right = "a time after the departure"
        yield FieldError(
            pointer="/travel/arrives_at", code="arrives_before_departure", detail=right
        )
    for index, consent in enumerate(referral.consents):
        pointer = f"/consents/{index}/given_on"
        if travel and consent.given_on > travel.departs_on:
            right = "a date before the departure"
            yield FieldError(pointer=pointer, code="consent_after_departure", detail=right)
        elif consent.given_on > today:
            yield FieldError(pointer=pointer, code="in_future", detail="a day that has come")
    purposes = [consent.purpose for consent in referral.consents]
    if len(set(purposes)) < len(purposes):
        right = "one consent for each purpose"
        yield FieldError(pointer="/consents", code="consent_twice", detail=right)


def _people(referral: ReferralContent, today: date) -> Iterator[FieldError]:
    for index, person in enumerate(referral.people):
        if person.birth.date > today:
            pointer, right = f"/people/{index}/birth/date", "a day before the referral"
            yield FieldError(pointer=pointer, code="birth_in_future", detail=right)
        yield from zone_errors(person, f"/people/{index}")
    for first, index in repeated_people(referral.people):
        right = f"each person once; this is the person at /people/{first}, or say what is other"
        yield FieldError(pointer=f"/people/{index}", code="person_twice", detail=right)
    for index, document in repeated_documents(referral.people):
        pointer = f"/people/{index}/documents/{document}/number"
        right = "each document once, with the person whom it is made out to"
        yield FieldError(pointer=pointer, code="document_twice", detail=right)
    if sum(person.role is Role.PRINCIPAL for person in referral.people) != 1:
        yield FieldError(pointer="/people", code="one_principal", detail="one principal applicant")


def _destination(referral: ReferralContent) -> Iterator[FieldError]:
    known = governorates(referral.return_.country_of_return)
    if known and referral.destination.governorate not in known:
        right = "an ISO 3166-2 code of the country of return"
        yield FieldError(
            pointer="/destination/governorate", code="unknown_governorate", detail=right
        )


def additions(
    people: Sequence[Mapping[str, Any]], sent: Sequence[PersonIn], today: date
) -> tuple[list[PersonIn], list[FieldError]]:
    """Returns who is new of those whom an amendment adds, and who is said of somebody else.

    An entry that is there already, word for word, was sent before. One that is there under other
    particulars is somebody of the referral, who is corrected and not added.

    Args:
        people: Who is in the referral, as it is kept.
        sent: Who is to be added.
        today: The day.
    """
    left = [dict(person) for person in people]
    known = [PersonIn.model_validate(person) for person in people if not person.get("erased")]
    new: list[PersonIn] = []
    errors: list[FieldError] = []
    for position, person in enumerate(sent):
        dumped = person.model_dump(mode="json")
        if dumped in left:
            left.remove(dumped)
            continue
        together = [*known, *new, person]
        if any(len(together) - 1 in pair for pair in repeated_people(together)):
            right = "somebody who is not in the referral; what is other of them is a correction"
            errors.append(FieldError(pointer=f"/add/{position}", code="person_twice", detail=right))
        if person.birth.date > today:
            at = f"/add/{position}/birth/date"
            errors.append(FieldError(pointer=at, code="birth_in_future", detail="today or before"))
        errors += zone_errors(person, f"/add/{position}")
        here = {index for who, index in repeated_documents(together) if who == len(together) - 1}
        errors += [
            FieldError(
                pointer=f"/add/{position}/documents/{index}/number",
                code="document_twice",
                detail="each document once, with the person whom it is made out to",
            )
            for index in sorted(here)
        ]
        new.append(person)
    return new, errors


def needs_priority(referral: ReferralContent) -> NeedsPriority:
    """How urgent the needs of a household are: all of them that leaves this service.

    A child alone and a victim of trafficking come first; any other vulnerability or a medical need
    before the rest (IOM, handbook: follow up quickly when screening flags something).
    """
    kinds = {vulnerability.kind for vulnerability in referral.vulnerabilities}
    if kinds & VulnerabilityKind.URGENT or _child_alone(referral):
        return NeedsPriority.URGENT
    if kinds or RAISING_NEEDS & set(referral.needs):
        return NeedsPriority.RAISED
    return NeedsPriority.ROUTINE


def _child_alone(referral: ReferralContent) -> bool:
    """Whether nobody in it is certainly of age when they leave, or when they agreed to."""
    days = [consent.given_on for consent in referral.consents]
    on = referral.travel.departs_on if referral.travel else max(days, default=date.max)
    return all(may_be_child(person.birth, on) for person in referral.people)


def member_of_household(person: PersonIn, on: date) -> Member:
    """The person's place in the household, as coarsely as the work needs.

    Args:
        person: The person.
        on: The day of departure, or of acceptance while none is known.
    """
    if person.role is Role.PRINCIPAL:
        return Member.PRINCIPAL
    return Member.CHILD if may_be_child(person.birth, on) else Member.ADULT


def has_own_file(person: PersonIn, member: Member, rules: Rules) -> bool:
    """Whether a person is followed in a case of their own: a grown child, where the programme says
    so.
    """
    return rules.adult_children.own_file and person.role is Role.CHILD and member is Member.ADULT


def partners_asked(referral: ReferralContent, rules: Rules) -> tuple[str, ...]:
    """The organisations that a submitted referral concerns: none before the programme office has
    decided.
    """
    if rules.accepted_by.who is not Decider.PARTNER:
        return ()
    if referral.requested_partner is not None:
        return (referral.requested_partner,)
    return rules.implementers(referral.return_.country_of_return)


def digest(content: Mapping[str, Any]) -> bytes:
    """By what the same submission is recognised."""
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    ).digest()


def binding_errors(bound: Sequence[int], people: int) -> list[FieldError]:
    """What is wrong with how persons were bound to returnees.

    Args:
        bound: Places in the referral that the decision names.
        people: How many persons the referral has.
    """
    errors = []
    for position, index in enumerate(bound):
        if index >= people:
            errors.append(
                FieldError(
                    pointer=f"/people/{position}/index",
                    code="no_such_person",
                    detail=f"a place from 0 to {people - 1}",
                )
            )
        if index in bound[:position]:
            errors.append(
                FieldError(
                    pointer=f"/people/{position}/index",
                    code="person_twice",
                    detail="each person once",
                )
            )
    return errors
