"""The process's keyring, for what is kept encrypted."""

from typing import Annotated

from fastapi import Depends, Request

from chassis.crypto import Keyring


async def _keyring(request: Request) -> Keyring:
    keyring: Keyring = request.app.state.homeward.keyring
    return keyring


KeyringDep = Annotated[Keyring, Depends(_keyring)]
