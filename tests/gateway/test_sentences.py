"""Every fact can be said in every language."""

import pytest

from contracts.codes import HelpKind
from gateway.handlers import EVENTS
from gateway.timeline.sentences import (
    LANGUAGES,
    OPTIONAL,
    PLACEHOLDER,
    codes_of,
    language,
    preferred,
    short,
)


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_event_has_a_sentence_from_what_it_carries(tag: str) -> None:
    spoken = language(tag)
    assert spoken.events.keys() == {short(name) for name in EVENTS}
    english = language("en").events
    for name, model in EVENTS.items():
        template = spoken.events[short(name)]
        placeholders = set(PLACEHOLDER.findall(template))
        assert placeholders == set(PLACEHOLDER.findall(english[short(name)])), f"{tag} {name}"
        assert placeholders <= model.model_fields.keys(), f"{tag} {name}"
        always = set(PLACEHOLDER.findall(OPTIONAL.sub("", template)))
        required = {
            member
            for member, field in model.model_fields.items()
            if field.is_required() or field.default
        }
        assert always <= required, f"{tag} {name}: put {always - required} in brackets"


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_code_in_a_sentence_has_words(tag: str) -> None:
    used = {
        codes
        for name, model in EVENTS.items()
        for member in PLACEHOLDER.findall(language("en").events[short(name)])
        if (codes := codes_of(model.model_fields[member].annotation)) is not None
    }
    assert len(used) > 10
    spoken = language(tag)
    wordless = {
        f"{codes.__name__}.{code}"
        for codes in used
        for code in codes
        if code not in spoken.words_of(codes) and getattr(code, "published", code) is not None
    }
    assert wordless == set()
    assert all(isinstance(word, str) and word for word in spoken.codes.values())


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_kind_of_help_has_a_word(tag: str) -> None:
    assert language(tag).help.keys() == set(HelpKind)
    assert all(isinstance(word, str) and word for word in language(tag).help.values())


def test_business_support_is_not_a_business_course() -> None:
    english = language("en")
    amount = {"amount": "100.00", "currency": "EUR"}
    granted = {"kind": "business", "amount": amount}
    said = english.sentence("org.homeward.grants.grant.approved.v1", granted)
    assert said == "Help was approved: business support: €100.00."
    taught = english.sentence("org.homeward.training.enrolment.confirmed.v1", {"kind": "business"})
    assert taught == "Enrolled in training: business training."


@pytest.mark.parametrize("tag", sorted(set(LANGUAGES) - {"en"}))
def test_no_sentence_was_left_in_english(tag: str) -> None:
    english = set(language("en").events.values())
    assert english.isdisjoint(language(tag).events.values())


def test_dates_amounts_and_codes_are_said_and_what_is_absent_is_left_out() -> None:
    given = {
        "group": "economic",
        "kind": "pocket_money",
        "amount": {"amount": "150.00", "currency": "EUR"},
    }
    provided = "org.homeward.reception.assistance.provided.v1"
    assert language("en").sentence(provided, given).endswith("economic, pocket money, €150.00.")
    assert (
        language("de")
        .sentence(provided, given)
        .endswith("wirtschaftlich, Taschengeld, 150,00\xa0€.")
    )
    assert language("en").sentence(provided, {"group": "care"}).endswith("was given: care.")
    planned = "org.homeward.cases.travel.planned.v1"
    assert language("en").sentence(planned, {}) == "The journey is planned."
    moment = {"arrives_at": "2026-11-03T02:30:00+03:00", "port_of_entry": "EBL"}
    assert language("fr").sentence(planned, moment) == (
        "Le voyage est prévu : arrivée 3 novembre 2026 02:30, point d’entrée EBL."  # noqa: RUF001 - as it is written
    )
    assert language("en").sentence("org.homeward.nobody.thing.done.v1", {}) == "nobody.thing.done"


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        (None, "en"),
        ("", "en"),
        ("*", "en"),
        ("nl-BE,nl;q=0.9", "nl"),
        ("ku", "kmr"),
        ("ku-Arab", "ckb"),
        ("ckb-IQ", "ckb"),
        ("en;q=0.1, ar;q=0.9", "ar"),
        ("de;q=0, fi;q=0.3", "fi"),
        ("xx, yy;q=nonsense, fr;q=0.5", "fr"),
    ],
)
def test_the_language_is_the_first_that_is_wished_and_spoken(header: str | None, tag: str) -> None:
    assert preferred(header).tag == tag
