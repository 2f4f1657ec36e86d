"""What a build is compared with besides itself: older releases and evaluation files, found and fingerprinted."""

from __future__ import annotations

import hashlib
from typing import Any

import fsspec

from cmtp.dedup.evaluation import is_evaluation_file
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.sources.tables import table_endings


def resolve(settings: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Find what the settings `against` and `decontaminate` name.

    Args:
        settings: of the dedup stage.

    Returns:
        releases: name, root, files and digest (of the manifest, which has every file's checksum) of each older build;
        evaluation: name (the folder's name and the path below it), url and digest of each file, sorted by name.
        The digests make a change of content a change of settings.

    Raises:
        UsageError: nothing there, nothing readable, or two evaluation files of one name.
    """
    releases = [_release(root) for root in settings["against"]]
    evaluation = sorted(
        (file for path in settings["decontaminate"] for file in _files(path)), key=lambda one: one["name"]
    )
    names = [file["name"] for file in evaluation]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"dedup.decontaminate: two files are called {name}. Give the folder that holds both.")
    return {"releases": releases, "evaluation": evaluation}


def _release(root: str) -> dict[str, Any]:
    store = Store(root)
    if not store.exists("manifest.json"):
        raise UsageError(f"dedup.against: {root} is not the output folder of a finished build (no manifest.json)")
    return {
        "name": root.rstrip("/").rsplit("/", 1)[-1],
        "root": root,
        "files": [*store.list("pairs")],
        "digest": store.sha256("manifest.json"),
    }


def _files(root: str) -> list[dict[str, Any]]:
    fs, path = fsspec.core.url_to_fs(root)
    path = path.rstrip("/")
    base = path.rsplit("/", 1)[-1]
    if fs.isfile(path):
        if not is_evaluation_file(path):
            raise UsageError(f"dedup.decontaminate: {root} is none of {table_endings()}")
        found = {base: path}
    else:
        found = {
            f"{base}{file.removeprefix(path)}": file
            for file in (fs.find(path) if fs.isdir(path) else [])
            if is_evaluation_file(file)
        }
        if not found:
            raise UsageError(f"dedup.decontaminate: {root} is neither a file nor a folder that holds {table_endings()}")
    result = []
    for name, file in found.items():
        digest = hashlib.sha256()
        with fs.open(file, "rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        result.append({"name": name, "url": fs.unstrip_protocol(file), "digest": digest.hexdigest()})
    return result
