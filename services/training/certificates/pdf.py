"""A certificate on paper: one page, with the name in the scripts in which it is known."""

from pathlib import Path

from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos

from participation.identities import Name
from services.training.identities import Identity
from services.training.models import Certificate

FONT_FILE = Path(__file__).parent / "DejaVuSans.ttf"
FONT = "DejaVu Sans"
INK, FAINT, ACCENT = (33, 37, 41), (108, 117, 125), (22, 78, 99)
LATIN, ARABIC = "Latn", "Arab"
MARGIN = 26
"""Millimetres from the edge of the paper that stay free of text on either side."""
LEAST = 0.6
"""How much smaller a line may be set that is too long, before it is broken into two."""


def draw(certificate: Certificate, identity: Identity, *, verify_at: str) -> bytes:
    """Draw a certificate.

    Args:
        certificate: What it says.
        identity: Whose it is.
        verify_at: Address at which its code is verified.

    Returns:
        A PDF of one A4 page, landscape.
    """
    page = FPDF(orientation="landscape", format="A4")
    page.add_font(FONT, fname=FONT_FILE)
    page.set_text_shaping(True)
    page.set_auto_page_break(False)
    page.set_title("Certificate of completion")
    page.set_lang("en")
    page.add_page()
    _frame(page)
    page.set_y(28)
    _line(page, "CERTIFICATE OF COMPLETION", 22, ACCENT, 13)
    _line(page, "شهادة إتمام دورة · بڕوانامەی تەواوکردنی خول", 15, ACCENT, 14)
    _line(page, "This is to certify that", 12, FAINT, 12)
    for name in _names(identity):
        _line(page, name, 26, INK, 14)
    _line(page, "has completed the course", 12, FAINT, 13)
    _line(page, certificate.title, 20, INK, 13)
    hours = format(certificate.hours.normalize(), "f")
    when = f"{certificate.starts_on:%d.%m.%Y}"
    if certificate.ends_on != certificate.starts_on:
        when += f" to {certificate.ends_on:%d.%m.%Y}"
    _line(page, f"{hours} hours · {when}", 13, INK, 9)
    _line(page, certificate.provider, 13, INK, 9)
    page.set_y(163)
    _line(page, f"Issued on {certificate.issued_on:%d.%m.%Y}", 12, INK, 8)
    _line(page, f"Code {certificate.code}", 15, ACCENT, 9)
    _line(
        page, f"Anybody can verify this code, without learning a name, at {verify_at}", 9, FAINT, 6
    )
    return bytes(page.output())


def _frame(page: FPDF) -> None:
    page.set_draw_color(*ACCENT)
    page.set_line_width(1.2)
    page.rect(10, 10, page.w - 20, page.h - 20)
    page.set_line_width(0.3)
    page.rect(13, 13, page.w - 26, page.h - 26)


def _line(page: FPDF, text: str, size: float, colour: tuple[int, int, int], height: float) -> None:
    """A line in the middle of the page; one that is too long is set smaller, then broken, and keeps
    its height.
    """
    page.set_text_color(*colour)
    lines = fitted(page, text, size)
    for part in lines:
        page.cell(0, height / len(lines), part, align=Align.C, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def fitted(page: FPDF, text: str, size: float) -> list[str]:
    """Set the size at which a text fits the page, in as few lines as that takes.

    Args:
        page: The page; its font is set.
        text: What is to be written.
        size: In points, where it fits.

    Returns:
        The text in lines that fit at the size that was set.
    """
    room = page.w - 2 * MARGIN
    for count in range(1, len(text.split()) + 1):
        lines = _broken(text, count)
        page.set_font(FONT, size=size)
        widest = max(page.get_string_width(line) for line in lines)
        share = min(1.0, 1.3 / count, 0.98 * room / widest)  # several lines share the height of one
        if share >= LEAST / count or count == len(text.split()):
            page.set_font(FONT, size=size * share)
            return lines
    return [text]


def _broken(text: str, count: int) -> list[str]:
    """A text in so many lines of about the same length, broken between words."""
    words, lines = text.split(), [""]
    for word in words:
        if lines[-1] and len(lines) < count and len(lines[-1]) + len(word) / 2 > len(text) / count:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _names(identity: Identity) -> list[str]:
    """The name in Latin and in Arabic script, as far as it is known in them; else in whatever
    script it is.
    """
    by_script: dict[str, Name] = {}
    for name in identity.names:
        if name.whole:
            by_script.setdefault(name.script, name)
    known = [by_script[script].whole for script in (LATIN, ARABIC) if script in by_script]
    return known or [name.whole for name in list(by_script.values())[:1]]
