"""Who answers what: the first path segment after `/v1` names the owner, as the committed OpenAPI document says."""

import json
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
