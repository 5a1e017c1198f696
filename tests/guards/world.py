"""A return that went all the way to a plan, everybody who may ask about it, and tokens for each of
them.
"""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis.auth import OrganisationKind
from cli.client import GatewayClient
from cli.demo import Return, Walk, eventually, held_today
from cli.development import OPERATOR, SCOPES
from contracts.scopes import Scope
from gateway.identity.keys import SigningKey
from tests.guards.operations import ANOTHER, FAMILY, Operation
from tests.platform import Platform, example, walk_of

REFERRER, PARTNER = OrganisationKind.REFERRER, OrganisationKind.PARTNER
OFFICE = OrganisationKind.PROGRAMME_OFFICE
NOT_INTERNAL = [scope for scope in Scope if scope is not Scope.INTERNAL]
SHARED = {
    Scope.ORGANISATIONS_MANAGE,
    Scope.PROGRAMMES_READ,
    Scope.COURSES_READ,
    Scope.COURSES_MANAGE,
    Scope.VACANCIES_READ,
    Scope.VACANCIES_WRITE,
}
"""Scopes whose resources are not about a person: whoever has the scope sees them."""

NOBODYS = {"course_id", "cohort_id", "number", "capture_id", "employer_id", "vacancy_id", "code"}
"""What everybody with the scope may know: courses, cohorts, employers, vacancies; a code tells
nobody whose it is.
"""
TAUGHT = ("/v1/enrolments", "/v1/cohorts")
"""What concerns whoever gives a course."""
NOT_TAUGHT = frozenset(
    {
        "POST /v1/enrolments",
        "GET /v1/enrolments/{enrolment_id}/profile",
        "PUT /v1/enrolments/{enrolment_id}/profile",
        "GET /v1/enrolments/{enrolment_id}/vacancies",
    }
)
"""And what does not."""
SESSION = "2"
"""The number of a session that the return's cohort has, and that of the other return has not."""


@dataclass(frozen=True)
class Kind:
    """A kind of caller.

    Attributes:
        name: What it is to the return.
        organisation: Its organisation.
        kind: What that does.
        programmes: Those that it runs.
        takes_part: Whether the organisation takes part in the return.
        within: Beginnings of the paths within which it does; in all else it is a stranger.
        without: Operations there in which it does not.
        own: Ids of another return, in which it takes part.
    """

    name: str
    organisation: str
    kind: OrganisationKind
    programmes: tuple[str, ...] = ()
    takes_part: bool = False
    within: tuple[str, ...] = ("/",)
    without: frozenset[str] = frozenset()
    own: Mapping[str, str] = field(default_factory=dict)

    def takes_part_in(self, operation: Operation) -> bool:
        """Whether what an operation is about is for it."""
        return (
            self.takes_part
            and operation.path.startswith(self.within)
            and operation.label not in self.without
        )

    def may(self, operation: Operation) -> bool:
        """Whether organisations of its kind are given the scope that an operation needs."""
        return operation.scope in set(SCOPES.get(self.kind, ()))

    def scopes(self) -> list[Scope]:
        """Every scope that there is; `internal` for our own processes only."""
        return list(Scope) if self.kind is OrganisationKind.INTERNAL else NOT_INTERNAL


@dataclass
class World:
    """What the guards ask about.

    Attributes:
        platform: Where it is.
        ids: A real id for each name that a path, a query or a body gives one.
        people: Ids that only those who take part may ever see.
        kinds: Everybody who asks.
    """

    platform: Platform
    ids: Mapping[str, str]
    people: frozenset[str]
    kinds: Sequence[Kind]
    _key: SigningKey = field(init=False)

    def __post_init__(self) -> None:
        private = load_pem_private_key(
            self.platform.machine.signing_key_file().read_bytes(), password=None
        )
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        self._key = SigningKey.of(private)

    def bearer(
        self,
        kind: Kind,
        scopes: Sequence[str],
        *,
        person: bool = True,
        key: ec.EllipticCurvePrivateKey | None = None,
        **claims: Any,
    ) -> dict[str, str]:
        """The header with a token as the gateway would sign it.

        Args:
            kind: Whose.
            scopes: What it may be used for.
            person: Whether it names one.
            key: Another key than the gateway's.
            **claims: Instead of the right ones.
        """
        now = int(time.time())
        content = {
            "iss": self.platform.gateway,
            "aud": "homeward",
            "iat": now,
            "exp": now + 600,
            "sub": kind.organisation,
            "client_id": f"guard-{kind.organisation}",
            "org": kind.organisation,
            "org_kind": kind.kind,
            "scope": " ".join(scopes),
            "programmes": list(kind.programmes),
        }
        if person:
            content["act"] = {"sub": "guard-1"}
        token = jwt.encode(
            content | claims, key or self._key.private, "ES256", {"kid": self._key.id}
        )
        return {"Authorization": f"Bearer {token}"}

    def id_for(self, name: str, operation: Operation) -> str:
        """The real id that an operation means by a name."""
        if (own := f"{operation.role} {name}") in self.ids:
            return self.ids[own]
        assert name in self.ids, (
            f"{operation.label} names something by `{name}`: add an id of the walked return for "
            f"it to `build` in "
            "tests/guards/world.py, so that the access matrix covers the operation"
        )
        return self.ids[name]

    def random_ids(self) -> dict[str, str]:
        """Ids of the same form of things that do not exist."""
        return {
            name: str(uuid4()) if is_uuid(value) else f"none-{secrets.token_hex(6)}"
            for name, value in self.ids.items()
        }


