"""What evaluation files hold must not come through, in whatever clothes."""

import bz2
import gzip
import json
import random

import numpy as np
import pyarrow as pa
import pytest

from cmtp.dedup.evaluation import read_texts
from cmtp.dedup.index import find_overlaps, index_texts
from cmtp.dedup.references import resolve_references
from cmtp.dedup.settings import DedupSettings
from cmtp.errors import CmtpError, UsageError
from cmtp.text.compare import comparison_form, fold
from cmtp.text.hashes import hash_texts
from tests.builds import cli
from tests.dedup import pairs
from tests.dedup.pairs import row, run

PREMISE = "县级以上地方人民政府应当为大龄儿童接种疫苗提供便利条件"


@pytest.fixture
def evaluation(tmp_path):
    folder = tmp_path / "sets"
    folder.mkdir()
    (folder / "match.tsv").write_text(
        "sentence1\tsentence2\tlabel\n怎样备份手机？\t手机如何做备份\t1\n花呗怎么关闭\t怎么关闭花呗啊\t0\n",
        encoding="utf-8",
    )
    (folder / "nli.jsonl").write_text(
        json.dumps({"premise": PREMISE, "hypothesis": "有人打疫苗", "id": 7, "prem_id": "lit_7"}, ensure_ascii=False)
        + "\n",
        encoding="utf-8",
    )
    (folder / "README.md").write_text("no evaluation text", encoding="utf-8")
    return folder


def test_planted_rows_do_not_come_through(tmp_path, evaluation):
    rows = [
        row("怎样备份手機", "先打开设置，再点备份"),  # traditional script, no question mark
        row("备份的办法", "手机如何做备份！"),
        row("疫苗", f"有关部门昨天说：“{PREMISE}”。会议还讨论了其他问题，决定择日再议。"),
        row(PREMISE.replace("条件", "服务"), "是的"),  # the end differs
        row("怎样备份电脑？", "电脑如何做备份"),
        row("疫苗", "接种疫苗要自愿"),
    ]
    kept, rejects, _, figures = run(tmp_path, rows, decontaminate=[str(evaluation)])
    assert pairs.ids(kept) == pairs.ids(rows[4:])
    found = {one["pair_id"]: (one["reason"], one["kept_id"], json.loads(one["evidence"])) for one in rejects}
    equal = "the comparison forms are equal"
    expected = [
        {"evaluation": "sets/match.tsv", "side": "query", "rule": equal, "text": "怎样备份手机？"},
        {"evaluation": "sets/match.tsv", "side": "passage", "rule": equal, "text": "手机如何做备份"},
        {"evaluation": "sets/nli.jsonl", "side": "passage", "ngram": 13, "share": 1.0, "limit": 0.5, "text": PREMISE},
    ]
    for planted, evidence in zip(rows, expected, strict=False):
        assert found[planted["pair_id"]] == ("contaminated", None, evidence)
    one_off = found[rows[3]["pair_id"]][2]
    assert (one_off["side"], one_off["text"]) == ("query", PREMISE)
    assert 0.5 <= one_off["share"] < 1
    assert figures["evaluation"]["evaluation"] == {
        "sets/match.tsv": {"texts": 6, "fields": "sentence1, sentence2"},
        "sets/nli.jsonl": {"texts": 3, "fields": "premise, hypothesis"},
    }


def test_share_is_a_setting(tmp_path, evaluation):
    rows = [row("问", PREMISE[:20] + "而开展的宣传活动在各地陆续举行")]
    for share, many in ((0.4, 0), (0.6, 1)):
        kept, _, _, _ = run(
            tmp_path, rows, folder=f"d{share}", decontaminate=[str(evaluation)], decontaminate_share=share
        )
        assert len(kept) == many


