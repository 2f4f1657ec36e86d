"""`eval:` in a recipe: whole documents are in rejects/eval and in no table that is trained on."""

import json
from pathlib import Path
from random import Random

import polars as pl
import pytest

from cmtp.build import Options, build
from cmtp.engine.progress import BuildProgress
from cmtp.errors import UsageError
from cmtp.evaluate.probe import ProbeSettings, compare_builds
from cmtp.recipe import load_recipe
from cmtp.shards.eval_stage import NAMED_TEST
from cmtp.shards.held_out import Split, build_split, read_pairs, retrieval_task
from cmtp.train.settings import FinetuneSettings, WeakSettings
from cmtp.train.shards import Corpus

THINGS = "花盆水泵台灯书架电扇雨伞木桌铁锅茶壶棉被梯子风筝钢笔地图手套镜子钥匙篮子"
DOINGS = "清洗修理保养安装拆开存放搬运上油晾干检查更换包装"


def made(folder, raw, *overrides, until="mine"):
    plain = ["similarity.threshold=-1", "mine.share=1.0", "shard.min_pretrain_chars=1", "filter.disable=[repetition]"]
    recipe = load_recipe(None, [*plain, *overrides])
    with BuildProgress() as progress:
        build([str(raw)], str(folder), recipe, Options(workers=1, until=until), progress)
    return str(folder)


def manifest(shards):
    return json.loads(Path(shards, "manifest.json").read_text(encoding="utf-8"))


