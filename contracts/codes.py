"""The words that events and programmes share: codes, never free text."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum, nonmember
from typing import Annotated, Any, Self
from uuid import UUID, uuid5

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    model_validator,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from contracts.currencies import is_exact, unit

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
"""An organisation, programme or office, as it is registered here."""
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 3166-1 alpha-3."""
PortCode = Annotated[str, StringConstraints(pattern=r"^([A-Z]{3}|[A-Z]{2}[A-Z2-9]{3})$")]
"""An airport's IATA code, or the UN/LOCODE of a land border or sea port."""
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""
PlainAmount = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}(\.[0-9]{1,3})?$")]
"""An amount as it is written: without exponent, sign or separators."""
CarrierCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2}$")]
"""IATA airline designator."""
FlightNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2}[0-9]{1,4}[A-Z]?$")]
"""Airline designator and number."""
Moment = AwareDatetime
"""A time with its offset."""
Version = Annotated[int, Field(ge=1)]
"""Counted from 1."""

ACTORS = UUID("6f0a2c3e-8d51-5b5e-9a1d-2b7c40e1f9d3")


def actor_id(organisation: str, person: str) -> UUID:
    """The opaque id under which events name who decided.

    Args:
        organisation: Slug of the organisation that vouches for the person.
        person: The person's id within that organisation, in any spelling.

    Returns:
        The same id every time, so that four-eyes rules can compare it across services, from which
        the person's id in their organisation is not readable.
    """
    return uuid5(ACTORS, f"{organisation}\n{person.lower()}")


class Money(BaseModel):
    """An exact amount. On the wire the amount is a string, because a JSON number is not exact
    everywhere.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    amount: Annotated[
        Decimal,
        Field(ge=0, max_digits=18, decimal_places=3),
        PlainSerializer(
            lambda amount: format(amount, "f"), return_type=PlainAmount, when_used="json"
        ),
    ]
    currency: CurrencyCode

    @model_validator(mode="after")
    def written_as_its_currency_is(self) -> Self:
        """Write as many decimals as the currency has, however many came; what is finer is left for
        who refuses it.
        """
        if is_exact(self.amount, self.currency):
            object.__setattr__(self, "amount", self.amount.quantize(unit(self.currency)))
        return self


class ReturnKind(StrEnum):
    """How the person returns; it decides packages and ceilings."""

    VOLUNTARY = "voluntary"
    FORCED = "forced"
    FORCED_CHARTER = "forced_charter"


class LegalStatus(StrEnum):
    """Status of stay in the host country. Never part of an event."""

    IRREGULAR_STAY = "irregular_stay"
    ASYLUM_REJECTED = "asylum_rejected"
    ASYLUM_WITHDRAWN = "asylum_withdrawn"
    RETURN_DECISION = "return_decision"
    REGULAR = "regular"
    UNKNOWN = "unknown"


class ConsentPurpose(StrEnum):
    """What a person allows their data to be used for."""

    REFERRAL = "referral"
    ASSISTANCE = "assistance"
    MONITORING = "monitoring"
    SHARING = "sharing"


class LegalBasis(StrEnum):
    """On what ground data are processed (GDPR Art. 6)."""

    CONSENT = "consent"
    PUBLIC_TASK = "public_task"
    VITAL_INTERESTS = "vital_interests"
    LEGAL_OBLIGATION = "legal_obligation"


class SharingPurpose(StrEnum):
    """What an organisation is told of somebody for."""

    REFERRED_SERVICE = "referred_service"
    SAME_PERSON = "same_person"
    CONTINUED_ASSISTANCE = "continued_assistance"
    AUDIT = "audit"


class SharedCategory(StrEnum):
    """What of somebody is shared beside the course of their return; vulnerabilities never are."""

    IDENTITY = "identity"
    CONTACTS = "contacts"
    DOCUMENTS = "documents"


class NeedsPriority(StrEnum):
    """The only trace of needs and vulnerabilities outside their owner."""

    ROUTINE = "routine"
    RAISED = "raised"
    URGENT = "urgent"

    def or_more_urgent(self, other: "NeedsPriority") -> "NeedsPriority":
        """The more urgent of the two."""
        order = list(NeedsPriority)
        return max(self, other, key=order.index)


class Member(StrEnum):
    """Place in the returning household, as coarsely as the work needs."""

    PRINCIPAL = "principal"
    ADULT = "adult"
    CHILD = "child"


class AssistanceGroup(StrEnum):
    """Assistance by group, where its kind would disclose health or a child's situation."""

    ECONOMIC = "economic"
    SOCIAL = "social"
    CARE = "care"

    @property
    def discloses(self) -> bool:
        """Whether a kind of this group tells of somebody's health or of a child's situation.

        Such a kind is named to those only who help in it; everybody else is told the group. This
        is the one place where that is decided, for plans, grants, training and the desk alike.
        """
        return self is AssistanceGroup.CARE


