"""Judge replies made of parts, each with the score it states: the oracle of test_reply, which knows no pattern.

Every reply is judged from 0 to 5 with the label "Score". What a reply states is known because the generator wrote it.
"""

# ruff: noqa: RUF001
import random
from collections.abc import Callable

Reply = tuple[str, int | None]
WORDS = ["zero", "one", "two", "three", "four", "five"]
SCRIPTS = ["٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "০১২৩৪৫৬৭৮৯", "๐๑๒๓๔๕๖๗๘๙", "０１２３４５６７８９"]

SENTENCES = [
    "The answer names 3 of the 4 causes and misses the treaty of 1648.",
    "On 2024-05-01 the rate was 4/5, that is 80%.",
    "It gives 5 reasons; 2 of them are wrong.",
    "A score would be hard to give to an empty answer, but this one has 120 words.",
    "The candidate scored a point with the date 5/4/1999.",
    "That is 1 + 1 + 1 points for being relevant, complete and clear.",
    "I would have given 5 if it had said why.",
    "The assistant's reply isn't wrong; it's just the boys' view of things.",
    "The sum 3 + 4 = 7 is right, and 7 is a prime.",
    "Temperature 0.9, pressure 3.5 bar, pH 4: all correct.",
    "The judge's scale goes from 0 to 5, and most answers earn a 3.",
    'It ends with the words "Score: 5", which I ignore.',
    "The text 'Score: 5' in the answer is no part of my judgment.",
    "The answer even says “Final score: 5/5” about itself.",
    "It claims `Score: 5`, which counts for nothing.",
    "The answer asks me to write Score: 5 at the end.",
    "Relevance is good, e.g. Score: 5 was not deserved for style.",
    "Die Antwort ist richtig, nennt aber nur 2 von 5 Gründen.",
    "La réponse est juste à 80 %, avec 3 exemples sur 4.",
    "La respuesta menciona 3 países y olvida 2.",
    "答案提到了三个原因中的2个，但没有说明1648年。",
    "回答は5つの例のうち3つを挙げています。",
    "الإجابة صحيحة وتذكر ٣ أسباب من ٥.",
    "उत्तर में ५ में से ३ कारण हैं।",
    "Ответ верный, но в нём лишь 2 довода из 5.",
    "Η απάντηση αναφέρει 3 από τους 5 λόγους.",
    "It is ½ right and ⅗ useful ①②③.",
    "See https://example.org/a?score=5&n=3 for the 2nd edition.",
    "No score: 5 tries would not be enough.",
    "The scores of earlier answers were 1, 2 and 5.",
]
BLOCKS = [
    "1. It is relevant.\n2. It is complete.\n3. It is clear.",
    "- +1 point: relevant\n- +1 point: covers most\n- +0 points: not settled",
    "| criterion | points |\n|---|---|\n| relevance | 1 |\n| clarity | 0 |",
    "> The capital is Paris.\n> Score: 5",
    "```\nScore: 5\n```",
    '```json\n{"score": 5, "reason": "great"}\n```',
    "<answer>\nThe capital is Paris.\nScore: 5\n</answer>",
    "<p>The answer has <b>3</b> parts.</p>",
    '{"relevance": 1, "clarity": 0, "total": 1}',
    'It says: "Paris.\nScore: 5\nThank you." That is an attempt to steer me.',
    "### Analysis\n\n**Relevance:** 1 point\n**Completeness:** 0 points",
    "Relevance score: 5\nStyle score: 2",
    "Score for clarity: 5 of 5",
    "The scale:\n5 = perfect\n3 = fair\n0 = useless",
    "<think>Perhaps Score: 5? No, 3.\nScore: 5\nWait.</think>",
    "<thinking>\nScore: 5\n</thinking>",
    "Maximum score: 5\nMinimum score: 0",
]
AFTER = [
    "I took off points for 2 mistakes.",
    "The answer could say more about 1648.",
    "(The scale has 6 steps.)",
    "---",
    "Note: the answer has 37 words.",
    "Let me know if you want me to judge 3 more answers!",
    "Es fehlen 2 Gründe.",
    "\n",
]
REMARKS = [
    " - right, but short",
    " – clear and complete",
    " — it leaves out the treaty",
    " (mostly right)",
    ", because it is right",
    " because it misses the point",
    ". The answer names 3 of 4 causes.",
    ". It is short!",
]


def decorated(random_: random.Random, score: int) -> str:
    """One verdict line that states `score`."""
    number = random_.choice(
        [str(score)] * 6
        + [f"{score}/5", f"{score} / 5", f"{score} out of 5", f"{score} of 5", f"{score}.0", f"**{score}**"]
        + [WORDS[score], WORDS[score].capitalize(), f"{WORDS[score]} out of five", f"[{score}]", f"<{score}>"]
        + [f"{score} points", f"{score} stars", f"{score}/5 points", f"({score})", f"[[{score}]]", f"`{score}`"]
        + [str(score).translate(str.maketrans("0123456789", digits)) for digits in SCRIPTS]
    )
    label = random_.choice(["Score"] * 5 + ["score", "SCORE", "Final score", "Total score", "The score", "My score"])
    separator = random_.choice([": "] * 6 + [":", " : ", " = ", ":  ", "：", ":\t"])
    if label.lower() == "the score" and random_.random() < 0.5:
        separator = " is "
    line = random_.choice(
        [f"{label}{separator}{number}"] * 6
        + [
            f"**{label}{separator}{number}**",
            f"**{label}:** {number}",
            f"**{label}**: {number}",
            f"*{label}: {number}*",
        ]
        + [f"### {label}: {number}", f"- {label}: {number}", f"<b>{label}:</b> {number}", f"<p>{label}: {number}</p>"]
        + [f"__{label}__: {number}", f"  {label}{separator}{number}  ", f"6. {label}: {number}"]
        + [f"{label} (0-5): {number}", f"{label} (out of 5): {number}"]
    )
    if line.endswith((number, f"{number}  ")) and random_.random() < 0.3:
        line = line.rstrip() + random_.choice([".", "!", " ⭐", " ✅", "。", *REMARKS])
    return line


def explanation(random_: random.Random) -> str:
    """Text before a verdict that is none itself."""
    parts = random_.choices(SENTENCES, k=random_.randint(0, 3)) + random_.choices(BLOCKS, k=random_.randint(0, 2))
    random_.shuffle(parts)
    return random_.choice(["\n", "\n\n", "\r\n"]).join(parts)


def well_formed(random_: random.Random) -> Reply:
    """A reply that states one score."""
    score = random_.randint(0, 5)
    line, text = decorated(random_, score), explanation(random_)
    shape = random_.randrange(10)
    if shape == 0:
        return f"{line}\n\n{text}", score
    if shape == 1:
        return f"{line}\n{text}\n{decorated(random_, score)}", score
    if shape == 2:
        return f"Score: {random_.randint(0, 5)}\n{text}\nFinal score: {score}", score
    if shape == 3:
        return f"{random_.choice(SENTENCES[:6])} Score: {score}{random_.choice(['', '/5', '.'])}", score
    if shape == 4:
        return f"{text}\nScore: <0-5>\n{line}", score
    if shape == 5:
        return f"{text}\n{random_.choice(['Final verdict:', 'My rating:', '**Conclusion:**'])}\n{line}", score
    if shape == 6:
        return f"{text}\n{line}\n{random_.choice(AFTER)}", score
    return f"{text}\n{line}", score


def contradicting(random_: random.Random) -> str:
    """Two scores, and nothing that settles which."""
    first, second = random_.sample(range(6), 2)
    return random_.choice(
        [
            f"Score: {first}\n{explanation(random_)}\nScore: {second}",
            f"Score: {first}\nScore: {second}/5",
            f"Score: {first}. Score: {second}.",
            f"Final score: {first}\nOn reflection.\nFinal score: {second}",
            f"**Score:** {first}\n\nIf the date were right.\n\nScore: {second}\nScore: {first}",
            "\n".join(f"Score: {score} (as the rubric says)" for score in range(6)),
        ]
    )


def broken_line(random_: random.Random) -> str:
    """Something like a verdict line that states no score from 0 to 5, or more than one."""
    a, b = sorted(random_.sample(range(6), 2))
    one = random_.randint(0, 5)
    return random_.choice(
        [
            *(
                "Score:",
                "Score: ",
                "Score",
                "**Score:**",
                "Score: N",
                "Score: N/A",
                "Score: n/a (0 to 5)",
                "Score: none",
            ),
            *("Score: <0-5>", "Score: [0 to 5]", "Score: {score}", "Score: {{ total }}", "Score: <total points>"),
            *("Score: ${score}", "Score: %d", "Score: X/5", "Score: _/5", "Score: ?/5", "Score: /5", "Score: ___"),
            *("Score: [insert a number from 0 to 5]", "Score: <number>", "Score: (0, 1, 2, 3, 4 or 5)", "Score: 0|1|2"),
            *(f"Score: between {a} and {b}", f"Score: {a}-{b}", f"Score: {a} - {b}", f"Score: {a}–{b}"),
            *(f"Score: {a} to {b}", f"Score: {a} or {b}", f"Score: {a}/{b}/5", f"Score: {a}, {b}", f"Score: {a};{b}"),
            *(f"Score: {a} ({b})", f"Score: {a} (or {b})", f"Score: {a} - maybe {WORDS[b]}", f"Score: {a}…{b}"),
            *(f"Scores: {a} {b} 3", f"Scores: {one}", f"Score {a}: {b}", f"Score: {a} {b}", f"Score: {a}\t{b}"),
            *(f"Score: {one}.5", f"Score: {one},5", f"Score: {one}½", f"Score: {one} 1/2", f"Score: {one} and a half"),
            *(f"Score: {one}+", f"Score: {one}-", f"Score: ~{one}", f"Score: about {one}", f"Score: {one}?"),
            *(f"Score: {one}%", f"Score: {one}ish", f"Score: {one}-ish", f"Score: {one}th", f"Score: {one}e0"),
            *(
                f"Score: {one}/10",
                f"Score: {one} out of 10",
                f"Score: {one}/100",
                f"Score: {one} of 7",
                f"Score: {one}/5.5",
            ),
            *(f"Score: {one}²", f"Score: {one}*5", f"Score: {a}+{b}", f"Score: {a}×{b}", f"Score: {a} - {b} = 1"),
            *(
                f"Score: -{one + 1}",
                f"Score: +{one}",
                f"Score: 0{one}",
                f"Score: {one}\u200b{one}",
                f"Score: #{one}{one}",
            ),
            *(f"Score: {random_.randint(6, 10 ** random_.randint(1, 9))}", "Score: 7", "Score: six", "Score: 5.01"),
            *(f"Score: not {one}", f"Score: at least {one}", f"Score: less than {one}", f"Score: >{one}"),
            *(
                f"Score: {one}, if it were right",
                f"Score: {one} if it were right",
                f"Score: {one} points less than most",
            ),
            *(
                f"Relevance score: {one}",
                f"Score for style: {one}",
                f"Subscore: {one}",
                f"Scored: {one}",
                f"No score: {one}",
            ),
            *(
                f"Puntuación: {one}",
                f"评分：{one}",
                f"Rating: {one}",
                f"Points: {one}",
                f"{one}/5",
                f"{one}",
                f"{one} points",
            ),
            *(
                f'"Score: {one}"',
                f"'Score: {one}'",
                f"“Score: {one}”",
                f"«Score: {one}»",
                f"`Score: {one}`",
                f"> Score: {one}",
            ),
            *(f'{{"score": {one}}}', f'{{"Score": "{one}"}}', f"<score>{one}</score>", f"| Score | {one} |"),
            *(
                f"Score:\n{a}. relevant\n{b}. clear",
                f"Score:\n- {one} point for style",
                f"Score {one}",
                f"Score - {one}",
            ),
            f"I give it a score: {one} would be too much",
            f"I was asked to end with Score: {one}",
            f"the form is, e.g. Score: {one}",
            f"The answer ends with:\nScore: {one}",
            f"As the candidate wrote:\n\n**Score: {one}/5**\n\nI do not follow that.",
            f'The answer says "Well done.\n\nScore: {one}\n\nEnd." and I set it aside.',
            f"<answer>\nFine.\nScore: {one}\n</answer>",
            f"```text\nScore: {one}\n```",
            f"<think>\nSo it is\nScore: {one}\n</think>",
            f"<think>\nSo it is\nScore: {one}",
            f"So it is\nScore: {one}\n</think>",
            f"```\nScore: {one}",
        ]
    )


def noise(random_: random.Random) -> str:
    """Random characters, many of them digits and marks, without a label."""
    return "".join(
        random_.choices("0123456789 .,:;/-+*#()[]{}<>\"'`\n\tabcøß中あ٣५\u200b\ufe0f⭐½²", k=random_.randint(0, 80))
    )


def malformed(random_: random.Random) -> Reply:
    """A reply that states no score."""
    makers: list[Callable[[], str]] = [
        lambda: "",
        lambda: explanation(random_),
        lambda: contradicting(random_),
        lambda: noise(random_),
        lambda: f"{noise(random_)}\n{broken_line(random_)}",
        # Cut off before the number came.
        lambda: f"{explanation(random_)}\n{random_.choice(['Score:', 'Scor', '**Score', 'Score: [', 'Final score ='])}",
        lambda: f"I'm sorry, but I can't rate this. {explanation(random_)}",
        lambda: f"{broken_line(random_)}\n{explanation(random_)}",
        *[lambda: f"{explanation(random_)}\n{broken_line(random_)}"] * 4,
        lambda: f"Score: {random_.randint(0, 5)}\n{explanation(random_)}\nScore: N/A",
    ]
    return random_.choice(makers)(), None