def words(text):
    return [text[i : i + 2] for i in range(0, len(text), 2)]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Articles of two sections each, so that a document has several pairs."""
    folder = tmp_path_factory.mktemp("raw") / "household"
    folder.mkdir()
    random = Random(3)
    for n, thing in enumerate(words(THINGS)):
        sections = []
        for doing in random.sample(words(DOINGS), 3):
            order = [random.choice(words(DOINGS)) + random.choice(words(THINGS)) for _ in range(4)]
            steps = "，".join(f"{one}的时候要留意第{n}种情形" for one in order)
            text = f"{doing}{thing}之前先看说明书。{steps}。最后把{thing}放回原处。"
            sections.append(f"## 怎样{doing}{thing}\n\n{text}\n")
        (folder / f"{n}.md").write_text(f"# {thing}手册\n\n" + "\n".join(sections), encoding="utf-8")
    return folder.parent


@pytest.fixture(scope="module")
def builds(raw, tmp_path_factory):
    folder = tmp_path_factory.mktemp("builds")
    return made(folder / "held", raw, "eval.share=0.4"), made(folder / "all", raw)


def test_held_out_documents_are_in_no_table_but_theirs(builds):
    held, whole = builds
    rows = {
        name: pl.read_parquet(f"{held}/{name}/*.parquet") for name in ("pairs", "finetune", "pretrain", "rejects/eval")
    }
    out, docs = rows["rejects/eval"], set(rows["rejects/eval"]["doc_id"])
    assert 0 < out.height < rows["pairs"].height + out.height
    assert set(out["reason"].cast(pl.String)) == {"held_out"}
    assert json.loads(out["evidence"][0]) == {"share": 0.4, "seed": 1}
    facts = next(stage["facts"] for stage in manifest(held)["stages"] if stage["stage"] == "eval")
    assert facts["held"] == out["doc_id"].n_unique()
    assert facts["share"] == 0.4
    assert not docs & set(rows["pairs"]["doc_id"])
    assert not docs & set(rows["pretrain"]["doc_id"])
    passages = set(out["passage"])
    finetune = rows["finetune"]
    assert finetune.height
    assert not passages & {text for side in ("pos", "neg") for row in finetune[side] for text in row}
    everything = pl.read_parquet(f"{whole}/pairs/*.parquet")
    assert set(everything["pair_id"]) == set(out["pair_id"]) | set(rows["pairs"]["pair_id"])
    assert set(pl.read_parquet(f"{whole}/pretrain/*.parquet")["doc_id"]) == docs | set(rows["pretrain"]["doc_id"])


def test_the_task_is_the_same_whether_build_or_trainer_holds_out(builds):
    held, whole = builds
    assert build_split(held) == Split(0.4, 1)
    assert build_split(whole) is None
    mine, theirs = retrieval_task(held, Split(0.01, 9), 1000, 1000), retrieval_task(whole, Split(0.4, 1), 1000, 1000)
    assert set(mine.queries) == set(theirs.queries)
    assert set(mine.passages) == set(theirs.passages)
    assert mine.held_out == theirs.held_out


def test_the_trainer_takes_all_rows_of_a_build_that_held_out_itself(builds):
    corpus = Corpus(builds[0], Split(0.9, 1))
    pairs = read_pairs(builds[0], ["query"], Split(0.9, 5), held_out=False)
    assert len([row for block in corpus.weak(WeakSettings()) for row in block]) == pairs.height > 0
    finetune = pl.read_parquet(f"{builds[0]}/finetune/*.parquet").height
    assert len([row for block in corpus.finetune(FinetuneSettings(), 0, 0) for row in block]) == finetune


def test_builds_that_hold_out_different_documents_are_not_compared(builds):
    with pytest.raises(UsageError, match="held out different documents"):
        compare_builds(list(builds), ProbeSettings())


def test_until_eval_without_a_share_ends_after_similarity(raw, tmp_path):
    shards = made(tmp_path / "b", raw, "eval.share=0", until="eval")
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text(encoding="utf-8"))
    assert [stage["stage"] for stage in manifest["stages"]] == ["extract", "dedup", "filter", "similarity"]
    assert pl.read_parquet(f"{shards}/pairs/*.parquet").height


def test_until_an_earlier_stage_holds_nothing_out(raw, tmp_path):
    shards = made(tmp_path / "b", raw, "eval.share=0.4", until="filter")
    docs = set(pl.read_parquet(f"{shards}/pairs/*.parquet")["doc_id"])
    assert set(pl.read_parquet(f"{shards}/pretrain/*.parquet")["doc_id"]) == docs


def test_a_build_of_few_documents_holds_none_out_by_itself(raw, tmp_path):
    shards = made(tmp_path / "b", raw, until="eval")
    assert build_split(shards) is None
    facts = next(stage["facts"] for stage in manifest(shards)["stages"] if stage["stage"] == "eval")
    assert (facts["share"], facts["held"]) == (0.0, 0)


@pytest.fixture(scope="module")
def entangled(tmp_path_factory):
    """Forty articles. Of every four, two have a title in common, one is a later version of the first, and one is alone.
    All end with the same section.
    """
    folder = tmp_path_factory.mktemp("entangled") / "notes"
    folder.mkdir()
    random = Random(7)

    def text():
        return "，".join(random.choice(words(DOINGS)) + random.choice(words(THINGS)) for _ in range(30)) + "。"

    for n in range(40):
        title = f"第{n - n % 4 if n % 4 < 2 else n}号家务手册"
        body = text()
        if n % 4 == 0:
            first = body
        if n % 4 == 2:
            body = first[: len(first) * 2 // 3] + text()[:30] + "。"
        ending = "## 版权声明\n\n本手册由社区编写，可以自由转载，但是要注明出处，也请把改动的地方告诉我们。\n"
        (folder / f"{n:02}.md").write_text(f"# {title}\n\n{body}\n\n{ending}", encoding="utf-8")
    return folder.parent


def test_documents_are_held_out_with_what_says_the_same(entangled, tmp_path):
    shards = made(tmp_path / "b", entangled, "eval.share=0.4", "dedup.near=off", until="eval")
    train = pl.read_parquet(f"{shards}/pairs/*.parquet")
    out = pl.read_parquet(f"{shards}/rejects/eval/*.parquet").with_columns(pl.col("reason").cast(pl.String))
    test = out.filter(pl.col("reason") == "held_out")
    assert test.height
    assert train.height
    assert not set(test["query"]) & set(train["query"])
    grams = [{text[i : i + 8] for i in range(len(text) - 7)} for text in train["passage"]]
    for passage in test["passage"]:
        own = {passage[i : i + 8] for i in range(len(passage) - 7)}
        assert max(len(own & other) for other in grams) < len(own) / 2
    assert not set(out["doc_id"]) & set(train["doc_id"])
    assert set(read_pairs(shards, ["query"], Split(0.1, 1), held_out=True)["query"]) == set(test["query"])


@pytest.mark.parametrize(
    ("name", "noted"),
    [("cmrc2018_dev.json", True), ("a/test.jsonl.gz", True), ("test-driving-cars.md", False), ("latest.json", False)],
)
def test_files_that_call_themselves_test_are_noted(name, noted):
    assert bool(NAMED_TEST.search(name)) == noted
