"""What cases publishes: referrals, travel, returnees, households, cases, plans, deadlines."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from chassis.events import EVERYBODY, IMPLEMENTERS, REGISTRY, Audience, EventData
from contracts.codes import (
    AssistanceGroup,
    CarrierCode,
    CaseState,
    ClosureReason,
    ConsentPurpose,
    ContactMethod,
    DeadlineKind,
    FlightNumber,
    LegalBasis,
    Member,
    Moment,
    NeedsPriority,
    Phase,
    PortCode,
    RejectionReason,
    ReturnKind,
    SharedCategory,
    SharingPurpose,
    Slug,
    SurveyRound,
    Version,
)


class ReferralFact(EventData):
    """What every fact about a referral before acceptance carries: no returnee exists yet."""

    referral_id: UUID
    programme: Slug
    referrer: Slug


class ReferralSubmitted(
    ReferralFact, name="cases.referral.submitted", subject="referral_id", audience=EVERYBODY
):
    """A host-country service referred a person or a family before, or retroactively after, their
    departure.
    """

    return_kind: ReturnKind
    requested_partner: Slug | None = None
    partners: tuple[Slug, ...] = ()
    """Whom the programme asks to decide: the requested one, or all who implement there; nobody if
    its office does.
    """
    people: int
    """How many persons it is for."""
    revision: Version = 1
    supersedes: UUID | None = None
    """The rejected referral that this one corrects."""
    retroactive: bool = False
    needs_priority: NeedsPriority


class ReferralInformationRequested(
    ReferralFact,
    name="cases.referral.information_requested",
    subject="referral_id",
    audience=EVERYBODY,
):
    """Who decides on a referral asked its sender for more; what exactly is in the referral
    itself.
    """


class ReferralEscalated(
    ReferralFact, name="cases.referral.escalated", subject="referral_id", audience=EVERYBODY
):
    """The partner did not answer in time, so the programme office decides."""

    office: Slug


class ReferralRejected(
    ReferralFact, name="cases.referral.rejected", subject="referral_id", audience=EVERYBODY
):
    """A referral was rejected, for a coded reason."""

    reason: RejectionReason


class ReferralExpired(
    ReferralFact, name="cases.referral.expired", subject="referral_id", audience=EVERYBODY
):
    """Nobody decided on a referral within the time that the programme gives."""


class ReferralWithdrawn(
    ReferralFact,
    name="cases.referral.withdrawn",
    subject=("returnee_id", "referral_id"),
    audience=EVERYBODY,
):
    """A referral was withdrawn: one fact about the referral before acceptance, one about each
    person after it.
    """

    returnee_id: UUID | None = None
    case_id: UUID | None = None
    household_id: UUID | None = None


class ReturneeFact(EventData):
    """What every fact about a returnee carries: the ids that relate it, where they are known."""

    returnee_id: UUID
    case_id: UUID | None = None
    referral_id: UUID | None = None
    household_id: UUID | None = None
    programme: Slug | None = None


class ReferralAccepted(
    ReturneeFact, name="cases.referral.accepted", subject="returnee_id", audience=EVERYBODY
):
    """A referral was accepted, and this person of it is now followed as a returnee by the
    implementing organisation.
    """

    referral_id: UUID
    programme: Slug
    programme_version: Version
    return_kind: ReturnKind
    member: Member
    referrer: Slug
    implementer: Slug
    needs_priority: NeedsPriority


class Amendment(StrEnum):
    """What was amended about a referral after its acceptance."""

    ADDED = "added"
    CORRECTED = "corrected"


class ReferralAmended(
    ReturneeFact, name="cases.referral.amended", subject="returnee_id", audience=EVERYBODY
):
    """The host-country service added the returnee to an accepted referral, or corrected what it
    said about them.
    """

    referral_id: UUID
    change: Amendment


class Itinerary(ReturneeFact):
    """A person's journey as it stands after the fact."""

    travel_id: UUID
    revision: Version
    departs_on: date | None = None
    arrives_at: Moment | None = None
    port_of_entry: PortCode | None = None
    carrier: CarrierCode | None = None
    flight_number: FlightNumber | None = None


class TravelPlanned(
    Itinerary, name="cases.travel.planned", subject="returnee_id", audience=EVERYBODY
):
    """The person's journey home is planned; it may still move."""


class TravelConfirmed(
    Itinerary, name="cases.travel.confirmed", subject="returnee_id", audience=EVERYBODY
):
    """The person's journey home is booked."""


