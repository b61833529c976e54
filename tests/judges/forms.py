"""Replies in the forms that judges have, made of parts, each with the verdict it was made for.

`additive` has the shapes of replies to the additive rubric: points by criterion, a sum, a conclusion, then the score,
or the score first. The others have those of judges that were trained to mark their verdict. None knows a pattern.
"""

import json
import random
from collections.abc import Callable

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
CRITERIA = [
    ("Relevance", "The response is on the topic of the question."),
    ("Coverage", "It deals with a large part of what was asked."),
    ("Usefulness", "The basic elements are answered in a useful way."),
    ("Perspective", "It is written for the person who asked, and well ordered."),
    ("Expertise", "Nothing is missing, wrong or superfluous."),
]
REASONS = [
    "The response is short and says little about 3 of the 4 causes.",
    "It names the treaty of 1648, which is what the user's question is about.",
    "The assistant's list has 10 items, but 2 of them are alike.",
    'The user asked for "a short summary", and this is one.',
    "It isn't wrong; it leaves the last step to the reader.",
    "The response addresses the question directly, e.g. with an example.",
    "However, it doesn't resolve the query, and there is room for improvement in clarity.",
    "The answer gives 5 reasons (2 of them good).",
    "It claims that Paris has 2.1 million people, which is right.",
    "An expert could add a source; the rest is fine.",
]
LEADS = [
    "Therefore, the total score is:",
    "The response is short. Therefore, the total score is:",
    "My evaluation of the response:",
    "Here is my evaluation:",
    "In conclusion, my verdict on this response is as follows. The score:",
    "**Conclusion:**",
    "Here is the score in the requested format:",
    "Based on the criteria, the final score for the response is:",
]


def reasons(lot: random.Random, most: int = 3) -> str:
    return lot.choice([" ", "\n", "\n\n"]).join(lot.sample(REASONS, lot.randint(1, most)))


def by_criterion(lot: random.Random, score: int) -> str:
    """What each criterion earned: as many points as `score`."""
    style, lines = lot.randrange(6), []
    for number, (name, why) in enumerate(CRITERIA, 1):
        point = int(number <= score)
        unit = "point" if point == 1 else "points"
        lines.append(
            [
                f"{number}. {why} Score: {point} {unit}.",
                f"- {name}: {point} {unit}",
                f"- {why} (+{point} {unit})",
                f"{number}. **{name}**: {why} {point}/1",
                f"**{name}** ({point} {unit}): {why}",
                f"{number}. {name}\n   Score: {point}",
            ][style]
        )
    return "\n".join(lines)


def stated(lot: random.Random, score: int) -> str:
    """A line that says `score`."""
    sums = " + ".join("1" * score) if score > 1 else str(score)
    number = lot.choice(
        [str(score)] * 6
        + [
            f"{score}/5",
            f"{score} out of 5",
            f"{score} point{'s' * (score != 1)}",
            f"**{score}**",
            f"<{score}>",
            f"{score}.0",
        ]
        + [f"{score} points out of 5", f"{score} ({WORDS[score]})", WORDS[score], f"{score} out of 5 points"]
        + ([f"{sums} = {score}", f"{score} ({sums})"] if score > 1 else [])
    )
    label = lot.choice(
        ["Score", "Score", "Score", "Final score", "Total score", "Overall Score", "The score", "My score"]
    )
    return lot.choice(
        [f"{label}: {number}"] * 5
        + [f"**{label}: {number}**", f"**{label}:** {number}", f"**{label}:** Score: {number}", f"{label}:\n{number}"]
        + [
            f"**{label}:**\n\n{number}",
            f"### {label}: {number}",
            f"{label} = {number}",
            f"{label} is: {number}",
            f"- {label}: {number}",
        ]
        + [
            f"{label}: {number}. {REASONS[3]}",
            f"{label}: {number} - it is short",
            f"{label}: {number}, because it is short",
        ]
    )


def additive(lot: random.Random, score: int) -> str:
    """A reply to the additive rubric that gives `score`."""
    plain = f"Score: {score}"
    text = reasons(lot)
    return lot.choice(
        [
            lambda: f"{text}\n\n{stated(lot, score)}",
            lambda: f"{text}\n\n{stated(lot, score)}",
            lambda: f"{stated(lot, score)}\n\n{text}",
            lambda: f"{plain}\n\n{text}\n\n{plain}",
            lambda: f"{by_criterion(lot, score)}\n\nTotal: {score} points.",
            lambda: f"{by_criterion(lot, score)}\n\n**Total score: {score}/5**",
            lambda: f"{by_criterion(lot, score)}\nTotal: {score}\n\nScore: {score}",
            lambda: f"{by_criterion(lot, score)}\n\n{text}\n\nFinal score: {score}",
            lambda: f"{text}\n\n{lot.choice(LEADS)}\n\n{plain}",
            lambda: f"{lot.choice(['Justification', 'Explanation', 'My reasoning', 'Evaluation'])}:\n{plain}\n\n{text}",
            lambda: f"{plain}\n\n{text} So the score is {score}, as it says little more.",
            lambda: f"{text} Therefore, the total score is {score}.",
            lambda: f'{text} It ends with "I hope that helps." Score: {score}',
            lambda: f"{text} The score is: {score}",
            lambda: f"Score: {(score + 1) % 6}\n\nOn reflection, {text}\n\nRevised score: {score}",
        ]
    )()


