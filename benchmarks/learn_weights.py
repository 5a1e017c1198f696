"""Learn what agreement and contradiction weigh (`matching/weights.json`), from judged pairs.

    python -m benchmarks.learn_weights [--people 6000]

Fellegi and Sunter's model: a weight is the logarithm of how much oftener something is found among
pairs of one person than among pairs of two. Only pairs are taken that would be compared, so that
the others are those who are easily taken for somebody. All of them are judged, so they are counted;
estimating the unjudged half by expectation and maximisation was tried and found 0.84 of the pairs
instead of 0.96 at the same precision, because twins agree in all but one thing. Names are those of
the learning half; `benchmarks.duplicates` judges by the other.
"""

import argparse
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from benchmarks.duplicates import neighbours
from benchmarks.people import LEARNING, judged
from services.cases.people.matching import likeness

SEED, SMOOTH, MOST = 20261201, 0.5, 9.0
PRECISION = 0.99
"""At which the threshold is set on the learning half: on unseen names it is a little less."""
WEIGHTS = Path(likeness.__file__).parent / "weights.json"
Findings = Mapping[str, str]


def pairs(people: int) -> list[tuple[Findings, bool]]:
    """What is found in each pair that would be compared, and whether it is of one person."""
    entries, same = judged(LEARNING, seed=SEED, people=people)
    profiles = {name: likeness.profile(person) for name, person in entries.items()}
    found: dict[frozenset[Any], Findings] = {}
    for name, nearest in neighbours(profiles).items():
        for other in nearest:
            pair = frozenset((name, other))
            if pair not in found:
                found[pair] = likeness.findings(profiles[name], profiles[other])
    return [
        (findings, pair in same)
        for pair, findings in sorted(found.items(), key=lambda i: str(sorted(i[0])))
    ]


def estimate(judgements: Iterable[tuple[Findings, bool]]) -> dict[str, dict[str, float]]:
    """Returns the weights that follow from judged pairs."""
    matches: dict[str, Counter[str]] = defaultdict(Counter)
    others: dict[str, Counter[str]] = defaultdict(Counter)
    for findings, same in judgements:
        for field, level in findings.items():
            (matches if same else others)[field][level] += 1
    # The parts of a name either agree where they are or elsewhere: what is elsewhere is counted
    # among all pairs, as its absence is no finding.
    total = sum(matches["birth"].values()), sum(others["birth"].values())
    weights: dict[str, dict[str, float]] = {}
    for field in sorted(likeness.REASONS):
        rare = field in {"document", "identifier", "family_book", "phone", "order"}
        m_all, u_all = (
            total if rare else (sum(matches[field].values()), sum(others[field].values()))
        )
        levels = sorted(set(matches[field]) | set(others[field]) | set(likeness.REASONS[field]))
        weights[field] = {
            str(level): max(
                -MOST,
                min(
                    MOST,
                    math.log((matches[field][level] + SMOOTH) / (m_all + SMOOTH * len(levels)))
                    - math.log((others[field][level] + SMOOTH) / (u_all + SMOOTH * len(levels))),
                ),
            )
            for level in levels
        }
    return weights


def total(findings: Findings, weights: Mapping[str, Mapping[str, float]]) -> float:
    return sum(likeness.weights_of(findings, weights).values())


def threshold(scored: list[tuple[float, bool]]) -> float:
    """The lowest total from which on enough of what is said is true."""
    right = wrong = 0
    best = math.inf
    for value, group in groupby(sorted(scored, reverse=True), key=itemgetter(0)):
        judged_ones = [same for _, same in group]
        right, wrong = right + sum(judged_ones), wrong + judged_ones.count(False)
        if right / (right + wrong) >= PRECISION:
            best = value
    return best


def learn(people: int) -> dict[str, Any]:
    known = pairs(people)
    weights = estimate(known)
    at = threshold([(total(findings, weights), same) for findings, same in known])
    return {
        "learned_from": {
            "by": "python -m benchmarks.learn_weights",
            "seed": SEED,
            "people": people,
            "pairs": len(known),
            "of one person": sum(same for _, same in known),
            "threshold": f"at a precision of {PRECISION} on these pairs",
        },
        "prior": round(-at, 3),
        "weights": {
            f: {level: round(w, 3) for level, w in each.items()} for f, each in weights.items()
        },
    }


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=6000)
    learned = learn(parser.parse_args().people)
    WEIGHTS.write_text(json.dumps(learned, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(learned, indent=1))


if __name__ == "__main__":
    main()
