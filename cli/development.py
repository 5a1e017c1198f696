"""The organisations and clients of one machine: those that its programmes and courses name, and our
services' own.
"""

import csv
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.auth import OrganisationKind
from chassis.db import Session
from cli.machine import Machine
from cli.roles import ROLES
from contracts.programmes import Programme
from contracts.scopes import Scope

COURSES = Path(__file__).resolve().parent.parent / "examples" / "courses.csv"
INTERNAL = "homeward"
OPERATOR = "operator"
SCOPES = {
    OrganisationKind.REFERRER: (
        Scope.REFERRALS_READ,
        Scope.REFERRALS_SUBMIT,
        Scope.REFERRALS_BATCH,
        Scope.REFERRALS_DECIDE,
        Scope.RETURNEES_READ,
        Scope.RETURNEES_IDENTITY,
        Scope.CASES_READ,
        Scope.PROGRAMMES_READ,
        Scope.COURSES_READ,
        Scope.FLIGHTS_READ,
        Scope.FLIGHTS_WRITE,
        Scope.TRAINING_READ,
        Scope.TRAINING_WRITE,
        Scope.TIMELINE_READ,
        Scope.DOCUMENTS_READ,
        Scope.DOCUMENTS_WRITE,
        Scope.ACT_FOR_USERS,
    ),
    OrganisationKind.PARTNER: (
        Scope.REFERRALS_READ,
        Scope.REFERRALS_SUBMIT,
        Scope.REFERRALS_DECIDE,
        Scope.RETURNEES_READ,
        Scope.RETURNEES_IDENTITY,
        Scope.RETURNEES_VULNERABILITIES,
        Scope.RETURNEES_WRITE,
        Scope.RETURNEES_EXPORT,
        Scope.CASES_READ,
        Scope.CASES_WRITE,
        Scope.FOLLOW_UP_READ,
        Scope.PLANS_WRITE,
        Scope.PLANS_APPROVE,
        Scope.ARRIVALS_READ,
        Scope.ARRIVALS_WRITE,
        Scope.PROGRAMMES_READ,
        Scope.BUDGETS_READ,
        Scope.GRANTS_READ,
        Scope.GRANTS_WRITE,
        Scope.GRANTS_APPROVE,
        Scope.PAYMENTS_RELEASE,
        Scope.PAYMENTS_WRITE,
        Scope.PAYEES_READ,
        Scope.PAYEES_WRITE,
        Scope.FLOATS_READ,
        Scope.FLOATS_WRITE,
        Scope.COURSES_READ,
        Scope.COURSES_MANAGE,
        Scope.ARRIVALS_RESTRICTED,
        Scope.FLIGHTS_READ,
        Scope.FLIGHTS_WRITE,
        Scope.TRAINING_READ,
        Scope.TRAINING_WRITE,
        Scope.VACANCIES_READ,
        Scope.VACANCIES_WRITE,
        Scope.PLACEMENTS_WRITE,
        Scope.TIMELINE_READ,
        Scope.DOCUMENTS_READ,
        Scope.DOCUMENTS_WRITE,
        Scope.ACT_FOR_USERS,
    ),
    OrganisationKind.TRAINING_PROVIDER: (
        Scope.COURSES_READ,
        Scope.TRAINING_READ,
        Scope.TRAINING_WRITE,
        Scope.ACT_FOR_USERS,
    ),
    OrganisationKind.PROGRAMME_OFFICE: (
        Scope.REFERRALS_READ,
        Scope.REFERRALS_DECIDE,
        Scope.RETURNEES_READ,
        Scope.RETURNEES_WRITE,
        Scope.RETURNEES_EXPORT,
        Scope.RETURNEES_ERASE,
        Scope.CASES_READ,
        Scope.CASES_WRITE,
        Scope.FOLLOW_UP_READ,
        Scope.PLANS_APPROVE,
        Scope.ARRIVALS_READ,
        Scope.PROGRAMMES_READ,
        Scope.BUDGETS_READ,
        Scope.BUDGETS_WRITE,
        Scope.GRANTS_READ,
        Scope.GRANTS_APPROVE,
        Scope.PAYMENTS_RELEASE,
        Scope.COURSES_READ,
        Scope.FLIGHTS_READ,
        Scope.TRAINING_READ,
        Scope.VACANCIES_READ,
        Scope.TIMELINE_READ,
        Scope.DOCUMENTS_READ,
        Scope.DOCUMENTS_WRITE,
        Scope.ACT_FOR_USERS,
    ),
    OrganisationKind.INTERNAL: (
        Scope.INTERNAL,
        Scope.CASES_READ,
        Scope.DOCUMENTS_READ,
        Scope.VACANCIES_READ,
        Scope.ACT_FOR_USERS,
    ),
}
"""What the one client of an organisation may do on one machine: everything that its kind of
organisation does.
"""


