"""Caps of sources and relations, and the word about a table that is one source."""

import pytest

from cmtp.engine.executor import SerialExecutor
from cmtp.engine.figures import plain_values
from cmtp.engine.plan import run_alone
from cmtp.engine.store import Store
from cmtp.recipe import load_recipe
from cmtp.shards.balance import balance_of, one_sided
from cmtp.shards.card import make_dataset_card
from cmtp.shards.held_out import build_alpha
from cmtp.shards.mixture import MixtureStage
from tests.rows import pair, pair_table

GROUPS = {("laws", "title_body"): 6, ("laws", "subtitle_passage"): 10, ("poems", "title_body"): 4}


def capped(folder, *overrides, split=10):
    """Run the stage over two partitions; rows kept and rejected by group, the run."""
    rows = [
        pair(f"问题{source}{relation}{n}", f"正文{n}", source=source, relation=relation)
        for (source, relation), count in GROUPS.items()
        for n in range(count)
    ]
    store, table = Store(str(folder)), pair_table(rows)
    for number, part in enumerate((table.slice(0, split), table.slice(split))):
        store.write_table(f"parts/part-{number:05d}.parquet", part)
    settings = MixtureStage().resolve(load_recipe(None, list(overrides)), {})
    run = run_alone(
        MixtureStage(), store, settings, [*store.list("parts")], input_fingerprint=0, executor=SerialExecutor()
    )
    kept, rejected = (
        {row["pair_id"]: row for path in paths for row in store.read_table(path).to_pylist()}
        for paths in (run.kept, run.rejects)
    )
    return kept, rejected, run


def sizes(rows):
    counts = {}
    for row in rows.values():
        counts[row["source"], row["relation"]] = counts.get((row["source"], row["relation"]), 0) + 1
    return counts


def test_a_cap_for_all_holds_for_each_relation(tmp_path):
    kept, rejected, _ = capped(tmp_path, "mixture.max_pairs=5")
    assert sizes(kept) == {group: min(n, 5) for group, n in GROUPS.items()}
    assert len(kept) + len(rejected) == sum(GROUPS.values())
    assert {row["reason"] for row in rejected.values()} == {"over_cap"}


def test_the_narrower_name_counts(tmp_path):
    kept, _, run = capped(tmp_path, "mixture.max_pairs=3", "mixture.caps={laws: 7, laws/title_body: 2, nothing: 1}")
    assert sizes(kept) == {("laws", "title_body"): 2, ("laws", "subtitle_passage"): 7, ("poems", "title_body"): 3}
    assert plain_values(run.figures)["unused"] == ["nothing"]
    assert "names nothing" in MixtureStage().warning(run)


def test_a_source_is_capped_over_its_relations_together(tmp_path):
    kept, _, _ = capped(tmp_path, "mixture.caps={laws: 7}")
    assert sum(n for (source, _), n in sizes(kept).items() if source == "laws") == 7
    assert sizes(kept)["poems", "title_body"] == 4


def test_partitions_do_not_matter_and_the_seed_does(tmp_path):
    kept, _, _ = capped(tmp_path / "a", "mixture.max_pairs=3")
    assert capped(tmp_path / "b", "mixture.max_pairs=3", split=2)[0] == kept
    assert capped(tmp_path / "c", "mixture.max_pairs=3", "seed=7")[0] != kept


@pytest.mark.parametrize(("override", "wanted"), [("mixture.alpha=1", False), ("mixture.max_pairs=3", True)])
def test_only_a_recipe_with_a_cap_has_the_stage(override, wanted):
    assert MixtureStage().wanted(load_recipe(None, [override])) == wanted


def record(table, count, source, file):
    rows = pair_table(
        pair(f"问{n}", f"文{n}", source=source if n % 5 else "other", origin=f"{file if n % 5 else f'b{n}'}#{n}")
        for n in range(count)
    )
    return {"table": table, "rows": count} | balance_of(rows)


def test_one_source_that_is_most_of_a_table_is_named():
    (line,) = one_sided([record("pairs", 600, "laws", "laws/a.json"), record("pairs", 600, "laws", "laws/a.json")])
    assert line.startswith("80% of the rows of pairs are of the")
    assert "mixture.caps" in line
    (line,) = one_sided([record("pretrain", 2000, "laws", "laws/a.json")])
    assert "mixture.caps" not in line  # a cap of pairs leaves no document out
    assert one_sided([record("pairs", 600, "laws", "laws/a.json")]) == []  # too few rows to say so
    assert one_sided([record("rejects/dedup", 2000, "laws", "laws/a.json")]) == []


def test_the_card_says_what_alpha_draws(tmp_path):
    tables = {
        "pairs": {"rows": 500, "files": [], "sources": {"laws": 400, "poems": 100}},
        "finetune": {"rows": 9, "files": [], "sources": {"poems": 9}},
    }
    manifest = {
        "cmtp": "1",
        "inputs": [],
        "recipe": {"mixture": {"alpha": 0.5}},
        "stages": [{"stage": "x", "in": 0, "kept": 0, "rejected": {}, "ledger": []}],
        "tables": tables,
    }
    card = make_dataset_card(manifest)
    assert "| laws | 400 | 0 | 0 | 66.7% |" in card  # 20 of 20 + 10
    assert "| poems | 100 | 9 | 0 | 33.3% |" in card
    (tmp_path / "manifest.json").write_text('{"recipe": {"mixture": {"alpha": 0.25}}}')
    assert build_alpha(str(tmp_path)) == 0.25
    assert build_alpha(str(tmp_path / "nowhere")) == 1.0
