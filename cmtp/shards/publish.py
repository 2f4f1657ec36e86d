"""The build's last act: put finished tables into their place, manifest last.

While tables are being exchanged there is no manifest, so a reader never takes a mixture for a build. A run that was
killed here goes on where it stopped: what lies in its place already is not moved again.
"""

from __future__ import annotations

from typing import Any

from cmtp.engine.plan import WORK
from cmtp.engine.store import Store
from cmtp.shards.card import make_card

MARK = f"{WORK}/published.json"
"""Says which fingerprint the tables in place belong to, and whether all of them are there."""

TOP = ("pairs", "finetune", "pretrain", "rejects")
"""Folders of tables."""


def is_published(store: Store, fingerprint: str) -> bool:
    """Whether the folder holds exactly the build with this fingerprint, and no file of it was removed or cut since."""
    mark = store.read_json(MARK) if store.exists(MARK) else {}
    if mark != {"fingerprint": fingerprint, "whole": True} or not store.exists("manifest.json"):
        return False
    try:
        tables = store.read_json("manifest.json")["tables"]
    except ValueError:  # no JSON any more
        return False
    sizes = {f"{name}/{file['file']}": file["bytes"] for name, table in tables.items() for file in table["files"]}
    return all(store.exists(path) and store.size(path) == size for path, size in sizes.items())


def publish(store: Store, folder: str, fingerprint: str, manifest: dict[str, Any]) -> None:
    """Move the tables from the shard stage's folder into the output folder.

    Args:
        store: the output folder.
        folder: the shard stage's folder; its ``tables/`` are moved.
        fingerprint: the shard stage's.
        manifest: written last, with the card before it.
    """
    started = {"fingerprint": fingerprint, "whole": False}
    if not store.exists(MARK) or store.read_json(MARK) != started:
        store.remove("manifest.json")
        for name in TOP:
            store.remove(name)
        # another build's shard stage may have receipts for tables that were moved to where they are deleted now
        for other in store.folders(WORK):
            if other.startswith("shard-") and f"{WORK}/{other}" != folder:
                store.remove(f"{WORK}/{other}")
        store.write_json(MARK, started)
    for name, table in sorted(manifest["tables"].items()):
        for file in table["files"]:
            made, place = f"{folder}/tables/{name}/{file['file']}", f"{name}/{file['file']}"
            if store.exists(made):
                store.move(made, place)
    with store.write("README.md") as out:
        out.write(make_card(manifest).encode())
    store.write_json("manifest.json", manifest)
    store.write_json(MARK, {"fingerprint": fingerprint, "whole": True})


REPLACEMENT = f"{WORK}/replacement.json"
"""What is being put in place of one table: its name, the folder its files come from, the manifest to be."""


def replace_table(store: Store, folder: str, table: str, manifest: dict[str, Any]) -> None:
    """Put one table in place of the one that is there, manifest last.

    The note of what is under way is written first, so `resume_replacement` can finish what a killed run began.
    """
    store.write_json(REPLACEMENT, {"folder": folder, "table": table, "manifest": manifest})
    resume_replacement(store)


def resume_replacement(store: Store) -> None:
    """Finish a replacement that was begun; nothing happens when there is none."""
    if not store.exists(REPLACEMENT):
        return
    note = store.read_json(REPLACEMENT)
    table, manifest = note["table"], note["manifest"]
    store.remove("manifest.json")
    store.write_json(MARK, {"fingerprint": "", "whole": False})  # no build's tables any more: a build writes them anew
    names = {file["file"] for file in manifest["tables"][table]["files"]}
    for path in store.list(table):
        if path.rsplit("/", 1)[1] not in names:
            store.remove(path)
    for name in sorted(names):
        made = f"{note['folder']}/tables/{table}/{name}"
        if store.exists(made):
            store.move(made, f"{table}/{name}")
    with store.write("README.md") as out:
        out.write(make_card(manifest).encode())
    store.write_json("manifest.json", manifest)
    store.remove(REPLACEMENT)
