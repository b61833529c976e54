"""The log of one iteration: what the monitor says and does, and what became of candidates and training set.

Each count stands with what it is out of. `diagnosis.json` has the monitor's part in whole sentences.
"""

from collections.abc import Iterator, Mapping

from selfreward.judge_quality.estimate import Measure
from selfreward.judge_quality.meta_preferences import META_MEASURES
from selfreward.monitor.verdict_words import blind, moved, reason
from selfreward.reading.judge_changes import judge_change
from selfreward.reading.members import Member
from selfreward.reading.monitor_metrics import Metric
from selfreward.reading.rounds import Round
from selfreward.revisions import OUTCOMES
from selfreward.stages.decide import Decision
from selfreward.stages.diagnose import Verdict
from selfreward.stages.judge import Judged
from selfreward.stages.meta import LEFT_OUT, Meta
from selfreward.stages.red_team import Manner


def monitor_lines(one: Round) -> list[str]:
    """The lines of one iteration: two of the monitor, and one of the controller where it had something to answer."""
    lines: list[str] = []
    if (verdict := one.verdict) is not None:
        unjudged = verdict.state in ("INVALID", "INCONCLUSIVE")
        why = verdict.why if unjudged else reason(verdict.ordered, moved, ", ")
        lines += [f"  monitor {_state(verdict)}: {why}", f"    {blind(verdict.ordered)}"]
    if one.decision is not None:
        lines += _action(one.decision)
    return lines


def _state(verdict: Verdict) -> str:
    match verdict.state:
        case "WARMUP":
            return "WARMUP, not judged yet"
        case "ALARM" if not verdict.standing.alarms:
            return f"ALARM, held until two calm rounds in a row ({verdict.standing.calm} so far)"
        case state:
            return state


def _action(decision: Decision) -> Iterator[str]:
    course, before = decision.course, decision.previous
    changed = before is not None and (course.shadow_share, course.rung) != (before.shadow_share, before.rung)
    if course.action != "hold" or changed or decision.evidence.alarms:
        exhausted = ", human data used up" if course.state == "BUDGET_EXHAUSTED" else ""
        yield f"  controller {course.action}{exhausted}: {course.why}"


def written_lines(one: Round) -> list[str]:
    """What became of the drafts of new prompts, and how like they are to other prompts; nothing where none are."""
    if (written := one.written) is None:
        return []
    found, like = written.report, written.likeness
    lines = [f"  new prompts ({found.kind}): kept {found.told}"]
    for name, counts in (("form", found.faults), ("overlap", found.overlaps)):
        if counts:
            by = ", ".join(f"{why.replace('_', ' ')} {number}" for why, number in counts.items())
            lines.append(f"    left out for {name}, {found.left_out[name]} of {found.drafts} drafts: {by}")
    if found.unread:
        lines.append(
            f"    {found.unread} of {found.kept + found.over_budget} have no verdict whether they can be answered"
        )
    if found.kept < found.budget:
        lines.append(
            f"    the budget was not reached, {found.budget - found.kept} short: raise prompts.max_draws, or name "
            "another writer with prompts.policy"
        )
    far = (
        ""
        if like is None
        else (
            f"; beside {written.beside} at energy distance {like.energy_distance:.3f}, p {like.p_value:.3f}"
            f"{' (unlike)' if like.p_value < 0.05 else ''}"
        )
    )
    return [*lines, f"    {found.kept} of {found.asked} prompts of the round are new{far}"]


def set_lines(one: Round) -> list[str]:
    """The accuracy of the policy on each held-out set with a name; nothing without such sets."""
    told = []
    for name, found in (one.evaluation_by_set or {}).items():
        greedy, sampled = ("-" if of is None else f"{of.value:.3f}" for of in (found.greedy, found.pass_1))
        told.append(f"{name} greedy {greedy}, pass@1 {sampled}")
    return [f"  held-out sets: {'; '.join(told)}"] if told else []


def curve_lines(one: Round) -> list[str]:
    """What the judge of the run and gold say of the policy, and why they cannot be compared; nothing without gold."""
    if (curve := one.curve) is None:
        return []
    scores = [
        f"{name} ({of}) {'-' if found is None else f'{found.value:.3g} ({found.low:.3g} to {found.high:.3g})'}"
        for name, of, found in (("judge", curve.proxy_name, curve.proxy), ("gold", curve.gold_name, curve.gold))
    ]
    of = f" on {0 if curve.gold is None else curve.gold.n} of {curve.prompts} held-out prompts"
    kl = None if curve.distance is None or curve.distance.kl is None else curve.distance.kl.plain.value
    far = f"; KL to M0 {'-' if kl is None else f'{kl:.3g} nats'}"
    best = "" if curve.best is None else f"; best so far M{curve.best.policy}"
    lines = [f"  over-optimisation: {', '.join(scores)}{of}{far}{best}"]
    if one.t and (turning := one.turning) is not None and turning.value is None:
        lines.append(f"    whether it turned is {turning.why}")
    return lines


