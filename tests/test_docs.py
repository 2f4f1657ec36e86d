"""Every `cmtp` command that the pages show is run as a reader would, on a build of the sample corpus."""

import json
import re
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.builds import SAMPLE, cli, published
from tests.train.test_run import TINY

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]

STAND_INS = {
    "…": "--source my-raw-files --out my-shards",
    "MODEL": "my-model",
    "SHARDS": "my-shards",
    "OTHER_SHARDS": "other-shards",
    "my-shards/": "my-shards",
    "my-model/": "my-model",
    "e5-small": "static-zh",  # which takes a second where the other takes a minute
}
"""What a reader puts in place of a word of the page."""

SMALLER = {
    "build": ["--workers", "1"],
    "mine": ["--workers", "1"],
    "calibrate": ["--set", "similarity.min_sample=100"],
    "train": [word for setting in TINY for word in ("--set", setting)],
    "probe": ["--steps", "2", "--seeds", "1"],
}
"""Further arguments by command, for a corpus of 500 pairs and a test that ends."""

FAIL = {
    'cmtp eval MODEL --benchmark "MTEB(cmn, v1)"': (1, "cannot be fetched from the hub"),
    "cmtp train my-shards/ --out other-model/ --stage weak,finetune --init hfl/chinese-roberta-wwm-ext": (2, "hub"),
}
"""Commands that need a network: the exit code without one, and what the message names."""


def blocks(page, language):
    """The fenced blocks of a page in a language ("" is none)."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        body for name, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if name == language
    ]


def commands(page):
    """The cmtp commands of a page, in order, without comments."""
    lines = [line for language in ("bash", "") for block in blocks(page, language) for line in block.splitlines()]
    found = [re.sub(r"\s+#.*", "", line.removeprefix(".venv/bin/")) for line in lines]
    return [line for line in found if line.startswith("cmtp ")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A reader's folder: raw files, the README's recipe, labelled and evaluation files, a build."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(SAMPLE / "raw", folder / "my-raw-files")
    threads = folder / "my-raw-files/forum/threads.jsonl"
    renamed = threads.read_bytes().replace(b'"question":', b'"subject":').replace(b'"answer":', b'"best_reply":')
    threads.write_bytes(renamed)
    (folder / "recipe.yaml").write_text(blocks("README.md", "yaml")[0], encoding="utf-8")
    labelled = [f"{'加微信送彩金' if i % 2 else '今天的菜很新鲜'}{i}号,{i % 2}\n" for i in range(400)]
    for name in ("labelled.csv", "held-out.csv"):
        (folder / name).write_text("text,label\n" + "".join(labelled), encoding="utf-8")
    pl.DataFrame({"text": [f"第{i}天的天气很好" for i in range(50)]}).write_parquet(folder / "clean.parquet")
    scored = [f"a\tb\t{i}\t今天下雨了{i}\t今天有雨{i % 7}\t{i % 6}\n" for i in range(20)]
    (folder / "sts-b-dev.txt").write_text("".join(scored), encoding="utf-8")
    searched = [{"query": f"问题{i}", "pos": [f"答案{i}"], "neg": [f"别的{i}", f"其他{i}"]} for i in range(20)]
    (folder / "finetune.jsonl").write_text("\n".join(json.dumps(row) for row in searched), encoding="utf-8")
    cli("build", "--source", "my-raw-files", "--out", "my-shards", cwd=folder)
    shutil.copytree(folder / "my-shards", folder / "other-shards")
    return folder


def run(command, desk):
    """Run a command of a page; returns what it printed."""
    words = []
    for word in shlex.split(command)[1:]:
        words += shlex.split(STAND_INS[word]) if word in STAND_INS else [word]
    if "PAIR_ID" in words:
        ids = pl.scan_parquet(f"{desk}/my-shards/pairs/*.parquet").select("pair_id").collect()["pair_id"]
        words[words.index("PAIR_ID")] = ids[0]
    code, named = FAIL.get(command, (0, ""))
    out, err = cli(*words, *SMALLER.get(words[0], []), expect=code, cwd=desk)
    assert named in err
    return out + err


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_the_commands_of(page, desk):
    shutil.rmtree(desk / "my-model", ignore_errors=True)
    for command in commands(page):
        run(command, desk)


def test_the_second_build_of_the_readme_runs_only_what_depends_on_the_threshold(desk):
    builds = [command for command in commands("README.md") if command.startswith("cmtp build")]
    assert len(builds) == 3
    run(builds[1], desk)
    before = published(desk / "my-shards")
    said = run(builds[2], desk)
    for stage in ("extract", "dedup", "filter", "encode"):
        assert re.search(rf"{stage}: .*tasks done before", said), said
    rejects = pl.read_parquet(desk / "my-shards/rejects/extract/*.parquet").filter(pl.col("source") == "forum")
    assert "unknown_layout" not in set(rejects["reason"])
    assert published(desk / "my-shards") != before


def test_the_python_of_the_readme(desk, monkeypatch):
    monkeypatch.chdir(desk)
    for block in blocks("README.md", "python"):
        exec(block, {})


def test_pages_link_to_what_is_there():
    for page in [*PAGES, "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"
