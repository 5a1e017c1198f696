"""The projection of people and of who takes part in their return, made of what cases publishes.

The gateway and the services keep the same one: the gateway takes many events at once, a service's
handler one. What is written often is written in a few statements for all of them; what happens to a
person seldom (a share, a merge, an erasure) is taken one by one, after what came before it and
before what comes after.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert

from chassis import idempotency
from chassis.db import Session, now
from chassis.events import Envelope, Event, EventData
from contracts import cases
from participation import aliases
from participation.access import Role, grant, participation, revoke
from participation.beneficiaries import beneficiary, identity_copy, is_erased

OPENED = cases.CaseOpened.event_type
ACCEPTED = cases.ReferralAccepted.event_type
SUBMITTED = cases.ReferralSubmitted.event_type
MOVED = frozenset(
    model.event_type
    for model in (
        cases.CaseProgressed,
        cases.CaseSuspended,
        cases.CaseResumed,
        cases.CaseClosed,
        cases.CaseReopened,
    )
)
TRANSFERRED = cases.CaseTransferred.event_type
ERASED = cases.ReturneeErased.event_type
RESTRICTED = cases.ReturneeRestricted.event_type

BENEFICIARY = {
    "returnee_id": "uuid",
    "case_id": "uuid",
    "referral_id": "uuid",
    "household_id": "uuid",
    "programme": "text",
    "programme_version": "integer",
    "return_kind": "text",
    "referrer": "text",
    "implementer": "text",
    "state": "text",
}
PARTICIPATION = {"subject_id": "uuid", "role": "text", "organisation": "text"}
PARTICIPATION_SINCE = PARTICIPATION | {"since": "bigint"}
Row = Mapping[str, Any]
Further = Callable[[Session, Envelope], Awaitable[None]]


def unnest(columns: Mapping[str, str]) -> str:
    """Rows as one array a column, which costs one round trip however many they are."""
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
    return f"unnest({arrays}) AS e ({', '.join(columns)})"


def names(columns: Iterable[str], prefix: str = "") -> str:
    """Column names of a statement."""
    return ", ".join(prefix + name for name in columns)


PEOPLE = text(f"""
    INSERT INTO beneficiary ({names(BENEFICIARY)}, updated_at)
    SELECT {names(BENEFICIARY)}, clock_timestamp() FROM {unnest(BENEFICIARY)} ORDER BY returnee_id
    ON CONFLICT (returnee_id) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in BENEFICIARY if name != "returnee_id")},
        updated_at = excluded.updated_at
    WHERE beneficiary.state <> 'erased'
""")  # noqa: S608 - only names of our own columns are filled in
STATES = text("""
    UPDATE beneficiary SET state = e.state, updated_at = clock_timestamp()
    FROM unnest(CAST(:returnee_id AS uuid[]), CAST(:case_id AS uuid[]), CAST(:state AS text[]))
        AS e (returnee_id, case_id, state)
    WHERE beneficiary.returnee_id = e.returnee_id AND beneficiary.case_id = e.case_id AND
        beneficiary.state <> 'erased'
""")
IMPLEMENTERS = text("""
    UPDATE beneficiary SET implementer = e.implementer, updated_at = clock_timestamp()
    FROM unnest(CAST(:returnee_id AS uuid[]), CAST(:case_id AS uuid[]), CAST(:implementer AS
        text[]))
        AS e (returnee_id, case_id, implementer)
    WHERE beneficiary.returnee_id = e.returnee_id AND beneficiary.case_id = e.case_id AND
        beneficiary.state <> 'erased'
""")
TAKE_NO_PART = text(f"""
    DELETE FROM participation USING {unnest(PARTICIPATION)}
    WHERE participation.subject_id = e.subject_id AND participation.role = e.role
          AND participation.organisation = e.organisation
""")  # noqa: S608 - only names of our own columns are filled in
# Of the partners that were asked about a referral, only these go on seeing it.
KEEP_PARTNERS = text(f"""
    DELETE FROM participation WHERE role = '{Role.PARTNER}' AND subject_id = ANY(CAST(:referrals AS
        uuid[]))
        AND subject_id || '/' || organisation <> ALL(CAST(:kept AS text[]))
""")  # noqa: S608 - only a word of our own is filled in
TAKE_PART = text(f"""
    INSERT INTO participation ({names(PARTICIPATION_SINCE)})
    SELECT {names(PARTICIPATION_SINCE)} FROM {unnest(PARTICIPATION_SINCE)}
    WHERE NOT EXISTS (SELECT FROM beneficiary b WHERE b.returnee_id = e.subject_id AND b.state =
        'erased')
    ORDER BY {names(PARTICIPATION)}
    ON CONFLICT (subject_id, role, organisation) DO UPDATE SET until = NULL, since = excluded.since
    WHERE participation.until IS NOT NULL AND participation.since < excluded.since
""")  # noqa: S608 - only names of our own columns are filled in
# What was over has to begin anew for the feed; what is then inserted has no beginning yet.
ENDED = text("""
    DELETE FROM participation WHERE subject_id = :subject AND until <= clock_timestamp()
