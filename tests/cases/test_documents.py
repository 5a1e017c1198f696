"""Documents: their content tells their type, only who may opens them, and they are forgotten in
time.
"""

import hashlib
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from chassis.crypto import Keyring
from chassis.documents import Documents
from chassis.jobs import job
from chassis.settings import Settings
from contracts.codes import DocumentKind
from services.cases.documents import job as job_of_unknown
from services.cases.documents.job import document_jobs
from services.cases.documents.kinds import Readers, handling
from services.cases.documents.service import REMOVE, forget_expired
from tests.cases.house import House, alone

PDF = b"%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj\n%%EOF\n"
JPEG = b"\xff\xd8\xff\xe0" + bytes(64)


async def test_it_comes_back_as_it_was_sent_and_opening_is_audited(house: House) -> None:
    accepted = await house.arrived(alone())
    answer = await house.upload(PDF, kind="quote", case_id=accepted.case_id)
    assert answer.status_code == 201, answer.text
    document = answer.json()
    assert (document["media_type"], document["size"]) == ("application/pdf", len(PDF))
    assert document["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert document["scan"] == "not_scanned"
    opened = await house.get(f"/documents/{document['id']}/content")
    assert (opened.content, opened.headers["content-type"]) == (PDF, "application/pdf")
    assert opened.headers["x-content-type-options"] == "nosniff"
    assert "attachment" in opened.headers["content-disposition"]
    assert await house.audited("open", document["id"]) == 1
    listed = (await house.get("/documents", about=accepted.case_id)).json()["items"]
    assert [each["id"] for each in listed] == [document["id"]]


async def test_the_store_holds_nothing_readable(house: House) -> None:
    accepted = await house.arrived(alone())
    document = (await house.upload(PDF, kind="quote", case_id=accepted.case_id)).json()
    folder = Path(str(house.homeward.settings.documents_url).removeprefix("file://"))
    kept = (folder / "documents" / document["id"]).read_bytes()
    assert b"PDF" not in kept
    assert len(kept) > len(PDF)


@pytest.mark.parametrize("content", [b"", b"MZ\x90\x00", b"<html>", b"PK\x03\x04", b" %PDF-1.7"])
async def test_content_decides_not_what_is_said(house: House, content: bytes) -> None:
    accepted = await house.arrived(alone())
    answer = await house.upload(content, kind="quote", case_id=accepted.case_id)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-content")
    said_otherwise = await house.upload(
        JPEG, kind="visit", case_id=accepted.case_id, media_type="image/png"
    )
    assert said_otherwise.json()["media_type"] == "image/jpeg"
    other = await house.upload(
        JPEG, kind="visit", case_id=accepted.case_id, media_type="text/plain"
    )
    assert other.status_code == 415


async def test_who_may_open_what(house: House) -> None:
    accepted = await house.arrived(alone())
    person = accepted.people[0]
    passport = (await house.upload(JPEG, kind="identity", returnee_id=person)).json()["id"]
    medical = (await house.upload(PDF, kind="medical", returnee_id=person)).json()["id"]
    invoice = (await house.upload(PDF, kind="invoice", case_id=accepted.case_id)).json()["id"]
    consent = (await house.upload(PDF, "fedasil", kind="consent", referral_id=accepted.id)).json()[
        "id"
    ]

    async def opened(who: str, scopes: str) -> set[str]:
        found = set()
        for document in (passport, medical, invoice, consent):
            answer = await house.get(f"/documents/{document}/content", who, scopes=scopes)
            assert answer.status_code in {200, 404}
            found |= {document} if answer.status_code == 200 else set()
        return found

    everything = "documents:read returnees:identity returnees:vulnerabilities"
    assert await opened("iom-iraq", everything) == {passport, medical, invoice, consent}
    assert await opened("iom-iraq", "documents:read") == {invoice, consent}
    assert await opened("fedasil", everything) == {passport, consent}
    assert await opened("other-ngo", everything) == set()
    assert (
        await house.get(f"/documents/{invoice}", "iom-iraq", scopes="cases:read")
    ).status_code == 403
    assert (
        await house.upload(PDF, "fedasil", kind="invoice", case_id=accepted.case_id)
    ).status_code == 403
    assert (
        await house.upload(PDF, "other-ngo", kind="consent", returnee_id=person)
    ).status_code == 404


async def test_a_share_without_documents_opens_none(house: House) -> None:
    accepted = await house.arrived(alone())
    (person,) = accepted.people
    kind = next(
        kind
        for kind, how in handling().items()
        if how.readers is Readers.EVERYBODY and how.scope is None
    )
    about_both = [{"returnee_id": person}, {"case_id": accepted.case_id}]
    papers = [(await house.upload(PDF, kind=kind, **about)).json()["id"] for about in about_both]
    terms = {
        "organisation": "mercy-hands",
        "purpose": "referred_service",
        "legal_basis": "public_task",
        "until": (datetime.now(UTC) + timedelta(days=9)).isoformat(),
    }
    for categories, status in (([], 404), (["identity"], 404), (["documents"], 200)):
        shared = await house.post(f"/returnees/{person}/share", terms | {"categories": categories})
        assert shared.status_code == 201, shared.text
        for paper in papers:
            answer = await house.get(f"/documents/{paper}/content", "mercy-hands")
            assert answer.status_code == status, categories


async def test_about_exactly_one_thing_and_an_id_of_ones_own(house: House) -> None:
    accepted = await house.arrived(alone())
    assert (await house.upload(PDF, kind="quote")).status_code == 422
    both = await house.upload(
        PDF, kind="quote", case_id=accepted.case_id, returnee_id=accepted.people[0]
    )
    assert both.status_code == 422
    own = {"kind": "quote", "case_id": accepted.case_id, "id": uuid4()}
    first, again = await house.upload(PDF, **own), await house.upload(PDF, **own)
    assert first.json() == again.json()
    assert (await house.upload(JPEG, **own)).status_code == 409


async def test_it_is_forgotten_when_its_time_is_over(house: House) -> None:
    accepted = await house.arrived(alone())
    document = (await house.upload(PDF, kind="quote", case_id=accepted.case_id)).json()["id"]
    kept = (await house.upload(PDF, kind="quote", case_id=accepted.case_id)).json()["id"]
    case = f"/cases/{accepted.case_id}"
    closed = await house.post(
        f"{case}/close", {"reason": "lost_contact"}, etag=await house.etag(case)
    )
    assert closed.status_code == 200, closed.text
    async with house.homeward.database.transaction() as session:
        await session.execute(
            text("UPDATE document SET keep_until = DATE '2020-01-01' WHERE id = CAST(:id AS uuid)"),
            {"id": document},
        )
    async with house.homeward.database.transaction() as session:
        assert await forget_expired(session) == 1
        jobs = (await session.scalars(select(job.c.payload).where(job.c.kind == REMOVE))).all()
    assert [each["document_id"] for each in jobs] == [document]
    kinds = {kind.name: kind for kind in document_jobs(house.homeward.settings)}
    remove = kinds[REMOVE].call
    assert remove is not None
    for _ in range(2):
        await remove(house.homeward.client, jobs[0])
    assert (await house.get(f"/documents/{document}/content")).status_code == 404
    assert (await house.get(f"/documents/{kept}/content")).status_code == 200
    folder = Path(str(house.homeward.settings.documents_url).removeprefix("file://"))
    assert not (folder / "documents" / document).exists()


async def test_what_is_held_or_of_an_open_case_is_kept_though_its_time_is_over(
    house: House,
) -> None:
    accepted, other = await house.accepted(), await house.accepted(alone())
    person, child = accepted.people
    abouts = ({"returnee_id": person}, {"case_id": accepted.case_id}, {"referral_id": accepted.id})
    papers = [(await house.upload(PDF, kind="identity", **about)).json()["id"] for about in abouts]

    async def forgotten() -> int:
        async with house.homeward.database.transaction() as session:
            over = text(
                "UPDATE document SET keep_until = DATE '2020-01-01'"
                " WHERE id = ANY(CAST(:ids AS uuid[]))"
            )
            await session.execute(over, {"ids": papers})
            return await forget_expired(session)

    async def close(case_id: str) -> None:
        at = f"/cases/{case_id}"
        done = await house.post(f"{at}/close", {"reason": "withdrawn"}, etag=await house.etag(at))
        assert done.status_code == 200, done.text

    assert await forgotten() == 0
    await close(accepted.case_id)
    held = await house.post(
        f"/returnees/{child}/legal-holds", {"reason": "litigation", "comment": "a court asked"}
    )
    at = f"/returnees/{person}"
    merged = await house.post(f"{at}/merge", {"into": other.people[0]}, etag=await house.etag(at))
    assert merged.status_code == 200, merged.text
    assert await forgotten() == 0  # by their other id they are in a case that is open
    await close(other.case_id)
    assert await forgotten() == 1  # what is about the child too is held
    hold = f"/returnees/{child}/legal-holds/{held.json()['id']}"
    await house.post(f"{hold}/release", etag=(await house.get(hold)).headers["etag"])
    assert await forgotten() == 2


class TestScan:
    """The hook, with commands that end as a scanner does; no virus scanner is run here."""

    def documents(self, house: House, tmp_path: Path, ends: int) -> Documents:
        script = tmp_path / "scan"
        script.write_text(f"#!/bin/sh\ncat > {tmp_path}/seen\nexit {ends}\n")
        script.chmod(script.stat().st_mode | stat.S_IEXEC)
        settings: Settings = house.homeward.settings
        return Documents(
            settings.model_copy(update={"document_scan_command": str(script)}),
            Keyring.from_settings(settings),
        )

    async def test_clean(self, house: House, tmp_path: Path) -> None:
        assert (await self.documents(house, tmp_path, 0).check(PDF)).scan == "clean"
        assert (tmp_path / "seen").read_bytes() == PDF

    @pytest.mark.parametrize(
        ("ends", "slug"), [(1, "infected-content"), (2, "service-unavailable")]
    )
    async def test_refused(self, house: House, tmp_path: Path, ends: int, slug: str) -> None:
        with pytest.raises(Exception, match=slug):
            await self.documents(house, tmp_path, ends).check(PDF)


async def test_what_no_row_speaks_of_is_taken_out_of_the_store(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await house.arrived(alone())
    known = (await house.upload(PDF, kind="quote", case_id=accepted.case_id)).json()["id"]
    settings = house.homeward.settings
    store = Documents(settings, house.homeward.keyring)
    orphan = uuid4()
    await store.keep(orphan, PDF)  # as when a commit fails after the upload

    async def look() -> set[str]:
        (kind,) = [each for each in document_jobs(settings) if each.name == job_of_unknown.UNKNOWN]
        assert kind.call is not None
        stored = await kind.call(house.homeward.client, {})
        async with house.homeward.database.transaction() as session:
            await kind.apply(session, {}, stored)
            return set(await session.scalars(select(job.c.key).where(job.c.kind == REMOVE)))

    assert str(orphan) not in await look()  # perhaps it is being uploaded
    monkeypatch.setattr(job_of_unknown, "UPLOAD_SURELY_OVER", timedelta(seconds=-5))
    assert str(orphan) in (due := await look())
    assert known not in due


def test_every_kind_says_how_long_and_for_whom() -> None:
    assert set(handling()) == set(DocumentKind)
    for kind, how in handling().items():
        assert how.source
        assert how.readers in Readers, kind
