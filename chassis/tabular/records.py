"""JSON with a record a line, read as strictly as a table."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chassis.errors import FieldError
from chassis.tabular.encodings import decoded
from chassis.tabular.problems import Unreadable

DEEPEST = 32
"""How deeply a record may be nested."""
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON writes it, but not where the backslash is itself escaped."""
PLAIN_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")
ONE_A_LINE = "one JSON object on each line"


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a file.

    Attributes:
        line: Its number, from 1.
        content: What it holds; None where it cannot be taken.
        error: Why not.
    """

    line: int
    content: dict[str, Any] | None
    error: FieldError | None = None


class _KeyTwiceError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


def read_records(raw: bytes, *, charset: str | None = None) -> Iterator[Record]:
    """The records of a file, one a line; blank lines are left out.

    A line that is no record costs that line. Where already the first shows that the whole file has
    another form, that is said once.

    Raises:
        Unreadable: It is no text; or an array, objects over several lines, or commas after them.
    """
    text = decoded(raw, charset)
    lines = [
        (number, each) for number, each in enumerate(text.split("\n"), start=1) if each.strip()
    ]
    if lines:
        _check_form(text, *lines[0])
    for number, each in lines:
        yield _record(number, each)


def _is_spread(begins: str, bracket: str, text: str) -> bool:
    """Whether one value in brackets stands on several lines."""
    return begins == bracket or (begins.startswith(bracket) and _is_json(text))


def _check_form(text: str, number: int, first: str) -> None:
    if _is_json(first.strip()) and not first.lstrip().startswith("["):
        return
    begins = first.strip()
    if _is_spread(begins, "[", text):
        right = f"{ONE_A_LINE}, without brackets about all of them and commas between them"
    elif begins.endswith(",") and _is_json(begins.removesuffix(",")):
        right = f"{ONE_A_LINE}, without a comma after it"
    elif _is_spread(begins, "{", text):
        right = f"{ONE_A_LINE}, not one over several lines"
    else:
        return
    raise Unreadable(right, row=number)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _record(number: int, text: str) -> Record:
    try:
        content = json.loads(text, object_pairs_hook=_each_key_once)
    except _KeyTwiceError as error:
        named = f" {error.key}" if PLAIN_WORD.fullmatch(error.key) else ""
        return _refused(
            number, "key_twice", f"each key once in an object; the key{named} is there again"
        )
    except (ValueError, RecursionError):
        return _refused(number, "json_invalid", "a JSON object on one line")
    if not isinstance(content, dict):
        return _refused(number, "json_invalid", "a JSON object on one line")
    if not storable(content):
        return _refused(number, "not_storable", "text and numbers that can be stored")
    return Record(number, content)


def _refused(number: int, code: str, right: str) -> Record:
    return Record(number, None, FieldError(pointer="", code=code, detail=right))


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise _KeyTwiceError(key)
        content[key] = value
    return content


def storable(value: Any) -> bool:
    """Whether the database keeps a JSON value: no NUL, lone surrogate, NaN or infinity, and not
    nested without end.
    """
    if _nested_too_deeply(value):
        return False
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        return False
    return "\\u0000" not in text or NUL.search(text) is None


def _nested_too_deeply(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        inner = (
            each.values() if isinstance(each, dict) else each
            for each in level
            if isinstance(each, dict | list)
        )
        level = [value for values in inner for value in values]
        if not level:
            return False
    return True
