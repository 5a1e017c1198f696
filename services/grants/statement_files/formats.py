"""Which kind of file it is, and how its bytes become text. Pure."""

import codecs
from dataclasses import dataclass
from enum import StrEnum

from services.grants.statement_files.camt import read_camt
from services.grants.statement_files.delimited import (
    Encoding,
    Row,
    TableMapping,
    read_csv,
    read_table,
    rows_of,
)
from services.grants.statement_files.model import Statement, Unreadable
from services.grants.statement_files.mt940 import read_mt940


class MediaType(StrEnum):
    """As which a file is sent."""

    CSV = "text/csv"
    MT940 = "application/x-mt940"
    CAMT = "application/xml"
    TEXT_XML = "text/xml"


XML = frozenset({MediaType.CAMT, MediaType.TEXT_XML})
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class StatementFile:
    """What somebody sent.

    Attributes:
        content: Its bytes.
        media_type: As what.
        mapping: How a bank's own table is read; None for the platform's form.
    """

    content: bytes
    media_type: MediaType
    mapping: TableMapping | None = None


def read_file(file: StatementFile) -> list[Statement]:
    """Read a file as what it was sent as.

    Raises:
        Unreadable: It is not that.
    """
    if file.media_type in XML:
        return read_camt(file.content)
    if file.media_type is MediaType.CSV and file.mapping is not None:
        return read_table(table_of(file.content, file.mapping), file.mapping)
    text = text_of(file.content)
    return read_mt940(text) if file.media_type is MediaType.MT940 else read_csv(text)


def table_of(content: bytes, mapping: TableMapping) -> list[Row]:
    """The rows of a bank's table.

    Raises:
        Unreadable: It is no text, or not of the encoding that was saved.
    """
    return rows_of(text_of(content, mapping.encoding), mapping)


def text_of(content: bytes, encoding: Encoding | None = None) -> str:
    """The text of a file: by its mark, as what is known of it, as UTF-8, else as Windows-1252.

    Windows-1252 has a sign for almost every byte; what money depends on is ASCII in all of them.

    Raises:
        Unreadable: It is no text.
    """
    marked = next((name for mark, name in MARKS if content.startswith(mark)), None)
    known = marked or (encoding.value if encoding is not None else None)
    try:
        text = content.decode(known or "utf-8")
    except UnicodeDecodeError:
        if known is not None:
            raise Unreadable(1, "encoding", known.removesuffix("-sig").upper()) from None
        text = content.decode("cp1252", errors="replace")
    if "\0" in text:
        raise Unreadable(1, "text", "text")
    return text
