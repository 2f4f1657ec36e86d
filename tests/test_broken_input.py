"""Broken input through the command line: the record is rejected with a reason, the rest goes on."""

import gzip
import json
import os

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cmtp.build import build
from cmtp.engine.progress import BuildProgress
from cmtp.engine.store import Store
from cmtp.errors import CmtpError, UsageError
from cmtp.planning import Options
from cmtp.recipe import Recipe
from tests.builds import cli

GOOD = [
    ("绿萝怎么浇水", "绿萝喜欢湿润，盆土表面干了就浇透，冬天要少浇一些，免得烂根。"),
    ("电动车充电要注意什么", "不要在楼道里给电动车充电，要用原装的充电器，充满后及时拔掉。"),
    ("面试前怎样准备", "先了解公司和岗位，把简历上的项目再理一遍，准备几个想问的问题。"),
    ("感冒要不要吃药", "普通感冒多半能自己好，注意休息、多喝水，发烧难受时再吃退烧药。"),
    ("端午节的来历", "端午节吃粽子、赛龙舟，相传是为了纪念投江的楚国诗人屈原。"),
    ("怎样煮好一锅米饭", "米洗净后泡二十分钟，水面高过米面一指节，煮好再焖十分钟。"),
]


def lines(rows):
    return [json.dumps({"title": t, "content": c}, ensure_ascii=False).encode() for t, c in rows]


def write_jsonl(path, raw_lines):
    path.write_bytes(b"\n".join(raw_lines) + b"\n")


def truncated_gzip(folder):
    (folder / "bad.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines(GOOD * 400)), mtime=0)[:-40])


def truncated_parquet(folder):
    whole = folder / "whole.parquet"
    pq.write_table(pa.table({"title": [t for t, _ in GOOD], "content": [c for _, c in GOOD]}), whole)
    (folder / "bad.parquet").write_bytes(whole.read_bytes()[:-20])
    whole.unlink()


def bad_json(folder):
    write_jsonl(folder / "bad.jsonl", [*lines(GOOD[:1]), b'{"title": "half', *lines(GOOD[1:2])])


def undecodable(folder):
    broken = '{"title": "坏'.encode() + b"\xff\xfe\xff" + '", "content": "正文在这里。"}'.encode()
    write_jsonl(folder / "bad.jsonl", [*lines(GOOD[:1]), broken, *lines(GOOD[1:2])])


def empty_file(folder):
    (folder / "bad.jsonl").write_bytes(b"")


def bad_row(folder):
    (folder / "bad.csv").write_text(f"title,content\n{GOOD[0][0]},{GOOD[0][1]}\n只有一个字段\n", encoding="utf-8")


def unknown_layout(folder):
    write_jsonl(folder / "bad.jsonl", [b'{"foo": "\xe7\x94\xb2", "bar": "\xe4\xb9\x99"}'])


@pytest.mark.parametrize(
    ("spoil", "reason", "origin"),
    [
        (truncated_gzip, "truncated_file", "s/bad.jsonl.gz#0"),
        (truncated_parquet, "truncated_file", "s/bad.parquet#0"),
        (bad_json, "bad_json", "s/bad.jsonl#2"),
        (undecodable, "undecodable", "s/bad.jsonl#2"),
        (empty_file, "empty_file", "s/bad.jsonl#0"),
        (bad_row, "bad_row", "s/bad.csv#2"),
        (unknown_layout, "unknown_layout", "s/bad.jsonl#1"),
    ],
)
def test_a_broken_record_is_rejected_and_the_build_goes_on(tmp_path, spoil, reason, origin):
    folder = tmp_path / "raw" / "s"
    folder.mkdir(parents=True)
    write_jsonl(folder / "good.jsonl", lines(GOOD))
    spoil(folder)
    arguments = ("build", "--source", tmp_path / "raw", "--out", tmp_path / "out", "--workers", 1)
    cli(*arguments)
    cli("verify", tmp_path / "out")
    rejects = pl.read_parquet(f"{tmp_path}/out/rejects/extract/*.parquet").with_columns(
        pl.col("reason").cast(pl.String)
    )
    assert (origin, reason) in rejects.select("origin", "reason").rows()
    assert all(json.loads(one) for one in rejects["evidence"])
    pairs = pl.read_parquet(f"{tmp_path}/out/pairs/*.parquet")
    assert {query for query, _ in GOOD} <= set(pairs["query"])
    _, err = cli(*arguments, "--strict", "--fresh", expect=1)
    assert origin.split("#")[0] in err
    assert reason in err
    assert "Traceback" not in err


def test_a_gb18030_csv_is_read_as_it_is(tmp_path):
    text = "title,content\n" + "".join(f"{t},{c}\n" for t, c in GOOD)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "旧文件.csv").write_bytes(text.encode("gb18030"))
    cli("build", "--source", tmp_path / "raw", "--out", tmp_path / "out", "--workers", 1)
    pairs = pl.read_parquet(f"{tmp_path}/out/pairs/*.parquet")
    assert set(pairs.select("query", "passage").rows()) == set(GOOD)


