"""What a token may be used for. A scope says what may be done; participation says to whom."""

from enum import StrEnum
from typing import Self


class Scope(StrEnum):
    """The OAuth scopes. Each one's `description` is what the documentation and a consent page show."""

    description: str

    def __new__(cls, value: str, description: str) -> Self:
        """A scope is its value, with a description beside it."""
        scope = str.__new__(cls, value)
        scope._value_ = value
        scope.description = description
        return scope

    REFERRALS_READ = "referrals:read", "Read referrals and what became of each person in them."
    REFERRALS_SUBMIT = "referrals:submit", "Submit, complete, amend and withdraw referrals, and report travel."
    REFERRALS_BATCH = "referrals:batch", "Submit many referrals at once."
    REFERRALS_DECIDE = "referrals:decide", "Ask for information, accept and reject."
    RETURNEES_READ = "returnees:read", "Read returnees and households without what identifies them."
    RETURNEES_IDENTITY = "returnees:identity", "Read and search what identifies a person; every read is audited."
    RETURNEES_VULNERABILITIES = (
        "returnees:vulnerabilities",
        "Read vulnerabilities and medical needs; every read is audited.",
    )
    RETURNEES_WRITE = "returnees:write", "Correct returnees and households."
    RETURNEES_ERASE = "returnees:erase", "Erase what identifies a person, where no legal hold stands against it."
    CASES_READ = "cases:read", "Read cases and their deadlines."
    CASES_WRITE = (
        "cases:write",
        "Work on cases: assign, screen, counsel, visit, refer, transfer, suspend, close, reopen.",
    )
    FOLLOW_UP_READ = (
        "follow-up:read",
        "Read screenings, counselling, visits, surveys, referrals to services and offers to transfer a case.",
    )
    DOCUMENTS_READ = "documents:read", "Open documents of the returnees that the organisation takes part in; audited."
    DOCUMENTS_WRITE = "documents:write", "Upload documents."
    PLANS_WRITE = "plans:write", "Draft, agree, submit and amend reintegration plans."
    PLANS_APPROVE = "plans:approve", "Approve and return reintegration plans that another person prepared."
    ARRIVALS_READ = "arrivals:read", "Read the arrivals board."
    ARRIVALS_WRITE = "arrivals:write", "Check in, profile, assist and complete arrivals."
    TRAINING_READ = "training:read", "Read courses, cohorts, enrolments, attendance, placements and mentors."
    TRAINING_WRITE = "training:write", "Enrol, record attendance, assess and complete."
    COURSES_MANAGE = "courses:manage", "Register training providers, offer courses and schedule cohorts."
    WORK_READ = "work:read", "Read employers and vacancies."
    WORK_WRITE = "work:write", "Register employers and vacancies, place people in work and pair mentors."
    TIMELINE_READ = (
        "timeline:read",
        "Read timelines and summaries of the returnees that the organisation takes part in.",
    )
    ORGANISATIONS_MANAGE = (
        "organisations:manage",
        "Register organisations and clients, rotate and revoke their secrets.",
    )
    ACT_FOR_USERS = "act-for-users", "Name, in Homeward-Actor, the person that the client acts for."
    INTERNAL = "internal", "Read the feeds and identities of services. Only for the platform's own processes."
