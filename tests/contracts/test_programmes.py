import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
import yaml
from pydantic import ValidationError

from contracts.codes import ConsentPurpose, DeadlineKind, LegalBasis, LegalStatus, ReturnKind
from contracts.currencies import paid_out, split
from contracts.entitlements import Assistance, Per
from contracts.programmes import (
    Country,
    Described,
    Programme,
    eligibility,
    inherit,
    last_day,
    load_programmes,
    read,
)
from contracts.sourced import Unit

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "programmes"
PROGRAMMES = load_programmes(FOLDER)
EXAMPLES: list[dict[str, Any]] = [
    json.loads(line)
    for line in (ROOT / "examples" / "referrals.jsonl").read_text("utf-8").splitlines()
]
BAGHDAD = ZoneInfo("Asia/Baghdad")

VOLUNTARY = Described(
    sender="fedasil",
    return_kind=ReturnKind.VOLUNTARY,
    legal_status=LegalStatus.ASYLUM_REJECTED,
    host_country="BEL",
    country_of_return="IRQ",
    consents={
        ConsentPurpose.REFERRAL: LegalBasis.CONSENT,
        ConsentPurpose.ASSISTANCE: LegalBasis.CONSENT,
    },
    counselled_on=date(2019, 3, 1),
    departs_on=date(2019, 4, 2),
    port_of_entry="BGW",
)


def described(referral: dict[str, Any]) -> Described:
    travel, back = referral["travel"] or {}, referral["return"]
    return Described(
        sender=referral["sender"],
        return_kind=ReturnKind(back["kind"]),
        legal_status=LegalStatus(back["legal_status"]),
        host_country=back["host_country"],
        country_of_return=back["country_of_return"],
        consents={
            ConsentPurpose(c["purpose"]): LegalBasis(c["legal_basis"]) for c in referral["consents"]
        },
        counselled_on=date.fromisoformat(max(c["given_on"] for c in referral["consents"])),
        departs_on=date.fromisoformat(travel["departs_on"]) if travel else None,
        port_of_entry=travel.get("port_of_entry"),
    )


class TestExamples:
    def test_they_show_what_the_demo_needs(self) -> None:
        assert len({referral["sender"] for referral in EXAMPLES}) == 5
        without_referrals = {"iom-reintegration"}
        assert {referral["programme"] for referral in EXAMPLES} == set(
            PROGRAMMES
        ) - without_referrals
        assert max(len(referral["people"]) for referral in EXAMPLES) == 9
        assert {referral["travel"]["state"] for referral in EXAMPLES} == {"planned", "confirmed"}
        written = "".join(
            name["given"] for r in EXAMPLES for p in r["people"] for name in p["names"]
        )
        assert "ێ" in written
        assert "محمد" in written
        assert any(
            not person["documents"] for referral in EXAMPLES for person in referral["people"]
        )

    @pytest.mark.parametrize(
        "referral", EXAMPLES, ids=lambda referral: referral["external_reference"]
    )
    def test_they_are_eligible(self, referral: dict[str, Any]) -> None:
        outcome = eligibility(PROGRAMMES[referral["programme"]], described(referral))
        assert outcome.refusals == ()
        assert outcome.version == 1


class TestAssistance:
    @pytest.mark.parametrize("programme", PROGRAMMES)
    def test_every_figure_says_where_it_was_read(self, programme: str) -> None:
        for rules in PROGRAMMES[programme].versions:
            allowed = rules.assistance
            figures = [
                ceiling for package in allowed.packages.values() for ceiling in package.ceilings
            ]
            figures += [
                *allowed.bands,
                *allowed.cash_on_arrival,
                *allowed.instalments,
                allowed.papers,
                allowed.counted,
            ]
            assert all(figure.source and figure.verified in {True, False} for figure in figures)

    def test_what_is_published_of_eurp_is_verified_and_the_bands_are_not(self) -> None:
        allowed = PROGRAMMES["eurp"].versions[0].assistance
        ceilings = {
            (kind, member): package.ceiling(Per.PERSON, kind, member)
            for package in (allowed.packages["post_return"],)
            for kind in ("voluntary", "forced")
            for member in ("adult", "child")
        }
        amounts = {
            key: str(ceiling.amount) for key, ceiling in ceilings.items() if ceiling is not None
        }
        assert amounts == {
            ("voluntary", "adult"): "2000.00",
            ("voluntary", "child"): "1000.00",
            ("forced", "adult"): "1000.00",
            ("forced", "child"): "1000.00",
        }
        assert all(ceiling.verified for ceiling in ceilings.values() if ceiling is not None)
        assert not any(band.verified for band in allowed.bands)
        assert [
            allowed.approvers_needed(Decimal(n)) for n in ("1000", "1000.01", "5000", "5000.01")
        ] == [1, 2, 2, 3]

    def test_bands_that_leave_a_gap_are_refused(self) -> None:
        data = PROGRAMMES["eurp"].versions[0].assistance.model_dump(mode="json")
        data["bands"] = data["bands"][:2]
        with pytest.raises(ValidationError):
            Assistance.model_validate(data)


