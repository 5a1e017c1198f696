"""Problems as RFC 9457 documents: raised anywhere, rendered once.

A problem says what was wrong, where (a JSON pointer) and what would be right. It never repeats what
was sent: input may hold a person's name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

Row = TypeVar("Row")


@dataclass(frozen=True)
class ProblemType:
    """A documented kind of problem. Constructing one adds it to the catalogue behind
    `/problems/{slug}`.

    Args:
        slug: Last segment of its `type` address; never reused for another meaning.
        status: HTTP status.
        title: The same short sentence every time.
        meaning: What it says about the request, and what the caller can do.
    """

    slug: str
    status: int
    title: str
    meaning: str

    def __post_init__(self) -> None:
        known = CATALOGUE.setdefault(self.slug, self)
        if known != self:
            raise ValueError(f"two problem types are called {self.slug}")


CATALOGUE: dict[str, ProblemType] = {}


class FieldError(BaseModel):
    """One thing wrong in the request."""

    pointer: str
    """JSON pointer into the body (`/people/0/birth/date`), or `#query/name`, `#header/name`,
    `#path/name`.
    """
    code: str
    """A stable word for the kind of defect."""
    detail: str
    """What is wrong and what would be right, without repeating the value."""
    row: int | None = None
    """Row of a file, as a spreadsheet counts it, or its line."""
    column: str | None = None
    """Column of a file."""
    found: str | None = None
    """What kind of thing stands there: `a day that can be read in two ways`. Never the thing."""


class ProblemDocument(BaseModel):
    """RFC 9457 problem details as we send them."""

    type: str
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None
    errors: list[FieldError] | None = None
    state: str | None = None
    allowed: list[str] | None = None


class Problem(Exception):  # noqa: N818 - it is the RFC's word, and not every problem is an error of ours
    """A refusal with a documented type.

    Args:
        kind: The documented problem type.
        detail: What was wrong this time, for a person; never a value that was sent.
        errors: Where exactly, for validation.
        headers: Response headers, such as Retry-After.
        **extensions: Further members of the document (`state`, `allowed`, ...).
    """

    def __init__(
        self,
        kind: ProblemType,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(kind.slug)
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.headers = headers or {}
        self.extensions = extensions

    def document(self, instance: str | None = None) -> dict[str, Any]:
        """The RFC 9457 members. `instance` is the request id, never a URL."""
        body: dict[str, Any] = {
            "type": f"/problems/{self.kind.slug}",
            "title": self.kind.title,
            "status": self.kind.status,
        }
        if self.detail:
            body["detail"] = self.detail
        if instance:
            body["instance"] = f"urn:uuid:{instance}"
        if self.errors:
            body["errors"] = [error.model_dump(exclude_none=True) for error in self.errors]
        return body | self.extensions


BAD_REQUEST = ProblemType(
    "bad-request",
    400,
    "The request could not be read",
    "The body is not what its Content-Type says, or a header is malformed.",
)
UNKNOWN_PARAMETER = ProblemType(
    "unknown-parameter",
    400,
    "A query parameter is not known here",
    "A filter that is not understood must never widen a result, so it is refused. The problem "
    "lists what is known.",
)
IDEMPOTENCY_KEY_REQUIRED = ProblemType(
    "idempotency-key-required",
    400,
    "Idempotency-Key is required",
    "Every POST that changes something carries an Idempotency-Key of 1 to 255 visible ASCII "
    "characters, so that it can "
    "be sent again safely after a broken connection. A UUID is a good one.",
)
UNAUTHENTICATED = ProblemType(
    "unauthenticated",
    401,
    "A valid token is required",
    "The token is missing, expired, revoked or meant for somebody else.",
)
FORBIDDEN = ProblemType(
    "forbidden",
    403,
    "The token does not allow this",
    "The client lacks the scope that the problem names, or another organisation decides this; "
    "the detail says which.",
)
PERSON_REQUIRED = ProblemType(
    "person-required",
    403,
    "A person must decide this",
    "Sign in, or name the person the client acts for in Homeward-Actor; the client then needs "
    "the scope act-for-users.",
)
FOUR_EYES = ProblemType(
    "four-eyes",
    403,
    "Another person must decide this",
    "Whoever prepared something does not approve it. Persons are compared, whichever client they "
    "use.",
)
NOT_FOUND = ProblemType(
    "not-found",
    404,
    "Not found",
    "It does not exist, or it is not for you; the answer is the same on purpose.",
)
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed",
    405,
    "The method is not allowed here",
    "The Allow header lists the methods of this path.",
)
STATE_CONFLICT = ProblemType(
    "state-conflict",
    409,
    "The state does not allow this",
    "`state` is the state it is in now, `allowed` the actions that it allows.",
)
CONFLICT = ProblemType(
    "conflict", 409, "It conflicts with what is recorded", "The detail says with what."
)
PRECONDITION_FAILED = ProblemType(
    "precondition-failed",
    412,
    "It has changed since you read it",
    "Read it again, look at what changed, and send the new ETag in If-Match.",
)
TOO_LARGE = ProblemType(
    "too-large", 413, "The body is too large", "Send less at once, or use the batch resource."
)
BODY_TOO_SLOW = ProblemType(
    "body-too-slow",
    408,
    "The body did not come",
    "A body that was announced has to keep coming. Nothing was done; send it again, under the same "
    "Idempotency-Key.",
)
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type",
    415,
    "The media type is not accepted here",
    "The detail lists what is accepted.",
)
INVALID = ProblemType(
    "invalid",
    422,
    "The request is not valid",
    "`errors` says where and what would be right; nothing was applied.",
)
IDEMPOTENCY_KEY_REUSED = ProblemType(
    "idempotency-key-reused",
    422,
    "The Idempotency-Key was used for another request",
    "The same key with the same request replays the first answer; another request needs another "
    "key.",
)
ANSWER_LOST = ProblemType(
    "answer-lost",
    409,
    "It was done, and its answer is not kept any more",
    "A request with this Idempotency-Key was carried out. Its stored answer was erased with a "
    "person of whom it told, tells of somebody in whose return you have no part any more, or was "
    "encrypted under a key that is not in use any more. Nothing is done again: read the resource "
    "to see what came of it.",
)
PRECONDITION_REQUIRED = ProblemType(
    "precondition-required",
    428,
    "If-Match is required",
    "Nobody changes or decides what they have not seen: send the ETag of what you read in If-Match "
    "(If-None-Match: * where nothing exists yet).",
)
TOO_MANY_REQUESTS = ProblemType(
    "too-many-requests",
    429,
    "Too many requests",
    "Wait for the seconds in Retry-After; nothing was done.",
)
INTERNAL = ProblemType(
    "internal",
    500,
    "Something went wrong here",
    "Nothing was applied. Send it again with the same Idempotency-Key.",
)
BAD_GATEWAY = ProblemType(
    "service-unavailable",
    503,
    "The service behind this is not reachable",
    "Nothing was lost; send it again later.",
)
BUSY = ProblemType(
    "busy",
    503,
    "Somebody else is changing the same thing",
    "Nothing was applied. Send it again with the same key.",
)
TOO_SLOW = ProblemType(
    "took-too-long",
    503,
    "It took too long and was given up",
    "Nothing was applied. Others may be changing the same things, or it is too much at once: "
    "wait for Retry-After, "
    "send it again with the same key, and if that comes to the same, ask for less.",
)
NOT_CAUGHT_UP = ProblemType(
    "not-caught-up",
    503,
    "This service has not heard yet",
    "The returnee may have been registered a moment ago and the news is on its way. Try again "
    "after Retry-After.",
)


def invalid(*errors: FieldError, detail: str | None = None) -> Problem:
    """A 422 problem from what is wrong and where."""
    return Problem(INVALID, detail, errors=errors)


def or_404(row: Row | None) -> Row:
    """Return a row that was looked for.

    Raises:
        Problem: 404, there is none, or none for the caller.
    """
    if row is None:
        raise Problem(NOT_FOUND)
    return row


def id_taken() -> Problem:
    """Make the 409 for an id of the client's choice under which something else is kept already."""
    return Problem(CONFLICT, "the id is taken by something else")


def state_conflict(state: str, allowed: Sequence[str], action: str) -> Problem:
    """A 409 problem that says the state and what it allows."""
    return Problem(
        STATE_CONFLICT,
        f"{action} is not possible in state {state}",
        state=state,
        allowed=sorted(allowed),
    )
