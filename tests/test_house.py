"""The measures that keep the code readable: sizes, names, and who may know a stage's name. Layers: `make lint`."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "cmtp"

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
