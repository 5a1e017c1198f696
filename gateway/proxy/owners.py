"""Who answers what: the first path segment after `/v1` names the owner, as the committed OpenAPI
document says.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import contracts
from contracts.scopes import Scope

PREFIX = "/v1/"
SERVICE = "x-service"
LARGER = "max_body_bytes"


@lru_cache
def _paths() -> Mapping[str, Any]:
    document = json.loads((Path(contracts.__file__).parent / "openapi.json").read_text())
    paths: Mapping[str, Any] = document["paths"]
    return paths


@lru_cache
def owners() -> dict[str, str]:
    """Segments and the services that own them. What the gateway answers itself is not among
    them.
    """
    return {
        path.removeprefix(PREFIX).split("/")[0]: operation[SERVICE]
        for path, operations in _paths().items()
        for operation in operations.values()
        if path.startswith(PREFIX) and operation[SERVICE] != "gateway"
    }


def _matching(chosen: Callable[[dict[str, Any]], bool]) -> re.Pattern[str]:
    """Method and path, with a space between, of the services' operations that are chosen."""
    patterns = [
        f"{method.upper()} "
        + "/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/"))
        for path, operations in _paths().items()
        for method, operation in operations.items()
        if operation[SERVICE] != "gateway" and chosen(operation)
    ]
    return re.compile("|".join(patterns) or "(?!)")


@lru_cache
def _open_to_all() -> re.Pattern[str]:
    return _matching(lambda operation: operation["security"] == [])


@lru_cache
def _streams() -> re.Pattern[str]:
    return _matching(
        lambda operation: (
            "text/event-stream" in operation["responses"]["200"].get("content", {})
            if "200" in operation["responses"]
            else False
        )
    )


def is_stream(method: str, path: str) -> bool:
    """Whether what is asked for stays open."""
    return bool(_streams().fullmatch(f"{method} {path}"))


@lru_cache
def _between_services() -> re.Pattern[str]:
    return _matching(lambda operation: operation["x-homeward"]["scope"] == Scope.INTERNAL)


@lru_cache
def _larger() -> dict[int, re.Pattern[str]]:
    """The operations that take larger bodies than others, by how large."""

    def taking(size: int) -> re.Pattern[str]:
        return _matching(lambda operation: operation["x-homeward"].get(LARGER) == size)

    operations = [
        operation for operations in _paths().values() for operation in operations.values()
    ]
    return {
        size: taking(size)
        for each in operations
        if (size := each["x-homeward"].get(LARGER)) is not None
    }


def most_bytes(method: str, path: str) -> int | None:
    """How large a body of a request to a service may be, if not as large as any other."""
    return next(
        (size for size, pattern in _larger().items() if pattern.fullmatch(f"{method} {path}")), None
    )


def is_open(method: str, path: str) -> bool:
    """Whether anybody may read a path of a service without a token, as the committed document
    says.
    """
    return method in {"GET", "HEAD"} and _open_to_all().fullmatch(f"GET {path}") is not None


def is_between_services(method: str, path: str) -> bool:
    """Whether only our own services ask for it, of one another and never through the gateway."""
    return (
        _between_services().fullmatch(f"{'GET' if method == 'HEAD' else method} {path}") is not None
    )
