"""What the routes of training share."""

from typing import Annotated, Any

from fastapi import Depends, Request

from chassis.crypto import Keyring

UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "Something named is not known, or not for you"}}


def _keyring(request: Request) -> Keyring:
    keyring: Keyring = request.app.state.homeward.keyring
    return keyring


KeyringDep = Annotated[Keyring, Depends(_keyring)]