class GroupedCode(StrEnum):
    """A code of something that is given, with the group it belongs to.

    Attributes:
        group: Told in its place where the code would disclose something.
    """

    group: AssistanceGroup

    def __new__(cls, code: str, group: AssistanceGroup = AssistanceGroup.CARE) -> Self:
        """A member, declared as its code and its group; without one it is told to nobody."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.group = group
        return member

    @property
    def published(self) -> Self | None:
        """The code as it may be told to everybody; None where it would disclose something."""
        return None if self.group.discloses else self


@dataclass(frozen=True)
class _Published:
    """Beside the type of an event's member: only codes that disclose nothing are told."""

    def __get_pydantic_core_schema__(
        self, source: type[GroupedCode], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def told(code: GroupedCode) -> GroupedCode:
            if code.published is None:
                raise ValueError(f"{source.__name__}: is told as its group only")
            return code

        told_as = [code.value for code in source if code.published is not None]
        return no_info_after_validator_function(
            told, handler(source), metadata={"pydantic_js_extra": {"enum": told_as}}
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        told_as = schema["metadata"]["pydantic_js_extra"]["enum"]
        return {"type": "string", "enum": told_as}


ECONOMIC, SOCIAL, CARE = AssistanceGroup


class CourseKind(GroupedCode):
    """What a course teaches."""

    ORIENTATION = "orientation", SOCIAL
    VOCATIONAL = "vocational", ECONOMIC
    LANGUAGE = "language", ECONOMIC
    BUSINESS = "business", ECONOMIC
    PSYCHOSOCIAL = "psychosocial", CARE
    JOB_READINESS = "job_readiness", ECONOMIC


class HelpKind(GroupedCode):
    """A kind of help: what a plan's line asks for and what a grant is for.

    A new one is declared here, with a word for it in each language of the timeline
    (`gateway/timeline/summaries/`, under `help`); a test says which is missing.

    Attributes:
        course: The kind of course that carries it out, where it is taken part in.
    """

    course: CourseKind | None

    def __new__(
        cls,
        code: str,
        group: AssistanceGroup = AssistanceGroup.CARE,
        course: CourseKind | None = None,
    ) -> Self:
        """A member, declared as its code, its group and the kind of course that carries it out."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.group, member.course = group, course
        return member

    @property
    def is_earned(self) -> bool:
        """Whether attendance or work earns it, so that it is paid by and by."""
        return self in {HelpKind.LIVING_ALLOWANCE, HelpKind.WAGE_SUBSIDY}

    CASH = "cash", ECONOMIC
    BUSINESS = "business", ECONOMIC
    VOCATIONAL_TRAINING = "vocational_training", ECONOMIC, CourseKind.VOCATIONAL
    LANGUAGE_TRAINING = "language_training", ECONOMIC, CourseKind.LANGUAGE
    JOB_PLACEMENT = "job_placement", ECONOMIC, CourseKind.JOB_READINESS
    WAGE_SUBSIDY = "wage_subsidy", ECONOMIC
    LIVING_ALLOWANCE = "living_allowance", ECONOMIC
    HOUSING = "housing", SOCIAL
    MEDICAL = "medical", CARE
    EDUCATION = "education", SOCIAL
    PSYCHOSOCIAL = "psychosocial", CARE
    LEGAL = "legal", SOCIAL
    COOPERATIVE = "cooperative", ECONOMIC
    FAMILY_TRACING = "family_tracing", CARE


class Housing(StrEnum):
    """What housing help is for."""

    ITEMS = "items"
    RENT = "rent"
    MATERIALS = "materials"
    TEMPORARY = "temporary"


class AssistanceKind(GroupedCode):
    """What is given at the port of entry. Events name only the kinds that disclose nothing."""

    TEMPORARY_ACCOMMODATION = "temporary_accommodation", SOCIAL
    NUTRITION = "nutrition", SOCIAL
    CLOTHING = "clothing", SOCIAL
    MEDICAL = "medical", CARE
    INTERPRETATION = "interpretation", SOCIAL
    POCKET_MONEY = "pocket_money", ECONOMIC
    FAMILY_TRACING = "family_tracing", CARE


class ServiceKind(GroupedCode):
    """A service outside the programme that somebody is referred to."""

    HOSPITAL = "hospital", CARE
    PSYCHOSOCIAL = "psychosocial", CARE
    PROTECTION = "protection", CARE
    SHELTER = "shelter", CARE
    FAMILY_TRACING = "family_tracing", CARE
    LEGAL_AID = "legal_aid", SOCIAL
    CIVIL_DOCUMENTS = "civil_documents", SOCIAL
    SCHOOL = "school", SOCIAL
    HOUSING = "housing", SOCIAL
    EMPLOYMENT_OFFICE = "employment_office", ECONOMIC
    MICROFINANCE = "microfinance", ECONOMIC


PublishedHelp = Annotated[HelpKind, _Published()]
PublishedCourse = Annotated[CourseKind, _Published()]
PublishedAssistance = Annotated[AssistanceKind, _Published()]


class CaseState(StrEnum):
    """Where a case stands."""

    PRE_DEPARTURE = "pre_departure"
    ARRIVED = "arrived"
    IN_DELIVERY = "in_delivery"
    MONITORING = "monitoring"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class ClosureReason(StrEnum):
    """Why a case was closed."""

    COMPLETED = "completed"
    LOST_CONTACT = "lost_contact"
    WITHDRAWN = "withdrawn"
    NOT_DEPARTED = "not_departed"
    RE_MIGRATED = "re_migrated"
    DECEASED = "deceased"
    DEADLINE_EXPIRED = "deadline_expired"
    INELIGIBLE = "ineligible"
    TRANSFERRED = "transferred"


class RejectionReason(StrEnum):
    """Why a referral was rejected; the comment beside it stays in cases."""

    INELIGIBLE = "ineligible"
    INSUFFICIENT_INFORMATION = "insufficient_information"
    ALREADY_REFERRED = "already_referred"
    OUTSIDE_AREA = "outside_area"
    NO_CAPACITY = "no_capacity"
    SILENCE = "silence"
    OTHER = "other"


class Phase(StrEnum):
    """On which side of the journey something was done."""

    PRE_DEPARTURE = "pre_departure"
    POST_ARRIVAL = "post_arrival"


class ContactMethod(StrEnum):
    """How somebody was reached, or was to be."""

    VISIT = "visit"
    PHONE = "phone"
    OFFICE = "office"
    VIDEO = "video"
    MESSAGE = "message"


class SurveyRound(StrEnum):
    """When a survey was taken, counted from the return."""

    BASELINE = "baseline"
    MIDLINE = "midline"
    ENDLINE = "endline"
    FOLLOW_UP = "follow_up"


class DeadlineKind(StrEnum):
    """What a deadline is for. Its length is programme data."""

    REFERRAL_DECISION = "referral_decision"
    OFFICE_DECISION = "office_decision"
    INFORMATION = "information"
    RETROACTIVE_DECISION = "retroactive_decision"
    DEPARTURE_QUERY = "departure_query"
    POST_ARRIVAL = "post_arrival"
    FIRST_CONTACT = "first_contact"
    PLAN = "plan"
    POST_RETURN = "post_return"
    VISIT = "visit"
    """A monitoring visit that a case worker agreed."""
    VISIT_AFTER_DELIVERY = "visit_after_delivery"
    VISIT_AFTER_PAYMENT = "visit_after_payment"


class ArrivalState(StrEnum):
    """Where an arrival stands. Being held by the authorities is not among them: it is never
    published.
    """

    EXPECTED = "expected"
    MET = "met"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    NOT_DEPARTED = "not_departed"
    DIVERTED = "diverted"
    DECLINED = "declined"

    TO_COME = nonmember(frozenset({EXPECTED, DIVERTED}))
    """Whom a desk waits for."""
    AT_THE_PORT = nonmember(frozenset({MET, COMPLETED, DECLINED}))
    """Who was there, so that a child of theirs was not alone."""
    NOT_COME = nonmember(frozenset({NO_SHOW, NOT_DEPARTED}))
    """Whom nobody waits for any more, and who was not there."""
    ENDED_AT_THE_DESK = nonmember(frozenset({COMPLETED, DECLINED}))


class PaymentMethod(StrEnum):
    """How money reaches who is paid."""

    CASH = "cash"
    BANK = "bank"
    MOBILE = "mobile"
    VOUCHER = "voucher"
    SUPPLIER = "supplier"


class DocumentKind(StrEnum):
    """What a paper is."""

    IDENTITY = "identity"
    CONSENT = "consent"
    PLAN_AGREEMENT = "plan_agreement"
    MEDICAL = "medical"
    LEGAL = "legal"
    SERVICE_REFERRAL = "service_referral"
    QUOTE = "quote"
    INVOICE = "invoice"
    CONTRACT = "contract"
    DELIVERY = "delivery"
    PAYMENT = "payment"
    LICENCE = "licence"
    VISIT = "visit"
    CERTIFICATE = "certificate"
    OTHER = "other"


class Paper(StrEnum):
    """What must be on file before money is released."""

    INVOICE = "invoice"
    HANDOVER_CERTIFICATE = "handover_certificate"
    CONTRACT = "contract"
    LICENCE = "licence"
    ATTENDANCE = "attendance"
    IDENTITY_SEEN = "identity_seen"


PROVED_BY: Mapping[Paper, frozenset[DocumentKind]] = {
    Paper.INVOICE: frozenset({DocumentKind.INVOICE}),
    Paper.HANDOVER_CERTIFICATE: frozenset({DocumentKind.DELIVERY}),
    Paper.CONTRACT: frozenset({DocumentKind.CONTRACT}),
    Paper.LICENCE: frozenset({DocumentKind.LICENCE}),
    Paper.ATTENDANCE: frozenset({DocumentKind.CERTIFICATE}),
    Paper.IDENTITY_SEEN: frozenset({DocumentKind.IDENTITY}),
}
"""What a document has to be to count as a paper."""
