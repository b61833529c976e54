"""Source: the table of each role, what is left out and said, and what the loop cannot do without."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.parquet import read_table
from selfreward.artifacts.runs import Run, read_run
from selfreward.backends.base import Backend, Unfit
from selfreward.backends.candidates import AnswerLengths
from selfreward.data.held_out_sets import sets_by_prompt
from selfreward.data.own import OwnData
from selfreward.data.roles import Role
from selfreward.data.sources import ScriptedData
from selfreward.errors import DataError
from selfreward.policies import Policy
from selfreward.reading.metrics import data_metrics
from selfreward.records import Example, Feedback, Message, PreferencePair, Prompt
from selfreward.spec import identity
from selfreward.stages.clean import Dropped
from selfreward.stages.source import Sources, load_sources
from tests.support import Silent


class Counting:
    """The part of a backend that sources use: a token a word, and one for the end."""

    @property
    def identity(self) -> dict[str, str]:
        return {"name": "counting"}

    @property
    def used(self) -> dict[str, int]:
        return {}

    def why_unfit(self, messages: tuple[Message, ...], room: int = 1) -> Unfit | None:
        roles = [one.role for one in messages]
        if roles[1:] == roles[:-1] and len(roles) > 1:
            return Unfit("refused_by_the_template", "turns must alternate")
        words = sum(len(one.content.split()) for one in messages)
        return Unfit("prompt_too_long", f"its {words} tokens leave no room") if words + room > 40 else None

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) + 1 for text in texts]


POLICY = Policy(path=Path("nowhere"), key="counting", digest="counting")
ROOMS: dict[Role, AnswerLengths] = {"train": AnswerLengths(closed=5, open=10)}
COUNTING: Backend = Counting()  # type: ignore[assignment]


def load(
    folder: Path,
    reporter: Silent | None = None,
    on_bad_row: str = "stop",
    sets: dict[str, list[dict[str, Any]]] | None = None,
    **roles: list[dict[str, Any]],
) -> Sources:
    def written(name: str, rows: list[dict[str, Any]]) -> Path:
        path = folder / f"{name}.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        return path

    paths: dict[str, Any] = {role: written(role, rows) for role, rows in roles.items()}
    if sets is not None:
        paths["held_out"] = {name: written(name, rows) for name, rows in sets.items()}
    data = OwnData.model_validate({"system": "", "on_bad_row": on_bad_row, **paths})
    run = Run(folder / "run", Store(folder / "store", reporter or Silent()), 0)
    return load_sources(data, run, COUNTING, POLICY, ROOMS)


TRAIN = [{"prompt": f"Why is stone {number} heavy?"} for number in range(5)]
HELD = [{"prompt": "What is the capital of Peru?"}, {"prompt": "How do whales sleep?"}]
PROBE = [{"prompt": "When do owls hunt?"}]
OWLS = [{"prompt": "How heavy is a barn owl?"}]


def test_human_pairs_become_a_table_with_tokens_of_the_policy(tmp_path: Path) -> None:
    pairs = [{"prompt": "Name a sea.", "answers": ["The Baltic.", "A lake", "No"], "ratings": [5, 1, 1]}]
    sources = load(tmp_path, train=TRAIN, held_out=HELD, probe=PROBE, human_pairs=pairs)
    rows = list(sources.human_pairs.records(PreferencePair))
    assert [(row.chosen, row.rejected, row.margin) for row in rows] == [
        ("The Baltic.", "A lake", 4.0),
        ("The Baltic.", "No", 4.0),
    ]
    assert [(row.chosen_tokens, row.rejected_tokens) for row in rows] == [(3, 3), (3, 2)]
    assert {row.origin for row in rows} == {"human"}
    assert {(row.chosen_id, row.rejected_id, row.iteration) for row in rows} == {(None, None, None)}
    assert len({row.id for row in rows}) == 2


def columns(table: Artifact) -> list[str]:
    return list(read_table(next(table.path.glob("rows-*.parquet"))).column_names)


def test_pairs_of_several_raters_keep_their_labels_and_others_have_no_column_for_one(tmp_path: Path) -> None:
    """Also where the first row has none, and where cleaning leaves rows out."""
    plain = {"prompt": "Name a sea.", "chosen": "The Baltic.", "rejected": "A lake"}
    rated = plain | {"prompt": "Name a bay.", "verdicts": ["first", "first", "first", "second"]}
    asked = plain | {"prompt": HELD[0]["prompt"], "verdicts": ["first", "first", "second"]}
    pairs = load(tmp_path, train=TRAIN, held_out=HELD, probe=PROBE, human_pairs=[plain, rated, asked]).human_pairs
    assert [one.label for one in pairs.records(PreferencePair)] == [None, 0.75]
    assert columns(pairs)[-1] == "label"
    once = rated | {"verdicts": ["first"]}
    for rows in ([plain], [plain, once], [plain, asked]):
        pairs = load(tmp_path, train=TRAIN, held_out=HELD, probe=PROBE, human_pairs=rows).human_pairs
        assert {one.label for one in pairs.records(PreferencePair)} == {None}
        assert "label" not in columns(pairs)


def test_thumbs_become_a_table_without_what_is_measured(tmp_path: Path) -> None:
    thumbs = [
        {"prompt": "Name a river.", "completion": "The Loire.", "label": True},
        {"prompt": "Name a river.", "completion": "Mont Blanc.", "label": "down"},
        {"prompt": "Name a river.", "completion": "Mont Blanc.", "label": False},
        {"prompt": "Name a river.", "completion": "Oslo.", "label": None},
        {"prompt": "What is the capital of Peru?", "completion": "Lima.", "label": 1},
    ]
    sources = load(tmp_path, reporter := Silent(), train=TRAIN, held_out=HELD, probe=PROBE, feedback=thumbs)
    assert sources.feedback is not None
    rows = list(sources.feedback.records(Feedback))
    assert [(row.text, row.desirable, row.tokens, row.origin) for row in rows] == [
        ("The Loire.", True, 3, "human"),
        ("Mont Blanc.", False, 3, "human"),
    ]
    assert "  feedback: 3 of 5 rows; left out: repeated 1, without thumb 1" in reporter.lines
    assert "1 of 3 feedback (held_out 1)" in "\n".join(reporter.lines)
    assert load(tmp_path, train=TRAIN, held_out=HELD, probe=PROBE).feedback is None, "no table, so that no key moves"


def test_roles_without_data_are_empty_tables(tmp_path: Path) -> None:
    sources = load(tmp_path, train=TRAIN, held_out=HELD, probe=PROBE)
    tables = (sources.target, sources.human, sources.human_pairs, sources.gold_gate, sources.gold_final)
    assert [table.rows() for table in tables] == [0] * 5


def test_what_is_left_out_is_said_in_every_run_with_what_it_is_out_of(tmp_path: Path) -> None:
    rows = [*TRAIN, TRAIN[0], {"prompt": ""}, {"prompt": " "}]
    for _ in range(2):
        reporter = Silent()
        load(tmp_path, reporter, train=rows, held_out=HELD, probe=PROBE)
        assert "  train: 5 of 8 rows; left out: empty 2, repeated 1" in reporter.lines


def test_every_run_says_how_many_references_a_reply_could_match(tmp_path: Path) -> None:
    numbers = [{"prompt": f"What is {one} + 1?", "answer": f"{one + 1}", "match": "numeric"} for one in range(3)]
    long = {"prompt": "Who spoke?", "answer": "the man who had come in from the cold", "match": "exact"}
    for _ in range(2):
        reporter = Silent()
        load(tmp_path, reporter, train=[*numbers, long], held_out=[numbers[0], *HELD], probe=PROBE)
        told = [line for line in reporter.lines if "references" in line]
        assert told == [
            "  held_out: 1 of 1 references are right when a reply repeats them",
            "  train: 3 of 4 references are right when a reply repeats them; WARNING: no reply can match the others, "
            "such as 'the man who had come in from the cold': cut them shorter with data.columns.reference_pattern, or "
            "set data.columns.match or data.columns.stratum=open",
        ]


def test_a_role_that_nothing_falls_to_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no held_out prompt, empty 1: check data.held_out"):
        load(tmp_path, train=TRAIN, held_out=[{"prompt": " "}], probe=PROBE)
    with pytest.raises(DataError, match="no probe prompt: give data.probe a file, or raise data.split.probe"):
        load(tmp_path, train=TRAIN[:1], held_out=HELD)


def test_overlaps_are_dropped_from_everything_that_is_trained_on(tmp_path: Path) -> None:
    asked_before = {"prompt": "Could you tell me the capital of Peru?"}
    sources = load(
        tmp_path,
        reporter := Silent(),
        train=[*TRAIN, asked_before, {"prompt": "What is the capital of Chile?"}],
        human=[{**asked_before, "answer": "Lima."}, {"prompt": "Name a herb.", "answer": "Dill."}],
        human_pairs=[{"prompt": "boil WATER", "chosen": "Heat it.", "rejected": "Cool it."}],
        held_out=HELD,
        probe=PROBE,
        gold_gate=[{"prompt": "Boil water", "right": "Heat it.", "wrong": "Freeze it."}],
    )
    kept = [row.messages[-1].content for row in sources.train.records(Prompt)]
    assert kept == [*(row["prompt"] for row in TRAIN), "What is the capital of Chile?"]
    assert [row.text for row in sources.human.records(Example)] == ["Dill."]
    assert sources.human_pairs.rows() == 0
    (dropped,) = sources.train.records(Dropped, "dropped")
    assert (dropped.text, dropped.against, dropped.kind) == (asked_before["prompt"], "held_out", "near")
    assert dropped.other_text == "What is the capital of Peru?"
    assert reporter.lines[-2] == (
        "  overlap with what is measured: dropped 1 of 7 train (held_out 1), 1 of 2 human (held_out 1), "
        "1 of 1 human_pairs (gold_gate 1)"
    )


def test_a_check_that_drops_nothing_gives_the_very_table(tmp_path: Path) -> None:
    sources = load(tmp_path, train=TRAIN, held_out=HELD, probe=PROBE)
    assert sources.train.manifest.stage == "source"


def test_no_prompt_left_to_train_on_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all 2 train prompts are asked .* first in held_out .*Peru"):
        load(tmp_path, train=HELD, held_out=HELD, probe=PROBE)


def test_several_turns_are_compared_as_a_whole(tmp_path: Path) -> None:
    first = "I plan a trip along the coast of Chile."
    turns = [{"role": "user", "content": first}, {"role": "assistant", "content": "How lovely."}]
    talk = {"messages": [*turns, {"role": "user", "content": "What is the capital of Peru?"}]}
    assert load(tmp_path, train=[talk], held_out=HELD, probe=PROBE).train.rows() == 1
    with pytest.raises(DataError, match="all 1 train prompts"):
        load(tmp_path, train=[talk], held_out=HELD, probe=[talk])


def test_prompts_unlike_those_that_are_measured_are_told(tmp_path: Path) -> None:
    poems = [
        {"prompt": f"Write a long poem about the {word}."}
        for word in ["sea", "sky", "moor", "dawn", "rain", "wind", "dusk"]
    ]
    sums = [{"prompt": f"What is {n} + {n}?"} for n in range(9)]
    load(tmp_path, reporter := Silent(), train=poems, held_out=sums, probe=PROBE)
    told = reporter.lines[-1]
    assert told.startswith("  train prompts beside held_out at energy distance") and told.endswith("p 0.005 (unlike)")


def test_held_out_sets_are_one_table_that_says_which_prompt_is_of_which(tmp_path: Path) -> None:
    far = [{"question": row["prompt"]} for row in (*PROBE, HELD[0])]
    reporter = Silent()
    sources = load(tmp_path, reporter, train=TRAIN, sets={"near": HELD, "far": far}, probe=OWLS)
    rows = list(sources.held_out.records(Prompt))
    assert [row.messages[-1].content for row in rows] == [*(row["prompt"] for row in HELD), PROBE[0]["prompt"]]
    assert list(sets_by_prompt(sources.held_out).items()) == [
        (row.id, name) for row, name in zip(rows, ("near", "near", "far"), strict=True)
    ]
    assert "  held_out: 3 of 4 rows; left out: in an earlier set 1" in reporter.lines
    columns = "near: read prompt (prompt); not read: nothing; far: read question (prompt); not read: nothing"
    assert f"  held_out: {columns}" in reporter.lines
    told = reporter.lines[-1]
    assert all(f"{name} at energy distance" in told for name in ("held_out", "held_out/near", "held_out/far"))


def test_one_set_without_a_name_is_written_as_ever(tmp_path: Path) -> None:
    held_out = load(tmp_path, train=TRAIN, held_out=HELD, probe=PROBE).held_out
    assert sets_by_prompt(held_out) == {}
    assert read_table(held_out.path / "rows-00000.parquet").column_names == list(Prompt.__dataclass_fields__)


def test_no_set_is_trained_on(tmp_path: Path) -> None:
    train = [*TRAIN, {"prompt": "Tell me the capital of Peru?"}, {"prompt": "When do owls hunt?"}]
    sources = load(tmp_path, train=train, sets={"near": HELD, "far": PROBE}, probe=OWLS)
    assert [row.messages[-1].content for row in sources.train.records(Prompt)] == [row["prompt"] for row in TRAIN]
    assert {one.against for one in sources.train.records(Dropped, "dropped")} == {"held_out"}


def test_a_conversation_that_the_model_cannot_be_given_names_its_row(tmp_path: Path) -> None:
    twice = {"prompt": [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]}
    with pytest.raises(DataError, match=r"train\.jsonl:6 \(train\) makes no prompt .*: turns must alternate"):
        load(tmp_path, train=[*TRAIN, twice], held_out=HELD, probe=PROBE)


def test_a_prompt_that_leaves_no_room_for_an_answer_names_its_row_or_is_counted(tmp_path: Path) -> None:
    long, fits = {"prompt": "word " * 31}, {"prompt": "word " * 30}
    with pytest.raises(DataError, match=r"train\.jsonl:7 \(train\) makes no prompt .* 31 tokens leave no room"):
        load(tmp_path, train=[*TRAIN, fits, long], held_out=HELD, probe=PROBE)
    reporter = Silent()
    sources = load(
        tmp_path, reporter, on_bad_row="skip", train=[*TRAIN, fits, long], held_out=[*HELD, long], probe=PROBE
    )
    assert "  train: 6 of 7 rows; left out: prompt too long 1" in reporter.lines
    assert sources.held_out.rows() == 3, "nobody answers these at that length"
    found = data_metrics(read_run(tmp_path / "run").sources)
    assert found == {"data/train/left_out/prompt_too_long": 1}


def test_the_columns_that_were_read_are_told_once_a_role_in_every_run(tmp_path: Path) -> None:
    rows = [{"question": row["prompt"], "id": 3, "lang": "en"} for row in TRAIN]
    rows[0]["system"] = "Be brief."
    for _ in range(2):
        reporter = Silent()
        load(tmp_path, reporter, train=rows, held_out=HELD, probe=PROBE)
        told = [line for line in reporter.lines if ": read " in line]
        assert told == [
            "  held_out: read prompt (prompt); not read: nothing",
            "  probe: read prompt (prompt); not read: nothing",
            "  train: read question (prompt), system (system, 1 of 5 rows); not read: id, lang",
        ]


def test_scripted_pairs_are_there_when_they_are_asked_for(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", Store(tmp_path / "store", Silent()), 0)
    assert load_sources(ScriptedData(), run, COUNTING, POLICY, ROOMS).human_pairs.rows() == 0
    assert load_sources(ScriptedData(human_pairs=7), run, COUNTING, POLICY, ROOMS).human_pairs.rows() == 7


def test_scripted_prompts_are_of_two_sets_where_some_are_shifted(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", Store(tmp_path / "store", Silent()), 0)
    held_out = load_sources(ScriptedData(held_out_shifted=3), run, COUNTING, POLICY, ROOMS).held_out
    assert Counter(sets_by_prompt(held_out).values()) == {"in_distribution": 72, "shifted": 3}
    assert identity(ScriptedData()) == identity(ScriptedData(held_out_shifted=0))


def test_thoughts_of_people_are_kept_and_counted_among_the_tokens(tmp_path: Path) -> None:
    thought = "<think>\nThree words here.\n</think>\n\n"
    human = [
        {"prompt": "Name a herb.", "answer": f"{thought}Dill."},
        {"prompt": "Name a herb.", "answer": "Dill."},
        {"prompt": "Name a herb.", "answer": f"{thought}Dill."},
    ]
    pairs = [{"prompt": "Name a sea.", "chosen": "The Baltic.", "rejected": f"{thought}A lake"}]
    reporter = Silent()
    sources = load(tmp_path, reporter, train=TRAIN, held_out=HELD, probe=PROBE, human=human, human_pairs=pairs)
    rows = list(sources.human.records(Example))
    assert [(row.text, row.thought, row.tokens) for row in rows] == [("Dill.", thought, 7), ("Dill.", None, 2)]
    assert rows[0].id != rows[1].id
    assert "  human: 2 of 3 rows; left out: repeated 1" in reporter.lines
    (pair,) = sources.human_pairs.records(PreferencePair)
    assert (pair.chosen_thought, pair.chosen_tokens) == (None, 3)
    assert (pair.rejected, pair.rejected_thought, pair.rejected_tokens) == ("A lake", thought, 8)
