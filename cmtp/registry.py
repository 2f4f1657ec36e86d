"""Things that can be added from outside: formats, encoders, miners, filter rules, executors.

A registry holds the built-in items and finds those that installed packages offer under an entry point group. To add an
encoder, for example, a package writes in its ``pyproject.toml``::

    [project.entry-points."cmtp.encoders"]
    my-encoder = "my_package.encoder:CARD"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Generic, TypeVar

from cmtp.errors import UsageError

T = TypeVar("T")


def did_you_mean(name: str, known: list[str]) -> str:
    """``; did you mean NAME?`` with the most similar of the known names; empty if none is similar."""
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def origins_of(group: str) -> dict[str, str]:
    """Where the items of an entry point group come from: package, version, and a digest of the module, by item name.

    A stage that applies such items has this in its settings, so that another version gives another fingerprint.
    """
    origins = {}
    for point in entry_points(group=group):
        package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.module
        spec = find_spec(point.module)
        file = Path(spec.origin) if spec is not None and spec.origin is not None else None
        digest = sha256(file.read_bytes()).hexdigest()[:16] if file is not None and file.is_file() else "unknown"
        origins[point.name] = f"{package} {digest}"
    return dict(sorted(origins.items()))


class Registry(Generic[T]):
    """Items of one kind by their names.

    Args:
        what: the kind, as messages call it: ``encoder``.
        group: the entry point group of items from outside: ``cmtp.encoders``. The name of an entry point is the name
            of its item.
        items: the built-in items by name.
    """

    def __init__(self, what: str, group: str, items: Mapping[str, T]) -> None:
        self.what = what
        self.group = group
        self._items = dict(items)
        self._outside: dict[str, T] | None = None

    def add(self, name: str, item: T) -> None:
        """Add an item to this process's registry.

        Worker processes load the entry points for themselves, so an item that tasks need comes by an entry point.

        Raises:
            UsageError: the name is taken.
        """
        if name in self._all():
            raise UsageError(f"there is a {self.what} {name!r} already: give yours another name")
        self._items[name] = item

    def _all(self) -> dict[str, T]:
        if self._outside is None:
            self._outside = {}
            for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
                if point.name in self._items or point.name in self._outside:
                    raise UsageError(
                        f"{point.value} adds a {self.what} {point.name!r}, and there is one already: "
                        "rename its entry point"
                    )
                self._outside[point.name] = self._load(point)
        return self._items | self._outside

    def _load(self, point: EntryPoint) -> T:
        try:
            return point.load()  # type: ignore[no-any-return]
        except (ImportError, AttributeError) as error:
            raise UsageError(f"the {self.what} {point.name!r} ({point.value}) cannot be loaded: {error}") from error

    def origins(self) -> dict[str, str]:
        """Where the items from outside come from; see `origins_of`."""
        return origins_of(self.group)

    def names(self) -> list[str]:
        """The names of all items, built-in ones first."""
        return list(self._all())

    def __contains__(self, name: str) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[T]:
        return iter(self._all().values())

    def items(self) -> list[tuple[str, T]]:
        """Names and items, built-in ones first."""
        return list(self._all().items())

    def get(self, name: str) -> T:
        """The item of this name.

        Raises:
            UsageError: there is none. The message has the most similar name and all known names.
        """
        items = self._all()
        if name not in items:
            raise UsageError(
                f"there is no {self.what} {name!r}{did_you_mean(name, list(items))}; known: {', '.join(items)}"
            )
        return items[name]
