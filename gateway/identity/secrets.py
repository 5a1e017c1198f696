"""Secrets of clients: made here, shown once, kept as argon2id hashes."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# 19 MiB, two passes, one lane: the first recommendation for argon2id of the OWASP Password Storage
# Cheat Sheet.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY = _HASHER.hash(secrets.token_urlsafe(32))
AT_ONCE = 2
_FREE = asyncio.Semaphore(AT_ONCE)


def new_secret() -> str:
    """A secret of 256 random bits."""
    return secrets.token_urlsafe(32)


async def hash_secret(secret: str) -> str:
    """The hash under which a secret is kept."""
    async with _FREE:
        return await asyncio.to_thread(_HASHER.hash, secret)


async def matches(secret: str, hashes: list[str]) -> bool:
    """Whether the secret is one of those. Without any it takes as long, so that nobody learns which
    clients exist.
    """
    async with _FREE:
        return await asyncio.to_thread(_matches, secret, hashes)


def _matches(secret: str, hashes: list[str]) -> bool:
    found = False
    for known in hashes or [_NOBODY]:
        try:
            found = _HASHER.verify(known, secret) or found
        except (VerificationError, InvalidHashError):
            continue
    return found and bool(hashes)