class TestCurrencies:
    @pytest.mark.parametrize(
        ("amount", "rate", "currency", "step", "payout"),
        [
            ("100.00", "1531.37", "IQD", "250", "153000"),
            ("100.00", "1531.37", "IQD", None, "153137"),
            ("10.00", "9412.5", "GNF", None, "94125"),
            ("0.01", "0.9", "USD", None, "0.00"),
        ],
    )
    def test_what_is_handed_over_is_never_more(
        self, amount: str, rate: str, currency: str, step: str | None, payout: str
    ) -> None:
        given = paid_out(Decimal(amount), Decimal(rate), currency, Decimal(step) if step else None)
        assert given == Decimal(payout)
        assert given <= Decimal(amount) * Decimal(rate)

    def test_shares_add_up_to_the_cent(self) -> None:
        parts = split(Decimal("100.01"), [Decimal("0.333333")] * 2 + [Decimal("0.333334")], "EUR")
        assert sum(parts) == Decimal("100.01")
        assert max(parts) - min(parts) <= Decimal("0.01")


REFUSED: dict[str, dict[str, Any]] = {
    "outside_programme_period": {"departs_on": date(2022, 5, 11)},
    "ineligible_return_kind": {"return_kind": ReturnKind.FORCED},
    "country_outside_programme": {"country_of_return": "GEO", "port_of_entry": "TBS"},
    "host_country_outside_programme": {"host_country": "DEU"},
    "sender_outside_programme": {"sender": "dvz"},
    "port_outside_country": {"port_of_entry": "TIA"},
    "consent_missing": {"consents": {ConsentPurpose.MONITORING: LegalBasis.CONSENT}},
}


class TestEligibility:
    amif, eurp = PROGRAMMES["amif-be-2018"], PROGRAMMES["eurp"]

    def test_eligible(self) -> None:
        assert eligibility(self.amif, VOLUNTARY).eligible

    @pytest.mark.parametrize("code", REFUSED)
    def test_refused_for_one_reason(self, code: str) -> None:
        outcome = eligibility(self.amif, replace(VOLUNTARY, **REFUSED[code]))
        assert [finding.code for finding in outcome.refusals] == [code]
        assert outcome.refusals[0].source

    @pytest.mark.parametrize("status", [LegalStatus.REGULAR, LegalStatus.UNKNOWN])
    def test_eurp_excludes_regular_and_unknown_stay(self, status: LegalStatus) -> None:
        outcome = eligibility(
            self.eurp, replace(VOLUNTARY, legal_status=status, departs_on=date(2023, 5, 11))
        )
        assert [(f.code, f.verified) for f in outcome.refusals] == [
            ("ineligible_legal_status", True)
        ]

    def test_a_voluntary_return_needs_consent_where_a_forced_one_may_have_another_basis(
        self,
    ) -> None:
        basis = {
            ConsentPurpose.REFERRAL: LegalBasis.PUBLIC_TASK,
            ConsentPurpose.ASSISTANCE: LegalBasis.PUBLIC_TASK,
        }
        assert not eligibility(self.amif, replace(VOLUNTARY, consents=basis)).eligible
        assert eligibility(
            self.eurp, replace(VOLUNTARY, consents=basis, departs_on=date(2023, 5, 11))
        ).eligible

    def test_a_document_is_asked_for_by_the_kinds_of_return_that_the_programme_names(self) -> None:
        (rules,) = self.amif.versions
        asked = rules.identity_documents.model_copy(
            update={"return_kinds": frozenset({ReturnKind.VOLUNTARY})}
        )
        strict = self.amif.model_copy(
            update={"versions": (rules.model_copy(update={"identity_documents": asked}),)}
        )
        for documents, codes in (
            ([], ["document_missing"]),
            (["licence"], ["document_missing"]),
            (["passport"], []),
        ):
            outcome = eligibility(strict, replace(VOLUNTARY, documents=documents))
            assert [finding.code for finding in outcome.refusals] == codes
        assert eligibility(strict, VOLUNTARY).eligible  # not asked about
        assert eligibility(self.amif, replace(VOLUNTARY, documents=[])).eligible

    def test_a_land_border_lies_in_the_country_of_its_locode(self) -> None:
        assert eligibility(self.amif, replace(VOLUNTARY, port_of_entry="IQZKO")).eligible
        assert not eligibility(self.amif, replace(VOLUNTARY, port_of_entry="TRHAB")).eligible

    def test_a_refusal_never_repeats_what_was_sent(self) -> None:
        sent = replace(VOLUNTARY, sender="secret-sender", port_of_entry="ZZZ", host_country="QQQ")
        words = " ".join(finding.right for finding in eligibility(self.amif, sent).findings)
        assert not any(value in words for value in ("secret-sender", "ZZZ", "QQQ"))


