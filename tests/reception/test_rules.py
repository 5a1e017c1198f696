from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codes import ArrivalState, AssistanceGroup, AssistanceKind
from services.reception.arrivals import rules
from services.reception.arrivals.rules import transitions
from services.reception.ports import load_ports
from services.reception.states import ARRIVAL, ArrivalAction

PROGRAMMES = Path(__file__).parents[2] / "programmes"
ENDED = {state for state in ArrivalState if state not in (ArrivalState.EXPECTED, ArrivalState.MET)}


@given(st.lists(st.sampled_from(ArrivalAction)))
def test_nobody_is_completed_without_having_been_met_or_confirmed(actions):
    state, met, confirmed = ArrivalState.EXPECTED, False, False
    for action in actions:
        allowed = transitions(state, met=met)
        if action not in allowed:
            continue
        state = allowed[action]
        undone = action is ArrivalAction.REOPEN and state is ArrivalState.EXPECTED
        met = (met or action is ArrivalAction.CHECK_IN) and not undone
        confirmed = action is ArrivalAction.CONFIRM or (
            confirmed and action is not ArrivalAction.REOPEN
        )
        assert state is not ArrivalState.MET or met
        assert state is not ArrivalState.COMPLETED or met or confirmed
        assert not (met and state is ArrivalState.EXPECTED)


def test_reopening_leads_back_to_where_the_person_was():
    assert transitions(ArrivalState.COMPLETED, met=True)[ArrivalAction.REOPEN] is ArrivalState.MET
    assert (
        transitions(ArrivalState.DECLINED, met=False)[ArrivalAction.REOPEN] is ArrivalState.EXPECTED
    )
    assert ArrivalAction.CONFIRM not in transitions(ArrivalState.COMPLETED, met=True)
    assert (
        transitions(ArrivalState.COMPLETED, met=False)[ArrivalAction.CONFIRM]
        is ArrivalState.COMPLETED
    )


def test_each_state_says_whether_the_person_is_there():
    """A state in none of the sets would be left out wherever they are asked for, without a word."""
    sets = (ArrivalState.TO_COME, ArrivalState.AT_THE_PORT, ArrivalState.NOT_COME)
    assert sorted(state for states in sets for state in states) == sorted(ArrivalState)
    assert ArrivalState.ENDED_AT_THE_DESK < ArrivalState.AT_THE_PORT


def test_news_of_a_journey_moves_nobody_who_has_arrived():
    assert not ArrivalState.AT_THE_PORT & ARRIVAL.sources(ArrivalAction.EXPECT)
    assert ARRIVAL.sources(ArrivalAction.CALL_OFF) == ArrivalState.TO_COME
    assert ARRIVAL.bulk(ArrivalAction.CALL_OFF) == {
        "state": ArrivalState.NOT_DEPARTED,
        "held_at": None,
        "held_by": None,
    }


@pytest.mark.parametrize("kind", AssistanceKind)
def test_a_kind_that_discloses_health_or_a_child_is_only_a_group(kind):
    if kind in (AssistanceKind.MEDICAL, AssistanceKind.FAMILY_TRACING):
        assert kind.published is None
        assert kind.group is AssistanceGroup.CARE
    else:
        assert kind.published is kind


def test_a_clock_is_suspect_from_five_minutes_ahead():
    clock = datetime(2026, 1, 1, tzinfo=UTC)
    assert not rules.clock_suspect(clock + timedelta(minutes=5), clock)
    assert rules.clock_suspect(clock + timedelta(minutes=5, seconds=1), clock)
    assert not rules.clock_suspect(clock - timedelta(days=900), clock)


@pytest.mark.parametrize(
    ("port", "zone"),
    [("EBL", "Asia/Baghdad"), ("IQTRB", "Asia/Baghdad"), ("KBL", "Asia/Kabul"), ("LHR", "UTC")],
)
def test_the_day_begins_where_the_port_is(port, zone):
    assert load_ports(PROGRAMMES).zone(port).key == zone


@pytest.mark.parametrize(
    ("hours", "safe", "unsafe"),
    [
        ("09:00-12:00", ["09:00", "11:59"], ["08:59", "12:00"]),
        ("22:00-02:00", ["22:00", "01:59"], ["02:00", "12:00"]),
    ],
)
def test_safe_hours_may_go_over_midnight(hours, safe, unsafe):
    assert all(rules.is_safe(hours, time.fromisoformat(at)) for at in safe)
    assert not any(rules.is_safe(hours, time.fromisoformat(at)) for at in unsafe)
    assert rules.is_safe(None, time(3))
