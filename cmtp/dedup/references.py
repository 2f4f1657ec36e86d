"""What a build is compared with besides itself: older releases and evaluation files, found and fingerprinted."""

from __future__ import annotations

import hashlib

import fsspec

from cmtp.dedup.evaluation import is_evaluation_file
from cmtp.dedup.settings import DedupSettings, EvaluationFile, References, Release
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.sources.tables import table_endings


def resolve_references(settings: DedupSettings) -> References:
    """Find what the settings `against` and `decontaminate` name. Evaluation files are sorted by name.

    Raises:
        UsageError: nothing there, nothing readable, or two evaluation files of one name.
    """
    return References(releases=[_release(root) for root in settings.against], evaluation=evaluation_files(settings))


def evaluation_files(settings: DedupSettings) -> list[EvaluationFile]:
    """The files that `decontaminate` names, sorted by name.

    Raises:
        UsageError: nothing there, nothing readable, or two files of one name.
    """
    files = sorted((file for path in settings.decontaminate for file in _files(path)), key=lambda file: file.name)
    names = [file.name for file in files]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"dedup.decontaminate: two files are called {name}. Give the folder that holds both.")
    return files


def _release(root: str) -> Release:
    store = Store(root)
    if not store.exists("manifest.json"):
        raise UsageError(f"dedup.against: {root} is not the output folder of a finished build (no manifest.json)")
    return Release(
        name=root.rstrip("/").rsplit("/", 1)[-1],
        root=root,
        files=[*store.list("pairs")],
        digest=store.sha256("manifest.json"),
    )


def _files(root: str) -> list[EvaluationFile]:
    """One file, or those below a folder whose names say that they can be read, with digests of their content."""
    fs, path = fsspec.core.url_to_fs(root)
    path = path.rstrip("/")
    base = path.rsplit("/", 1)[-1]
    if fs.isfile(path):
        if not is_evaluation_file(path):
            raise UsageError(f"dedup.decontaminate: {root} is none of {table_endings()}")
        paths = {base: path}
    else:
        paths = {
            f"{base}{file.removeprefix(path)}": file
            for file in (fs.find(path) if fs.isdir(path) else [])
            if is_evaluation_file(file)
        }
        if not paths:
            raise UsageError(f"dedup.decontaminate: {root} is neither a file nor a folder that holds {table_endings()}")
    result = []
    for name, file in paths.items():
        digest = hashlib.sha256()
        with fs.open(file, "rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        result.append(EvaluationFile(name=name, url=fs.unstrip_protocol(file), digest=digest.hexdigest()))
    return result
