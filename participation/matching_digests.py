"""By what two services find that they mean the same person: keyed digests, never the words
themselves.

A manifest's travel document and a referral's are compared without either service learning the
other's: both make marks under a key that only they have, and only marks are sent.
"""

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Request

from chassis.crypto import key_bytes
from chassis.settings import Settings

PURPOSE = b"homeward marks"
LENGTH = 16


class Marks:
    """Makes digests under the key that services share for it.

    Args:
        settings: With the matching key.

    Raises:
        ValueError: There is none.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.matching_key is None:
            raise ValueError("HOMEWARD_MATCHING_KEY is not set")
        self._key = hmac.digest(key_bytes(settings.matching_key), PURPOSE, hashlib.sha256)

    def of(self, kind: str, *words: str) -> bytes:
        """The digest of some words for one kind of use."""
        return hmac.digest(self._key, "\x1f".join((kind, *words)).encode(), hashlib.sha256)[:LENGTH]

    def reference(self, external_reference: str, person: int) -> bytes:
        """A person's place in a referral."""
        return self.of("reference", external_reference.strip().upper(), str(person))

    def document(self, number: str) -> bytes:
        """A travel document, however its number is spaced."""
        return self.of("document", "".join(filter(str.isalnum, number)).upper())


async def _marks(request: Request) -> Marks:
    return Marks(request.app.state.homeward.settings)


MarksDep = Annotated[Marks, Depends(_marks)]
"""Makes the digests of this process's keys."""