def test_evaluation_goes_before_other_reasons(tmp_path, evaluation):
    rows = [row("花呗怎么关闭", "花呗怎么关闭"), row("花呗怎么关闭", "别的"), row("花呗怎么关闭", "别的", source="t")]
    _, rejects, _, _ = run(tmp_path, rows, decontaminate=[str(evaluation)])
    assert [one["reason"] for one in rejects] == ["contaminated"] * 3


def test_raw_files_planted_whole_do_not_come_through(tmp_path, evaluation):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "planted.tsv").write_bytes((evaluation / "match.tsv").read_bytes())
    lines = [f"怎样学会{name}？\t学{name}要先请一位好老师，再天天练习\t1" for name in ("游泳", "滑冰", "骑马", "下棋")]
    (raw / "clean.tsv").write_text("sentence1\tsentence2\tlabel\n" + "\n".join(lines) + "\n", encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    mapping = {"files": "*.tsv", "relation": "similar_question", "query": "sentence1", "passage": "sentence2"}
    recipe.write_text(json.dumps({"sources": [mapping], "dedup": {"decontaminate": [str(evaluation)]}}))
    out = tmp_path / "out"
    cli("build", "--source", raw, "--out", out, "--workers", 1, "--until", "dedup", "--recipe", recipe)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    stage = next(one for one in manifest["stages"] if one["stage"] == "dedup")
    assert stage["rejected"] == {"contaminated": 2}
    assert stage["kept"] == 4
    cli("verify", out)


def test_content_of_the_files_is_part_of_the_settings(evaluation):
    settings = DedupSettings(decontaminate=[str(evaluation)])
    before = resolve_references(settings)
    assert resolve_references(settings) == before
    (evaluation / "nli.jsonl").write_text('{"premise": "别的话"}\n', encoding="utf-8")
    assert resolve_references(settings) != before


@pytest.mark.parametrize("name", ["nothing", "README.md"])
def test_missing_files_are_refused(evaluation, name):
    settings = DedupSettings(decontaminate=[str(evaluation / name)])
    with pytest.raises(UsageError, match=name):
        resolve_references(settings)


@pytest.mark.parametrize(
    ("name", "content", "texts", "fields"),
    [
        (
            "a.txt",
            "一个人\t两个人\t0\n三个人\t四个人\t1\n",
            {"一个人", "两个人", "三个人", "四个人"},
            ["sentence1", "sentence2"],
        ),
        ("a.txt", "第一句\n第二句\n", {"第一句", "第二句"}, ["1"]),
        ("a.csv", '\ufeffs1,label\n"甲，""乙""",1\n丙,2\n', {'甲，"乙"', "丙"}, ["s1"]),
        ("a.tsv", 'id\ttext\n1\t他说"好\n2\t再见\n3\t多\t一\n', {'他说"好', "再见"}, ["text", "2", "3"]),
        ("a.json", '{"data": [{"q": "问一", "docs": ["文一", "文二"]}], "version": 1}', {"问一", "文一", "文二"}, None),
        ("a.json", '[{"q": "问一", "id": 3}]', {"问一"}, ["q"]),
        ("a.json", '{"q": "问一"}\n{"q": "问二"}\n', {"问一", "问二"}, ["q"]),
        ("a.jsonl", '{"q": {"text": "问一"}, "score": 0.5}\n', {"问一"}, ["q.text"]),
        ("a.json", '{"dev": [{"q": "问一"}], "corpus": {"d1": "文一"}}', {"问一", "文一"}, ["q", "d1"]),
    ],
)
def test_every_field_of_text_is_read(tmp_path, name, content, texts, fields):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    found = read_texts(name, str(path))
    assert texts <= set(found.texts.to_pylist())
    assert fields is None or found.fields == fields


def test_labels_are_no_texts(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("".join(f"句子{i}\t{['蕴含', '矛盾', '中立'][i % 3]}\n" for i in range(30)), encoding="utf-8")
    found = read_texts("a.tsv", str(path))
    assert found.fields == ["1"]
    assert "蕴含" not in found.texts.to_pylist()


SENTENCE = "大家好，这是一个用来检查编码的句子。"
JSONL = json.dumps({"text": SENTENCE}, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", f"{SENTENCE}\n".encode("gb18030")),
        ("a.csv", f"id,text\n1,{SENTENCE}\n".encode("gb18030")),
        ("a.jsonl", JSONL.encode("gb18030")),
        ("a.tsv", f"id\ttext\n1\t{SENTENCE}\n".encode("utf-16")),
        ("a.jsonl.gz", gzip.compress(JSONL.encode(), mtime=0)),
        ("a.csv.bz2", bz2.compress(f"id,text\n1,{SENTENCE}\n".encode("gb18030"))),
        ("a.ndjson", JSONL.encode()),
    ],
)
def test_other_encodings_and_compressed_files_are_read(tmp_path, name, data):
    folder = tmp_path / "sets"
    folder.mkdir()
    (folder / name).write_bytes(data)
    assert read_texts(name, str(folder / name)).texts.to_pylist() == [SENTENCE]
    for where in (folder, folder / name):
        kept, rejects, _, _ = run(tmp_path, [row("问候", SENTENCE)], folder=where.name, decontaminate=[str(where)])
        assert (kept, [one["reason"] for one in rejects]) == ([], ["contaminated"])


def test_command_line_reads_a_compressed_file_and_a_gb18030_table(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "news.jsonl").write_text(
        "".join(
            json.dumps({"title": f"题目{i}", "content": text}, ensure_ascii=False) + "\n"
            for i, text in enumerate([SENTENCE, PREMISE, "天上有许多星星，一闪一闪的。"])
        ),
        encoding="utf-8",
    )
    (tmp_path / "ev.jsonl.gz").write_bytes(gzip.compress(JSONL.encode()))
    (tmp_path / "ev.csv").write_bytes(f"id,text\n1,{PREMISE}\n".encode("gb18030"))
    options = ("--workers", 1, "--until", "dedup")
    for name in ("ev.jsonl.gz", "ev.csv"):
        options += ("--decontaminate", tmp_path / name)
    cli("build", "--source", raw, "--out", tmp_path / "out", *options)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    stage = next(one for one in manifest["stages"] if one["stage"] == "dedup")
    assert (stage["rejected"], stage["kept"]) == ({"contaminated": 2}, 1)


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", "{broken\n"), ("a.txt", "1\t2\n3\t4\n"), ("a.csv", "")])
def test_a_file_that_protects_nothing_is_an_error(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(CmtpError, match=name):
        read_texts(name, str(tmp_path / name))


def test_overlap_is_that_of_plain_python():
    generator = random.Random(8)
    known = [pairs.passage(generator, generator.randrange(5, 80)) for _ in range(200)]
    known += [one + pairs.passage(generator, 30) for one in known[:50]]
    texts = [pairs.perturbed(generator, text, generator.randrange(0, 6)) for text in known]
    texts += [a[:40] + b for a, b in zip(texts, reversed(texts), strict=True)] + ["", "。"]

    def grams(text):
        form = comparison_form(text)
        return {form[i : i + 13] for i in range(len(form) - 12)}

    column = pa.array(known)
    index = index_texts(column, 13)
    found = find_overlaps(fold(pa.array(texts)), hash_texts(pa.array(texts), fold(pa.array(texts))), index, 0.3)
    sets, known_forms = [grams(text) for text in known], [comparison_form(text) for text in known]
    for text, place, share in zip(texts, found.text.tolist(), found.share.tolist(), strict=True):
        if text and comparison_form(text) in known_forms:
            assert known_forms[place] == comparison_form(text)
            assert np.isnan(share)
            continue
        mine = grams(text)
        best = [len(mine & other) / min(len(mine), len(other)) if mine and other else 0.0 for other in sets]
        if max(best) < 0.3:
            assert place == -1
        else:
            assert share == pytest.approx(max(best))
            assert place == best.index(max(best))
