"""What a token may be used for. A scope says what may be done; participation says to whom."""

from enum import StrEnum
from typing import Self


class Scope(StrEnum):
    """The OAuth scopes. Each one's `description` is what the documentation and a consent page
    show.
    """

    description: str

    def __new__(cls, value: str, description: str) -> Self:
        """A scope is its value, with a description beside it."""
        scope = str.__new__(cls, value)
        scope._value_ = value
        scope.description = description
        return scope

    REFERRALS_READ = "referrals:read", "Read referrals and what became of each person in them."
    REFERRALS_SUBMIT = (
        "referrals:submit",
        "Submit, complete, amend and withdraw referrals, and report travel.",
    )
    REFERRALS_BATCH = "referrals:batch", "Submit many referrals at once."
    REFERRALS_DECIDE = "referrals:decide", "Ask for information, accept and reject."
    RETURNEES_READ = "returnees:read", "Read returnees and households without what identifies them."
    RETURNEES_IDENTITY = (
        "returnees:identity",
        "Read and search what identifies a person; every read is audited.",
    )
    RETURNEES_VULNERABILITIES = (
        "returnees:vulnerabilities",
        "Read vulnerabilities and medical needs; every read is audited.",
    )
    RETURNEES_WRITE = "returnees:write", "Correct returnees and households."
    RETURNEES_ERASE = (
        "returnees:erase",
        "Erase what identifies a person, where no legal hold stands against it.",
    )
    RETURNEES_EXPORT = (
        "returnees:export",
        (
            "Hand a person all that is held about them, also what only few may read; every "
            "export is "
            "audited."
        ),
    )
    CASES_READ = "cases:read", "Read cases and their deadlines."
    CASES_WRITE = (
        "cases:write",
        "Work on cases: assign, screen, counsel, visit, refer, transfer, suspend, close, reopen.",
    )
    FOLLOW_UP_READ = (
        "follow-up:read",
        (
            "Read screenings, counselling, visits, surveys, referrals to services and offers to "
            "transfer a case."
        ),
    )
    DOCUMENTS_READ = (
        "documents:read",
        "Open documents of the returnees that the organisation takes part in; audited.",
    )
    DOCUMENTS_WRITE = "documents:write", "Upload documents."
    PLANS_WRITE = "plans:write", "Draft, agree, submit and amend reintegration plans."
    PLANS_APPROVE = (
        "plans:approve",
        "Approve and return reintegration plans that another person prepared.",
    )
    ARRIVALS_READ = "arrivals:read", "Read the arrivals board."
    ARRIVALS_WRITE = "arrivals:write", "Check in, profile, assist and complete arrivals."
    PROGRAMMES_READ = (
        "programmes:read",
        "Read programmes, and ask whether a described return is for one.",
    )
    BUDGETS_READ = "budgets:read", "Read budgets and their postings."
    BUDGETS_WRITE = "budgets:write", "Set up budgets."
    GRANTS_READ = "grants:read", "Read grants and payments."
    GRANTS_WRITE = (
        "grants:write",
        "Request, quote, order, deliver, amend, cancel and close grants; schedule payments.",
    )
    GRANTS_APPROVE = "grants:approve", "Approve and reject grants that another person requested."
    PAYMENTS_RELEASE = "payments:release", "Release payments as a third person."
    PAYMENTS_WRITE = (
        "payments:write",
        "Confirm, fail, reverse and recover payments, and book statements.",
    )
    PAYEES_READ = "payees:read", "Read payees; reading an account is audited."
    PAYEES_WRITE = (
        "payees:write",
        "Propose payees and their accounts, and verify what another person proposed.",
    )
    FLOATS_READ = "floats:read", "Read cash floats."
    FLOATS_WRITE = "floats:write", "Open, hand in and count cash floats."
    COURSES_READ = "courses:read", "Read training providers, courses and cohorts."
    ARRIVALS_RESTRICTED = (
        "arrivals:restricted",
        "Read and record that somebody is held by the authorities; every read is audited.",
    )
    FLIGHTS_READ = (
        "flights:read",
        "Read flights and their manifests; every read of a manifest is audited.",
    )
    FLIGHTS_WRITE = (
        "flights:write",
        "Announce flights, send their manifests, and say that they landed or were diverted.",
    )
    COURSES_MANAGE = (
        "courses:manage",
        "Register training providers, offer courses and schedule cohorts.",
    )
    TRAINING_READ = "training:read", "Read enrolments, attendance, placements and mentors."
    TRAINING_WRITE = "training:write", "Enrol, record attendance, assess and complete."
    VACANCIES_READ = "vacancies:read", "Read employers and vacancies."
    VACANCIES_WRITE = "vacancies:write", "Register employers and vacancies."
    PLACEMENTS_WRITE = (
        "placements:write",
        "Match people with vacancies, place them in work and pair mentors.",
    )
    TIMELINE_READ = (
        "timeline:read",
        "Read timelines and summaries of the returnees that the organisation takes part in.",
    )
    ORGANISATIONS_MANAGE = (
        "organisations:manage",
        "Register organisations and clients, rotate and revoke their secrets.",
    )
    ACT_FOR_USERS = "act-for-users", "Name, in Homeward-Actor, the person that the client acts for."
    INTERNAL = (
        "internal",
        "Read the feeds and identities of services. Only for the platform's own processes.",
    )