class TravelChanged(
    Itinerary, name="cases.travel.changed", subject="returnee_id", audience=EVERYBODY
):
    """The person's journey home has another date, flight or port."""


class JourneyFact(ReturneeFact):
    """What happened to a person's journey."""

    travel_id: UUID


class TravelDeparted(
    JourneyFact,
    name="cases.travel.departed",
    subject="returnee_id",
    audience=EVERYBODY,
    happened_on="departed_on",
):
    """The host country says that the person has left."""

    departed_on: date


class TravelNotDeparted(
    JourneyFact, name="cases.travel.not_departed", subject="returnee_id", audience=EVERYBODY
):
    """The host country says that the person did not leave as planned."""


class TravelCancelled(
    JourneyFact, name="cases.travel.cancelled", subject="returnee_id", audience=EVERYBODY
):
    """The person's journey was cancelled; another may follow."""


class Registration(StrEnum):
    """How a returnee came to be known."""

    REFERRAL = "referral"
    WALK_IN = "walk_in"


class ReturneeRegistered(
    ReturneeFact, name="cases.returnee.registered", subject="returnee_id", audience=EVERYBODY
):
    """A person is registered as a returnee for the first time."""

    via: Registration


class ReturneeField(StrEnum):
    """What was changed about a returnee; never to what."""

    NAMES = "names"
    SEX = "sex"
    BIRTH = "birth"
    NATIONALITY = "nationality"
    DOCUMENTS = "documents"
    CONTACTS = "contacts"
    LANGUAGES = "languages"
    IDENTIFIERS = "identifiers"
    DESTINATION = "destination"
    HOUSEHOLD = "household"


class ReturneeUpdated(
    ReturneeFact, name="cases.returnee.updated", subject="returnee_id", audience=IMPLEMENTERS
):
    """Particulars of the returnee were corrected; who keeps a copy of the identity fetches it
    again.
    """

    changed: tuple[ReturneeField, ...]


