"""A certificate on paper: one page, with the name in the scripts in which it is known."""

from pathlib import Path

from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos

from services.training.identities import Identity, Name
from services.training.models import Certificate

FONT_FILE = Path(__file__).parent / "DejaVuSans.ttf"
FONT = "DejaVu Sans"
INK, FAINT, ACCENT = (33, 37, 41), (108, 117, 125), (22, 78, 99)
LATIN, ARABIC = "Latn", "Arab"
BIG, SMALL_NAME = 26, 18
LONG = 40
"""Characters after which a name is set smaller."""


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
    page.set_y(30)
    _line(page, "CERTIFICATE OF COMPLETION", 22, ACCENT, 13)
    _line(page, "شهادة إتمام دورة · بڕوانامەی تەواوکردنی خول", 15, ACCENT, 14)
    _line(page, "This is to certify that", 12, FAINT, 12)
    for name in _names(identity):
        _line(page, name, BIG if len(name) <= LONG else SMALL_NAME, INK, 14)
    _line(page, "has completed the course", 12, FAINT, 13)
    _line(page, certificate.title, 20 if len(certificate.title) <= 2 * LONG else 13, INK, 13)
    hours = format(certificate.hours.normalize(), "f")
    when = f"{certificate.starts_on:%d.%m.%Y}"
    if certificate.ends_on != certificate.starts_on:
        when += f" to {certificate.ends_on:%d.%m.%Y}"
    _line(page, f"{hours} hours · {when}", 13, INK, 9)
    _line(page, certificate.provider, 13, INK, 9)
    page.set_y(165)
    _line(page, f"Issued on {certificate.issued_on:%d.%m.%Y} · Code {certificate.code}", 12, INK, 8)
    _line(page, f"Anybody can verify this code, without learning a name, at {verify_at}", 9, FAINT, 6)
    return bytes(page.output())


def _frame(page: FPDF) -> None:
    page.set_draw_color(*ACCENT)
    page.set_line_width(1.2)
    page.rect(10, 10, page.w - 20, page.h - 20)
    page.set_line_width(0.3)
    page.rect(13, 13, page.w - 26, page.h - 26)


def _line(page: FPDF, text: str, size: int, colour: tuple[int, int, int], height: float) -> None:
    page.set_font(FONT, size=size)
    page.set_text_color(*colour)
    page.cell(0, height, text, align=Align.C, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _names(identity: Identity) -> list[str]:
    """The name in Latin and in Arabic script, as far as it is known in them; else in whatever script it is."""
    by_script: dict[str, Name] = {}
    for name in identity.names:
        if name.whole:
            by_script.setdefault(name.script, name)
    known = [by_script[script].whole for script in (LATIN, ARABIC) if script in by_script]
    return known or [name.whole for name in list(by_script.values())[:1]]
