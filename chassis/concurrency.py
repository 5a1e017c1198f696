"""ETag and If-Match: nobody overwrites, or decides about, what they have not seen."""

from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import PRECONDITION_FAILED, PRECONDITION_REQUIRED, Problem


def etag(version: int) -> str:
    """The strong ETag of a resource's version."""
    return f'"{version}"'


def set_etag(response: Response, version: int) -> None:
    """Answer with the ETag of a resource."""
    response.headers["ETag"] = etag(version)


class Precondition:
    """What the caller says it has seen: `If-Match`, or `If-None-Match: *` where nothing exists yet."""

    def __init__(self, if_match: str | None, if_none_match: str | None) -> None:
        self._if_match = if_match
        self._creates = (if_none_match or "").strip() == "*"
        self.checked = False

    @classmethod
    def of(cls, request: Request) -> "Precondition":
        """The precondition in a request's headers."""
        return cls(request.headers.get("if-match"), request.headers.get("if-none-match"))

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
            holds = self._if_match is not None and etag(version) in [tag.strip() for tag in self._if_match.split(",")]
        if not holds:
            raise Problem(PRECONDITION_FAILED)
