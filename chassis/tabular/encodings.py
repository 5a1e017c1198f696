"""The text of a file whose encoding nobody said, or said wrongly."""

import codecs
import re
from email.message import Message

from chassis.tabular.problems import Unreadable

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE = 4096
MOSTLY = 0.3
"""Nearly half of the bytes of a table in UTF-16 are zero: its headings and separators are ASCII."""
ACCEPTED = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "utf-16": "utf-16-le",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-15": "iso-8859-15",
    "windows-1254": "cp1254",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1256": "cp1256",
    "cp1256": "cp1256",
}
"""What `charset=` may say. Browsers read Latin 1 as Windows-1252 too, whose superset it is."""
HOW_TO_SAVE = (
    "text in UTF-8: in a spreadsheet choose 'CSV UTF-8' or 'Excel workbook' under 'Save as'"
)
WESTERN = frozenset("äöüÄÖÜßéèêëÉÈÊàâáåÀÂÁÅçÇîïíìÎÍôóòøÔÓØûùúÛÙÚñÑæÆœŒ")
"""What German, French, Dutch, Spanish and Nordic text has beyond ASCII."""
ARABIC = re.compile(r"[\u0600-\u06ff\u200c\u200d\u200e\u200f]+")
ASCII = bytes(range(128))
SAME = bytes(
    byte
    for byte in range(128, 256)
    if bytes([byte]).decode("cp1252", "replace") == bytes([byte]).decode("cp1256")
)
SIGNS = bytes(byte for byte in SAME if not bytes([byte]).decode("cp1252", "replace").isalpha())
RUN = re.compile(rb"[A-Za-z\x80-\xff]+")


def charset_of(content_type: str) -> str | None:
    """What a Content-Type says of the encoding."""
    message = Message()
    message["content-type"] = content_type
    return message.get_content_charset()


def decoded(raw: bytes, charset: str | None = None) -> str:
    """The text of a file.

    A mark at its beginning says what it is; text that is valid UTF-8 is that, whatever the request
    says, for nothing else is so by accident. Then counts what the request says, and at last what
    can be told from the bytes.

    Raises:
        Unreadable: It cannot be told what it is, or it is not what it is said to be.
    """
    for mark, encoding in MARKS:
        if raw.startswith(mark):
            return _strictly(raw[len(mark) :], encoding)
    wide = _utf16_without_mark(raw)
    if wide is not None:
        return _strictly(raw, wide)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    if charset is not None and ACCEPTED.get(charset.lower(), "utf-8") != "utf-8":
        return _strictly(raw, ACCEPTED[charset.lower()])
    guessed = _told_by_its_letters(raw)
    if guessed is None:
        raise Unreadable(f"{HOW_TO_SAVE}, or say the encoding as charset= in Content-Type")
    return _strictly(raw, guessed)


def _strictly(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise Unreadable(HOW_TO_SAVE) from None


def _utf16_without_mark(raw: bytes) -> str | None:
    sample = raw[:SAMPLE]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    enough = len(sample) * MOSTLY
    if odd > enough and even <= odd // 20:
        return "utf-16-le"
    if even > enough and odd <= even // 20:
        return "utf-16-be"
    return None


def _told_by_its_letters(raw: bytes) -> str | None:
    """Windows-1252 or Windows-1256, where every word that is not ASCII speaks for the same one.

    An Arabic word is Arabic letters alone; a Western one has ASCII letters beside the few that are
    not. Cyrillic, Polish or Turkish text speaks for neither, and is asked about. Dashes, quotation
    marks and most accents of French are the same in both.
    """
    votes: set[str | None] = set()
    for found in RUN.findall(raw):
        word = found.translate(None, SIGNS)
        beyond = word.translate(None, ASCII)
        if beyond.translate(None, SAME):
            votes.add(_vote(beyond, whole=len(beyond) == len(word)))
    return votes.pop() if len(votes) == 1 else None if votes else "cp1252"


def _vote(beyond: bytes, *, whole: bool) -> str | None:
    """Which codepage the letters of a word speak for.

    Args:
        beyond: Those that are not ASCII.
        whole: Whether they are all of the word.
    """
    western = set(beyond.decode("cp1252", "replace")) <= WESTERN
    if not whole:
        return "cp1252" if western else None
    if len(beyond) == 1:
        return "cp1252" if western else None
    return "cp1256" if ARABIC.fullmatch(beyond.decode("cp1256")) else None
