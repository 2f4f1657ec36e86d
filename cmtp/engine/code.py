"""The code that a result depends on: a module, those that it imports, and theirs, read from the source files.

1. Parse a module with `ast` and collect every import in it, also those inside functions. ``from cmtp.text import utf8``
   names two modules, the package and its submodule. A string that is exactly a module's name is an import by name
   (``"cmtp.encoders.e5"``, ``"cmtp.encoders.e5:load"``). ``files("opencc")`` reads data of a package and counts as
   its import. ``if TYPE_CHECKING:`` is skipped.
2. Follow the imports that lead to this package or to the package of a module that was asked for, `__init__` files
   included, until nothing new turns up: the closure.
3. Imports that lead elsewhere are the standard library, or other distributions, which count by their version. Those
   that a package declares as optional (``torch>=2.6; extra == "gpu"``) do not count here, because whether they are
   used depends on settings. A stage that uses one has its version in its settings (`package_versions`).

Nothing is imported on the way, so a missing extra or a slow import does not matter.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PACKAGE: Final = __name__.partition(".")[0]
"""This package; its modules are followed whoever imports them."""

NO_DISTRIBUTION: Final = "?"
"""Version of what can be imported but belongs to no installed distribution."""


def closure(modules: Iterable[str]) -> dict[str, Path]:
    """The modules that these modules depend on, themselves included: dotted name → source file, sorted by name.

    Raises:
        ValueError: one of `modules` has no source file.
    """
    asked = sorted(set(modules))
    for name in asked:
        if _file(name) is None:
            raise ValueError(f"module {name} has no source file")
    followed = {PACKAGE, *map(_top, asked)}
    files: dict[str, Path] = {}
    waiting = list(asked)
    while waiting:
        name = waiting.pop()
        if name in files or _top(name) not in followed:
            continue
        path = _file(name)
        if path is None:  # not a module: PAIR in `from cmtp.schema import PAIR`
            continue
        files[name] = path
        waiting += imports(name, path)
        waiting += [name[: dot.start()] for dot in re.finditer(r"\.", name)]
    return dict(sorted(files.items()))


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """SHA-256 (hex) of the closure's source files and of the data files beside them, by name and content."""
    files = closure(modules)
    return digest_of([*files.values(), *data_files(files)])


def digest_of(paths: Iterable[Path]) -> str:
    """SHA-256 (hex) of files, by their path inside the top-level package and by content."""
    digest = hashlib.sha256()
    for name, path in sorted((_inside_package(path), path) for path in paths):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def data_files(files: Mapping[str, Path]) -> list[Path]:
    """Files other than Python source in the folders of these modules, and in their subfolders that are not packages.

    For ``cmtp.filters.rules`` that includes ``cmtp/filters/lexicons/offer.txt``. A module outside any package has no
    such files, because its folder may hold anything.
    """
    folders = {path.parent for name, path in files.items() if "." in name or path.name == "__init__.py"}
    return sorted(file for folder in folders for file in _data_in(folder))


@cache
def libraries(modules: tuple[str, ...]) -> dict[str, str]:
    """The distributions that the closure imports, and Python: name → version, sorted by name.

    Two kinds are left out: those that are not installed, because their code cannot have run, and those that the
    packages followed declare for an extra only.
    """
    files = closure(modules)
    followed = {PACKAGE, *map(_top, modules)}
    optional = set().union(*map(_only_for_extras, followed))
    tops = {_top(name) for module, path in files.items() for name in imports(module, path)}
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for top in tops - followed - sys.stdlib_module_names:
        if find_spec(top) is not None:
            name, version = _distribution(top)
            if _normal(name) not in optional:
                versions[name] = version
    return dict(sorted(versions.items()))


def package_versions(packages: Iterable[str]) -> str:
    """The distributions that packages come from: ``PyYAML 6.0.3, numpy 2.4.6`` for ``["yaml", "numpy"]``.

    A stage whose settings make it use an optional package puts this into its settings.
    """
    return ", ".join(sorted({f"{name} {version}" for name, version in map(_distribution, packages)}))