def result_mark(lot: random.Random) -> tuple[str, float]:
    score = lot.randint(1, 5)
    end = lot.choice(
        [f"[RESULT] {score}", f"[RESULT]{score}", f"[Result]: {score}", f"[RESULT] ({score})", f"[RESULT] {score}/5"]
    )
    ahead = lot.choice([f"Feedback: {reasons(lot)}", f"{reasons(lot)} So the overall score is {score}."])
    return f"{ahead}{lot.choice([' ', chr(10)])}{end}{lot.choice(['', '.', chr(10)])}", score


def score_tag(lot: random.Random) -> tuple[str, float]:
    score = lot.randint(1, 10)
    tag = lot.choice(["feedback", "reasoning", "highlight"])
    inner = lot.choice([f"{score}", f"\n{score}\n", f" {score} ", f"{score}/10"])
    return f"<{tag}>{reasons(lot)}</{tag}>{lot.choice(['', chr(10)])}<score>{inner}</score>", score


def json_score(lot: random.Random) -> tuple[str, float]:
    score = lot.randint(1, 5)
    said = lot.choice([score, float(score), str(score), f"{score}/5"])
    fields = [
        ("reason", reasons(lot)),
        (lot.choice(["score", "score", "Score"]), said),
        ("parts", {"clear": 1, "list": [1, 2]}),
    ]
    lot.shuffle(fields)
    written = json.dumps(dict(fields), indent=lot.choice([None, 2]))
    ahead = lot.choice(["", "", "Here is my evaluation:\n", "Output:\n", f"{REASONS[0]}\n\n", "Here is the JSON:\n"])
    return ahead + lot.choice(
        [written, f"```json\n{written}\n```", f"{written}\n\nI hope this helps.", f"```\n{written}\n```"]
    ), score


def half_points(lot: random.Random) -> tuple[str, float]:
    score = lot.randint(2, 20) / 2
    number = f"{score:g}" if lot.random() < 0.7 else f"{score:.1f}"
    return f"{reasons(lot)}\n\n{lot.choice(['Rating: ', '**Rating:** ', 'My rating is ', ''])}[[{number}]]", score


def _side(lot: random.Random) -> tuple[str, float]:
    return lot.choice([("A", 1.0), ("B", 0.0), ("C", 0.5)])


def letter_mark(lot: random.Random) -> tuple[str, float]:
    letter, value = _side(lot)
    end = lot.choice(
        [
            f"[[{letter}]]",
            f"My final verdict is: [[{letter}]]",
            f"**Final verdict: [[{letter}]]**",
            f"Verdict:\n[[{letter}]]",
        ]
        + [
            f"<answer>[[{letter}]]</answer>",
            f"Therefore, the answer is [[{letter}]].",
            f"Final answer:\n\n[[{letter}]]",
        ]
        + (["Final verdict: [[C]] for a tie"] if letter == "C" else [])
    )
    return f"Assistant A is short. {reasons(lot)} Assistant B is long.\n\n{end}", value


def five_degrees(lot: random.Random) -> tuple[str, float]:
    degree, value = lot.choice([("A>>B", 1.0), ("A>B", 0.75), ("A=B", 0.5), ("B>A", 0.25), ("B>>A", 0.0)])
    end = lot.choice(
        [
            f"My final verdict is: [[{degree}]]",
            f"[[{degree}]]",
            f"**Verdict:** [[{degree}]].",
            f"Verdict: **[[{degree}]]**",
        ]
    )
    return f"{reasons(lot)}\n\n### Final Verdict:\n{REASONS[1]}\n\n{end}", value


def boxed_letter(lot: random.Random) -> tuple[str, float]:
    letter, value = _side(lot)
    inner = lot.choice(
        [
            letter,
            rf"\text{{{letter}}}",
            f" {letter} ",
            *([f"Assistant {'AB'.index(letter) + 1}"] if letter != "C" else []),
        ]
    )
    box = rf"\boxed{{{inner}}}"
    end = lot.choice([box, f"${box}$", f"**Final answer:**\n{box}", f"So the better one is {box}.", rf"\[{box}\]"])
    return f"<think>Perhaps {REASONS[0]} \\boxed{{B}}? No.</think>\n{reasons(lot)}\n\n{end}", value


def two_scores(lot: random.Random) -> tuple[str, float]:
    one, other = lot.randint(0, 20) / 2, lot.randint(0, 20) / 2
    between = lot.choice(["", "\n", " ", " and "])
    text = f"{reasons(lot)}\n<answer>{one:g}</answer>{between}<answer>{other:g}</answer>"
    return text, 0.5 if one == other else float(one > other)


def json_ranking(lot: random.Random) -> tuple[str, float]:
    ranks = lot.choice([(1, 2), (2, 1), (1, 1)])
    rows = [{"model": f"model_{number}", "rank": rank} for number, rank in enumerate(ranks, 1)]
    lot.shuffle(rows)
    written = lot.choice([json.dumps(rows), json.dumps(rows, indent=4), str(rows)])
    text = lot.choice(
        [
            written,
            f"```python\n{written}\n```",
            f"{written}\nassistant\n\nI ranked model_1 so.",
            f"{REASONS[0]}\n\n{written}",
        ]
    )
    return text, 0.5 if ranks[0] == ranks[1] else float(ranks[0] < ranks[1])


RUBRICS: dict[str, Callable[[random.Random], tuple[str, float]]] = {
    "result_mark": result_mark,
    "score_tag": score_tag,
    "json_score": json_score,
    "half_points": half_points,
}
COMPARISONS: dict[str, Callable[[random.Random], tuple[str, float]]] = {
    "letter_mark": letter_mark,
    "five_degrees": five_degrees,
    "boxed_letter": boxed_letter,
    "two_scores": two_scores,
    "json_ranking": json_ranking,
}
