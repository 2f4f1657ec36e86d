"""What is imported is declared, what is declared is imported, and each has its reason in docs/dependencies.md."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent

PACKAGE_OF = {
    "faiss": "faiss-cpu",
    "fastwarc": "FastWARC",
    "markdown_it": "markdown-it-py",
    "opencc": "opencc-python-reimplemented",
    "pytrec_eval": "pytrec-eval-terrier",
    "sklearn": "scikit-learn",
    "stdnum": "python-stdnum",
    "yaml": "pyyaml",
}
"""Distributions by the module that they bring, where the names differ."""

NOT_IMPORTED = {"tensorboard"}
"""torch.utils.tensorboard imports it."""

TOOLS = {"ruff", "mypy", "types-pyyaml", "import-linter", "pytest-randomly", "pytest-xdist", "spacy", "jieba"}
"""Run, loaded by another program, or (spacy, jieba) by a peer in the benchmarks."""

OPTIONAL_PEERS = {"data-juicer"}
"""Benchmarked where somebody has it: `make bench-filter DATA_JUICER=…`."""


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folder):
    """Distributions that the files of a folder import anywhere, or whose data files they read."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("files", "pytest.importorskip"):
                found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    tops = {name.split(".")[0] for name in found} - sys.stdlib_module_names - {"cmtp", "tests", "benchmarks"}
    return {normal(PACKAGE_OF.get(top, top)) for top in tops}


def declared():
    """Extra ("" is the base install) → distributions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    names = {extra: {normal(re.match(r"[\w.-]+", line).group()) for line in lines} for extra, lines in groups.items()}
    return {extra: found - {"cmtp"} for extra, found in names.items()}


def documented():
    """The same, from the tables of the page."""
    found = {}
    for line in (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"`\[\w+\]`", cells[0]) and len(cells) == 3:
            assert cells[2], line
            found.setdefault(cells[0][2:-2], set()).add(normal(cells[1]))
        elif re.fullmatch(r"[\w.-]+", cells[0]) and len(cells) == 2 and cells[0] not in ("package", "---"):
            assert cells[1], line
            found.setdefault("", set()).add(normal(cells[0]))
    return found


def test_the_package_imports_what_it_declares():
    extras = declared()
    for_users = set().union(*(names for extra, names in extras.items() if extra not in ("test", "bench")))
    assert imported("cmtp") | NOT_IMPORTED == for_users


def test_tests_and_benchmarks_import_what_is_declared():
    extras = declared()
    for_users = set().union(*(names for extra, names in extras.items() if extra not in ("test", "bench")))
    assert imported("tests") - for_users == extras["test"] - for_users - TOOLS
    assert imported("benchmarks") - for_users - OPTIONAL_PEERS == extras["bench"] - for_users - TOOLS


def test_every_dependency_has_its_reason():
    assert documented() == declared()


def test_every_dependency_is_pinned_but_those_of_the_benchmarks():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {normal(line.split("==")[0]) for line in lines if "==" in line}
    assert set().union(*(names for extra, names in declared().items() if extra != "bench")) - pinned == set()
