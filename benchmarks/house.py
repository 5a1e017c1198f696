"""What a newcomer trips over in the source, as figures: in the working tree, or in commits side by
side.

    python -m benchmarks.house [--ref COMMIT ...] [--code WORD ...] [--change A..B ...] [--json]

Measured is what the platform runs on (chassis, contracts, participation, services, gateway, cli),
without migrations; lines are counted in every room. A commit is unpacked into a
temporary folder, so nothing of this checkout changes.

`--code` counts the files written by hand in which a code stands: about what has to be touched for
another one of its kind. `--change` counts the files written by hand that a change did touch.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import grimp
from radon.complexity import cc_visit
from radon.visitors import Function

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ("chassis", "contracts", "participation", "services", "gateway", "cli")
COMPLEX, COLUMNS = 10, 100
GENERATED = ("contracts/openapi.json", "contracts/asyncapi.json", "contracts/labels.json")
GENERATED_FOLDERS = ("contracts/schemas/",)
DIRECTIVES = ("# noqa", "# type:", "# pragma", "#!")


@dataclass(frozen=True)
class House:
    """The figures of one tree.

    Attributes:
        functions: How many there are, methods among them.
        complex_percent: Share of functions with a cyclomatic complexity over 10, as radon counts.
        comments_per_100: Comments per 100 lines that are not blank.
        arguing_per_100: As before, without directives such as `noqa`.
        name_length: Mean length of functions' names.
        wide_percent: Share of the lines that are not blank with more than 100 columns.
        knots: For each package, groups of its children that import one another in a circle.
        lines: Lines of Python by room.
    """

    functions: int
    complex_percent: float
    comments_per_100: float
    arguing_per_100: float
    name_length: float
    wide_percent: float
    knots: dict[str, list[list[str]]]
    lines: dict[str, int]


def room_of(path: Path) -> str:
    """The room of a file by its path within the tree: a service is a room of its own."""
    first, *rest = path.parts
    if not rest:
        return "top"
    return f"{first}/{rest[0]}" if first == "services" and len(rest) > 1 else first


def measured_files(tree: Path) -> list[Path]:
    return [
        file
        for package in MEASURED
        for file in sorted((tree / package).rglob("*.py"))
        if "migrations" not in file.parts
    ]


def measure(tree: Path) -> House:
    texts = [file.read_text("utf-8") for file in measured_files(tree)]
    found = [function for text in texts for function in functions(text)]
    rows = [line for text in texts for line in text.splitlines() if line.strip()]
    said = [comment for text in texts for comment in comments(text)]
    arguing = [comment for comment in said if not comment.startswith(DIRECTIVES)]

    def per_100(part: int, whole: list[Any]) -> float:
        return round(100 * part / len(whole), 2)

    return House(
        functions=len(found),
        complex_percent=per_100(sum(each.complexity > COMPLEX for each in found), found),
        comments_per_100=per_100(len(said), rows),
        arguing_per_100=per_100(len(arguing), rows),
        name_length=round(statistics.mean(len(each.name) for each in found), 1),
        wide_percent=per_100(sum(len(line) > COLUMNS for line in rows), rows),
        knots=knots(tree),
        lines=dict(sorted(count_lines(tree).items())),
    )


def functions(text: str) -> list[Function]:
    """Functions and methods, also those within others, each once."""
    waiting, found = list(cc_visit(text)), {}
    while waiting:
        block = waiting.pop()
        if isinstance(block, Function):
            found[block.lineno] = block
            waiting += block.closures
        else:
            waiting += block.methods + block.inner_classes
    return list(found.values())


def comments(text: str) -> list[str]:
    tokens = tokenize.generate_tokens(StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def knots(tree: Path) -> dict[str, list[list[str]]]:
    """For each package the groups of what is in it that lead to one another by imports.

    Who imports inside a function counts as well: that is how a knot is usually hidden.
    """
    roots = [package for package in MEASURED if (tree / package).is_dir()]
    # grimp asks Python where a package is: what is loaded from another tree must not answer.
    loaded = {name: sys.modules.pop(name) for name in roots if name in sys.modules}
    sys.path.insert(0, str(tree))
    try:
        graph = grimp.build_graph(*roots, cache_dir=None)
    finally:
        sys.path.remove(str(tree))
        sys.modules.update(loaded)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    found = {}
    for package in sorted(graph.modules):
        children = graph.find_children(package)
        if len(children) < 2:
            continue
        owner = {
            module: child
            for child in children
            for module in {child, *graph.find_descendants(child)}
        }
        edges = {child: set[str]() for child in children}
        for module, child in owner.items():
            edges[child] |= {owner[other] for other in imports[module] if other in owner} - {child}
        if tied := circles(edges):
            found[package] = [[name.rpartition(".")[2] for name in group] for group in tied]
    return found


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of more than one that all lead to one another, the largest first."""
    reach = {node: reachable(node, edges) for node in edges}
    groups = {
        frozenset(other for other in reach[node] if node in reach[other]) | {node} for node in edges
    }
    return sorted(
        (sorted(group) for group in groups if len(group) > 1),
        key=lambda group: (-len(group), group),
    )


