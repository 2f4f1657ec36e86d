"""Every command and Python block of README and docs/ is run as a reader would, on a build of the sample corpus."""

import os
import re

import polars as pl
import pytest

from tests.builds import made_once, published
from tests.pages import PAGES, as_printed, blocks, check, commands, copy_desk, make_desk, refresh, run, text_of

WRITE = "WRITE_PAGES" in os.environ
"""Whether the output of today is written into the pages (``make docs``), and not compared with them."""


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A reader's folder with a build; see `make_desk`."""
    return made_once(tmp_path_factory, "desk", make_desk)


@pytest.fixture
def desk(template, tmp_path):
    return copy_desk(template, tmp_path / "desk")


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_the_commands_of(page, template, tmp_path):
    desk = copy_desk(template, tmp_path / "desk", page)
    if WRITE:
        refresh(page, desk)
    for shown in [] if WRITE else commands(page):
        check(shown, desk)


def test_output_is_compared_apart_from_its_numbers():
    printed = ["a 12 s", "b", "c", "d 3.5 GiB"]
    assert as_printed(["a 9 s", "b", "c", "d 1 GiB"], printed) == printed
    assert as_printed(["a 9 s", "…", "d 1 GiB"], printed) == ["a 12 s", "…", "d 3.5 GiB"]
    assert as_printed(["…", "c", "…"], printed) == ["…", "c", "…"]
    assert as_printed(["…"], printed) == ["…"]
    for other in ([], ["a 9 s"], ["…", "c"], ["b", "…"], ["a 9 s", "…", "e", "…"], ["a 9 s", "c", "…"]):
        assert as_printed(other, printed) is None


def test_the_pair_of_the_engine_page_takes_that_path(template):
    page = text_of("docs/engine.md")
    (title, section, passage) = re.findall(r"^(?:#+ )?(\S.*)$", blocks("docs/engine.md", "markdown")[0], re.MULTILINE)
    source = (template / "my-raw-files/kitchen_notes/菜刀与砧板.md").read_text(encoding="utf-8")
    assert {f"# {title}", f"## {section}", passage} <= set(source.splitlines())
    build = template / "my-shards"
    rows = pl.read_parquet(build / "finetune/*.parquet").filter(pl.col("query") == f"{title} {section}")
    ((pair_id, positive, scores, ranks),) = rows.select("pair_id", "pos", "pos_scores", "neg_ranks").rows()
    assert positive == [passage]
    assert f"cosines; {scores[0]:.3f} here" in page
    assert len(ranks) == 3
    assert f"three here, ranks {min(ranks)} to {max(ranks)} " in page
    places = re.findall(r"\| `([^`]+\.parquet)` \|$", page, re.MULTILINE)
    assert len(places) == 9
    for place in places:
        files = [*build.glob(place), *(build / ".work").glob(place)]
        found = [
            row for file in files for row in pl.read_parquet(file, columns=["pair_id"])["pair_id"] if row == pair_id
        ]
        assert found == [pair_id], place


def test_the_second_build_of_the_readme_runs_only_what_depends_on_the_threshold(desk):
    builds = [shown.command for shown in commands("README.md") if shown.command.startswith("cmtp build")]
    assert len(builds) == 3
    run(builds[1], desk)
    before = published(desk / "my-shards")
    said = run(builds[2], desk)[1]
    for stage in ("extract", "screen", "encode"):
        assert re.search(rf"{stage}: .*tasks done before", said), said
    rejects = pl.read_parquet(desk / "my-shards/rejects/extract/*.parquet").filter(pl.col("source") == "forum")
    assert "unknown_layout" not in set(rejects["reason"])
    assert published(desk / "my-shards") != before
