"""`selfreward labels export|import|stale`: pairs of answers out to people, and what they said back as data."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from selfreward.commands.arguments import Compose, action_of, positive
from selfreward.console import table_lines
from selfreward.errors import ConfigError, DataError
from selfreward.judges.prompting import ComparisonTexts, JudgeTexts, Rubric
from selfreward.labels import argilla, label_studio
from selfreward.labels.blind import blind, guidelines, read_key, write_key
from selfreward.labels.items import Item, read_items, read_judge
from selfreward.labels.kinds import by_kind, hardest, with_kinds
from selfreward.labels.returned_gold import (
    labelled_items,
    newest,
    ratings,
    read_labels,
    read_returned,
    stale,
    write_labels,
)
from selfreward.report.pages import visible
from selfreward.shell_quoting import setting

ACTIONS = {
    "export FILE": "write pairs for Label Studio or Argilla, blind and in a random order",
    "import RETURNED": "read the labels back, as gold or human pairs",
    "stale FILE": "find what was labelled under another version of a rubric",
}
_RUBRIC = "a rubric of conf/rubric, or comparison/NAME for one of conf/comparison"


def main(arguments: list[str], compose: Compose) -> int:
    """0. Raises SelfrewardError for a mistake that the user can mend."""
    action, rest = action_of("labels", "Labels from people; docs/labels.md shows the whole way.", ACTIONS, arguments)
    match action:
        case "export":
            lines = _export(rest, compose)
        case "import":
            lines = _import(rest)
        case _:
            lines = _stale(rest, compose)
    print(*lines, sep="\n")
    return 0


def _export(arguments: list[str], compose: Compose) -> Iterator[str]:
    parser = argparse.ArgumentParser(
        prog="selfreward labels export",
        description="Write pairs of answers for people to compare. Who wrote them and what was said of them stays in a "
        "key beside what labellers get.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="pairs of answers in any form of docs/labels.md")
    parser.add_argument("--format", choices=("label-studio", "argilla"), required=True, help="the labelling tool")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument("--verdicts", type=Path, metavar="FILE", help="what a judge said of the pairs, by id")
    parser.add_argument("--count", type=positive, metavar="N", help="only the N hardest pairs, of all kinds of prompt")
    parser.add_argument("--seed", type=int, default=0, help="of the order of answers and of lots (default: 0)")
    parser.add_argument("--rubric", metavar="NAME", help=f"what labellers are told to go by: {_RUBRIC}")
    parsed = parser.parse_args(arguments)
    items, left_out = read_items(parsed.file)
    if parsed.verdicts is not None:
        items = _with_verdicts(items, parsed.verdicts)
    rubric = None if parsed.rubric is None else read_rubric(parsed.rubric, compose)
    told = guidelines(rubric)
    if parsed.count is not None:
        items = with_kinds(items, parsed.seed)
    chosen = items if parsed.count is None else hardest(items, parsed.count, parsed.seed)
    pairs = blind(chosen, parsed.seed, None if rubric is None else rubric.name)
    folder = _new_folder(parsed.out) / parsed.format
    folder.mkdir()
    tool = label_studio if parsed.format == "label-studio" else argilla
    # The key first: labels without it are lost.
    key = parsed.out / "key.jsonl"
    write_key(key, [hidden for _, hidden in pairs])
    tool.write(folder, [shown for shown, _ in pairs], told)
    yield f"{len(chosen):,} of {len(items):,} pairs to label{_counted(left_out)}"
    if parsed.count is not None:
        yield from _kind_lines(items, chosen)
    yield f"{folder} goes to the labellers"
    yield f"{key} says what they saw: keep it from them, and give it to `selfreward labels import`"


def _import(arguments: list[str]) -> Iterator[str]:
    parser = argparse.ArgumentParser(prog="selfreward labels import", description="Read labels back.")
    parser.add_argument("returned", type=Path, metavar="DIR|FILE", help="what the labelling tool exported")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the key.jsonl of the export")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new .jsonl file")
    parsed = parser.parse_args(arguments)
    out = _new_file(parsed.out)
    key = read_key(parsed.key)
    returned, unanswered = read_returned(parsed.returned)
    answers, replaced = newest(returned)
    items = labelled_items(answers, key)
    if not items:
        raise DataError(f"{parsed.returned} holds no label: export it again once somebody has labelled")
    write_labels(out, items)
    people = {label.labeller for item in items for label in item.labels}
    undecided = sum(ratings(item.labels) == (0.0, 0.0) for item in items)
    yield (
        f"{len(answers):,} labels by {len(people):,} people on {len(items):,} of {len(key):,} pairs"
        f"{_counted({'without a choice': unanswered, 'replaced by a newer one of the same person': replaced})}"
    )
    yield f"{undecided:,} of {len(items):,} are ties or undecided: no pair is read from those"
    yield f"{out}: for {setting('data.gold_gate', out)}, or data.gold_final or data.human_pairs"


def _stale(arguments: list[str], compose: Compose) -> Iterator[str]:
    parser = argparse.ArgumentParser(
        prog="selfreward labels stale", description="List the pairs that were labelled under other words of a rubric."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="what `selfreward labels import` wrote")
    parser.add_argument("--rubric", required=True, metavar="NAME", help=_RUBRIC)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write them here, for `selfreward labels export`")
    parser.add_argument("--current", type=Path, metavar="FILE", help="write all other pairs here")
    parsed = parser.parse_args(arguments)
    if parsed.out is not None and parsed.out == parsed.current:
        raise DataError(f"{parsed.out} is given twice: name two files, one for --out and one for --current")
    for path in filter(None, (parsed.out, parsed.current)):
        _new_file(path)
    items = read_labels(parsed.file)
    rubric = read_rubric(parsed.rubric, compose).name
    old = stale(items, rubric)
    for item in old:
        yield visible(f"{item.id}  {item.rubric}")
    unknown = sum(item.rubric is None for item in items)
    yield (
        f"{len(old):,} of {len(items):,} pairs were labelled under another version than {rubric}"
        f"{_counted({'under no rubric': unknown})}"
    )
    ids = {item.id for item in old}
    current = [item for item in items if item.id not in ids]
    for path, part in ((parsed.out, old), (parsed.current, current)):
        if path is not None:
            write_labels(path, part)
            yield f"{path}: {len(part):,} pairs"


def read_rubric(name: str, compose: Compose) -> JudgeTexts:
    """The rubric of conf/rubric, or with `comparison/` before its name the texts of conf/comparison."""
    group, _, bare = name.rpartition("/")
    match group:
        case "" | "rubric":
            return Rubric(**compose(["judge=rubric", f"rubric@judge.rubric={bare}"])["judge"]["rubric"])
        case "comparison":
            return ComparisonTexts(
                **compose(["judge=pairwise", f"comparison@judge.comparison={bare}"])["judge"]["comparison"]
            )
        case _:
            raise ConfigError(f"--rubric {name} is no rubric: give {_RUBRIC}")


def _with_verdicts(items: Sequence[Item], path: Path) -> list[Item]:
    """`items` with what the judge of the file says of them, which has to be of these items alone."""
    said = read_judge(path)
    if unknown := sorted(said.keys() - {item.id for item in items}):
        raise DataError(
            f"{path} has a verdict on {unknown[0][:40]!r}, which is no pair of the file: give verdicts on these pairs"
        )
    of_items = ((item, *said.get(item.id, (None, None))) for item in items)
    return [replace(item, judge=judge, disagreement=disagreement) for item, judge, disagreement in of_items]


def _kind_lines(items: Sequence[Item], chosen: Sequence[Item]) -> list[str]:
    """A line for each kind of prompt: how often the judge is against people on it, and how many are chosen."""
    judged = [item for item in items if item.judge is not None]
    fared = by_kind([(item.labelled, item.judge) for item in judged if item.judge], [str(one.kind) for one in judged])
    of = {one.kind: one for one in fared}
    return table_lines(
        [
            {
                "kind of prompt": visible(kind),
                "pairs": f"{sum(item.kind == kind for item in items):,}",
                "judge against people": f"{of[kind].against:,} of {of[kind].judged:,}" if kind in of else "-",
                "to label": f"{sum(item.kind == kind for item in chosen):,}",
            }
            for kind in dict.fromkeys([*of, *sorted(str(item.kind) for item in items)])
        ]
    )


def _counted(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in counts.items() if count)
    return f" ({told})" if told else ""


def _new_folder(out: Path) -> Path:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is not empty: give a new folder with --out, so that no key is lost")
    out.mkdir(parents=True, exist_ok=True)
    return out


def _new_file(out: Path) -> Path:
    if out.exists():
        raise DataError(f"{out} is there already: give a new file, so that no label is lost")
    if out.suffix != ".jsonl":
        raise DataError(f"{out} has to end with .jsonl, the form it is written in")
    out.parent.mkdir(parents=True, exist_ok=True)
    return out
