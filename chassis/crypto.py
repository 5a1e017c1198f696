"""Encryption of what is stored about a person outside its owner's tables: answers for replay,
identity copies.
"""

import base64
import hashlib
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from chassis.settings import DEVELOPMENT_KEY_PREFIX, Settings

NONCE_BYTES = 12
KEY_ID_BYTES = 4


class NotDecryptable(ValueError):  # noqa: N818 - it says what is the matter
    """The key it was encrypted with is not in the keyring, or the bytes were changed."""


class Keyring:
    """AES-256-GCM under the newest key; older keys still decrypt, so that keys can be changed
    without downtime.

    Args:
        keys: 32-byte keys in base64, newest first. In development a key may be any words after
            `dev-`.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        if not keys:
            raise ValueError("at least one encryption key is needed: HOMEWARD_ENCRYPTION_KEYS")
        material = [key_bytes(key) for key in keys]
        self._ciphers = {
            hashlib.sha256(raw).digest()[:KEY_ID_BYTES]: AESGCM(raw) for raw in material
        }
        self._current = next(iter(self._ciphers))

    @classmethod
    def from_settings(cls, settings: Settings) -> "Keyring":
        """The keyring that a process's settings name."""
        return cls(settings.encryption_keys)

    def encrypt(self, plain: bytes, context: str) -> bytes:
        """Encrypt bytes for one place only.

        Args:
            plain: What to keep secret.
            context: Where it is stored (table and key); decrypting it elsewhere fails.
        """
        nonce = secrets.token_bytes(NONCE_BYTES)
        return (
            self._current
            + nonce
            + self._ciphers[self._current].encrypt(nonce, plain, context.encode())
        )

    def decrypt(self, sealed: bytes, context: str) -> bytes:
        """Give back what was encrypted for this place.

        Raises:
            NotDecryptable: Unknown key, another place, or changed bytes.
        """
        cipher = self._ciphers.get(sealed[:KEY_ID_BYTES])
        if cipher is None:
            raise NotDecryptable("the key is not in the keyring")
        nonce, body = (
            sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES],
            sealed[KEY_ID_BYTES + NONCE_BYTES :],
        )
        try:
            return cipher.decrypt(nonce, body, context.encode())
        except InvalidTag:
            raise NotDecryptable("it was changed, or belongs elsewhere") from None


def key_bytes(key: SecretStr) -> bytes:
    """32 bytes from a configured key.

    Raises:
        ValueError: It is neither 32 bytes in base64 nor a development key.
    """
    text = key.get_secret_value()
    if text.startswith(DEVELOPMENT_KEY_PREFIX):
        return hashlib.sha256(text.encode()).digest()
    raw = base64.b64decode(text, validate=True)
    if len(raw) != 32:  # noqa: PLR2004 - AES-256
        raise ValueError("an encryption key is 32 bytes in base64")
    return raw