class TestPeriod:
    amif = PROGRAMMES["amif-be-2018"]

    @pytest.mark.parametrize(
        ("day", "inside"),
        [("2017-12-31", False), ("2018-01-01", True), ("2019-12-31", True), ("2020-01-01", False)],
    )
    def test_first_and_last_day_belong_to_it(self, day: str, inside: bool) -> None:
        assert (self.amif.version_at(date.fromisoformat(day)) is not None) is inside
        assert (
            eligibility(self.amif, replace(VOLUNTARY, departs_on=date.fromisoformat(day))).eligible
            is inside
        )

    def test_without_a_departure_the_consent_decides(self) -> None:
        waiting = replace(VOLUNTARY, departs_on=None, port_of_entry=None)
        assert eligibility(self.amif, replace(waiting, counselled_on=date(2017, 12, 1))).eligible
        assert eligibility(self.amif, replace(waiting, counselled_on=date(2019, 12, 31))).eligible
        assert not eligibility(self.amif, replace(waiting, counselled_on=date(2020, 1, 1))).eligible

    def test_a_case_keeps_the_version_of_its_departure(self) -> None:
        data = self.amif.model_dump(by_alias=True)
        first = data["versions"][0]
        second = first | {
            "version": 2,
            "period": first["period"] | {"from": date(2020, 1, 1), "until": None},
        }
        programme = Programme.model_validate(data | {"versions": [first, second]})
        assert programme.version_at(date(2019, 12, 31)) == programme.version(1)
        assert programme.version_at(date(2020, 1, 1)) == programme.version(2)
        assert eligibility(programme, replace(VOLUNTARY, departs_on=date(2021, 1, 1))).version == 2
        with pytest.raises(KeyError):
            programme.version(3)

    def test_versions_may_not_overlap(self) -> None:
        data = self.amif.model_dump(by_alias=True)
        first = data["versions"][0]
        second = first | {
            "version": 2,
            "period": first["period"] | {"from": date(2019, 12, 31), "until": None},
        }
        with pytest.raises(ValidationError, match="overlap"):
            Programme.model_validate(data | {"versions": [first, second]})


class TestDeadlines:
    eurp = PROGRAMMES["eurp"].versions[0]
    iraq: Country = eurp.countries_of_return["IRQ"].country

    @pytest.mark.parametrize(
        ("start", "length", "end"),
        [
            ("2026-03-26", 1, "2026-03-29"),  # Thursday: Friday and Saturday are the weekend
            ("2026-03-27", 1, "2026-03-29"),  # Friday
            ("2026-03-29", 4, "2026-04-02"),  # Sunday to Thursday
            ("2026-03-29", 5, "2026-04-05"),
            ("2026-03-29", 14, "2026-04-16"),
        ],
    )
    def test_working_days_of_iraq(self, start: str, length: int, end: str) -> None:
        day = last_day(date.fromisoformat(start), length, Unit.WORKING_DAYS, self.iraq)
        assert day == date.fromisoformat(end)

    def test_holidays_are_no_working_days(self) -> None:
        country = self.iraq.model_copy(update={"holidays": frozenset({date(2026, 3, 30)})})
        assert last_day(date(2026, 3, 29), 1, Unit.WORKING_DAYS, country) == date(2026, 3, 31)

    def test_the_weekend_is_the_countrys(self) -> None:
        albania = PROGRAMMES["amif-be-2018"].versions[0].countries_of_return["ALB"].country
        assert last_day(date(2026, 3, 26), 1, Unit.WORKING_DAYS, albania) == date(2026, 3, 27)

    @pytest.mark.parametrize(
        ("start", "months", "end"),
        [
            ("2024-01-31", 1, "2024-02-29"),
            ("2023-01-31", 1, "2023-02-28"),
            ("2024-02-29", 12, "2025-02-28"),
            ("2024-12-15", 1, "2025-01-15"),
        ],
    )
    def test_months(self, start: str, months: int, end: str) -> None:
        day = last_day(date.fromisoformat(start), months, Unit.MONTHS, self.iraq)
        assert day == date.fromisoformat(end)

    def test_due_at_the_end_of_the_day_there(self) -> None:
        met = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)  # 01:30 on the 29th in Baghdad
        due = self.eurp.due(DeadlineKind.POST_ARRIVAL, "IRQ", met)
        assert due == datetime(2026, 4, 16, 23, 59, 59, tzinfo=BAGHDAD)

    def test_none_where_the_programme_sets_none(self) -> None:
        rules = self.eurp.model_copy(update={"deadlines": {}})
        assert rules.due(DeadlineKind.PLAN, "IRQ", date(2026, 1, 1)) is None

    def test_figures_that_were_read_in_a_source(self) -> None:
        verified = {
            kind: (d.length, d.unit.value) for kind, d in self.eurp.deadlines.items() if d.verified
        }
        assert verified == {
            "post_arrival": (14, "working_days"),
            "post_return": (12, "months"),
            "plan": (1, "months"),
            "retroactive_decision": (7, "days"),
            "departure_query": (30, "days"),
        }