@dataclass(frozen=True)
class Organisation:
    """An organisation of this machine.

    Attributes:
        slug: Its id; that of its client too.
        kind: What it does.
        programmes: Those that a programme office runs.
    """

    slug: str
    kind: OrganisationKind
    programmes: tuple[str, ...] = ()


def organisations(programmes: Mapping[str, Programme]) -> list[Organisation]:
    """Every organisation that a programme names: referrers, implementers, offices."""
    offices: dict[str, list[str]] = {}
    referrers: set[str] = set()
    partners: set[str] = set()
    for programme in programmes.values():
        offices.setdefault(programme.office, []).append(programme.id)
        for rules in programme.versions:
            referrers |= rules.referrers.values
            for country in rules.countries_of_return.values():
                partners |= set(country.implementers)
    return [
        *(Organisation(slug, OrganisationKind.REFERRER) for slug in sorted(referrers)),
        *(Organisation(slug, OrganisationKind.PARTNER) for slug in sorted(partners - referrers)),
        *(
            Organisation(slug, OrganisationKind.PROGRAMME_OFFICE, tuple(ids))
            for slug, ids in sorted(offices.items())
        ),
    ]


def everybody(programmes: Mapping[str, Programme]) -> list[Organisation]:
    """Every organisation that a programme names, and those that give courses."""
    named = organisations(programmes)
    schools = sorted(providers() - {organisation.slug for organisation in named})
    return named + [Organisation(slug, OrganisationKind.TRAINING_PROVIDER) for slug in schools]


def providers(courses: Path = COURSES) -> set[str]:
    """Who gives the courses of a list, by the slug under which training registers them.

    Args:
        courses: The list, as it is imported; there are no providers where there is none.
    """
    if not courses.exists():
        return set()
    slug_of = importlib.import_module("services.training.courses.rules").slug_of
    with courses.open(encoding="utf-8-sig", newline="") as file:
        return {slug_of(row["provider"]) for row in csv.DictReader(file)}


async def register(
    session: Session, organisation: Organisation, clients: Mapping[str, str]
) -> None:
    """Register an organisation and clients with the gateway; what is there already is brought up to
    date.

    Args:
        session: In the gateway's database.
        organisation: The organisation.
        clients: Client id to secret; each may do everything that its kind of organisation does.
    """
    identity = importlib.import_module(
        "gateway.identity.service"
    )  # the gateway is imported only where it is needed
    await identity.ensure_organisation(
        session,
        slug=organisation.slug,
        name=organisation.slug,
        kind=organisation.kind,
        programmes=organisation.programmes,
    )
    for client_id, secret in clients.items():
        scopes = (
            (Scope.ORGANISATIONS_MANAGE,) if client_id == OPERATOR else SCOPES[organisation.kind]
        )
        await identity.ensure_client(
            session,
            client_id=client_id,
            organisation=organisation.slug,
            secret=secret,
            scopes=[str(scope) for scope in scopes],
        )


async def register_operators(session: Session, clients: Mapping[str, str]) -> None:
    """Register our own clients: the services', and whoever registers everybody else."""
    await register(session, Organisation(INTERNAL, OrganisationKind.INTERNAL), clients)


async def register_all(
    session: Session, machine: Machine, programmes: Mapping[str, Programme]
) -> None:
    """Register every organisation and client of one machine.

    Args:
        session: In the gateway's database.
        machine: Where the clients' secrets are kept.
        programmes: Whose organisations.
    """
    ours = [*(f"service-{role}" for role in ROLES), OPERATOR]
    await register_operators(session, {client: machine.client_secret(client) for client in ours})
    for organisation in everybody(programmes):
        await register(
            session, organisation, {organisation.slug: machine.client_secret(organisation.slug)}
        )
