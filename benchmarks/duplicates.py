"""How well possible duplicates are found: on judged pairs, and on names that no rule has seen.

    python -m benchmarks.duplicates [REFERRALS.jsonl PAIRS.csv]

The held-out part makes people from given, father's and family names in Arabic letters that are not
in the examples, and writes each twice as two host countries would: other letters, parts left out, a
new document, the year only. Beside them it puts who is easily taken for them: brothers, twins,
cousins, fathers and sons. Cousins of one name and one date of birth are told apart by their
fathers' names only, so those are written: without them nobody could know.
"""

# ruff: noqa: RUF001, SIM905 - names in Arabic letters are what this is about; a list of words reads
# best as words

import csv
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.people import JUDGING, judged
from services.cases.people.duplicates.service import CERTAIN, COMPARED, SHOWN
from services.cases.people.matching import likeness
from services.cases.people.matching.keys import DOCUMENT, IDENTIFIER, keys_of
from services.cases.people.matching.likeness import Profile
from services.cases.people.particulars import Person

UNSEEN = 20261202
HERE = Path(__file__).resolve().parents[1]
GIVEN = {
    "male": (
        "منتظر حيان ضرغام يعرب وضاح بشار صهيب معتز قصي عدي نزار هاشم زياد جعفر كاظم باقر مرتضى "
        "سجاد حيدره غيث"
    ).split(),
    "female": (
        "شيماء غفران بتول زهراء رقيه تبارك نرجس سجى ريام ضحى وجدان هديل رغد اسراء ميساء فاتن "
        "سهاد هيفاء اخلاص بشرى"
    ).split(),
}
FAMILIES = (
    "الخفاجي الدراجي السعدي الموسوي الساعدي اللامي المياحي "
    "الزيادي البياتي الحلي النعيمي العاني الراشدي الغانمي"
).split()
STYLES: dict[str, dict[str, str]] = {
    "english": {
        "ش": "sh",
        "خ": "kh",
        "ج": "j",
        "غ": "gh",
        "و": "ou",
        "ي": "i",
        "ق": "q",
        "ذ": "dh",
        "ض": "d",
        "ظ": "z",
    },
    "german": {
        "ش": "sch",
        "خ": "ch",
        "ج": "dsch",
        "غ": "gh",
        "و": "u",
        "ي": "i",
        "ق": "k",
        "ذ": "d",
        "ض": "d",
        "ظ": "s",
    },
    "french": {
        "ش": "ch",
        "خ": "kh",
        "ج": "dj",
        "غ": "gh",
        "و": "ou",
        "ي": "i",
        "ق": "k",
        "ذ": "d",
        "ض": "d",
        "ظ": "z",
    },
    "dutch": {
        "ش": "sj",
        "خ": "ch",
        "ج": "dj",
        "غ": "gh",
        "و": "oe",
        "ي": "ie",
        "ق": "q",
        "ذ": "d",
        "ض": "d",
        "ظ": "z",
    },
}
LETTERS = {
    "ا": "a", "ب": "b", "ت": "t", "ث": "th", "ح": "h", "د": "d", "ر": "r", "ز": "z",
    "س": "s", "ص": "s", "ط": "t", "ع": "", "ف": "f", "ك": "k", "ل": "l", "م": "m",
    "ن": "n", "ه": "h", "ى": "a", "ة": "a", "ء": "", "أ": "a", "ئ": "",
}  # fmt: skip
LONG = "اويى"


@dataclass(frozen=True)
class Figures:
    """What was found.

    Attributes:
        right: Pairs that are one person and were said to be.
        lost: Pairs that are one person and were not.
        mistaken: Pairs that are two and were said to be one.
        apart: Of the lost, those that were never compared.
    """

    right: frozenset[Any]
    lost: frozenset[Any]
    mistaken: frozenset[Any]
    apart: frozenset[Any]

    @property
    def unblocked(self) -> int:
        """How many pairs that are one person were never compared."""
        return len(self.apart)

    @property
    def recall(self) -> float:
        """Part of the true pairs that was found."""
        return len(self.right) / (len(self.right) + len(self.lost))

    @property
    def precision(self) -> float:
        """Part of what was said that is true."""
        return len(self.right) / (len(self.right) + len(self.mistaken))

    def __str__(self) -> str:
        pairs = len(self.right) + len(self.lost)
        return (
            f"recall {self.recall:.3f}, precision {self.precision:.3f} "
            f"({len(self.right)} of {pairs} pairs found, {len(self.mistaken)} wrongly, "
            f"{len(self.apart)} never compared)"
        )


