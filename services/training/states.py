"""The state machines of training: what may happen to a cohort, an enrolment, a vacancy, a placement
and a mentorship, and where it leads.
"""

from enum import StrEnum, nonmember

from chassis.machine import Machine
from contracts.training import CancellationReason


class CohortState(StrEnum):
    """Whether a cohort takes place."""

    SCHEDULED = "scheduled"
    CANCELLED = "cancelled"


class CohortAction(StrEnum):
    """What is done with a cohort."""

    PLACE = "place"
    CHANGE = "change"
    CANCEL = "cancel"


COHORT = Machine(
    "cohort",
    {
        CohortState.SCHEDULED: {
            CohortAction.PLACE: CohortState.SCHEDULED,
            CohortAction.CHANGE: CohortState.SCHEDULED,
            CohortAction.CANCEL: CohortState.CANCELLED,
        },
        CohortState.CANCELLED: {},
    },
)


class EnrolmentState(StrEnum):
    """Where an enrolment stands."""

    REQUESTED = "requested"
    WAITLISTED = "waitlisted"
    OFFERED = "offered"
    ENROLLED = "enrolled"
    ATTENDING = "attending"
    COMPLETED = "completed"
    DROPPED_OUT = "dropped_out"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"

    OVER = nonmember(frozenset({DROPPED_OUT, NO_SHOW, CANCELLED}))
    HOLDS_A_SEAT = nonmember(frozenset({OFFERED, ENROLLED, ATTENDING, COMPLETED}))
    HAS_A_PLACE = nonmember(frozenset({ENROLLED, ATTENDING, COMPLETED}))
    KEEPS_TIME = nonmember(frozenset({OFFERED, ENROLLED, ATTENDING}))
    """Another course at the same time clashes."""
    NOT_BEGUN = nonmember(frozenset({REQUESTED, WAITLISTED, OFFERED, ENROLLED}))
    """What a closed case, or a return that does not take place, ends."""
    GOES_ON = nonmember(frozenset({REQUESTED, WAITLISTED, OFFERED, ENROLLED, ATTENDING}))
    """What a person has to look at when the plan that asked for it is changed."""


class EnrolmentAction(StrEnum):
    """What is done with an enrolment. Where people do it, the word is the last segment of its
    path.
    """

    PLACE = "place"
    OFFER = "offer"
    ACCEPT = "accept"
    ATTEND = "attend"
    ASSESS = "assess"
    HAND_MANUAL = "manual"
    COMPLETE = "complete"
    EVALUATE = "evaluate"
    KEEP = "keep"
    DROP_OUT = "drop-out"
    NO_SHOW = "no-show"
    CANCEL = "cancel"
    LAPSE = "lapse"
    CANCEL_WITH_COHORT = "cancel-with-cohort"

    BY_PROVIDER = nonmember(
        frozenset({ATTEND, ASSESS, HAND_MANUAL, COMPLETE, EVALUATE, DROP_OUT, NO_SHOW})
    )
    """What whoever gives a course notes of it; who takes part is decided by those who work for the
    person.
    """

    @classmethod
    def that_cancels(cls, reason: CancellationReason) -> "EnrolmentAction":
        """The action by which an enrolment is cancelled for a reason."""
        return {
            CancellationReason.OFFER_LAPSED: cls.LAPSE,
            CancellationReason.COHORT_CANCELLED: cls.CANCEL_WITH_COHORT,
        }.get(reason, cls.CANCEL)


_S, _A = EnrolmentState, EnrolmentAction
_CANCELLED = {_A.CANCEL: _S.CANCELLED, _A.CANCEL_WITH_COHORT: _S.CANCELLED}