def red_team_lines(one: Round) -> list[str]:
    """How the policy answers the red team and the held-out prompts: two lines; nothing without a red team."""
    if (found := one.red_teamed) is None:
        return []
    gold = "" if found.gold_name is None else f", gold ({found.gold_name}) {_measured(found.harmless)}"
    helpful = None if one.curve is None else one.curve.gold
    told = "" if helpful is None else f", gold {helpful.value:.3g} ({helpful.low:.3g} to {helpful.high:.3g})"
    return [
        f"  red team: {_manner(found.red_team)}{gold} on {found.red_team.prompts} prompts",
        f"    held-out prompts beside it: {_manner(found.benign)}{told} on {found.benign.prompts} prompts",
    ]


def _manner(found: Manner) -> str:
    return f"refused {_measured(found.refused)}, evaded {_measured(found.evaded)} of {found.answers} answers"


def _measured(found: Measure) -> str:
    interval = found.interval
    return "-" if interval is None else f"{interval.value:.3g} ({interval.low:.3g} to {interval.high:.3g})"


def meta_lines(one: Round, before: Round | None) -> list[str]:
    """What came of the judgments of the round, and how the judge changed since the round before; nothing without."""
    lines: list[str] = []
    if (found := one.meta) is not None:
        some = ", ".join(f"{name.replace('_', ' ')} {found.judgments[name]}" for name in LEFT_OUT)
        answers = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in found.answers.items() if number)
        lines.append(f"  judgments compared: of {sum(found.answers.values())} different answers {answers}")
        lines.append(f"    of {found.judgments['judgments']} judgments left out: {some}")
        lines.append(f"    {_compared(found)}")
    if (changed := judge_change(one, before)) is not None:
        told = [f"{name.replace('_', ' ')} {_counted(measure)}" for name, measure in changed.measures.items()]
        lines.append(f"  judge since the round before, on the same gold answers: {', '.join(told)}")
    return lines


def _compared(found: Meta) -> str:
    told = [f"{name.replace('_', ' ')} {_counted(found.measures[name])}" for name in META_MEASURES]
    return f"of {found.comparisons} comparisons {found.flipped} flipped, {found.undecided} undecided; {', '.join(told)}"


def _counted(found: Measure) -> str:
    """A figure with its interval and what it is over; a dash where it is missing."""
    return "-" if found.interval is None else f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g}, n {found.n})"


def drawn_lines(row: Mapping[str, Metric]) -> list[str]:
    """Who drew if it was not the live policy alone; how many think, were cut, do not give back their tokens, if any."""
    prefix = "sample/share/"
    by = {name.removeprefix(prefix): share for name, share in row.items() if name.startswith(prefix)}
    lines = []
    if by.keys() - {"live"}:
        lines.append(f"  drawn by {', '.join(f'{name} {share:.1%}' for name, share in by.items())}")
    if thinking := row.get("sample/thoughts"):
        cut = row["sample/thoughts_cut"]
        raise_it = " (raise sample.max_new_tokens)" if cut else ""
        lines.append(
            f"  {thinking} of {row['yield/drawn']} candidates think before they answer; {cut} of {thinking} were cut "
            f"before an answer{raise_it}"
        )
    if respelled := row.get("sample/respelled"):
        lines.append(
            f"  {respelled} of {row['yield/drawn']} candidates have other tokens when their text is read back, and are "
            "scored and trained by those"
        )
    return lines


def revised_lines(row: Mapping[str, Metric]) -> list[str]:
    """What came of the attempts to revise; nothing where none was made."""
    if "revise/attempts" not in row:
        return []
    outcomes = [f"{name} {number}" for name in OUTCOMES if (number := row[f"revise/{name}"])]
    return [
        f"  revised {row['revise/answers_revised']} of {row['revise/answers']} answers; of {row['revise/attempts']} "
        f"attempts {', '.join(outcomes)}; {row['revise/in_critique']} ended in the critique"
    ]


def principle_lines(judged: Judged | None) -> list[str]:
    """How often the principles of a comparison disagree, one line; nothing where each comparison has one at most."""
    if judged is None or judged.principle_verdicts is None:
        return []
    return [
        f"  principles: {judged.principles_against} of {judged.principle_verdicts} verdicts are against most of their "
        "comparison's"
    ]


def member_lines(members: Mapping[str, Member]) -> list[str]:
    """What each member of a jury is by itself, a line each; nothing of one judge."""
    return [f"  judge {name}: {', '.join((*_gold_words(one), *_round_words(one)))}" for name, one in members.items()]


