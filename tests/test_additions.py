"""The package of docs/extend.md adds what the page says, by an entry point each, without a line changed in cmtp."""

import os
import shutil
import tomllib
from pathlib import Path

import polars as pl
import pytest

from tests.builds import SAMPLE, program, published
from tests.pages import blocks

PAGE = "docs/extend.md"


def install(site: Path) -> None:
    """Install the package that the page describes into a folder."""
    (site / "outside_cmtp.py").write_text("\n".join(blocks(PAGE, "python")), encoding="utf-8")
    project = tomllib.loads(blocks(PAGE, "toml")[0])["project"]
    groups = {
        group: [f"{name} = {value}" for name, value in entries.items()]
        for group, entries in project["entry-points"].items()
    }
    info = site / f"outside_cmtp-{project['version']}.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    lines = [line for group, entries in groups.items() for line in (f"[{group}]", *entries)]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A build that uses all additions, of the sample's notes and a shouting one."""
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("additions")
    install(site)
    shutil.copytree(SAMPLE / "raw/kitchen_notes", folder / "raw/kitchen_notes")
    shutil.copytree(SAMPLE / "raw/tech_blog", folder / "raw/tech_blog")
    shouting = "# 大声的标题\n\n今天的菜价真的便宜！！！！！快来看看吧！！！！！大家都说好！！！！！\n"
    (folder / "raw/kitchen_notes/大声.md").write_text(shouting, encoding="utf-8")
    faq = "问：自行车怎么上牌？\n答：带上发票和身份证，去派出所登记，当天就能拿到牌。\n这一行什么也不是\n"
    (folder / "raw/bikes").mkdir()
    (folder / "raw/bikes/a.faq").write_bytes(faq.encode("gb18030"))
    path = os.pathsep.join([str(site), str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    settings = ["similarity.encoder=letters", "mine.miner=longest", "mine.share=1.0", "mine.first_rank=1"]
    options = [word for setting in settings for word in ("--set", setting)]
    for out, *how in (("out", "--workers", 2), ("backwards", "--engine", "backwards")):
        command = ["build", "--source", folder / "raw", "--out", folder / out, *how, *options]
        program(*command, env=os.environ | {"PYTHONPATH": path})
    return folder / "out"


def test_a_format_is_read(build):
    pairs = pl.concat([pl.read_parquet(path) for path in build.rglob(".work/extract-*/kept/*.parquet")])
    assert pairs.filter(pl.col("origin") == "bikes/a.faq#1")["query"].to_list() == ["自行车怎么上牌？"]
    rejects = pl.read_parquet(build / "rejects/extract/*.parquet")
    assert rejects.filter(pl.col("origin") == "bikes/a.faq#2")["reason"].to_list() == ["bad_record"]


def test_a_rule_with_its_measure_rejects(build):
    rejects = pl.read_parquet(build / "rejects/filter/*.parquet").filter(pl.col("reason") == "exclamations")
    assert rejects["query"].to_list() == ["大声的标题"]
    assert "share of ！" in rejects["evidence"][0]


def test_an_encoder_scores(build):
    pairs = pl.read_parquet(build / "pairs/*.parquet")
    assert len(pairs) > 50
    row = pairs.row(0, named=True)
    counts = [
        [text.count(char) for char in sorted(set(row["query"] + row["passage"]))]
        for text in (row["query"], row["passage"])
    ]
    dot = sum(a * b for a, b in zip(*counts, strict=True))
    norms = [sum(n * n for n in count) ** 0.5 for count in counts]
    assert row["similarity"] == pytest.approx(dot / norms[0] / norms[1], abs=0.1)  # some characters share a column


def test_a_miner_finds_negatives(build):
    kinds = pl.read_parquet(build / "finetune/*.parquet")["neg_kinds"].explode()
    assert "longest" in set(kinds)


def test_an_executor_runs_the_tasks_in_an_order_of_its_own(build):
    assert published(build.parent / "backwards") == published(build)