def package_modules(package: str) -> dict[str, Path]:
    """All modules of a top-level package: dotted name → source file."""
    root = _file(package)
    if root is None or root.name != "__init__.py":
        raise ValueError(f"{package} is not a package with source files")
    modules = {}
    for path in sorted(root.parent.rglob("*.py")):
        parts = path.relative_to(root.parent.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


@cache
def imports(module: str, path: Path) -> tuple[str, ...]:
    """Every name that a module may import, as dotted names; some of them are attributes of modules."""
    source = path.read_bytes()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    by_name = re.compile(rf"(?:{PACKAGE}|{re.escape(_top(module))})(?:\.\w+)+(?::[\w.]+)?")
    names: set[str] = set()
    for node in _nodes(ast.parse(source, path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = _absolute(node, package)
            names.add(start)
            names.update(f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and by_name.fullmatch(node.value):
            names.add(node.value.partition(":")[0])
        elif isinstance(node, ast.Call) and _last_name(node.func) == "files":
            names.update(arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))
    return tuple(sorted(names))


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree, without those that only a type checker reads."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _last_name(node: ast.AST) -> str:
    """``files`` of ``resources.files``; empty for an expression that does not end with a name."""
    return getattr(node, "attr", getattr(node, "id", ""))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that ``from … import`` names: ``from ..text import utf8`` in cmtp.dedup starts at cmtp.text."""
    if node.level == 0:
        return node.module or ""
    parts = package.split(".")
    start = parts[: len(parts) - node.level + 1]
    return ".".join([*start, node.module] if node.module else start)


def _top(name: str) -> str:
    return name.partition(".")[0]


@cache
def _file(name: str) -> Path | None:
    """Source file of a module; None: the name is not a module's, or the module is compiled."""
    top, *rest = name.split(".")
    root = _root(top)
    if root is None or not rest:
        return root
    if root.name != "__init__.py":
        return None
    inside = root.parent.joinpath(*rest)
    for path in (inside / "__init__.py", inside.with_name(f"{inside.name}.py")):
        if path.is_file():
            return path
    return None


def _root(top: str) -> Path | None:
    """Source file of a top-level module or package. For ``__main__`` it is the script that was started."""
    loaded = sys.modules.get(top)
    origin = getattr(loaded, "__file__", None)
    if loaded is None:
        spec = find_spec(top)
        origin = spec.origin if spec is not None else None
    return Path(origin) if origin is not None and origin.endswith(".py") else None


def _inside_package(path: Path) -> str:
    """A path relative to the folder that holds the top-level package: cmtp/filters/lexicons/offer.txt."""
    folder = path.parent
    while not (folder / "__init__.py").is_file() and folder != folder.parent:  # a folder of data
        folder = folder.parent
    if folder == folder.parent:
        return path.name
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return path.relative_to(folder).as_posix()


def _data_in(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name == "__pycache__":
            continue
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path
        elif path.is_dir() and not (path / "__init__.py").is_file():
            yield from _data_in(path)


def _distribution(top: str) -> tuple[str, str]:
    """Name and version of the distribution that a top-level module comes from.

    1. The distribution of the same name, which most have: numpy.
    2. The distribution that lists it among its top-level names: PyYAML lists yaml.
    3. The distribution that lists its files: faiss-cpu lists faiss/. Reading these lists is slow, so it comes last.
    """
    try:
        same = metadata.distribution(top)
    except metadata.PackageNotFoundError:
        pass
    else:
        return same.metadata["Name"], same.version
    installed = _installed()
    for names, start in (("top_level.txt", re.escape(top) + r"$"), ("RECORD", re.escape(top) + r"[/.]")):
        for distribution in installed:
            if re.search(f"^{start}", distribution.read_text(names) or "", re.MULTILINE):
                return distribution.metadata["Name"], distribution.version
    return top, NO_DISTRIBUTION


def _only_for_extras(top: str) -> set[str]:
    """Distributions that the distribution of a top-level module requires for its extras alone, by normal names."""
    try:
        requirements = metadata.requires(_distribution(top)[0]) or []
    except metadata.PackageNotFoundError:  # a module outside any distribution
        return set()
    always: set[str] = set()
    for_extras: set[str] = set()
    for requirement in requirements:
        name = re.match(r"[\w.-]+", requirement)
        if name is not None:
            (for_extras if re.search(r";.*\bextra\b", requirement) else always).add(_normal(name[0]))
    return for_extras - always


def _normal(name: str) -> str:
    """A distribution's name in the one spelling by which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _installed() -> Sequence[metadata.Distribution]:
    return list(metadata.distributions())
