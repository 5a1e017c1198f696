"""ETag and If-Match: nobody overwrites, or decides about, what they have not seen."""

from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import (
    BAD_REQUEST,
    PRECONDITION_FAILED,
    PRECONDITION_REQUIRED,
    FieldError,
    Problem,
)

LONGEST = 255
"""Characters of `If-Match`; an ETag of ours has a few."""


def etag(version: int) -> str:
    """The strong ETag of a resource's version."""
    return f'"{version}"'


def set_etag(response: Response, version: int) -> None:
    """Answer with the ETag of a resource."""
    response.headers["ETag"] = etag(version)


class Precondition:
    """What the caller says it has seen: `If-Match`, or `If-None-Match: *` where nothing exists
    yet.
    """

    def __init__(self, if_match: str | None, if_none_match: str | None) -> None:
        self._if_match = if_match
        self._creates = (if_none_match or "").strip() == "*"
        self.checked = False

    @classmethod
    def of(cls, request: Request) -> "Precondition":
        """The precondition in a request's headers.

        Raises:
            Problem: 400, `If-Match` is longer than any that we gave out.
        """
        if_match = request.headers.get("if-match")
        if if_match is not None and len(if_match) > LONGEST:
            error = FieldError(
                pointer="#header/If-Match", code="too_long", detail=f"at most {LONGEST} characters"
            )
            raise Problem(BAD_REQUEST, errors=[error])
        return cls(if_match, request.headers.get("if-none-match"))

    @property
    def given(self) -> bool:
        """Whether there is one."""
        return self._if_match is not None or self._creates

    def check(self, version: int | None) -> None:
        """Compare with what is there.

        Args:
            version: Version of the locked row; None where nothing exists yet.

        Raises:
            Problem: 428 without a precondition, 412 when it does not hold.
        """
        self.checked = True
        if not self.given:
            raise Problem(PRECONDITION_REQUIRED)
        if version is None:
            holds = self._creates
        else:
            holds = self._if_match is not None and etag(version) in [
                tag.strip() for tag in self._if_match.split(",")
            ]
        if not holds:
            raise Problem(PRECONDITION_FAILED)