def _gold_words(one: Member) -> Iterator[str]:
    if (gold := one.on_gold) is not None:
        if (found := gold.accuracy.interval) is None:
            yield f"not measured on gold ({gold.accuracy.why_missing})"
        else:
            yield f"accuracy {found.value:.3g} ({found.low:.3g} to {found.high:.3g}) on gold"
            yield f"{gold.scored} of {gold.pairs} pairs have its verdict"


def _round_words(one: Member) -> Iterator[str]:
    if (here := one.in_round) is not None:
        yield f"{here.scored} of {here.candidates} candidates have its score"


def training_counts(row: Mapping[str, Metric]) -> list[str]:
    """What changed this iteration's training set, each count with what it is out of; nothing for the last policy."""
    if "mix/self_rows" not in row:
        return []
    reasons = ("cut", "empty", "below_threshold", "not_agreed", "duplicate", "passed_over", "over_cluster_cap")
    left_out = [f"{name} {row[f'select/{name}']}" for name in reasons if row.get(f"select/{name}")]
    left_out += [f"{name.removeprefix('select/')} {value}" for name, value in row.items() if "/unscored:" in name]
    pairs = f" in {row['select/pairs']} pairs" if "select/pairs" in row else ""
    share = row["mix/real_share_rows" if row["mix/unit"] == "pairs" else "mix/real_share_tokens"]
    fresh = row["mix/human_rows_fresh"]
    handed, alike = row.get("select/prompts_handed"), row.get("select/prompts_alike")
    # A rule that makes pairs too selects candidates; the other hands prompts alone.
    anew = handed is not None and "select/pairs" not in row
    own, people = ("prompts", "human answers") if anew else ("own rows", "human ones")
    lines = [
        f"  mixed {row['mix/self_rows']} {own} and {row['mix/human_rows']} {people}"
        f"{'' if fresh == row['mix/human_rows_drawn'] else f' ({fresh} never used before)'}, "
        f"{share:.1%} of the {row['mix/unit']} ({row['mix/real_share_asked']:.1%} asked); "
        f"{row['mix/human_rows_left']} human rows are left",
    ]
    if not anew:
        lines.insert(
            0,
            f"  selected {row['select/selected']} of {row['select/candidates']} candidates{pairs} "
            f"({', '.join(left_out) or 'all'}); "
            f"{row['select/prompts_without_selection']} of {row['select/prompts']} prompts gave none",
        )
    if handed is not None:
        same = f"; {alike} were left out, whose answers have no scores that differ" if alike else ""
        lines.append(f"  handed {handed} of {row['select/prompts']} prompts to the update, which draws its own{same}")
    if "mix/meta_rows" in row:
        lines.append(
            f"  {row['mix/meta_rows']} pairs of judgments beside them, {row['mix/meta_rows_new']} of this round; "
            f"{row['mix/meta_rows_over']} more were over meta.max_share"
        )
    if row.get("select/ties") or row.get("select/below_margin"):
        lines.append(f"  no pairs: {row['select/ties']} ties, {row['select/below_margin']} within select.margin")
    if (without := row.get("select/pairs_without_label")) is not None:
        against = f"{row['select/labels_below_half']} with one below one half"
        lines.append(f"  labels: {without} of {row['select/pairs']} pairs without one, {against}")
    if row["mix/short"]:
        lines.append(f"  {_why_short(row)}: {row['mix/short']} {row['mix/unit']} short of the share asked for")
    if row.get("train/rows_too_long") and "train/completions" not in row:
        lines.append(f"  {row['train/rows_too_long']} rows were too long to train on (update.max_tokens)")
    if (good := row.get("train/rows_desirable")) is not None:
        weights = f"{row['train/desirable_weight']:.3g} to {row['train/undesirable_weight']:.3g}"
        lines.append(f"  {good} of {row['train/rows_trained']} rows trained on were desirable; weights {weights}")
    if row.get("train/displaced_share"):
        lines.append(
            f"  in {row['train/displaced_share']:.0%} of the pairs the chosen answer became less likely while its "
            "margin grew (likelihood displacement); update.loss=[sigmoid,sft] holds it up"
        )
    return lines


def _why_short(row: Mapping[str, Metric]) -> str:
    """Why a training set has fewer human rows than were asked for."""
    if not row["mix/human_rows_left"]:
        return "the human pool is dry"
    if "mix/human_left" in row:
        return "the budget of human data is spent"
    if row["mix/unit"] == "pairs":
        return "human prompts make pairs where they are sampled along (prompts.human), beside data.human_pairs"
    return "too few of its rows were at hand"
