"""The texts that commands print: a build's plan and outcome, rows to read, one pair's path."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np

from cmtp.build import Outcome
from cmtp.engine.store import Store
from cmtp.planning import Plan
from cmtp.shards.publish import TOP
from cmtp.similarity.cuts import BIN

SHOWN_CHARS = 300
"""Characters of a passage shown."""


def describe_plan(found: Plan, out: str) -> str:
    """The files and settings of a build, and the number of tasks that an earlier run has done."""
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for file in found.files:
        count[file.source] += 1
        size[file.source] += file.bytes
    lines = [f"{len(found.files):,} files, {sum(size.values()) / 1e6:,.1f} MB, {len(count)} sources"]
    lines += [f"  {name}: {count[name]:,} files, {size[name] / 1e6:,.1f} MB" for name in sorted(count)]
    store = Store(out)
    for planned in found.stages:
        done = len(store.list(f"{planned.place.folder}/receipts"))
        lines.append(f"{planned.stage.name}:" + (f"  ({done} tasks are done already)" if done else ""))
        shown = planned.stage.settings.model_fields if planned.stage.settings else ()
        values = planned.settings.model_dump(mode="json", include=set(shown))
        lines += [f"  {name}: {value}" for name, value in values.items()]
    return "\n".join([*lines, *(f"note: {line}" for line in found.notes)])


def outcome(result: Outcome, out: str) -> str:
    """The funnel, the tables, the warnings."""
    manifest = result.manifest
    lines = []
    if result.unchanged:
        lines.append(f"{out} holds this build already: same input, same recipe, same code.")
    for stage in manifest["stages"]:
        lines.append(f"{stage['stage']:<11}{stage['in']:>12,} → {stage['kept']:>12,}")
        rejected = sorted(stage["rejected"].items(), key=lambda item: (-item[1], item[0]))
        lines += [f"{'':<14}{reason:<28}{n:>12,}" for reason, n in rejected]
    lines.append("")
    for name, table in sorted(manifest["tables"].items(), key=lambda item: TOP.index(item[0].split("/")[0])):
        files = len(table["files"])
        lines.append(f"{name:<20}{table['rows']:>12,} rows in {files} file{'s' if files != 1 else ''}")
    lines += ["", *(f"note: {line}" for line in result.warnings)]
    if result.timings:
        lines.append(
            f"{result.timings['seconds']:.0f} s, peak memory {result.timings['peak_memory_bytes'] / 2**30:.2f} GiB"
        )
    lines.append(f"look inside: cmtp inspect {out} -n 5; cmtp inspect {out} --stage filter; cmtp verify {out}")
    return "\n".join(lines)


def rows(found: list[dict[str, Any]], *, as_json: bool) -> str:
    """Rows for a person, or one JSON object per line."""
    if as_json:
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in found)
    if not found:
        return "no rows match"
    return "\n".join(_row(row) for row in found)


def trace(found: dict[str, Any]) -> str:
    """One pair's path."""
    row = found["row"]
    lines = [_row(row), ""]
    lines += [f"{stage['stage']:<12}{stage['verdict']}" for stage in found["stages"]]
    if found["rival"]:
        lines += ["", "lost to:", _row(found["rival"])]
    if found["finetune"]:
        lines += ["", "negatives in finetune:"]
        kinds = zip(*(found["finetune"][name] for name in ("neg", "neg_kinds", "neg_ranks", "neg_scores")), strict=True)
        lines += [f"  {kind}, rank {rank}, {score:.3f}: {_short(text, 80)}" for text, kind, rank, score in kinds]
    return "\n".join(lines)


def calibration(found: dict[str, Any]) -> str:
    """A line per source and relation, with the histograms of true and shuffled pairs; ``*`` stands for all of them."""
    if "uncalibrated" in found:
        return _uncalibrated(**found["uncalibrated"])
    groups = found.get("calibration", {})
    lines = []
    if groups:
        wide = max(len(name) for name in groups)
        edges = [float(edge) for one in groups.values() for edge in (*one["true"], *one["shuffled"])]
        shown = np.round(np.arange(round(min(edges) / BIN), round(max(edges) / BIN) + 1) * BIN, 2)
        span = f"{shown[0]:.2f} to {shown[-1] + BIN:.2f}"
        bars = f"{f'pairs, {span}':<{max(len(shown), 21)}}  {'shuffled'}"
        lines.append(f"{'source/relation':<{wide}}    pairs    AUC  threshold  pairs kept  shuffled kept  {bars}")
    for name, one in groups.items():
        kept = 1 - one["pairs_lost"]
        figures = (
            f"{one['pairs']:>9,}{one['auc']:>7.3f}{one['threshold']:>11.3f}{kept:>12.1%}{one['shuffled_pass']:>15.1%}"
        )
        drawn = [_bars(one[kind], shown.tolist()) for kind in ("true", "shuffled")]
        lines.append(f"{name:<{wide}}{figures}  {drawn[0]:<21}  {drawn[1]}")
    if "cascade" in found:
        lines += ["", *_cascade(found["cascade"])]
    return "\n".join(lines)


def _uncalibrated(encoder: str, cut: float | None, pairs: int, min_sample: int) -> str:
    """What a build does with pairs that are too few to calibrate a cut."""
    result = f"keeps those from a cosine of {cut} on, the cut known for {encoder}"
    if cut is None:
        result = f"keeps them all, because no cut is known for {encoder}, unless similarity.threshold is set"
    return (
        f"{pairs:,} pairs are too few to calibrate a cut: similarity.min_sample asks for {min_sample:,} that can be "
        f"shuffled.\nA build {result}.\n"
        f"To calibrate all the same: --set similarity.min_sample={max(pairs // 2, 2)}"
    )


def _cascade(found: dict[str, Any]) -> list[str]:
    """What each encoder of a cascade would decide."""
    lines = [
        f"{found['encoder']} decides {found['in_band']:.1%} of the pairs and the sample; "
        f"{found['agreement']:.2%} of all would end as if it decided all"
    ]
    bands = found.get("bands", {})
    wide = max((len(name) for name in bands), default=0)
    for name, one in bands.items():
        low, high = (f"{one[end]:.3f}" if end in one else "" for end in ("low", "high"))
        lines.append(f"{name:<{wide}}  {one['share']:>6.1%} of its pairs, those from {low:>6} up to {high:>6}")
    return lines


def _bars(counts: dict[str, int], edges: list[float]) -> str:
    """A histogram in one line: one character per bin. Its height is in eighths of the fullest bin."""
    heights = [counts.get(f"{edge:.2f}", 0) for edge in edges]
    return "".join(" ▁▂▃▄▅▆▇█"[-(-8 * height // max(heights))] for height in heights)


def _row(row: dict[str, Any]) -> str:
    head = f"── {row['pair_id']}  {row['source']} / {row['relation'] or '-'}  {row['origin']}"
    if row.get("similarity") is not None:
        head += f"  similarity {row['similarity']:.3f}"
    lines = [head]
    if "reason" in row:
        lost = f", lost to {row['kept_id']}" if row["kept_id"] else ""
        lines.append(f"   {row['stage']}: {row['reason']}{lost}  {row['evidence']}")
    lines.append(f"   Q {_short(row['query'], SHOWN_CHARS)}")
    lines.append(f"   P {_short(row['passage'], SHOWN_CHARS)}")
    return "\n".join(lines)


def _short(text: str | None, chars: int) -> str:
    if text is None:
        return "-"
    text = text.replace("\n", "⏎")
    return text if len(text) <= chars else f"{text[:chars]}… ({len(text):,} characters)"