def judge(people: dict[Any, Person], same: set[frozenset[Any]]) -> Figures:
    """Compare each with those who share most keys with them, and count what is shown, as the
    service does.
    """
    entries = {name: likeness.profile(person) for name, person in people.items()}
    compared, said = set(), set()
    for name, nearest in neighbours(entries).items():
        compared |= {frozenset((name, other)) for other in nearest}
        verdicts = {other: likeness.weigh(entries[name], entries[other]) for other in nearest}
        shown = sorted(nearest, key=lambda other: (-verdicts[other].score, str(other)))[:SHOWN]
        said |= {frozenset((name, other)) for other in shown if verdicts[other].likely}
    return Figures(
        right=frozenset(said & same),
        lost=frozenset(same - said),
        mistaken=frozenset(said - same),
        apart=frozenset(same - compared),
    )


def neighbours(entries: dict[Any, Profile]) -> dict[Any, list[Any]]:
    """With whom each is compared: those who share most keys, as the database finds them."""
    keys = {name: keys_of(entry) for name, entry in entries.items()}
    holders: dict[str, list[Any]] = {}
    for name, own in keys.items():
        for key in own:
            holders.setdefault(key, []).append(name)
    found = {}
    for name, own in keys.items():
        shared: Counter[Any] = Counter()
        for key in own:
            weight = CERTAIN if key.startswith((DOCUMENT, IDENTIFIER)) else 1
            shared.update(dict.fromkeys(holders[key], weight))
        del shared[name]
        found[name] = sorted(shared, key=lambda other: (-shared[other], str(other)))[:COMPARED]
    return found


def measure(referrals: Path, pairs: Path) -> Figures:
    """On referrals and judged pairs: `reference_a, person_a, reference_b, person_b, same`. All
    other pairs differ.
    """
    people = {}
    for line in referrals.read_text(encoding="utf-8").splitlines():
        referral = json.loads(line)
        for place, entry in enumerate(referral["people"]):
            entry.pop("role")
            people[referral["external_reference"], place] = Person.model_validate(entry)
    with pairs.open(encoding="utf-8", newline="") as file:
        same = {
            frozenset(
                [(r["reference_a"], int(r["person_a"])), (r["reference_b"], int(r["person_b"]))]
            )
            for r in csv.DictReader(file)
            if r["same"] == "true"
        }
    return judge(people, same)


def latin(name: str, style: str, chance: random.Random) -> str:
    """An Arabic name as a host country hears it: its own letters, and vowels where Arabic writes
    none.
    """
    letters = STYLES[style] | {}
    bare = name.removeprefix("ال")
    written = ""
    for place, letter in enumerate(bare):
        sound = letters.get(letter, LETTERS.get(letter, ""))
        if letter in "وي" and (place == 0 or (place + 1 < len(bare) and bare[place + 1] in LONG)):
            sound = {"و": "w", "ي": "y"}[letter]
        between = (
            written and place < len(bare) and letter not in LONG and bare[place - 1] not in LONG
        )
        voiced = between and (place < len(bare) - 1 or len(bare) == len("حسن"))
        written += (chance.choice("aae") if voiced else "") + sound
    if chance.random() < 0.2:
        place = chance.randrange(1, max(2, len(written)))
        if written[place - 1 : place] in tuple("lmnrs"):
            written = written[:place] + written[place - 1] + written[place:]
    article = chance.choice(["Al-", "Al ", "El ", "", "al"]) if name.startswith("ال") else ""
    return article + (written if article == "al" else written.title())


def entry(
    person: dict[str, Any],
    style: str,
    chance: random.Random,
    *,
    sure: bool,
    wanted: frozenset[str] = frozenset(),
) -> Person:
    """A person as one office wrote them down."""
    parts = ("given", "father", "grandfather", "family")
    names = []
    kept = {
        part for part in parts if part in {"given", "family"} | wanted or chance.random() < 0.55
    }
    names.append(
        {"script": "Latn"}
        | {part: latin(person[part], style, chance) if part in kept else "" for part in parts}
    )
    if chance.random() < 0.5:
        names.append(
            {"script": "Arab"} | {part: person[part] if part in kept else "" for part in parts}
        )
    birth = {"date": person["birth"], "precision": "day"}
    if not sure:
        birth = {
            "date": f"{person['birth'][:4]}-{chance.choice(['01', '07'])}-01",
            "precision": "year",
        }
    documents = (
        []
        if chance.random() < 0.3
        else [person["document"] if sure and chance.random() < 0.4 else _document(chance)]
    )
    return Person.model_validate(
        {
            "names": names,
            "sex": person["sex"],
            "birth": birth,
            "nationality": "IRQ",
            "documents": documents,
            "contacts": [],
        }
    )