class ReturneeMerged(
    EventData, name="cases.returnee.merged", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee is the same person as another; facts stay under the id they were recorded
    with.
    """

    returnee_id: UUID
    into: UUID
    """The returnee under whom both are found from now on."""


class ReturneeUnmerged(
    EventData, name="cases.returnee.unmerged", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee is another person than was thought: the merge is undone."""

    returnee_id: UUID
    separated_from: UUID


class ReturneeReassigned(
    EventData, name="cases.returnee.reassigned", subject="returnee_id", audience=IMPLEMENTERS
):
    """A fact that was recorded of one person is another's; told of both."""

    returnee_id: UUID
    fact_id: UUID
    taken_from: UUID
    moved_to: UUID


class ReturneeShared(
    EventData, name="cases.returnee.shared", subject="returnee_id", audience=IMPLEMENTERS
):
    """Another organisation may know of the returnee, for a purpose and a time."""

    returnee_id: UUID
    organisation: Slug
    purpose: SharingPurpose
    legal_basis: LegalBasis
    categories: tuple[SharedCategory, ...]
    until: Moment


class ReturneeUnshared(
    EventData, name="cases.returnee.unshared", subject="returnee_id", audience=IMPLEMENTERS
):
    """An organisation may know of the returnee no more."""

    returnee_id: UUID
    organisation: Slug


class ReturneeRestricted(
    EventData,
    name="cases.returnee.restricted",
    subject="returnee_id",
    audience={Audience.PROGRAMME},
):
    """An organisation that took part in the return may know of the returnee no more, or may
    again.
    """

    returnee_id: UUID
    organisation: Slug
    roles: tuple[Slug, ...]
    """In what capacities it took part."""
    restricted: bool


class ConsentChanged(
    ReturneeFact, name="cases.consent.changed", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee gave or withdrew consent, or the ground on which their data are processed
    changed.
    """

    purpose: ConsentPurpose
    legal_basis: LegalBasis
    in_force: bool


class ReturneeErased(
    EventData, name="cases.returnee.erased", subject="returnee_id", audience=EVERYBODY
):
    """What identifies the returnee was erased; everybody scrubs their copies and refuses later
    facts.
    """

    returnee_id: UUID


class HouseholdChange(StrEnum):
    """What happened to a person's place in a household."""

    JOINED = "joined"
    LEFT = "left"
    MEMBER_CHANGED = "member_changed"


class HouseholdChanged(
    ReturneeFact, name="cases.household.changed", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee joined or left a household, or has another place in it."""

    household_id: UUID
    change: HouseholdChange
    member: Member


class CaseFact(ReturneeFact):
    """What every fact about a case carries, once for each of its members."""

    case_id: UUID
    programme: Slug


class CaseOpened(CaseFact, name="cases.case.opened", subject="returnee_id", audience=EVERYBODY):
    """A case was opened for the returnee's return, and these organisations take part in it."""

    programme_version: Version
    return_kind: ReturnKind
    member: Member
    referrer: Slug | None = None
    """None where a person came without a referral."""
    implementer: Slug
    office: Slug
    """The programme office."""
    state: CaseState
    needs_priority: NeedsPriority
    arrived_on: date | None = None
    """The day of arrival, where it came before the case: of a retroactive referral, or of a person
    without one.
    """


class CaseAssigned(
    CaseFact, name="cases.case.assigned", subject="returnee_id", audience=IMPLEMENTERS
):
    """A focal point was given the returnee's case."""

    focal_point: UUID
    """Opaque: see `contracts.codes.actor_id`."""


class CaseProgressed(
    CaseFact, name="cases.case.progressed", subject="returnee_id", audience=EVERYBODY
):
    """The returnee's case moved on."""

    previous_state: CaseState
    state: CaseState


class CaseClosed(CaseFact, name="cases.case.closed", subject="returnee_id", audience=EVERYBODY):
    """The returnee's case was closed, for a coded reason."""

    reason: ClosureReason
    previous_state: CaseState
    state: CaseState = CaseState.CLOSED


class CaseReopened(CaseFact, name="cases.case.reopened", subject="returnee_id", audience=EVERYBODY):
    """The returnee's closed case was taken up again."""

    state: CaseState
    """Where it goes on."""


class CaseSuspended(
    CaseFact, name="cases.case.suspended", subject="returnee_id", audience=EVERYBODY
):
    """The returnee's case rests and its clocks stand; why is in the case."""

    since: date | None = None
    previous_state: CaseState
    state: CaseState = CaseState.SUSPENDED


class CaseResumed(CaseFact, name="cases.case.resumed", subject="returnee_id", audience=EVERYBODY):
    """The returnee's case goes on, and its deadlines are as much later as it rested."""

    state: CaseState
    """Where it goes on."""
    rested_days: int = 0
    """How long it rested."""


class TransferFact(CaseFact):
    """What every fact about the offer of a case carries."""

    transfer_id: UUID
    implementer: Slug
    """Who implements it at the time."""
    offered_to: Slug


class CaseTransferOffered(
    TransferFact, name="cases.case.transfer_offered", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee's case was offered to another implementing organisation."""


class CaseTransferDeclined(
    TransferFact, name="cases.case.transfer_declined", subject="returnee_id", audience=IMPLEMENTERS
):
    """The organisation that was offered the returnee's case did not take it, or the offer was
    withdrawn.
    """


class CaseTransferred(
    CaseFact, name="cases.case.transferred", subject="returnee_id", audience=EVERYBODY
):
    """Another organisation implements the returnee's case; the one before has no part in it any
    more.
    """

    transfer_id: UUID
    previous_implementer: Slug
    implementer: Slug
    keeps_part: bool = False
    """Whether the one before still takes part in the person's return, by another case of theirs."""


class ContactAttempted(
    CaseFact, name="cases.contact.attempted", subject="returnee_id", audience=IMPLEMENTERS
):
    """Somebody tried to reach the returnee."""

    method: ContactMethod
    reached: bool


class ScreeningRecorded(
    CaseFact, name="cases.screening.recorded", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee was screened; what was found stays in cases, and only its urgency is
    published.
    """

    screening_id: UUID
    phase: Phase
    needs_priority: NeedsPriority


class SessionHeld(CaseFact, name="cases.session.held", subject="returnee_id", audience=EVERYBODY):
    """The returnee was counselled."""

    session_id: UUID
    phase: Phase
    method: ContactMethod


class VisitFact(CaseFact):
    """What every fact about a monitoring visit carries."""

    visit_id: UUID
    line_id: UUID | None = None
    """The line of the plan that it is about."""
    due_on: date


class VisitScheduled(
    VisitFact, name="cases.visit.scheduled", subject="returnee_id", audience=IMPLEMENTERS
):
    """A monitoring visit is due."""


class VisitRecorded(
    VisitFact, name="cases.visit.recorded", subject="returnee_id", audience=IMPLEMENTERS
):
    """A monitoring visit was paid, or tried in vain; what was found is in the visit."""

    method: ContactMethod
    reached: bool


class SurveyScored(
    CaseFact, name="cases.survey.scored", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee answered a survey; the answers and the scores by dimension stay in cases."""

    survey_id: UUID
    instrument: Slug
    instrument_version: Version
    round: SurveyRound
    composite_per_mille: int | None = None
    """From 0 to 1000; left out where too few questions were answered."""


class ServiceReferralFact(CaseFact):
    """What every fact about a referral to a service outside the programme carries: its group, never
    its kind.
    """

    service_referral_id: UUID
    group: AssistanceGroup


class ServiceReferralSent(
    ServiceReferralFact,
    name="cases.service_referral.sent",
    subject="returnee_id",
    audience=IMPLEMENTERS,
):
    """The returnee was referred to a service outside the programme."""


class ServiceReferralAccepted(
    ServiceReferralFact,
    name="cases.service_referral.accepted",
    subject="returnee_id",
    audience=IMPLEMENTERS,
):
    """The service will take the returnee."""


class ServiceReferralReceived(
    ServiceReferralFact,
    name="cases.service_referral.received",
    subject="returnee_id",
    audience=IMPLEMENTERS,
):
    """The returnee received the service."""


class ServiceReferralNotReceived(
    ServiceReferralFact,
    name="cases.service_referral.not_received",
    subject="returnee_id",
    audience=IMPLEMENTERS,
):
    """The returnee did not receive the service."""


class PlanFact(CaseFact):
    """What every fact about a reintegration plan carries; its lines are read over HTTP."""

    plan_id: UUID
    plan_version: Version


class PlanSubmitted(
    PlanFact, name="cases.plan.submitted", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee's reintegration plan was submitted for approval."""

    preparer: UUID
    """Opaque: see `contracts.codes.actor_id`."""


class PlanAgreed(
    PlanFact,
    name="cases.plan.agreed",
    subject="returnee_id",
    audience=IMPLEMENTERS,
    happened_on="agreed_on",
):
    """The returnee agreed to the reintegration plan."""

    agreed_on: date


class PlanApproved(PlanFact, name="cases.plan.approved", subject="returnee_id", audience=EVERYBODY):
    """The returnee's reintegration plan was approved by another person than the one who prepared
    it.
    """

    preparer: UUID
    """Opaque: see `contracts.codes.actor_id`."""
    approver: UUID
    """Opaque: see `contracts.codes.actor_id`."""


class PlanReturned(
    PlanFact, name="cases.plan.returned", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee's reintegration plan was sent back to who prepared it."""


class PlanAmended(
    PlanFact, name="cases.plan.amended", subject="returnee_id", audience=IMPLEMENTERS
):
    """A new version of the returnee's reintegration plan was begun."""


class DeadlineFact(EventData):
    """What every fact about a deadline carries. Before acceptance it is about the referral."""

    deadline_id: UUID
    kind: DeadlineKind
    due_at: Moment
    programme: Slug
    referral_id: UUID | None = None
    returnee_id: UUID | None = None
    case_id: UUID | None = None
    household_id: UUID | None = None


DEADLINE_SUBJECT = ("returnee_id", "case_id", "referral_id")


class DeadlineSet(
    DeadlineFact, name="cases.deadline.set", subject=DEADLINE_SUBJECT, audience=IMPLEMENTERS
):
    """By this time something must have been done."""


class DeadlineExtended(
    DeadlineFact, name="cases.deadline.extended", subject=DEADLINE_SUBJECT, audience=IMPLEMENTERS
):
    """Somebody who is not in charge of it gave more time."""

    previous_due_at: Moment


class DeadlineWaived(
    DeadlineFact, name="cases.deadline.waived", subject=DEADLINE_SUBJECT, audience=IMPLEMENTERS
):
    """Somebody who is not in charge of it decided that it need not be kept."""


class DeadlineMissed(
    DeadlineFact, name="cases.deadline.missed", subject=DEADLINE_SUBJECT, audience=IMPLEMENTERS
):
    """The time by which something had to be done has passed."""


class DeadlineMet(
    DeadlineFact, name="cases.deadline.met", subject=DEADLINE_SUBJECT, audience=IMPLEMENTERS
):
    """What had to be done was done, in time or late."""


class DeadlineCancelled(
    DeadlineFact, name="cases.deadline.cancelled", subject=DEADLINE_SUBJECT, audience=IMPLEMENTERS
):
    """Nothing has to be done by it any more: its case was closed, or what began it was undone. It
    is set again if that is taken back.
    """


PUBLISHES = tuple(model for model in REGISTRY.values() if model.service == "cases")
"""Every event type of this module."""
