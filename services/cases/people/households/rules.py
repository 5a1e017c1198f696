"""Who may head what is left of a household. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from chassis.errors import FieldError
from contracts.codes import Member

NOBODY_STAYS = FieldError(
    pointer="/members", code="nobody_stays", detail="not everybody: somebody stays"
)


def _strangers(going: Sequence[UUID], members: Mapping[UUID, Member]) -> list[FieldError]:
    """Those of who goes who are not of the household."""
    return [
        FieldError(
            pointer=f"/members/{index}",
            code="not_in_household",
            detail="a present member of the household",
        )
        for index, returnee_id in enumerate(going)
        if returnee_id not in members
    ]


def split_errors(
    going: Sequence[UUID],
    principal: UUID,
    successor: UUID | None,
    members: Mapping[UUID, Member],
    head: UUID | None,
) -> list[FieldError]:
    """What is wrong with a split.

    Args:
        going: Who goes, as it was sent.
        principal: Who is to head those who go.
        successor: Who is to head those who stay, where their head goes.
        members: Who belongs to the household now, and their place in it.
        head: Its head.
    """
    errors = _strangers(going, members)
    if len(set(going)) < len(going):
        errors.append(
            FieldError(pointer="/members", code="member_twice", detail="each member once")
        )
    if principal not in going:
        errors.append(
            FieldError(pointer="/principal", code="not_going", detail="one of those who go")
        )
    else:
        new_places = {person: members[person] for person in going if person in members}
        errors += head_errors("/principal", principal, new_places)
    staying = {person: place for person, place in members.items() if person not in going}
    errors += [] if staying else [NOBODY_STAYS]
    return errors + successor_errors(head if head in going else None, successor, staying)


def leave_errors(
    leaving: UUID, successor: UUID | None, members: Mapping[UUID, Member], head: UUID | None
) -> list[FieldError]:
    """What is wrong with somebody's leaving.

    Args:
        leaving: Who left or died.
        successor: Who is to head those who stay, where it was the head.
        members: Who belongs to the household now, and their place in it.
        head: Its head.
    """
    errors = []
    if leaving not in members:
        right = "a present member of the household"
        errors.append(FieldError(pointer="/returnee_id", code="not_in_household", detail=right))
    staying = {person: place for person, place in members.items() if person != leaving}
    if leaving in members and not staying:
        right = "somebody who leaves others behind; where nobody is left, close the case"
        errors.append(FieldError(pointer="/returnee_id", code="last_member", detail=right))
        return errors
    return errors + successor_errors(head if head == leaving else None, successor, staying)


def successor_errors(
    leaving_head: UUID | None, successor: UUID | None, staying: Mapping[UUID, Member]
) -> list[FieldError]:
    """Whether those who stay have a head, who is of age where an adult stays.

    Args:
        leaving_head: The head, if it is among those who go.
        successor: Who is named to follow.
        staying: Who stays, and their place in the household.
    """
    if leaving_head is None:
        if successor is not None:
            return [
                FieldError(pointer="/successor", code="head_stays", detail="null: the head stays")
            ]
        return []
    if successor is None or successor not in staying:
        return [
            FieldError(
                pointer="/successor", code="successor_missing", detail="one of those who stay"
            )
        ]
    return head_errors("/successor", successor, staying)


def head_errors(pointer: str, head: UUID, people: Mapping[UUID, Member]) -> list[FieldError]:
    """Whether a child is to be the head of people of whom somebody is of age."""
    if people.get(head) == Member.CHILD and any(place != Member.CHILD for place in people.values()):
        right = "somebody of age, as there is somebody"
        return [FieldError(pointer=pointer, code="head_is_a_child", detail=right)]
    return []


def years_before(day: date, years: int) -> date:
    """The same day so many years before; 28 February for a leap day."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)
