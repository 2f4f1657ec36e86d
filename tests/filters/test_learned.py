"""The learned score: features, training, calibration, its file, and what the stage does with it."""

from __future__ import annotations

import bz2
import gzip
import json
import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cmtp.cli import app
from cmtp.engine.plan import place
from cmtp.errors import CmtpError, UsageError
from cmtp.filters.labelled import read_labelled, read_unlabelled
from cmtp.filters.learned import Model, load_model, ngram_slots
from cmtp.filters.scores import macro_f1, score_figures
from cmtp.filters.screen import ScreenStage, filter_work
from cmtp.filters.settings import FilterSettings
from cmtp.filters.train import platt_scale, train_score
from tests.filters.test_stage import ROWS, job, rejected, run, table

RUDE = ["滚开，你这个蠢货", "真是个废物，恶心", "闭嘴吧，白痴一个", "这种垃圾也配说话"]
KIND = ["谢谢你的帮助", "今天天气真好", "这本书写得不错", "周末一起去爬山吧"]


def write(path, n: int = 150) -> None:
    """Texts of both kinds with a tail that says nothing, half and half."""
    rng = random.Random(3)
    rows = [
        {"text": rng.choice(RUDE if label else KIND) + f"，第{rng.randrange(10_000)}号", "label": label}
        for label in (0, 1)
        for _ in range(n)
    ]
    pl.DataFrame(rows).write_ndjson(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write(folder / "a.jsonl")
    trained = train_score(folder / "a.jsonl")
    trained.model.save(folder / "a.model")
    return folder / "a.model", trained


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(alphabet="ABab西湖😀。 ", max_size=12), min_size=1, max_size=4))
def test_features_are_the_different_ngrams(texts):
    starts, indices = ngram_slots(pl.Series("t", texts, pl.String))
    for row, text in enumerate(texts):
        low = text.lower()
        different = {low[at : at + n] for n in (1, 2, 3, 4) for at in range(len(low) - n + 1)}
        assert starts[row + 1] - starts[row] == len(different)  # 2^18 slots: no collision among so few
        assert len(set(indices[starts[row] : starts[row + 1]])) == len(different)


def test_scores_are_means_of_weights_over_unit_length():
    column = pl.Series(["西湖", "湖", ""])
    starts, indices = ngram_slots(column, bits=10)
    weights = np.arange(1024, dtype=np.float32)
    scores = Model(weights, bias=0.5).scores(column)
    for row in range(3):
        own = indices[starts[row] : starts[row + 1]]
        assert scores[row] == pytest.approx(weights[own].sum() / max(len(own), 1) ** 0.5 + 0.5)


def test_training_separates_and_calibrates(model):
    path, trained = model
    chances = load_model(str(path)).probabilities(pl.Series([*RUDE, *KIND]))
    assert chances[:4].min() > 0.9
    assert chances[4:].max() < 0.1
    assert trained.model_figures["held-out tenth"].macro_f1 > 0.95
    assert trained.model.about["texts"] == 300
    assert "macro-F1" in "\n".join(trained.lines())


def test_the_same_labels_give_the_same_file(model, tmp_path):
    path, _ = model
    write(tmp_path / "a.jsonl")
    train_score(tmp_path / "a.jsonl").model.save(tmp_path / "b.model")
    assert (tmp_path / "b.model").read_bytes() == path.read_bytes()


def test_platt_recovers_a_known_sigmoid():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-(3 * scores - 1)))).astype(np.int64)
    scale, shift = platt_scale(scores, labels)
    assert scale == pytest.approx(3, abs=0.15)
    assert shift == pytest.approx(-1, abs=0.1)


def test_figures_by_hand():
    seen = score_figures(np.array([0.95, 0.95, 0.05, 0.65]), np.array([1, 0, 0, 1]))
    assert seen.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    assert seen.reliability == [(0.05, 0.0, 1), (0.65, 1.0, 1), (0.95, 0.5, 2)]
    assert seen.error == pytest.approx((0.05 + 0.35 + 2 * 0.45) / 4)
    assert seen.thresholds[2] == (0.9, 0.5, 0.5)
    assert macro_f1(np.array([1, 1]), np.array([1, 1])) == 0.5  # label 0 never occurs


def test_the_stage_rejects_with_the_score(model, tmp_path):
    path, _ = model
    rows = [*ROWS[:1], ("留言", "滚开，你这个蠢货，真是个废物，恶心"), ("留言", "谢谢你的帮助，这本书写得不错")]
    work = job(tmp_path, {"model": str(path), "model_threshold": 0.9}, [table(rows)])
    run(work)
    rejects = rejected(work, 0).to_pylist()
    assert [row["reason"] for row in rejects] == ["learned_score"]
    (item,) = json.loads(rejects[0]["evidence"])["rules"]
    assert (item["side"], item["limit"]) == ("passage", 0.9)
    assert item["value"] == pytest.approx(rejects[0]["score"], abs=1e-3)
    assert item["value"] >= 0.9
    for off in ({"thresholds": {"learned_score@web": 1}}, {"disable": ["learned_score"]}):
        work = job(tmp_path / "off", {"model": str(path)} | off, [table(rows)])
        run(work)
        assert rejected(work, 0).num_rows == 0