def is_uuid(value: str) -> bool:
    """Whether an id is a UUID."""
    try:
        UUID(value)
    except ValueError:
        return False
    return True


async def build(platform: Platform) -> World:
    """Walk a return, and another one of other organisations, and collect what the first is made
    of.
    """
    walk = walk_of(platform)
    way, theirs = await walk.submit(example(FAMILY)), await walk.submit(example(ANOTHER))
    for step in (
        walk.fund,
        walk.accept,
        walk.confirm_travel,
        walk.prepare_cash,
        walk.meet,
        walk.plan,
        walk.support,
        walk.follow_up,
    ):
        await step(way)
        await step(theirs)
    reader = walk.coordinator
    for each in (way, theirs):
        await walk.timeline(reader, each.returnees[0])
    await offer(platform, way, theirs)
    await rights(platform, way, theirs)
    everything, other_ids = await ids_of(walk, way), await ids_of(walk, theirs)
    await wish(platform, way, theirs)
    await hand_out(platform, way, theirs)
    about_people = {name: value for name, value in everything.items() if name not in NOBODYS}
    programme, other = way.content["programme"], theirs.content["programme"]
    office, other_office = walk.offices[programme], walk.offices[other]
    assert way.sender != theirs.sender
    assert office != other_office
    kinds = [
        Kind("another referrer", theirs.sender, REFERRER, own=other_ids),
        Kind("another partner", "another-partner", PARTNER),
        Kind("training provider", "another-provider", OrganisationKind.TRAINING_PROVIDER),
        Kind("office of another programme", other_office, OFFICE, (other,), own=other_ids),
        Kind("referrer", way.sender, REFERRER, takes_part=True),
        Kind("partner", walk.partner, PARTNER, takes_part=True),
        Kind("programme office", office, OFFICE, (programme,), takes_part=True),
        Kind(
            "whoever gives the course",
            await provider_of(reader, everything["cohort_id"]),
            OrganisationKind.TRAINING_PROVIDER,
            takes_part=True,
            within=TAUGHT,
            without=NOT_TAUGHT,
        ),
        Kind("internal", "homeward", OrganisationKind.INTERNAL, takes_part=True),
    ]
    everyone = frozenset(
        {*about_people.values(), *way.returnees, way.content["external_reference"]}
    )
    return World(platform, everything | await not_about_people(platform), everyone, kinds)


async def flight_of(walk: Walk, way: Return, arrival: dict[str, Any]) -> str:
    """A flight that the sender announced, with the principal of the return on it."""
    flight = {
        "charter": True,
        "origin": "BRU",
        "port_of_entry": arrival["port_of_entry"],
        "scheduled_at": arrival["expected_at"],
        "receiver": walk.partner,
        "programme": way.content["programme"],
    }
    sender = walk.client(way.sender, "counsellor-12")
    announced: str = (await sender.post("/v1/flights", flight))["id"]
    passenger = {"seat": "3A", "nationality": "IRQ", "given_names": "SOMEBODY"}
    reference = {"external_reference": way.content["external_reference"], "person": 0}
    await sender.put_new(
        f"/v1/flights/{announced}/manifest", {"passengers": [passenger | reference]}
    )
    return announced


