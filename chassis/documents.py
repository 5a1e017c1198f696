"""Files that people upload: kept encrypted in an object store, their type told from their content,
scanned if asked.
"""

import asyncio
import hashlib
import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

import obstore
import structlog
from obstore.store import ObjectStore, from_url

from chassis.crypto import Keyring
from chassis.errors import BAD_GATEWAY, Problem, ProblemType
from chassis.settings import Settings

FOLDER = "documents"
SCAN_SECONDS = 25.0
CLEAN, INFECTED = 0, 1
SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypheix", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
)
"""Where which bytes stand in what: papers and photographs of papers. Nothing that a program would
run.
"""
MEDIA_TYPES = tuple(dict.fromkeys(media_type for _, _, media_type in SIGNATURES))

UNKNOWN_CONTENT = ProblemType(
    "unknown-content",
    422,
    "The document is of no type that is accepted",
    "Its content decides, not its name: PDF, JPEG, PNG, WebP, HEIC or TIFF.",
)
INFECTED_CONTENT = ProblemType(
    "infected-content",
    422,
    "The virus scanner refused the document",
    "Nothing was kept. Send a clean copy.",
)

log = structlog.get_logger("homeward.documents")


def media_type_of(content: bytes) -> str:
    """What a file is, by its first bytes.

    Raises:
        Problem: 422, it is none of the types that are accepted.
    """
    for offset, signature, media_type in SIGNATURES:
        if content[offset : offset + len(signature)] == signature:
            return media_type
    raise Problem(UNKNOWN_CONTENT)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found out about a file.

    Attributes:
        media_type: By its content.
        size: In bytes.
        sha256: In hexadecimal digits.
        scan: `clean`, or `not_scanned` where no scanner is configured.
    """

    media_type: str
    size: int
    sha256: str
    scan: str


class Documents:
    """The object store of a service.

    Args:
        settings: Where it is, and what scans.
        keyring: What a file is encrypted with; the store sees nothing.
    """

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._url = settings.documents_url
        self._command = settings.document_scan_command
        self._keyring = keyring

    async def check(self, content: bytes) -> Checked:
        """Find out what a file is, and have it scanned.

        Raises:
            Problem: 422 for another type or an infected file, 503 while the scanner does not
                answer.
        """
        media_type = media_type_of(content)
        scan = await self._scan(content)
        return Checked(media_type, len(content), hashlib.sha256(content).hexdigest(), scan)

    async def _scan(self, content: bytes) -> str:
        if self._command is None:
            return "not_scanned"
        program, *arguments = shlex.split(self._command)
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                program, *arguments, stdin=pipe, stdout=nowhere, stderr=nowhere
            )
        except OSError as error:
            log.warning("the virus scanner cannot be started", error=type(error).__name__)
            raise Problem(
                BAD_GATEWAY, "the virus scanner does not answer", headers={"Retry-After": "10"}
            ) from None
        try:
            async with asyncio.timeout(SCAN_SECONDS):
                await process.communicate(content)
        except TimeoutError:
            process.kill()
            await process.wait()
        if process.returncode == CLEAN:
            return "clean"
        if process.returncode == INFECTED:
            raise Problem(INFECTED_CONTENT)
        log.warning("the virus scanner failed", code=process.returncode)
        raise Problem(
            BAD_GATEWAY, "the virus scanner does not answer", headers={"Retry-After": "10"}
        )

    async def keep(self, document_id: UUID, content: bytes) -> None:
        """Put a file in the store. Done last in a transaction, so that hardly anything is kept that
        nobody knows of.

        Raises:
            Problem: 503, there is no store.
        """
        sealed = self._keyring.encrypt(content, _path(document_id))
        await obstore.put_async(self._store(), _path(document_id), sealed)

    async def fetch(self, document_id: UUID) -> bytes:
        """A file as it was uploaded.

        Raises:
            Problem: 503, there is no store, or the file is not in it.
            NotDecryptable: It is not what was put there.
        """
        try:
            found = await obstore.get_async(self._store(), _path(document_id))
        except FileNotFoundError:
            log.exception("a document is not in the store", document_id=str(document_id))
            raise Problem(BAD_GATEWAY, "the document cannot be had at present") from None
        return self._keyring.decrypt(bytes(await found.bytes_async()), _path(document_id))

    async def remove(self, document_id: UUID) -> None:
        """Take a file out of the store; one that is not there is gone already."""
        try:
            await obstore.delete_async(self._store(), _path(document_id))
        except FileNotFoundError:
            log.info("a document was removed before", document_id=str(document_id))

    async def stored_before(self, moment: datetime) -> AsyncIterator[list[UUID]]:
        """The ids of the files that were put in the store before a moment, some at a time.

        Raises:
            Problem: 503, there is no store.
        """
        async for entries in obstore.list(self._store(), FOLDER):
            yield [
                UUID(each["path"].rpartition("/")[2])
                for each in entries
                if each["last_modified"] < moment
            ]

    def _store(self) -> ObjectStore:
        if self._url is None:
            raise Problem(
                BAD_GATEWAY, "no store for documents is configured: HOMEWARD_DOCUMENTS_URL"
            )
        return _store_at(self._url)


@cache
def _store_at(url: str) -> ObjectStore:
    if url.startswith("file:"):
        return from_url(url, mkdir=True)
    return from_url(url)


def _path(document_id: UUID) -> str:
    return f"{FOLDER}/{document_id}"