""")
BEGUN = text("UPDATE participation SET since = :position WHERE subject_id = :subject AND since = 0")


@dataclass(frozen=True)
class Projection:
    """Keeps the people, and who takes part, up to date.

    Attributes:
        subjects: The members of a fact that name what somebody takes part in: the returnee, and
            for the gateway the case and the referral too.
        decided: Of some referrals those that were accepted; needed where referrals are subjects.
        further: What else a fact of a type does, before the projection takes it in.
    """

    subjects: tuple[str, ...] = ("returnee_id",)
    decided: Callable[[Session, list[str]], Awaitable[Collection[str]]] | None = None
    further: Mapping[str, Further] = field(default_factory=dict)

    async def apply(self, session: Session, envelopes: Sequence[Envelope]) -> None:
        """Take in facts of cases, in the order of each subject; others are passed over."""
        decided = await self._already_decided(session, envelopes)
        for one_by_one, run in groupby(envelopes, key=lambda e: e.type in ONE_BY_ONE):
            several = list(run)
            if not one_by_one:
                await _write_people(session, several)
                await self._write_parts(session, several, decided)
                continue
            for envelope in several:
                if envelope.type in self.further:
                    await self.further[envelope.type](session, envelope)
                await _take_one(session, envelope)

    async def _already_decided(
        self, session: Session, envelopes: Sequence[Envelope]
    ) -> Collection[str]:
        """Referrals that were submitted and, as is known already, accepted: the people of one have
        news of their own.
        """
        submitted = [e.subject for e in envelopes if e.type == SUBMITTED]
        return await self.decided(session, submitted) if submitted and self.decided else ()

    async def _write_parts(
        self, session: Session, envelopes: Sequence[Envelope], decided: Collection[str]
    ) -> None:
        parts: dict[tuple[str, str, str], int] = {}
        ended: set[tuple[str, str, str]] = set()
        partners: dict[str, list[str]] = {}
        for e in envelopes:
            late = e.type == SUBMITTED and e.subject in decided
            begins, ends = set(self._parts(e, decided=late)), set(self._parts_ended(e))
            if e.type in {SUBMITTED, ACCEPTED} and not late:
                referral = e.data["referral_id"]
                partners[referral] = [
                    who
                    for subject, role, who in begins
                    if (subject, role) == (referral, Role.PARTNER)
                ]
                parts = {
                    part: since
                    for part, since in parts.items()
                    if part[:2] != (referral, Role.PARTNER)
                }
            since = dict.fromkeys(begins, e.position or 0) | parts  # the first fact counts
            parts, ended = (
                {part: since[part] for part in since if part not in ends},
                (ended | ends) - begins,
            )
        if partners:
            kept = [f"{referral}/{who}" for referral, those in partners.items() for who in those]
            await session.execute(KEEP_PARTNERS, {"referrals": list(partners), "kept": kept})
        if ended:
            over = [dict(zip(PARTICIPATION, part, strict=True)) for part in sorted(ended)]
            await session.execute(TAKE_NO_PART, columns_of(PARTICIPATION, over))
        if parts:
            rows: list[Row] = [
                {**dict(zip(PARTICIPATION, part, strict=True)), "since": parts[part]}
                for part in sorted(parts)
            ]
            await session.execute(TAKE_PART, columns_of(PARTICIPATION_SINCE, rows))

    def _parts(self, envelope: Envelope, *, decided: bool) -> list[tuple[str, str, str]]:
        """Who takes part from this event on: (subject, role, organisation).

        Args:
            envelope: The event.
            decided: Whether it submits a referral that was accepted meanwhile: who was asked has no
                part in it any more.
        """
        data = envelope.data
        if envelope.type == SUBMITTED:
            subjects, partners = [data["referral_id"]], [] if decided else data.get("partners", [])
        elif envelope.type in {ACCEPTED, OPENED}:
            subjects, partners = self._subjects(data), [data["implementer"]]
        elif envelope.type == TRANSFERRED:
            return [
                (subject, Role.PARTNER, data["implementer"]) for subject in self._subjects(data)
            ]
        else:
            return []
        found = [(Role.REFERRER, data.get("referrer")), (Role.PROGRAMME, data["programme"])]
        found += [(Role.PARTNER, partner) for partner in partners]
        return [(subject, role, who) for subject in subjects for role, who in found if who]

    def _subjects(self, data: Mapping[str, Any]) -> list[str]:
        """What a fact about a case is about, where it has an id."""
        return [data[name] for name in self.subjects if data.get(name)]

    def _parts_ended(self, envelope: Envelope) -> list[tuple[str, str, str]]:
        """Who takes part no more from this event on: who implemented a case before another took
        it.
        """
        if envelope.type != TRANSFERRED:
            return []
        data = envelope.data
        kept = {data["returnee_id"]} if data.get("keeps_part") else set()
        return [
            (s, Role.PARTNER, data["previous_implementer"])
            for s in self._subjects(data)
            if s not in kept
        ]


async def _write_people(session: Session, envelopes: Sequence[Envelope]) -> None:
    people: dict[str, dict[str, Any]] = {}
    later: dict[str, dict[tuple[str, str], str]] = {"state": {}, "implementer": {}}
    for e in envelopes:
        returnee = e.data.get("returnee_id", "")
        if e.type == OPENED:
            people[returnee] = {name: e.data.get(name) for name in BENEFICIARY}
            continue
        changed = "state" if e.type in MOVED else "implementer" if e.type == TRANSFERRED else None
        if changed is None:
            continue
        if returnee not in people:
            later[changed][returnee, e.data["case_id"]] = e.data[changed]
        elif (
            people[returnee]["case_id"] == e.data["case_id"]
        ):  # what an earlier case comes to is not where they stand
            people[returnee][changed] = e.data[changed]
    if people:
        await session.execute(PEOPLE, columns_of(BENEFICIARY, list(people.values())))
    for name, statement in (("state", STATES), ("implementer", IMPLEMENTERS)):
        if later[name]:
            returnees, case_ids = zip(*later[name], strict=True)
            values = {
                "returnee_id": list(returnees),
                "case_id": list(case_ids),
                name: list(later[name].values()),
            }
            await session.execute(statement, values)


async def _take_one(session: Session, envelope: Envelope) -> None:
    """Take in what happens to one person."""
    begins = {"subject": UUID(envelope.subject), "position": envelope.position or 0}
    await session.execute(ENDED, begins)
    await ONE_BY_ONE[envelope.type](session, envelope.data)
    await session.execute(BEGUN, begins)


async def _erase(session: Session, data: Row) -> None:
    """A tombstone stays, so that later facts about them are not taken for somebody's."""
    returnee_id = UUID(data["returnee_id"])
    values = {"returnee_id": returnee_id, "state": "erased", "updated_at": now()}
    statement = insert(beneficiary).values(values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["returnee_id"], set_=values)
    )
    await session.execute(delete(participation).where(participation.c.subject_id == returnee_id))
    await session.execute(delete(identity_copy).where(identity_copy.c.returnee_id == returnee_id))
    await idempotency.erase(session, [returnee_id])