async def ids_of(walk: Walk, way: Return) -> dict[str, str]:
    """An id of the return for each name that a path, a query or a body gives one."""
    reader = walk.coordinator
    journeys = (await reader.get(f"/v1/referrals/{way.referral_id}/travel"))["items"]
    returnee = await reader.get(f"/v1/returnees/{way.returnees[0]}")
    arrivals = (await reader.get("/v1/arrivals", returnee_id=way.returnees[0]))["items"]
    deadlines = (await reader.get("/v1/deadlines", case_id=way.case_id))["items"]
    grants = (await reader.get("/v1/grants", case_id=way.case_id))["items"]
    grant = next(grant for grant in grants if grant["state"] == "closed")
    payments = (await reader.get("/v1/payments", returnee_id=way.returnees[0], limit=200))["items"]
    return {
        "grant_id": grant["id"],
        "budget_id": grant["budget_id"],
        "payment_id": next(
            payment["id"] for payment in payments if payment["grant_id"] == grant["id"]
        ),
        "payee_id": next(payment["payee_id"] for payment in payments if payment["payee_id"]),
        "float_id": next(payment["float_id"] for payment in payments if payment["float_id"]),
        **await statement_of(reader, payments),
        "cooperative_id": await cooperative_of(reader, way),
        "referral_id": way.referral_id,
        "supersedes": way.referral_id,
        "journey_id": journeys[0]["id"],
        "case_id": way.case_id,
        "returnee_id": way.returnees[0],
        "beneficiary": way.returnees[0],
        "relative": way.returnees[-1],
        "household_id": returnee["household_id"],
        "arrival_id": arrivals[0]["id"],
        "arrivals": arrivals[0]["id"],
        "flight_id": await flight_of(walk, way, arrivals[0]),
        "deadline_id": deadlines[0]["id"],
        **await followed_up(reader, way),
    } | await taught(reader, way)


async def cooperative_of(reader: GatewayClient, way: Return) -> str:
    """A cooperative of two of the family; nobody sets one up alone."""
    if len(way.returnees) == 1:
        return str(uuid4())
    members = [
        {"returnee_id": who, "case_id": way.case_id, "share": "0.5"} for who in way.returnees[:2]
    ]
    body = {"name": "Bakery of the bridge", "kind": "business", "members": members}
    return str((await reader.post("/v1/cooperatives", body))["id"])


async def taught(reader: GatewayClient, way: Return) -> dict[str, str]:
    """A course that the head of the family completed, their work, and whom they accompany."""
    returnee, stem = way.returnees[0], secrets.token_hex(4)
    provider = {"slug": f"provider-{stem}", "name": "Nobody's school", "country": "IRQ"}
    await reader.post("/v1/providers", provider)
    course = {
        "code": stem,
        "title": "Barbering",
        "kind": "vocational",
        "phase": "post_arrival",
        "hours": "2",
        "days": 1,
        "country": "IRQ",
        "city": "Erbil",
        "capacity": 5,
        "provider": provider["slug"],
        "languages": ["ar"],
        "isced_f": "1012",
        "isco_08": "5141",
    }
    course_id = (await reader.post("/v1/courses", course))["id"]
    count = int(SESSION) if len(way.returnees) > 1 else 1
    cohort = (
        await reader.post("/v1/cohorts", {"course_id": course_id, "sessions": held_today(count)})
    )["id"]
    enrolment = await reader.post("/v1/enrolments", {"returnee_id": returnee, "cohort_id": cohort})
    for number in range(1, count + 1):
        sheet = f"/v1/cohorts/{cohort}/sessions/{number}/attendance"
        await reader.put_new(
            sheet, {"entries": [{"enrolment_id": enrolment["id"], "status": "present"}]}
        )
    done = await reader.decide(f"/v1/enrolments/{enrolment['id']}", "complete")

    async def printed() -> bool:
        answer = await reader.call("GET", f"/v1/enrolments/{enrolment['id']}/certificate")
        return answer.status_code == 200

    await eventually(printed, "training has the name for the certificate")
    employer = (await reader.post("/v1/employers", {"name": "Salon", "country": "IRQ"}))["id"]
    work = {
        "employer_id": employer,
        "title": "Barber",
        "kind": "job",
        "occupation": "5141",
        "country": "IRQ",
    }
    vacancy = (await reader.post("/v1/vacancies", work))["id"]
    placement = (
        await reader.post("/v1/placements", {"vacancy_id": vacancy, "returnee_id": returnee})
    )["id"]
    agreed = {"enrolment_id": enrolment["id"], "agreed_on": "2026-01-05", "capacity": 2}
    mentor = (await reader.post("/v1/mentors", agreed))["id"]
    mentorship = ""
    if len(way.returnees) > 1:
        pair = {"returnee_id": way.returnees[1], "started_on": "2026-01-05"}
        mentorship = (await reader.post(f"/v1/mentors/{mentor}/mentorships", pair))["id"]
    return {
        "course_id": course_id,
        "cohort_id": cohort,
        "number": SESSION,
        "capture_id": str(uuid4()),
        "enrolment_id": enrolment["id"],
        "code": done["certificate_code"],
        "employer_id": employer,
        "vacancy_id": vacancy,
        "placement_id": placement,
        "mentor_id": mentor,
        "mentorship_id": mentorship,
    }


