"""What keeps the code readable: sizes, names, who may know a stage's name, pages that are true. Layers: `make lint`."""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from pkgutil import resolve_name

from cmtp import schema
from cmtp.dedup.verdicts import Reason
from cmtp.relations import RELATIONS
from tests.settings_table import renewed

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cmtp"

LONGEST_MODULE = 400
"""Lines."""

LONGEST_FUNCTION = 60
"""Lines, from its name to its end, docstring included."""

MOST_POSITIONAL = 6
"""Positional arguments of a call."""

BY_CONVENTION = {"CARD", "FORMAT", "MINER", "main"}
"""Names that registries and Python look for in several modules."""

STAGES = {"extract", "screen", "encode", "dedup", "filter", "similarity", "eval", "mine-encode", "mine", "shard"}
"""All but score, which is a column too."""


@cache
def modules():
    """Syntax tree of every module, by its path below cmtp/."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def nodes(*kinds):
    """(path, node) of all nodes of some kinds."""
    return [(path, node) for path, tree in modules().items() for node in ast.walk(tree) if isinstance(node, kinds)]


def defined(tree):
    """Public names that a module defines at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_no_module_is_longer_than_a_reader_can_hold():
    lines = {path: len((PACKAGE / path).read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {path: n for path, n in lines.items() if n > LONGEST_MODULE} == {}


def test_no_function_is_longer_than_a_screen():
    long = {
        f"{path}:{node.name}"
        for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == set()


def test_no_call_passes_more_than_six_arguments_by_position():
    calls = {f"{path} {ast.unparse(node.func)}" for path, node in nodes(ast.Call) if len(node.args) > MOST_POSITIONAL}
    assert calls == set()


def test_benchmarks_import_names_that_there_are():
    """They run by hand and rarely, so that a renamed function would be missed there."""
    missing = []
    for path in sorted((PACKAGE.parent / "benchmarks").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "cmtp":
                names = names_in(str(node.module))
                missing += [
                    f"{path.name}: {node.module}.{alias.name}" for alias in node.names if alias.name not in names
                ]
    assert missing == []


def names_in(module):
    """Names that a module of the package defines or imports, and its submodules."""
    inside = "/".join(module.split(".")[1:])
    path = next(path for path in (f"{inside}.py", f"{inside}/__init__.py".lstrip("/")) if path in modules())
    imported = [alias for node in modules()[path].body if isinstance(node, ast.ImportFrom) for alias in node.names]
    folder = (PACKAGE / path).parent
    submodules = [found.stem for found in folder.iterdir()] if path.endswith("__init__.py") else []
    return {*defined(modules()[path]), *(alias.asname or alias.name for alias in imported), *submodules}


def test_only_the_pipeline_compares_names_of_stages():
    """A stage answers for itself; `if stage.name == "dedup"` elsewhere has to be found again for every new stage."""
    compared = set()
    for path, node in nodes(ast.Compare, ast.MatchValue):
        operands = [node.left, *node.comparators] if isinstance(node, ast.Compare) else [node.value]
        for operand in operands:
            values = operand.elts if isinstance(operand, ast.Tuple | ast.List | ast.Set) else [operand]
            if any(isinstance(value, ast.Constant) and value.value in STAGES for value in values):
                compared.add(path)
    assert compared - {"pipeline.py"} == set()


def test_a_public_name_means_one_thing():
    homes = defaultdict(set)
    for path, tree in modules().items():
        for name in defined(tree):
            if not name.startswith("_") and path != "cli.py":  # a command has the name of what it calls
                homes[name].add(path)
    shared = {name: sorted(paths) for name, paths in homes.items() if len(paths) > 1 and name not in BY_CONVENTION}
    assert shared == {}


def pages():
    """The text of every page of documentation, by its path."""
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    return {path: path.read_text(encoding="utf-8") for path in paths}


def test_pages_link_to_what_is_there():
    links = {(path, link) for path, text in pages().items() for link in re.findall(r"\]\((?!https?:)([^)#]+)", text)}
    assert [f"{path.name}: {link}" for path, link in sorted(links) if not (path.parent / link).exists()] == []


def is_there(name):
    """Whether `cmtp.module.name` is a module or something in one, or `cmtp/path` a file or a folder."""
    if "/" in name:
        return (ROOT / name).exists()
    try:
        return bool(resolve_name(name))
    except AttributeError:
        return False


def test_what_pages_name_is_there():
    groups = {f"cmtp.{name}" for name in ("formats", "rules", "encoders", "miners", "executors")}
    named = re.compile(r"`(cmtp(?:\.\w+)+|(?:cmtp|tests|benchmarks|pipelines)/[\w./-]*)`")
    found = [(path.name, name) for path, text in pages().items() for name in named.findall(text)]
    assert [(page, name) for page, name in found if name not in groups and not is_there(name)] == []


def test_every_folder_has_its_line_in_contributing():
    table = pages()[ROOT / "CONTRIBUTING.md"].partition("## What an addition costs")[0]
    rooms = {f"cmtp/{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
    assert rooms - set(re.findall(r"`(cmtp/\w+)`", table)) == set()


def test_the_tables_of_settings_are_those_of_today():
    page = pages()[ROOT / "docs/settings.md"]
    assert page == renewed(page), "python -m tests.settings_table writes them"


def column(page, first):
    """Names in backticks in the first column of the table of a page whose first column is called so."""
    table = pages()[ROOT / page].partition(f"\n| {first} |")[2].partition("\n\n")[0]
    return [name for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])]


def test_the_tables_of_columns_are_those_of_today():
    rows = dict(re.findall(r"^\| (\w+) \| (`.*`) \|$", pages()[ROOT / "docs/shards.md"], re.MULTILINE))
    tables = {
        "pairs": schema.PAIRS,
        "finetune": schema.FINETUNE,
        "pretrain": schema.PRETRAIN,
        "rejects": schema.REJECTS,
    }
    assert {name: re.findall("`([^`]+)`", line) for name, line in rows.items()} == {
        name: table.names for name, table in tables.items()
    }


def test_pages_list_all_relations_and_reasons_of_dedup():
    assert sorted(column("docs/build.md", "relation")) == sorted(RELATIONS)
    assert sorted(column("docs/dedup.md", "reason")) == sorted(reason.label for reason in Reason)