class TestLoading:
    def write(self, folder: Path, change: dict[str, Any]) -> None:
        for name in ("common.yaml", "countries.yaml", "eurp.yaml"):
            (folder / name).write_text((ROOT / "programmes" / name).read_text("utf-8"), "utf-8")
        data = yaml.safe_load((folder / "eurp.yaml").read_text("utf-8"))
        (folder / "eurp.yaml").write_text(yaml.safe_dump(data | change), "utf-8")

    def test_an_unknown_member_is_a_mistake(self, tmp_path: Path) -> None:
        self.write(tmp_path, {"offfice": "frontex"})
        with pytest.raises(ValidationError, match="offfice"):
            load_programmes(tmp_path)

    def test_a_file_is_named_after_its_programme(self, tmp_path: Path) -> None:
        self.write(tmp_path, {"id": "eurp-2"})
        with pytest.raises(ValueError, match=r"eurp\.yaml holds the programme eurp-2"):
            load_programmes(tmp_path)

    def test_a_time_zone_that_does_not_exist_is_a_mistake(self, tmp_path: Path) -> None:
        self.write(tmp_path, {})
        countries = tmp_path / "countries.yaml"
        countries.write_text(
            countries.read_text("utf-8").replace("Asia/Baghdad", "Asia/Bagdad"), "utf-8"
        )
        with pytest.raises(ValidationError, match="time zone"):
            load_programmes(tmp_path)

    def test_every_figure_has_its_source(self) -> None:
        for programme in PROGRAMMES.values():
            for rules in programme.versions:
                assert all(deadline.source for deadline in rules.deadlines.values())
                # A visit that a case worker agrees is due when they agree.
                assert set(DeadlineKind) - {DeadlineKind.VISIT} == set(rules.deadlines)


class TestInheritance:
    COMMON: ClassVar = {
        "training": {"percent": 80, "source": "a"},
        "deadlines": {"plan": {"length": 1, "source": "a"}, "visit": {"length": 3, "source": "a"}},
    }

    def test_a_rule_that_is_not_stated_is_the_common_one(self) -> None:
        assert inherit(self.COMMON, {"version": 1}) == {"version": 1, **self.COMMON}

    def test_a_rule_is_replaced_whole_with_its_source(self) -> None:
        own = {"training": {"source": "b"}, "deadlines": {"plan": {"source": "b"}}}
        rules = inherit(self.COMMON, own)
        assert rules["training"] == {"source": "b"}
        assert rules["deadlines"]["plan"] == {"source": "b"}
        assert rules["deadlines"]["visit"] == {"length": 3, "source": "a"}

    def test_null_says_that_there_is_no_such_rule(self) -> None:
        rules = inherit(self.COMMON, {"training": None, "deadlines": {"visit": None}})
        assert rules == {"deadlines": {"plan": {"length": 1, "source": "a"}}}

    def test_what_is_absent_on_its_own_stays(self) -> None:
        assert inherit({}, {"period": {"until": None}}) == {"period": {"until": None}}

    def test_no_programme_states_again_what_is_common(self) -> None:
        common = read(FOLDER / "common.yaml")
        for file in sorted(FOLDER.glob("*.yaml")):
            if file.name in {"common.yaml", "countries.yaml"}:
                continue
            for version in read(file)["versions"]:
                assert repeated(common, version) == [], file.name


def repeated(common: Any, own: Any, path: str = "") -> list[str]:
    """The rules of a programme that are the common ones."""
    found = []
    for name in common.keys() & own.keys():
        where = f"{path}/{name}"
        if common[name] == own[name]:
            found.append(where)
        elif "source" not in common[name] and isinstance(own[name], dict):
            found += repeated(common[name], own[name], where)
    return found
