"""Which folders a build may write into: nobody's files are replaced, and no build reads what it wrote."""

import pytest

from cmtp.build import build
from cmtp.engine.progress import BuildProgress
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.folders import check_folders, forget, lock
from cmtp.planning import Options
from cmtp.recipe import Recipe


@pytest.fixture
def here(tmp_path):
    (tmp_path / "raw" / "s").mkdir(parents=True)
    (tmp_path / "raw" / "s" / "a.md").write_text("# 绿萝\n\n绿萝喜欢湿润，盆土表面干了就浇透。\n", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "raw")
    (tmp_path / "build" / ".work").mkdir(parents=True)
    (tmp_path / "build" / "pairs").mkdir()
    (tmp_path / "project" / "pairs").mkdir(parents=True)
    (tmp_path / "project" / "README.md").write_text("mine", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("root", "out", "against", "said"),
    [
        ("raw", "raw", "", "lies in --source"),
        ("raw", "raw/shards", "", "lies in --source"),
        ("raw", "link/shards", "", "lies in --source"),
        ("link", "raw/shards", "", "lies in --source"),
        ("project/pairs", "project", "", "replaces all files"),
        ("build", "new", "", "is the output folder of a build: give the raw files, or .*build/pairs"),
        ("raw", "project", "", "holds pairs, README.md that no build wrote"),
        ("raw", "build", "build", "names --out .* itself"),
        ("raw", "build", "raw/../build/", "names --out .* itself"),
        ("raw", "bad\udcffname", "", "another"),
    ],
)
def test_folders_that_would_be_spoilt_are_refused(here, root, out, against, said):
    with pytest.raises(UsageError, match=said):
        check_folders([f"{here}/{root}"], f"{here}/{out}", [f"{here}/{against}"] if against else [])


@pytest.mark.parametrize("out", ["new/er", "build", "", "raw2"])
def test_other_folders_are_fine(here, out):
    (here / "raw2").mkdir()  # begins like raw, lies beside it
    (here / "notes.txt").write_text("not in the way", encoding="utf-8")
    check_folders([f"{here}/raw", f"{here}/build/other"], f"{here}/{out}".rstrip("/"), [])


def test_an_empty_name_is_refused(here):
    with pytest.raises(UsageError, match="--out is empty"):
        check_folders([f"{here}/raw"], "", [])


def test_a_refused_build_touches_nothing(here):
    with BuildProgress() as progress, pytest.raises(UsageError, match="no build wrote"):
        build([f"{here}/raw"], f"{here}/project", Recipe(), Options(workers=1), progress)
    assert sorted(path.name for path in (here / "project").rglob("*")) == ["README.md", "pairs"]


def test_starting_over_keeps_the_lock(tmp_path):
    store = Store(str(tmp_path))
    store.write_json(".work/extract-1/receipts/a.json", {})
    store.write_json(".work/published.json", {})
    with lock(store):
        forget(store)
        assert [path.name for path in (tmp_path / ".work").iterdir()] == ["lock"]
        with pytest.raises(UsageError, match="another build"), lock(store):
            pass


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot write there: Not a directory"), lock(Store(f"{tmp_path}/file/out")):
        pass
