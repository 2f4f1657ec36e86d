"""The model card: the training data, the settings and the scores of a model."""

from __future__ import annotations

from typing import Any

import yaml

FRONT_MATTER = {
    "language": ["zh"],
    "library_name": "sentence-transformers",
    "pipeline_tag": "sentence-similarity",
    "tags": ["sentence-transformers", "feature-extraction", "cmtp"],
}
"""Front matter, which the hub reads."""


def make_model_card(report: dict[str, Any]) -> str:
    """README.md of a trained model, from the content of training.json."""
    settings, data = report["settings"], report["data"]
    note = "  # puts the instruction before the query" if settings["instruction"] else ""
    lines = [
        "---",
        yaml.safe_dump(FRONT_MATTER, allow_unicode=True).strip(),
        "---",
        "",
        f"# A Chinese text-embedding model trained on {data['shards']}",
        "",
        f"Trained by cmtp {report['cmtp']}, preset `{settings['preset']}`, "
        f"from {report['init'] or 'random weights with a vocabulary of the shards'}; "
        f"stages: {', '.join(report['stages']) or 'none'}.",
        f"Manifest of the data: sha256 `{data['manifest_sha256']}`.",
        "",
        "```python",
        "from sentence_transformers import SentenceTransformer",
        "",
        'model = SentenceTransformer("PATH")',
        'queries = model.encode_query(["如何办理居住证"])' + note,
        'passages = model.encode_document(["居住证由公安机关签发……"])',
        "print(model.similarity(queries, passages))",
        "```",
        "",
        *_scores(report),
        "",
        *_stages(report),
        "",
        "## Settings",
        "",
        "```yaml",
        yaml.safe_dump(settings, allow_unicode=True, sort_keys=False).strip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def _scores(report: dict[str, Any]) -> list[str]:
    held_out, scores = report["held_out"], report["scores"]
    task, gain = scores["task"], scores["gain"]
    return [
        "## Scores",
        "",
        f"Retrieval on documents held out of training (share {held_out['share']:g}, seed {held_out['seed']}, by the "
        f"{held_out['by']}): {task['queries']:,} queries over {task['passages']:,} passages "
        f"({task['held_out']:,} of held-out documents, the rest distractors). A local set, not C-MTEB.",
        "",
        "| | nDCG@10 | recall@10 |",
        "|---|--:|--:|",
        *(f"| {name} | {row['ndcg@10']:.4f} | {row['recall@10']:.4f} |" for name, row in scores["rows"].items()),
        "",
        f"Last row minus untrained: {gain['mean']:+.4f}, 95 % interval {gain['low']:+.4f} to {gain['high']:+.4f}.",
    ]


def _stages(report: dict[str, Any]) -> list[str]:
    lines = ["## Stages", ""]
    lines.append("| stage | steps | seconds | texts or queries/s | tokens/s | first loss | last loss |")
    lines.append("|---|--:|--:|--:|--:|--:|--:|")
    for stage, facts in report["stages"].items():
        rates, loss = facts.get("rates", {}), facts["loss"]
        lines.append(
            f"| {stage} | {facts['steps']:,} | {facts['seconds']} | {rates.get('rows_per_second', '')} "
            f"| {rates.get('tokens_per_second', '')} | {loss.get('first', '')} | {loss.get('last', '')} |"
        )
    return lines