def reachable(start: str, edges: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for node in edges[waiting.pop()] - seen:
            seen.add(node)
            waiting.append(node)
    return seen


def count_lines(tree: Path) -> Counter[str]:
    lines: Counter[str] = Counter()
    for file in tracked(tree):
        if file.suffix == ".py" and (tree / file).exists():
            lines[room_of(file)] += len((tree / file).read_text("utf-8").splitlines())
    return lines


def tracked(tree: Path) -> list[Path]:
    """The files of a checkout that Git knows or would take; all files of a tree without Git."""
    if not (tree / ".git").exists():
        return [file.relative_to(tree) for file in sorted(tree.rglob("*")) if file.is_file()]
    return [Path(name) for name in git("ls-files", "--cached", "--others", "--exclude-standard")]


def git(*arguments: str) -> list[str]:
    told = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    assert told.returncode == 0 or not told.stderr, told.stderr.decode()  # grep: 1 is "nothing"
    return told.stdout.decode().splitlines()


@contextmanager
def unpacked(ref: str | None) -> Iterator[Path]:
    """The tree of a commit in a folder of its own; the working tree where none is named."""
    if ref is None:
        yield ROOT
        return
    archive = subprocess.run(["git", "archive", ref], cwd=ROOT, capture_output=True, check=True)
    with tempfile.TemporaryDirectory(prefix="homeward-house-") as folder:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def by_hand(names: Iterable[str]) -> dict[str, int]:
    """How many of the files are written by hand, by room."""
    written = {
        name for name in names if name not in GENERATED and not name.startswith(GENERATED_FOLDERS)
    }
    return dict(sorted(Counter(room_of(Path(name)) for name in written).items()))


def files_with(code: str, ref: str | None) -> dict[str, int]:
    """In how many files a code stands as a word, in any case: `cash_grant` and `CASH_GRANT`."""
    where = [ref] if ref else ["--untracked"]
    found = git("grep", "-I", "-l", "-i", "-w", "-F", "-e", code, *where)
    return by_hand(name.removeprefix(f"{ref}:") for name in found)


def table(columns: dict[str, House]) -> str:
    """The figures in Markdown, a column for each tree."""

    def tied(house: House) -> str:
        sizes = [
            f"{package.removeprefix('services.')} {', '.join(str(len(group)) for group in groups)}"
            for package, groups in house.knots.items()
        ]
        return "; ".join(sizes) or "none"

    rows = {
        "functions": lambda house: f"{house.functions:,}",
        "functions with complexity over 10": lambda house: f"{house.complex_percent:.1f} %",
        "comments per 100 lines": lambda house: f"{house.comments_per_100:.1f}",
        "… without directives": lambda house: f"{house.arguing_per_100:.1f}",
        "mean length of a function's name": lambda house: f"{house.name_length:.1f}",
        "lines over 100 columns": lambda house: f"{house.wide_percent:.1f} %",
        "knots (members of each)": tied,
    }
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    lines += [
        f"| {name} | {' | '.join(figure(house) for house in columns.values())} |"
        for name, figure in rows.items()
    ]
    rooms = {room for house in columns.values() for room, count in house.lines.items() if count}
    for room in sorted(rooms):
        figures = (f"{house.lines.get(room, 0):,}" for house in columns.values())
        lines.append(f"| lines in `{room}` | {' | '.join(figures)} |")
    sums = (f"{sum(house.lines.values()):,}" for house in columns.values())
    return "\n".join([*lines, f"| lines | {' | '.join(sums)} |"])


def touched_table(title: str, columns: dict[str, dict[str, dict[str, int]]]) -> str:
    """Counts of files in Markdown: a row for each code or change, a column for each tree."""
    lines = [f"| {title} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name in next(iter(columns.values())):
        cells = []
        for counts in columns.values():
            rooms = ", ".join(f"{room} {count}" for room, count in counts[name].items())
            cells.append(f"{sum(counts[name].values())} ({rooms or 'nowhere'})")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.house", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--ref", action="append", default=[], help="a commit; may be repeated")
    parser.add_argument("--code", action="append", default=[], help="a code; may be repeated")
    parser.add_argument("--change", action="append", default=[], help="A..B; may be repeated")
    parser.add_argument("--json", action="store_true", help="with the names in each knot")
    asked = parser.parse_args()
    houses: dict[str, House] = {}
    codes: dict[str, dict[str, dict[str, int]]] = {}
    for ref in asked.ref or [None]:
        name = ref or "working tree"
        with unpacked(ref) as tree:
            houses[name] = measure(tree)
        codes[name] = {code: files_with(code, ref) for code in asked.code}
    changes = {name: by_hand(git("diff", "--name-only", name)) for name in asked.change}
    if asked.json:
        trees = {
            name: asdict(house) | {"files_with": codes[name]} for name, house in houses.items()
        }
        print(json.dumps({"trees": trees, "files_touched": changes}, indent=1))
        return
    print(table(houses))
    if asked.code:
        print("\n" + touched_table("files by hand with", codes))
    if asked.change:
        print("\n" + touched_table("files by hand touched by", {"count": changes}))


if __name__ == "__main__":
    main()