ENROLMENT = Machine(
    "enrolment",
    {
        _S.REQUESTED: {
            _A.PLACE: frozenset({_S.ENROLLED, _S.WAITLISTED}),
            _A.KEEP: _S.REQUESTED,
            **_CANCELLED,
        },
        _S.WAITLISTED: {_A.OFFER: _S.OFFERED, _A.KEEP: _S.WAITLISTED, **_CANCELLED},
        _S.OFFERED: {
            _A.ACCEPT: _S.ENROLLED,
            _A.LAPSE: _S.CANCELLED,
            _A.KEEP: _S.OFFERED,
            **_CANCELLED,
        },
        _S.ENROLLED: {
            _A.KEEP: _S.ENROLLED,
            _A.ATTEND: _S.ATTENDING,
            _A.ASSESS: _S.ENROLLED,
            _A.HAND_MANUAL: _S.ENROLLED,
            _A.NO_SHOW: _S.NO_SHOW,
            _A.DROP_OUT: _S.DROPPED_OUT,
            **_CANCELLED,
        },
        _S.ATTENDING: {
            _A.ATTEND: _S.ATTENDING,
            _A.ASSESS: _S.ATTENDING,
            _A.HAND_MANUAL: _S.ATTENDING,
            _A.EVALUATE: _S.ATTENDING,
            _A.COMPLETE: _S.COMPLETED,
            _A.KEEP: _S.ATTENDING,
            _A.DROP_OUT: _S.DROPPED_OUT,
            # Who attends is asked why they leave; only a course that is called off ends it for
            # them.
            _A.CANCEL_WITH_COHORT: _S.CANCELLED,
        },
        _S.COMPLETED: {
            _A.ATTEND: _S.COMPLETED,
            _A.ASSESS: _S.COMPLETED,
            _A.HAND_MANUAL: _S.COMPLETED,
            _A.EVALUATE: _S.COMPLETED,
        },
        _S.DROPPED_OUT: {},
        _S.NO_SHOW: {},
        _S.CANCELLED: {},
    },
    leaving={_S.OFFERED: {"offered_until": None}},
    internal={_A.OFFER, _A.LAPSE, _A.CANCEL_WITH_COHORT},
)


class VacancyState(StrEnum):
    """Whether somebody is looked for."""

    OPEN = "open"
    FILLED = "filled"
    CLOSED = "closed"


class VacancyAction(StrEnum):
    """What is done with a vacancy."""

    PROPOSE = "propose"
    TAKE_POSITION = "take-position"
    FREE_POSITION = "free-position"
    CLOSE = "close"


VACANCY = Machine(
    "vacancy",
    {
        VacancyState.OPEN: {
            VacancyAction.PROPOSE: VacancyState.OPEN,
            VacancyAction.TAKE_POSITION: frozenset({VacancyState.OPEN, VacancyState.FILLED}),
            VacancyAction.FREE_POSITION: VacancyState.OPEN,
            VacancyAction.CLOSE: VacancyState.CLOSED,
        },
        VacancyState.FILLED: {
            VacancyAction.FREE_POSITION: VacancyState.OPEN,
            VacancyAction.CLOSE: VacancyState.CLOSED,
        },
        # Who was proposed before it was closed may still begin, and who works there may still go.
        VacancyState.CLOSED: {
            VacancyAction.TAKE_POSITION: VacancyState.CLOSED,
            VacancyAction.FREE_POSITION: VacancyState.CLOSED,
        },
    },
    internal={VacancyAction.TAKE_POSITION, VacancyAction.FREE_POSITION},
)


class PlacementState(StrEnum):
    """Where a placement stands."""

    PROPOSED = "proposed"
    STARTED = "started"
    ENDED = "ended"


class PlacementAction(StrEnum):
    """What is done with a placement."""

    START = "start"
    END = "end"
    CHECK_RETENTION = "retention"


PLACEMENT = Machine(
    "placement",
    {
        PlacementState.PROPOSED: {
            PlacementAction.START: PlacementState.STARTED,
            PlacementAction.END: PlacementState.ENDED,
        },
        PlacementState.STARTED: {
            PlacementAction.END: PlacementState.ENDED,
            PlacementAction.CHECK_RETENTION: PlacementState.STARTED,
        },
        PlacementState.ENDED: {PlacementAction.CHECK_RETENTION: PlacementState.ENDED},
    },
)


class MentorState(StrEnum):
    """Whether a graduate, or a pair, goes on."""

    ACTIVE = "active"
    ENDED = "ended"


class MentorAction(StrEnum):
    """What is done with a mentor or a mentorship."""

    PAIR = "pair"
    END = "end"


MENTOR = Machine(
    "mentor",
    {
        MentorState.ACTIVE: {
            MentorAction.PAIR: MentorState.ACTIVE,
            MentorAction.END: MentorState.ENDED,
        },
        MentorState.ENDED: {},
    },
)
MENTORSHIP = Machine(
    "mentorship",
    {MentorState.ACTIVE: {MentorAction.END: MentorState.ENDED}, MentorState.ENDED: {}},
)
