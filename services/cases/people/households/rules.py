"""Who may head what is left of a household. Pure."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from chassis.errors import FieldError
from contracts.codes import Member
from services.cases.people.households.schemas import SplitIn


def split_errors(
    body: SplitIn, members: Mapping[UUID, str], principal: UUID | None
) -> list[FieldError]:
    """What is wrong with a split.

    Args:
        body: Who goes.
        members: Who belongs to the household now, and their place in it.
        principal: Its head.
    """
    errors = [
        FieldError(
            pointer=f"/members/{place}",
            code="not_in_household",
            detail="a present member of the household",
        )
        for place, returnee_id in enumerate(body.members)
        if returnee_id not in members
    ]
    going = set(body.members)
    if len(going) < len(body.members):
        errors.append(
            FieldError(pointer="/members", code="member_twice", detail="each member once")
        )
    if body.principal not in going:
        errors.append(
            FieldError(pointer="/principal", code="not_going", detail="one of those who go")
        )
    else:
        of_those = {each: members[each] for each in going if each in members}
        errors += head_errors("/principal", body.principal, of_those)
    staying = {each: place for each, place in members.items() if each not in going}
    if not staying:
        errors.append(
            FieldError(
                pointer="/members", code="nobody_stays", detail="not everybody: somebody stays"
            )
        )
    return errors + successor_errors(
        principal if principal in going else None, body.successor, staying
    )


def successor_errors(
    leaving_head: UUID | None, successor: UUID | None, staying: Mapping[UUID, str]
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
    if successor not in staying:
        return [
            FieldError(
                pointer="/successor", code="successor_missing", detail="one of those who stay"
            )
        ]
    return head_errors("/successor", successor, staying)


def head_errors(pointer: str, head: UUID, people: Mapping[UUID, str]) -> list[FieldError]:
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
