"""Who answers what: the first path segment after `/v1` names the owner, as the committed OpenAPI document says."""

import json
import re
from functools import lru_cache
from pathlib import Path

import contracts

PREFIX = "/v1/"
SERVICE = "x-service"


@lru_cache
def owners() -> dict[str, str]:
    """Segments and the services that own them. What the gateway answers itself is not among them."""
    document = json.loads((Path(contracts.__file__).parent / "openapi.json").read_text())
    return {
        path.removeprefix(PREFIX).split("/")[0]: operation[SERVICE]
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if path.startswith(PREFIX) and operation[SERVICE] != "gateway"
    }


@lru_cache
def _open_to_all() -> re.Pattern[str]:
    document = json.loads((Path(contracts.__file__).parent / "openapi.json").read_text())
    paths = [
        "/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/"))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method == "get" and operation[SERVICE] != "gateway" and operation["security"] == []
    ]
    return re.compile("|".join(paths) or "(?!)")


def is_open(method: str, path: str) -> bool:
    """Whether anybody may read a path of a service without a token, as the committed document says."""
    return method in {"GET", "HEAD"} and _open_to_all().fullmatch(path) is not None
