"""The evidence of a verdict: a JSON object that says what was seen, measured and allowed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from cmtp.dedup.layout import Layout
from cmtp.dedup.settings import DedupWork
from cmtp.dedup.verdicts import Match, Reason, Verdicts
from cmtp.ids import id_texts


def evidence_of(verdicts: Verdicts, layout: Layout, settings: DedupWork) -> list[str]:
    """The evidence of every verdict, as JSON."""
    out = [""] * len(verdicts)
    for reason in np.unique(verdicts.reason).tolist():
        positions = np.flatnonzero(verdicts.reason == reason)
        texts = _FORMS[Reason(reason)](verdicts.take(positions), layout, settings)
        for position, text in zip(positions.tolist(), texts, strict=True):
            out[position] = text
    return out


def _query_equals_passage(verdicts: Verdicts, layout: Layout, settings: DedupWork) -> list[str]:
    return [json.dumps({"rule": "the comparison forms of query and passage are equal"})] * len(verdicts)


def _copies(verdicts: Verdicts, layout: Layout, settings: DedupWork) -> list[str]:
    """For copies: how many rows the group has, and the setting that says how many may stay."""
    limits = {Match.QUERY: "max_per_query", Match.PASSAGE: "max_per_passage", Match.ANSWER: "max_per_answer"}
    allowed = {match: {name: getattr(settings, name)} for match, name in limits.items()}
    columns = (verdicts.group_size.tolist(), map(Match, verdicts.match.tolist()), verdicts.kept_cut.tolist())
    return [
        json.dumps({"copies": size, **allowed.get(match, {})} | _fate(cut))
        for size, match, cut in zip(*columns, strict=True)
    ]


def _fate(kept_cut: int) -> dict[str, str]:
    """What will become of the row that was kept, where the similarity cut takes it, and thus takes this one too."""
    return {"kept_row_goes_as": "low_similarity"} if kept_cut else {}


def _near(verdicts: Verdicts, layout: Layout, settings: DedupWork) -> list[str]:
    texts = []
    columns = (verdicts.score.tolist(), verdicts.group_size.tolist(), verdicts.kept_cut.tolist())
    for score, size, cut in zip(*columns, strict=True):
        rest = json.dumps({"threshold": settings.threshold, "cluster_size": size} | _fate(cut))
        texts.append(f'{{"jaccard": {score:.4f}, {rest[1:]}')  # always four digits: .8 is written 0.8000
    return texts


def _contaminated(verdicts: Verdicts, layout: Layout, settings: DedupWork) -> list[str]:
    """Which evaluation text was met, of which file, and how."""
    rows = layout.evaluation.texts.read_writer(0).take(verdicts.evaluation_text)
    texts = []
    columns = (rows.file.to_pylist(), rows.text.to_pylist(), verdicts.match.tolist(), verdicts.score.tolist())
    for file, text, match, share in zip(*columns, strict=True):
        seen: dict[str, Any] = {"evaluation": file, "side": Match(match).label}
        if np.isnan(share):
            seen["rule"] = "the comparison forms are equal"
        else:
            seen |= {"ngram": settings.decontaminate_ngram, "share": round(share, 4)}
            seen["limit"] = settings.decontaminate_share
        texts.append(json.dumps(seen | {"text": text}, ensure_ascii=False))
    return texts


def _in_older_release(verdicts: Verdicts, layout: Layout, settings: DedupWork) -> list[str]:
    """Which row of which release has it."""
    texts = []
    names = layout.releases_of(verdicts.kept)
    ids = id_texts(verdicts.kept_id_high, verdicts.kept_id_low)
    columns = (names, ids, verdicts.match.tolist(), verdicts.score.tolist())
    for release, pair_id, match, score in zip(*columns, strict=True):
        seen: dict[str, Any] = {"release": release, "pair_id": pair_id, "match": Match(match).label}
        if not np.isnan(score):
            seen |= {"jaccard": round(score, 4), "threshold": settings.threshold}
        texts.append(json.dumps(seen, ensure_ascii=False))
    return texts


_FORMS = {
    Reason.CONTAMINATED: _contaminated,
    Reason.QUERY_EQUALS_PASSAGE: _query_equals_passage,
    Reason.DUPLICATE_PAIR: _copies,
    Reason.DUPLICATE_SWAPPED: _copies,
    Reason.DUPLICATE_QUERY: _copies,
    Reason.NEAR_DUPLICATE_QUERY: _near,
    Reason.DUPLICATE_PASSAGE: _copies,
    Reason.NEAR_DUPLICATE: _near,
    Reason.IN_OLDER_RELEASE: _in_older_release,
}
