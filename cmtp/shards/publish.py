"""Publishes the finished tables of a build: moves them into the output folder, and writes the manifest last.

While tables are being replaced there is no manifest, so a reader never takes a mixture of two builds for one. A run
that was killed here continues where it stopped: a table that is in its place is not moved again.

1. Write the fingerprint to published.json, with ``whole: false``.
2. Remove the manifest, then the old tables, then other builds' shard stages.
3. Move the new tables into their place.
4. Write the card, then the manifest, then ``whole: true``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cmtp.engine.plan import WORK
from cmtp.engine.store import Store
from cmtp.shards.card import make_dataset_card

PUBLISHED = f"{WORK}/published.json"
"""File with the fingerprint of the build that the tables belong to, and whether all of them are in place."""

TOP = ("pairs", "finetune", "pretrain", "rejects")
"""Folders of tables."""


def is_published(store: Store, fingerprint: str) -> bool:
    """Whether the folder holds the build with this fingerprint, and no file of it was removed or changed in size."""
    note = store.read_json(PUBLISHED) if store.exists(PUBLISHED) else {}
    if note != {"fingerprint": fingerprint, "whole": True} or not store.exists("manifest.json"):
        return False
    try:
        tables = store.read_json("manifest.json")["tables"]
    except ValueError:  # it is not JSON any more
        return False
    sizes = {f"{name}/{file['file']}": file["bytes"] for name, table in tables.items() for file in table["files"]}
    return all(store.exists(path) and store.size(path) == size for path, size in sizes.items())


def publish(store: Store, folder: str, fingerprint: str, manifest: dict[str, Any]) -> None:
    """Move the tables from the shard stage's folder into the output folder.

    Args:
        store: the output folder.
        folder: the shard stage's folder; its ``tables/`` are moved.
        fingerprint: of the shard stage.
        manifest: written last, after the card.
    """
    started = {"fingerprint": fingerprint, "whole": False}
    if not store.exists(PUBLISHED) or store.read_json(PUBLISHED) != started:
        store.remove("manifest.json")
        for name in TOP:
            store.remove(name)
        # another build's shard stage may have receipts for tables that were moved to where they are deleted now
        for other in store.folders(WORK):
            if other.startswith("shard-") and f"{WORK}/{other}" != folder:
                store.remove(f"{WORK}/{other}")
        store.write_json(PUBLISHED, started)
    _move_tables(store, folder, manifest, sorted(manifest["tables"]))
    store.write_json(PUBLISHED, {"fingerprint": fingerprint, "whole": True})


def _move_tables(store: Store, folder: str, manifest: dict[str, Any], tables: Sequence[str]) -> None:
    """Move the files of some tables that are not in their place yet, then write the card and the manifest."""
    for name in tables:
        for file in manifest["tables"][name]["files"]:
            source = f"{folder}/tables/{name}/{file['file']}"
            if store.exists(source):
                store.move(source, f"{name}/{file['file']}")
    with store.write("README.md") as out:
        out.write(make_dataset_card(manifest).encode())
    store.write_json("manifest.json", manifest)


TABLE_REPLACEMENT = f"{WORK}/replacement.json"
"""File about a table that is being replaced: its name, the folder of its new files, the new manifest."""


def replace_table(store: Store, folder: str, table: str, manifest: dict[str, Any]) -> None:
    """Replace one table, and write the manifest last.

    TABLE_REPLACEMENT is written first, so that `resume_replacement` can finish what a killed run began.

    Args:
        store: the output folder.
        folder: of the stage that wrote the new files; its ``tables/TABLE`` is moved.
        table: name of the table.
        manifest: of the output folder with the new table.
    """
    store.write_json(TABLE_REPLACEMENT, {"folder": folder, "table": table, "manifest": manifest})
    resume_replacement(store)


def resume_replacement(store: Store) -> None:
    """Finish a replacement that a killed run began, if there is one."""
    if not store.exists(TABLE_REPLACEMENT):
        return
    note = store.read_json(TABLE_REPLACEMENT)
    table, manifest = note["table"], note["manifest"]
    store.remove("manifest.json")
    store.write_json(PUBLISHED, {"fingerprint": "", "whole": False})  # the next build writes all tables again
    names = {file["file"] for file in manifest["tables"][table]["files"]}
    for path in store.list(table):
        if path.rsplit("/", 1)[1] not in names:
            store.remove(path)
    _move_tables(store, note["folder"], manifest, [table])
    store.remove(TABLE_REPLACEMENT)