def test_a_file_that_cannot_be_read_is_rejected(tmp_path):
    folder = tmp_path / "raw" / "s"
    folder.mkdir(parents=True)
    write_jsonl(folder / "good.jsonl", lines(GOOD))
    (folder / "gone.jsonl").symlink_to(tmp_path / "nowhere")  # even root cannot read it
    unreadable = ["s/gone.jsonl#0"]
    if os.geteuid() != 0:  # modes bind everyone else
        write_jsonl(folder / "forbidden.jsonl", lines(GOOD))
        (folder / "forbidden.jsonl").chmod(0)
        unreadable.append("s/forbidden.jsonl#0")
    cli("build", "--source", tmp_path / "raw", "--out", tmp_path / "out", "--workers", 1)
    rejects = pl.read_parquet(f"{tmp_path}/out/rejects/extract/*.parquet")
    assert sorted(rejects["origin"]) == sorted(unreadable)
    assert set(rejects["reason"].cast(pl.String)) == {"unreadable_file"}


def test_file_names_of_any_kind(tmp_path):
    folder = os.fsencode(tmp_path / "raw" / "带 空格 #1!")
    os.makedirs(folder)
    names = [b"\xbe\xc9.jsonl", "换\n行.jsonl".encode(), b"[br]{x}*?.jsonl", b"100%25.jsonl"]  # the first in GB18030
    for i, name in enumerate(names):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(lines(GOOD)[i])
    cli("build", "--source", tmp_path / "raw", "--out", tmp_path / "out", "--workers", 1)
    pairs = pl.read_parquet(f"{tmp_path}/out/pairs/*.parquet")
    shown = [r"\xbe\xc9.jsonl", "换\n行.jsonl", "[br]{x}*?.jsonl", "100%25.jsonl"]
    assert set(pairs.select("query", "origin").rows()) == {
        (GOOD[i][0], f"带 空格 #1!/{name}#1") for i, name in enumerate(shown)
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--source", "{tmp}/nowhere"), "nowhere"),
        (("--source", "{tmp}/empty"), "empty"),
        (("--source", "{tmp}/raw", "--set", "similarity.treshold=0.4"), "no setting similarity.treshold"),
        (("--source", "{tmp}/raw", "--set", "dedup.threshold=7"), "less than or equal to 1"),
        (("--source", "{tmp}/raw", "--set", "similarity.encoder=nobody"), "known encoders"),
        (("--source", "{tmp}/raw", "--recipe", "{tmp}/nowhere.yaml"), "nowhere.yaml"),
        (("--source", "{tmp}/raw", "--until", "lunch"), "--until lunch"),
        (("--source", "{tmp}/raw", "--max-memory", "much"), "8GiB"),
        (("--source", "{tmp}/raw", "--max-memory", "10MB"), "one worker"),
    ],
)
def test_unusable_arguments_end_with_2_before_any_work(tmp_path, arguments, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "raw").mkdir()
    write_jsonl(tmp_path / "raw" / "good.jsonl", lines(GOOD))
    _, err = cli("build", "--out", tmp_path / "out", *(a.format(tmp=tmp_path) for a in arguments), expect=2)
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "out" / "pairs").exists()


def test_a_source_with_nothing_to_extract_says_so_and_shows_why(tmp_path):
    (tmp_path / "raw").mkdir()
    write_jsonl(tmp_path / "raw" / "x.jsonl", [b'{"foo": 1}'])
    _, err = cli("build", "--source", tmp_path / "raw", "--out", tmp_path / "out", "--workers", 1, expect=1)
    assert "no pairs came out" in err
    assert "cmtp inspect" in err
    rejects = pl.read_parquet(f"{tmp_path}/out/rejects/extract/*.parquet")
    assert "foo" in rejects["evidence"][0]


class FullDisk(Store):
    """A store whose disk fills up after a number of files."""

    left = 0

    def __reduce__(self):
        return FullDisk, (self.root,)

    def write(self, path):
        FullDisk.left -= 1
        if FullDisk.left < 0:
            raise OSError(28, os.strerror(28))
        return super().write(path)


def test_a_full_disk_loses_no_finished_work(tmp_path, monkeypatch):
    """The disk fills up again and again, a little later each time; with space the build goes on to the same bytes."""
    (tmp_path / "raw").mkdir()
    write_jsonl(tmp_path / "raw" / "good.jsonl", lines(GOOD))
    options = Options(workers=1)
    roots = [str(tmp_path / "raw")]
    with BuildProgress() as progress:
        build(roots, str(tmp_path / "whole"), Recipe(), options, progress)
    monkeypatch.setattr("cmtp.build.Store", FullDisk)
    resumed, said = [], []
    for _ in range(100):
        FullDisk.left = 12
        with BuildProgress() as progress:
            try:
                build(roots, str(tmp_path / "full"), Recipe(), options, progress)
                break
            except (CmtpError, OSError) as error:
                said.append(str(error))
        resumed.append(sum(clock.resumed for clock in progress.clocks.values()))
    assert len(resumed) > 3
    assert all("No space left" in one for one in said)
    assert resumed == sorted(resumed)
    whole, full = (
        {
            p.name: p.read_bytes()
            for p in (tmp_path / name).rglob("*")
            if p.suffix == ".parquet" and ".work" not in p.parts
        }
        for name in ("whole", "full")
    )
    assert full == whole


def test_two_builds_into_one_folder_do_not_run_at_once(tmp_path):
    import fcntl

    (tmp_path / "raw").mkdir()
    write_jsonl(tmp_path / "raw" / "good.jsonl", lines(GOOD))
    (tmp_path / "out" / ".work").mkdir(parents=True)
    with (tmp_path / "out" / ".work" / "lock").open("w") as lock, BuildProgress() as progress:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another build"):
            build([str(tmp_path / "raw")], str(tmp_path / "out"), Recipe(), Options(workers=1), progress)
