"""What the log of a run says of one iteration's candidates and training set, each count with what it is out of."""

from collections.abc import Mapping

from selfreward.reading.monitor_metrics import Metric


def drawn_lines(row: Mapping[str, Metric]) -> list[str]:
    """How many candidates think, were cut in their thought, or do not give back their tokens; nothing if none."""
    lines = []
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


def training_counts(row: Mapping[str, Metric]) -> list[str]:
    """What changed this iteration's training set, each count with what it is out of; nothing for the last policy."""
    if "mix/self_rows" not in row:
        return []
    reasons = ("cut", "empty", "below_threshold", "duplicate", "passed_over", "over_cluster_cap")
    left_out = [f"{name} {row[f'select/{name}']}" for name in reasons if row.get(f"select/{name}")]
    left_out += [f"{name.removeprefix('select/')} {value}" for name, value in row.items() if "/unscored:" in name]
    pairs = f" in {row['select/pairs']} pairs" if "select/pairs" in row else ""
    share = row["mix/real_share_rows" if row["mix/unit"] == "pairs" else "mix/real_share_tokens"]
    fresh = row["mix/human_rows_fresh"]
    lines = [
        f"  selected {row['select/selected']} of {row['select/candidates']} candidates{pairs} "
        f"({', '.join(left_out) or 'all'}); "
        f"{row['select/prompts_without_selection']} of {row['select/prompts']} prompts gave none",
        f"  mixed {row['mix/self_rows']} own rows and {row['mix/human_rows']} human ones"
        f"{'' if fresh == row['mix/human_rows_drawn'] else f' ({fresh} never used before)'}, "
        f"{share:.1%} of the {row['mix/unit']} ({row['mix/real_share_asked']:.1%} asked); "
        f"{row['mix/human_rows_left']} human rows are left",
    ]
    if row.get("select/ties") or row.get("select/below_margin"):
        lines.append(f"  no pairs: {row['select/ties']} ties, {row['select/below_margin']} within select.margin")
    if row["mix/short"]:
        why = "the human pool is dry"
        if row["mix/human_rows_left"]:
            why = "the budget of human data is spent" if "mix/human_left" in row else "too few of its rows were at hand"
        lines.append(f"  {why}: {row['mix/short']} {row['mix/unit']} short of the share asked for")
    if row.get("train/rows_too_long"):
        lines.append(f"  {row['train/rows_too_long']} rows were too long to train on (update.max_tokens)")
    if row.get("train/displaced_share"):
        lines.append(
            f"  in {row['train/displaced_share']:.0%} of the pairs the chosen answer became less likely while its "
            "margin grew (likelihood displacement); update.loss=[sigmoid,sft] holds it up"
        )
    return lines