async def statement_of(
    reader: GatewayClient, payments: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """A bank's statement with one of the payments in it and an entry that waits for a person, and
    how the bank's tables are read.
    """
    payment, entry = payments[0], secrets.token_hex(6).upper()
    head = "account,statement,line,booking_date,direction,amount,currency,bank_reference,reference"
    amount = payment["payout"]["amount"]
    currency, reference = payment["payout"]["currency"], payment["reference"]
    row = f"GUARD,{entry},1,2026-01-05,debit,{amount},{currency},{entry},{reference}"
    nobodys = f"GUARD,{entry},2,2026-01-05,debit,7.00,{currency},{entry}X,"
    headers = {"Content-Type": "text/csv"}
    answer = await reader.send(
        "POST", "/v1/statements", content=f"{head}\n{row}\n{nobodys}\n".encode(), headers=headers
    )
    statement = answer.json()["items"][0]
    waits = next(line for line in statement["lines"] if line["outcome"] == "unknown")
    table = {
        "name": f"Guarded bank {entry}",
        "columns": {"booked_on": ["Date"], "amount": ["Amount"]},
        "account": "GUARD",
        "currency": "EUR",
    }
    mapping = (await reader.post("/v1/statement-mappings", table))["id"]
    return {
        "statement_id": statement["id"],
        "grants line_id": waits["id"],
        "mapping_id": mapping,
        "mapping": mapping,
    }


async def followed_up(reader: GatewayClient, way: Return) -> dict[str, str]:
    """As `ids_of`, for what was taken down afterwards."""
    case, about = f"/v1/cases/{way.case_id}", {"case_id": way.case_id}
    visit, document, survey, service = [
        (await reader.get(path, **query))["items"][0]["id"]
        for path, query in (
            (f"{case}/visits", {}),
            ("/v1/documents", {"about": way.referral_id}),
            ("/v1/surveys", about),
            ("/v1/service-referrals", about),
        )
    ]
    line = (await reader.get(f"{case}/plan"))["lines"][0]["id"]
    return {
        "visit_id": visit,
        "line_id": line,
        "plan_line_id": line,
        "document_id": document,
        "about": way.referral_id,
        "consent_document": document,
        "survey_id": survey,
        "service_referral_id": service,
        "principal": way.returnees[0],
        "successor": way.returnees[-1],
        "members": way.returnees[-1],
        "attended": way.returnees[0],
        "into": way.returnees[-1],
        "to": way.returnees[-1],
        "hold_id": (await reader.get(f"/v1/returnees/{way.returnees[0]}/legal-holds"))["items"][0][
            "id"
        ],
        "candidate_id": str(uuid5(UUID(way.returnees[0]), LOOKALIKES[way.returnees[0]])),
        "masked_id": str(uuid5(UUID(way.referral_id), LOOKALIKES[way.returnees[0]])),
        "batch_id": BATCHES[way.sender],
    }


LOOKALIKES: dict[str, str] = {}
"""Returnee to somebody whom nobody knows and who looks like them."""
BATCHES: dict[str, str] = {}
"""Sender to a batch of theirs."""


async def rights(platform: Platform, *ways: Return) -> None:
    """A legal hold on each, somebody who looks like them, and a batch of their sender."""
    connection = await asyncpg.connect(platform.machine.database_url("cases"))
    columns = "version, names, sex, birth_date, birth_precision, nationality, "
    columns += "documents, languages, contacts, "
    columns += "identifiers, terms, keys, found_by"
    try:
        for way in ways:
            person = way.returnees[0]
            LOOKALIKES[person] = str(uuid4())
            await connection.execute(
                f"INSERT INTO returnee (id, {columns}) SELECT $2::uuid, {columns} FROM returnee "
                f"WHERE id = $1::uuid",
                person,
                LOOKALIKES[person],
            )
            hold = {"reason": "audit", "comment": "Kept for the guards."}
            await platform.client("iom-iraq", "guard-1").post(
                f"/v1/returnees/{person}/legal-holds", hold
            )
            headers = {"Content-Type": "application/jsonl"}
            sent = await platform.client(way.sender).send(
                "POST",
                "/v1/referral-batches",
                content=json.dumps(way.content).encode(),
                headers=headers,
            )
            BATCHES[way.sender] = sent.json()["id"]
    finally:
        await connection.close()


async def offer(platform: Platform, *ways: Return) -> None:
    """Offer cases to another organisation, as no programme of today has a second implementer to
    offer one to.
    """
    connection = await asyncpg.connect(platform.machine.database_url("cases"))
    try:
        await connection.executemany(
            "INSERT INTO case_transfer (id, version, case_id, state, offered_by, "
            "previous_implementer, offered_to, "
            "reason) VALUES (gen_random_uuid(), 1, $1::uuid, 'offered', 'iom-iraq', 'iom-iraq', "
            "'nobody', 'other')",
            [(way.case_id,) for way in ways],
        )
    finally:
        await connection.close()


async def hand_out(platform: Platform, *ways: Return) -> None:
    """Let a desk have handed over money that nobody had released, which no desk does in the
    walk.
    """
    connection = await asyncpg.connect(platform.machine.database_url("grants"))
    try:
        await connection.executemany(
            "INSERT INTO desk_receipt (assistance_id, returnee_id, case_id, amount, currency, "
            "handed_on) "
            "VALUES (gen_random_uuid(), $1::uuid, $2::uuid, 10, 'EUR', current_date)",
            [(way.returnees[0], way.case_id) for way in ways],
        )
    finally:
        await connection.close()


async def provider_of(reader: GatewayClient, cohort_id: str) -> str:
    """Who gives a course."""
    wanted = (await reader.get(f"/v1/cohorts/{cohort_id}"))["provider_id"]
    listed = (await reader.get("/v1/providers", limit=200))["items"]
    return next(str(provider["slug"]) for provider in listed if provider["id"] == wanted)


async def wish(platform: Platform, *ways: Return) -> None:
    """Let a plan ask for training that no cohort was chosen for, beside what the return
    attended.
    """
    connection = await asyncpg.connect(platform.machine.database_url("training"))
    same = "returnee_id, case_id, programme, programme_version, kind, requested_by"
    try:
        await connection.executemany(
            f"INSERT INTO enrolment (id, version, state, stipend, plan_line_id, {same}) SELECT "
            f"gen_random_uuid(), 1, "
            f"'requested', false, gen_random_uuid(), {same} FROM enrolment WHERE returnee_id = "
            f"$1::uuid LIMIT 1",
            [(way.returnees[0],) for way in ways],
        )
    finally:
        await connection.close()


async def not_about_people(platform: Platform) -> dict[str, str]:
    """As `ids_of`, for what is nobody's: an organisation and a client that nobody misses, and
    public names.
    """
    operator, scrap = platform.client(OPERATOR), f"guard-{secrets.token_hex(4)}"
    await operator.post("/v1/organisations", {"slug": scrap, "kind": "partner", "name": "Nobody"})
    await operator.post(
        "/v1/clients", {"id": scrap, "organisation": scrap, "scopes": [Scope.CASES_READ]}
    )
    return {
        "programme_id": "eurp",
        "list_id": "return-kinds",
        "client_id": scrap,
        "organisation_id": scrap,
        "event_type": "org.homeward.cases.case.opened.v1",
        "slug": "not-found",
        "certificate": str(uuid4()),
        "receipt": str(uuid4()),
        "device": str(uuid4()),  # a tablet, by the id that it gives itself
        "minutes": str(uuid4()),
        "statutes": str(uuid4()),
        "replaces": str(uuid4()),
        "document": str(uuid4()),  # a scan of what was agreed, by the id that its sender gave it
    }


def mentions(text: str, ids: frozenset[str], sent: str) -> list[str]:
    """Ids that an answer tells and the request did not."""
    return sorted(one for one in ids if one in text and one not in sent)


def as_sent(url: str, body: Any) -> str:
    """All that a request says."""
    return url + (json.dumps(body) if not isinstance(body, bytes) else "")
