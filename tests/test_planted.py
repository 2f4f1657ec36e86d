"""The sample corpus has planted cases; each must end where sample_data/planted.json says."""

import json
import shutil

import polars as pl
import pytest

from cmtp.sources.recognise import split_name
from tests.builds import SAMPLE, cli

CASES = json.loads((SAMPLE / "planted.json").read_text(encoding="utf-8"))


def read_tables(shards):
    plain = pl.col(pl.Categorical).cast(pl.String)
    pairs = pl.scan_parquet(f"{shards}/pairs/*.parquet").with_columns(plain).collect()
    rejects = pl.scan_parquet(f"{shards}/rejects/*/*.parquet").with_columns(plain).collect()
    return pairs, rejects


@pytest.fixture(scope="module")
def tables(sample_shards):
    return read_tables(sample_shards)


@pytest.fixture(scope="module")
def cut_tables(sample_shards, tmp_path_factory):
    """With a threshold: the sample is too small for an estimate of how many pairs are wrong."""
    out = tmp_path_factory.mktemp("cut") / "shards"
    shutil.copytree(sample_shards, out)
    cli("build", "--source", SAMPLE / "raw", "--out", out, "--workers", 1, "--set", "similarity.threshold=0.08")
    return read_tables(out)


def rows_of(table, case, origin):
    rows = table.filter(pl.col("origin") == origin)
    if case.get("relation"):
        rows = rows.filter(pl.col("relation") == case["relation"])
    if case.get("contains"):
        texts = pl.concat_str(pl.col("query").fill_null(""), pl.col("passage").fill_null(""), separator="\n")
        rows = rows.filter(texts.str.contains(case["contains"], literal=True))
    return rows


def where_it_went(tables, case, origin):
    pairs, rejects = tables
    lost = rows_of(rejects, case, origin).select("stage", "reason", "evidence").rows()
    return f"{origin}: {len(rows_of(pairs, case, origin))} rows in pairs; rejects {lost}"


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_planted(request, case):
    tables = request.getfixturevalue("cut_tables" if case.get("stage") == "similarity" else "tables")
    pairs, rejects = tables
    verdict = rejects.filter(stage=case.get("stage"), reason=case.get("reason"))
    found = [len(rows_of(verdict, case, origin)) for origin in case["origins"]]
    kept = [len(rows_of(pairs, case, origin)) for origin in case["origins"]]
    told = "\n".join(where_it_went(tables, case, origin) for origin in case["origins"])
    if case["kind"] == "reject":
        assert all(found), told
        assert not any(kept), told
    elif case["kind"] == "reject_one_of":
        assert sum(map(bool, found)) == len(case["origins"]) - 1, told
    else:
        assert case["kind"] in ("keep", "mask"), case
        assert all(kept), told
    for raw in case.get("absent", []):
        text = pl.concat_str("query", "passage")
        assert pairs.filter(text.str.contains(raw, literal=True)).is_empty(), raw


def test_every_stage_and_many_reasons_are_planted():
    assert {case["stage"] for case in CASES if case["kind"].startswith("reject")} == {
        "extract",
        "dedup",
        "filter",
        "similarity",
    }
    assert len({case["reason"] for case in CASES if case["kind"].startswith("reject")}) >= 30


def test_the_sample_is_as_wide_as_it_says(tables):
    files = [split_name(str(path)) for path in (SAMPLE / "raw").rglob("*") if path.is_file()]
    formats = {"markdown", "text", "html", "json", "jsonl", "csv", "parquet", "tar", "zip", "warc", "mediawiki"}
    assert formats == {kind for _, kind, _ in files if kind}
    assert {"gzip", "bzip2", "xz", "zstd"} == {compression for _, _, compression in files if compression}
    documents = pl.concat([table.select("doc_id", "source") for table in tables]).unique()
    assert len(documents) >= 300
    assert documents["source"].n_unique() >= 20
    described = (SAMPLE / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{source}` |" in described for source in documents["source"].unique())
