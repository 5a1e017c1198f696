"""What is stored about a person outside its owner's tables."""

import base64

import pytest
from pydantic import SecretStr

from chassis.crypto import Keyring, NotDecryptable

OLD, NEW = (SecretStr(base64.b64encode(letter * 32).decode()) for letter in (b"o", b"n"))


def test_a_newer_key_still_reads_what_the_old_one_wrote() -> None:
    sealed = Keyring([OLD]).encrypt(b"name", "copy/1")
    assert b"name" not in sealed
    assert Keyring([NEW, OLD]).decrypt(sealed, "copy/1") == b"name"


def test_elsewhere_changed_or_with_another_key_it_does_not_open() -> None:
    keyring = Keyring([OLD])
    sealed = keyring.encrypt(b"name", "copy/1")
    for ring, text, place in (
        (keyring, sealed, "copy/2"),
        (keyring, sealed[:-1] + bytes([sealed[-1] ^ 1]), "copy/1"),
        (Keyring([NEW]), sealed, "copy/1"),
    ):
        with pytest.raises(NotDecryptable):
            ring.decrypt(text, place)


def test_key_of_the_wrong_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring([SecretStr(base64.b64encode(b"short").decode())])
    with pytest.raises(ValueError, match="at least one"):
        Keyring([])
