"""Who answers what: the first path segment after `/v1` names the owner, as the committed OpenAPI document says."""

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


@lru_cache
def _paths() -> Mapping[str, Any]:
    document = json.loads((Path(contracts.__file__).parent / "openapi.json").read_text())
    paths: Mapping[str, Any] = document["paths"]
    return paths


@lru_cache
def owners() -> dict[str, str]:
    """Segments and the services that own them. What the gateway answers itself is not among them."""
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
def _between_services() -> re.Pattern[str]:
    return _matching(lambda operation: operation["x-homeward"]["scope"] == Scope.INTERNAL)


def is_open(method: str, path: str) -> bool:
    """Whether anybody may read a path of a service without a token, as the committed document says."""
    return method in {"GET", "HEAD"} and _open_to_all().fullmatch(f"GET {path}") is not None


def is_between_services(method: str, path: str) -> bool:
    """Whether only our own services ask for it, of one another and never through the gateway."""
    return _between_services().fullmatch(f"{'GET' if method == 'HEAD' else method} {path}") is not None
