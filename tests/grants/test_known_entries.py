"""Each entry once, none lost: whatever part of an account is sent, in which order and how often."""

from collections import Counter
from datetime import date
from decimal import Decimal
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.grants.models import StatementLine
from services.grants.payments.statements.matching import KnownLines
from services.grants.statement_files.model import Direction, Entry, Statement, count_equals

ACCOUNT, DAY, STATEMENT = "BE1", date(2026, 11, 30), uuid4()
Said = tuple[int, str, str]
"""Amount, reference and the bank's reference."""
BOOKED = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.sampled_from(["", "REF-1", "REF-2"]),
        st.sampled_from(["", "FEE", "B1", "B2"]),
    ),
    max_size=7,
)


def sent(said: list[Said], number: str) -> list[Entry]:
    entries = tuple(
        Entry(
            account=ACCOUNT,
            currency="EUR",
            statement=number,
            line=line,
            booked_on=DAY,
            value_on=None,
            direction=Direction.DEBIT,
            amount=Decimal(amount),
            bank_reference=bank,
            references=(reference,) if reference else (),
        )
        for line, (amount, reference, bank) in enumerate(said, start=1)
    )
    (counted,) = count_equals([Statement(ACCOUNT, "EUR", number, None, None, entries)])
    return list(counted.entries)


class Kept:
    """What an organisation has of an account, as an import leaves it."""

    def __init__(self) -> None:
        self.lines: list[StatementLine] = []

    def take(self, entries: list[Entry]) -> int:
        """Import entries; returns how many of them were new."""
        known = KnownLines((line, ACCOUNT) for line in self.lines)
        assigned = known.assign(entries)
        taken = [line for line in assigned if line is not None]
        assert len({line.id for line in taken}) == len(taken), "a line is one entry"
        for line, entry in zip(assigned, entries, strict=True):
            if line is not None:
                known.complete(line, entry)
        new = [entry for line, entry in zip(assigned, entries, strict=True) if line is None]
        self.lines += [
            StatementLine(
                id=uuid4(),
                statement_id=STATEMENT,
                line=entry.line,
                key=entry.key,
                ordinal=known.ordinal_of(STATEMENT, entry),
                booked_on=entry.booked_on,
                direction=entry.direction.value,
                amount=entry.amount,
                currency=entry.currency,
                reference=entry.reference,
                outcome="unknown",
            )
            for entry in new
        ]
        unique = {(each.key, each.ordinal, each.amount, each.reference) for each in self.lines}
        assert len(unique) == len(self.lines), "as the table wants it"
        return len(new)


@given(BOOKED, st.integers(1, 3))
def test_a_statement_that_is_sent_again_adds_nothing(said: list[Said], times: int) -> None:
    kept = Kept()
    assert kept.take(sent(said, "7")) == len(said)
    for _ in range(times):
        assert kept.take(sent(said, "7")) == 0


@given(BOOKED, st.data())
def test_parts_that_overlap_add_up_to_the_whole(said: list[Said], data: st.DataObject) -> None:
    """A statement of the day so far, and then all of it: only what is new is added."""
    kept = Kept()
    for cut in sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=3))):
        kept.take(sent(said[:cut], "7"))
    kept.take(sent(said, "7"))
    assert len(kept.lines) == len(said)
    amounts = Counter(Decimal(amount) for amount, _, _ in said)
    assert Counter(line.amount for line in kept.lines) == amounts


@given(BOOKED, BOOKED)
def test_notices_before_a_statement_are_its_entries(noticed: list[Said], more: list[Said]) -> None:
    kept = Kept()
    kept.take(sent(noticed, ""))
    said = [*noticed, *more]
    kept.take(sent(said, "7"))
    assert len(kept.lines) == len(said)
    assert kept.take(sent(said, "7")) == 0


@given(BOOKED)
def test_another_statement_repeats_nothing_but_what_the_bank_names(said: list[Said]) -> None:
    """Equal entries of another number are others, unless the bank names them the same."""
    kept = Kept()
    kept.take(sent(said, "7"))
    unnamed = sum(not any(sign.isdigit() for sign in bank) for _, _, bank in said)
    assert kept.take(sent(said, "8")) == unnamed


@given(BOOKED, BOOKED, st.permutations(["7", "", "8"]))
def test_whatever_came_before_nothing_comes_twice(
    one: list[Said], other: list[Said], numbers: list[str]
) -> None:
    kept = Kept()
    files = [sent(one, numbers[0]), sent(other, numbers[1]), sent([*other, *one], numbers[2])]
    for entries in files:
        kept.take(entries)
    for entries in files:
        assert kept.take(entries) == 0