def _document(chance: random.Random) -> dict[str, Any]:
    return {
        "kind": "passport",
        "number": f"A{chance.randrange(10**8):08}",
        "issuer": "IRQ",
        "expires": None,
    }


def _somebody(chance: random.Random) -> dict[str, Any]:
    sex = chance.choice(["male", "female"])
    return {
        "sex": sex,
        "given": chance.choice(GIVEN[sex]),
        "father": chance.choice(GIVEN["male"]),
        "grandfather": chance.choice(GIVEN["male"]),
        "family": chance.choice(FAMILIES),
        "birth": f"{chance.randrange(1950, 2015)}-{chance.randrange(1, 13):02}"
        f"-{chance.randrange(2, 29):02}",
        "document": _document(chance),
    }


def _lookalikes(person: dict[str, Any], chance: random.Random) -> Iterable[dict[str, Any]]:
    others = [name for name in GIVEN[person["sex"]] if name != person["given"]]
    year = int(person["birth"][:4])
    fresh = {"document": _document(chance)}
    yield person | fresh | {"given": chance.choice(others)}  # a twin
    yield (
        person
        | fresh
        | {"given": chance.choice(others), "birth": f"{year + 2}{person['birth'][4:]}"}
    )  # a sibling
    yield (
        person
        | fresh
        | {"father": chance.choice(others if person["sex"] == "male" else GIVEN["male"])}
    )  # a cousin
    yield (
        person
        | fresh
        | {  # a child that bears the grandfather's name
            "sex": "male",
            "given": person["father"],
            "father": person["given"],
            "grandfather": person["father"],
            "birth": f"{year + 25}{person['birth'][4:]}",
        }
    )


def held_out(*, seed: int, people: int) -> Figures:
    """On people who are made up from names that occur in no example."""
    chance = random.Random(seed)
    entries: dict[Any, Person] = {}
    same: set[frozenset[Any]] = set()
    for number in range(people):
        person = _somebody(chance)
        one, other = chance.sample(sorted(STYLES), 2)
        lookalike = chance.choice(list(_lookalikes(person, chance)))
        cousins = lookalike["given"] == person["given"]
        wanted = frozenset({"father"} if cousins else ())
        entries[number, "a"] = entry(person, one, chance, sure=True, wanted=wanted)
        entries[number, "b"] = entry(
            person, other, chance, sure=chance.random() < 0.75, wanted=wanted
        )
        same.add(frozenset([(number, "a"), (number, "b")]))
        if not cousins or lookalike["father"] != person["father"]:
            entries[number, "c"] = entry(lookalike, other, chance, sure=True, wanted=wanted)
    return judge(entries, same)


def by_habit(*, seed: int, people: int) -> tuple[Figures, dict[str, float]]:
    """On people of many countries whose names the weights were not learned from.

    Returns:
        The figures, and which part of the pairs was found, by the habit that parts the two.
    """
    entries, same = judged(JUDGING, seed=seed, people=people)
    figures = judge(entries, set(same))
    pairs, found = Counter(same.values()), Counter(same[pair] for pair in figures.right)
    return figures, {habit: found[habit] / count for habit, count in pairs.items()}


def main() -> None:
    """Print the figures."""
    referrals, pairs = (
        map(Path, sys.argv[1:])
        if len(sys.argv) == 3
        else (
            HERE / "tests" / "cases" / "data" / "referrals.jsonl",
            HERE / "tests" / "cases" / "data" / "duplicates_truth.csv",
        )
    )
    print(f"judged pairs:  {measure(referrals, pairs)}")
    for seed in (1, 2, 3):
        print(f"held out, {seed}:   {held_out(seed=seed, people=500)}")
    figures, recall = by_habit(seed=UNSEEN, people=4600)
    print(f"unseen names:  {figures}")
    for habit, part in sorted(recall.items(), key=lambda each: each[1]):
        print(f"    {habit:30} {part:.3f}")


if __name__ == "__main__":
    main()
