"""The texts that commands print: a build's plan and outcome, rows to read, one pair's path."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from cmtp.build import Outcome
from cmtp.engine.store import Store
from cmtp.planning import Plan
from cmtp.shards.publish import TOP

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
        lines += [f"{'':<14}{line}" for line in groups(stage["facts"].get("groups", {}))]
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
    """A line per source and relation, with the histogram of ranks; * is all that are too small for a line."""
    lines = groups(found["groups"])
    small = [name for name, n in found["pairs"].items() if n < found["min_sample"]]
    if small and "*" not in found["groups"]:
        lines.append(
            f"{', '.join(small)}: too few pairs to estimate anything, similarity.min_sample asks for "
            f"{found['min_sample']:,}. A build cuts none of them, unless similarity.threshold is set"
        )
    elif small:
        lines.append(f"* stands for {', '.join(small)}")
    return "\n".join(lines)


def groups(found: dict[str, dict[str, Any]]) -> list[str]:
    """What was estimated of each source and relation, and what was decided."""
    if not found:
        return []
    wide = max(len("source/relation"), *map(len, found))
    lines = [
        f"{'source/relation':<{wide}}    pairs  wrong (90 % interval)    U90    AUC  ranks                 decision"
    ]
    for name, one in found.items():
        wrong = one["wrong"]
        share = f"{wrong['estimate']:>6.1%} ({wrong['low']:.1%} to {wrong['high']:.1%})" if wrong else "not known"
        auc = f"{one['auc']:.3f}" if "auc" in one else ""
        asked = f", second encoder asked about {one['asked']:,}" if "asked" in one else ""
        decision = one["decision"].replace("_", " ")
        drawn = _bars(one.get("ranks", []))
        lines.append(
            f"{name:<{wide}}{one['pairs']:>9,}  {share:<23}{one['clear']:>5.2f}{auc:>7}  {drawn:<20}  {decision}{asked}"
        )
    return lines


def _bars(counts: list[int]) -> str:
    """A histogram in one line: a character per bin, its height in eighths of the fullest one's."""
    return "".join(" ▁▂▃▄▅▆▇█"[-(-8 * count // max(max(counts), 1))] for count in counts)


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