def test_the_fingerprint_follows_the_content_of_the_model(model, tmp_path):
    _, trained = model
    other = tmp_path / "a.model"
    fingerprints = []
    for bias in (trained.model.bias, 1.0):
        Model(trained.model.weights, bias).save(other)
        work = filter_work(FilterSettings(model=str(other)))
        fingerprints.append(place(ScreenStage(), work, []).fingerprint)
    assert fingerprints[0] != fingerprints[1]


def test_a_model_that_changes_during_a_build_stops_it(model, tmp_path):
    _, trained = model
    path = tmp_path / "a.model"
    trained.model.save(path)
    work = job(tmp_path, {"model": str(path)}, [table(ROWS)])
    ((task,),) = ScreenStage().steps(work, work.store.list("in"))
    Model(trained.model.weights, 9.0).save(path)
    with pytest.raises(CmtpError, match="changed while the build ran"):
        task.run()


def test_files_that_are_no_model(tmp_path):
    path = tmp_path / "x.model"
    with pytest.raises(UsageError, match="cannot read"):
        filter_work(FilterSettings(model=str(path)))
    path.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="not a model"):
        load_model(str(path))


def comma(rows: list[list[str]], separator: str = ",") -> str:
    return "".join(separator.join(f'"{cell}"' if separator in cell else cell for cell in row) + "\n" for row in rows)


TABLE = [["id", "TEXT", "label"], ["1", "你好", "0"], ["2", "再见,朋友", "1"], ["3", "", "1"]]
OBJECTS = [dict(zip(("id", "TEXT", "label"), (*row[:2], int(row[2])), strict=True)) for row in TABLE[1:]]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in OBJECTS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", comma(TABLE).encode()),
        ("excel.csv", comma(TABLE).encode("utf-8-sig")),
        ("gb.csv", comma(TABLE).encode("gb18030")),
        ("a.csv.gz", gzip.compress(comma(TABLE).encode("gb18030"), mtime=0)),
        ("a.tsv", comma(TABLE, "\t").encode()),
        ("a.tsv.bz2", bz2.compress(comma(TABLE, "\t").encode())),
        ("a.jsonl", LINES.encode()),
        ("a.ndjson.gz", gzip.compress(LINES.encode(), mtime=0)),
        ("a.json", json.dumps(OBJECTS).encode()),
    ],
)
def test_labelled_files_of_every_form(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    texts, labels = read_labelled(tmp_path / name, None, None)
    assert (texts.to_list(), labels.tolist()) == (["你好", "再见,朋友"], [0, 1])
    assert read_unlabelled(tmp_path / name, None).to_list() == ["你好", "再见,朋友"]


def test_labelled_parquet(tmp_path):
    pl.DataFrame({"内容": ["你好", None, "再见"], "类别": [True, False, False]}).write_parquet(tmp_path / "a.parquet")
    texts, labels = read_labelled(tmp_path / "a.parquet", None, None)
    assert (texts.to_list(), labels.tolist()) == (["你好", "再见"], [1, 0])


def test_columns_are_named_by_options(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("评论,辱骂,text\n你好,0,x\n滚,1,y\n", encoding="gb18030")
    texts, labels = read_labelled(path, "评论", "辱骂")
    assert (texts.to_list(), labels.tolist()) == (["你好", "滚"], [0, 1])
    assert read_unlabelled(path, "评论").to_list() == ["你好", "滚"]
    assert read_unlabelled(path, "正文").to_list() == ["x", "y"]  # --text names the column of the labelled file
    with pytest.raises(UsageError, match="no column 'tex'; did you mean text"):
        read_labelled(path, "tex", "辱骂")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,label\n你好,2\n", "row 1: label = '2': a label is 0 or 1"),
        ("text,label\n你好,1\n你好\n", "row 2: bad_row"),
        ("", "empty_file"),
        ("a,b\n你好,1\n", "no column of texts among a, b; name it with --text"),
        ("text,label\n你好,1\n", "each needs 50"),
    ],
)
def test_unusable_labels_are_refused(tmp_path, content, said):
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        train_score(path)


def test_the_command(tmp_path):
    write(tmp_path / "a.jsonl")
    arguments = [
        "filter",
        "train",
        str(tmp_path / "a.jsonl"),
        "--out",
        str(tmp_path / "m"),
        "--other",
        str(tmp_path / "a.jsonl"),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "macro-F1" in result.output
    assert "above 0.9" in result.output
    assert (tmp_path / "m").stat().st_size > 1000


def test_numbers_are_not_texts(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": 5, "label": 1}\n')
    with pytest.raises(UsageError, match="row 1: text = 5 is not a text"):
        read_labelled(tmp_path / "a.jsonl", None, None)


def test_a_model_from_gb18030_is_the_same_model(model, tmp_path):
    """`cmtp filter train lab.csv.gz` gives what the JSONL of the same rows gives, but for the digest of the file."""
    path, _ = model
    frame = pl.read_ndjson(path.with_suffix(".jsonl"))
    (tmp_path / "lab.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode("gb18030")))
    result = CliRunner().invoke(
        app, ["filter", "train", str(tmp_path / "lab.csv.gz"), "--out", str(tmp_path / "lab.model")]
    )
    assert result.exit_code == 0, result.output
    assert np.array_equal(load_model(str(tmp_path / "lab.model")).weights, load_model(str(path)).weights)