async def _merge(session: Session, data: Row) -> None:
    await aliases.merge(session, UUID(data["returnee_id"]), UUID(data["into"]))


async def _unmerge(session: Session, data: Row) -> None:
    await aliases.unmerge(session, UUID(data["returnee_id"]))


async def _share(session: Session, data: Row) -> None:
    """Somebody is shared with another organisation, for a time."""
    returnee_id = UUID(data["returnee_id"])
    if not await is_erased(session, returnee_id):
        await grant(
            session,
            [returnee_id],
            Role.SHARED,
            data["organisation"],
            until=datetime.fromisoformat(data["until"]),
            categories=data["categories"],
        )


async def _unshare(session: Session, data: Row) -> None:
    await revoke(session, UUID(data["returnee_id"]), Role.SHARED, data["organisation"])


async def _restrict(session: Session, data: Row) -> None:
    """An organisation may know of somebody no more, or again."""
    returnee_id = UUID(data["returnee_id"])
    for role in map(Role, data["roles"]):
        if data["restricted"]:
            await revoke(session, returnee_id, role, data["organisation"])
        elif not await is_erased(session, returnee_id):
            await grant(session, [returnee_id], role, data["organisation"])


ONE_BY_ONE: Mapping[str, Callable[[Session, Row], Awaitable[None]]] = {
    cases.ReturneeMerged.event_type: _merge,
    cases.ReturneeUnmerged.event_type: _unmerge,
    cases.ReturneeShared.event_type: _share,
    cases.ReturneeUnshared.event_type: _unshare,
    RESTRICTED: _restrict,
    ERASED: _erase,
}
"""What happens to a person, not to a plane."""


def columns_of(columns: Iterable[str], rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Rows as one list a column, for `unnest`."""
    return {name: [row[name] for row in rows] for name in columns}


PEOPLE_OF_A_SERVICE = Projection()


async def project(session: Session, event: Event[Any]) -> None:
    """What a service's handler of a fact of cases does before anything else: take it in."""
    await PEOPLE_OF_A_SERVICE.apply(session, [event.envelope])


PROJECTED: tuple[type[EventData], ...] = (
    cases.CaseOpened,
    cases.CaseProgressed,
    cases.CaseSuspended,
    cases.CaseResumed,
    cases.CaseClosed,
    cases.CaseReopened,
    cases.CaseTransferred,
    cases.ReturneeMerged,
    cases.ReturneeUnmerged,
    cases.ReturneeShared,
    cases.ReturneeUnshared,
    cases.ReturneeRestricted,
    cases.ReturneeErased,
)
HANDLERS = dict.fromkeys(PROJECTED, project)
"""The handlers that keep the projection, for a service's own; one that does more calls `project`
first.
"""
