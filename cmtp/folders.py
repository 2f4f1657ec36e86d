"""Checks of the folders that a build is given, and the lock that keeps a second build out of its output folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec

from cmtp.engine.plan import WORK
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.shards.publish import TOP

LOCK = "lock"
"""Name of the lock file in WORK."""

WRITTEN = (*TOP, "README.md", "manifest.json", "timings.json")
"""Names in the output folder that a build replaces."""


def check_folders(roots: list[str], out: str, against: list[str]) -> None:
    """Refuse an output folder that a build must not write into.

    Args:
        roots: folders or files of raw text.
        out: the output folder.
        against: output folders of earlier builds that are read.

    Raises:
        UsageError: `out` is not a usable name, is or lies in a folder that is read, or holds files that no build wrote
            under names that a build writes; or a root is the output folder of a build.
    """
    if not out.strip():
        raise UsageError("--out is empty: give a folder, for example --out shards/")
    if not out.isprintable():
        raise UsageError(f"--out {out!r}: not all libraries can write to a folder of this name. Give another one.")
    place = _place(out)
    for root in roots:
        read = _place(root)
        if place == read or place.startswith(read + "/"):
            raise UsageError(
                f"--out {out} lies in --source {root}: the next build would read what this one wrote. "
                "Give a folder outside of it."
            )
        if any(read == f"{place}/{name}" or read.startswith(f"{place}/{name}/") for name in (*TOP, WORK)):
            raise UsageError(
                f"--source {root} lies in --out {out} where a build replaces all files. Give another --out."
            )
        if is_output(Store(root)):
            raise UsageError(
                f"--source {root} is the output folder of a build: give the raw files, or {root.rstrip('/')}/pairs to "
                "read its pairs as raw text."
            )
    for older in against:
        if _place(older) == place:
            raise UsageError(f"dedup.against names --out {out} itself, which this build replaces. Give another --out.")
    store = Store(out)
    if not is_output(store):
        foreign = [name for name in WRITTEN if store.exists(name)]
        if foreign:
            raise UsageError(
                f"--out {out} holds {', '.join(foreign)} that no build wrote: they would be replaced. Give a folder "
                "of its own, for example --out shards/"
            )


def is_output(store: Store) -> bool:
    """Whether a build wrote, or began to write, into the folder."""
    return store.exists(WORK) or (store.exists("manifest.json") and store.exists("pairs"))


def _place(path: str) -> str:
    """A path or URL in one spelling, links resolved where that is possible."""
    if "://" not in path:
        return os.path.realpath(path)
    return path.partition("://")[0] + "://" + str(fsspec.core.url_to_fs(path)[1]).rstrip("/")


def forget(store: Store) -> None:
    """Delete what earlier runs finished. The lock file stays, because it keeps other builds out meanwhile."""
    for name in store.folders(WORK):
        store.remove(f"{WORK}/{name}")
    for path in store.list(WORK):
        if path != f"{WORK}/{LOCK}":
            store.remove(path)


@contextmanager
def lock(store: Store) -> Iterator[None]:
    """Keep a second build out of a local output folder. The system frees the lock when the process ends in any way.

    Raises:
        UsageError: the folder cannot be made or written to, or another build is at work in it.
    """
    if not store.is_local:
        yield
        return
    import fcntl

    path = Path(store.full(WORK))
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / LOCK).open("w")
    except OSError as error:
        raise UsageError(
            f"--out {store.root}: cannot write there: {error.strerror} ({error.filename}). Give another folder."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"--out {store.root}: another build is writing to this folder. Wait for its end."
            ) from error
        yield
