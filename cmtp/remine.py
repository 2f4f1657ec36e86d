"""Mines hard negatives anew for a build that is there, with another encoder or other settings.

Reads the published tables alone (pairs, and what rejects say of labelled negatives and of copies), so it works without
the raw files and without the build's stage outputs.
"""

from __future__ import annotations

from typing import Any

from cmtp.build import gpu_executor, open_executor
from cmtp.engine.plan import WORK, run_stage
from cmtp.engine.progress import BuildProgress
from cmtp.engine.store import Store
from cmtp.folders import is_output, lock
from cmtp.mining.settings import mine_settings
from cmtp.mining.shortfall import shortfall
from cmtp.mining.stage import MineStage
from cmtp.planning import Options, check_encoders
from cmtp.recipe import Recipe
from cmtp.shards.manifest import merge_facts, mined_manifest
from cmtp.shards.publish import replace_table, resume_replacement
from cmtp.shards.stage import ShardStage, TableInput
from cmtp.shards.verify import read_manifest
from cmtp.similarity.encode import EncodeStage, encode_settings


def remine(shards: str, recipe: Recipe, options: Options, progress: BuildProgress) -> dict[str, Any]:
    """Replace the finetune table.

    Args:
        shards: output folder of a build.
        recipe: its ``mine`` settings and encoder are used, and written to the manifest.
        options: workers and memory.
        progress: told of every task.

    Returns:
        The new manifest.

    Raises:
        UsageError: no build there, or unusable settings.
        CmtpError: a task failed.
    """
    check_encoders(recipe)
    store = Store(shards)
    if not is_output(store):
        read_manifest(store)  # says so, before a folder is made for the lock
    with lock(store), open_executor(options.usable_workers()) as executor:
        resume_replacement(store)
        manifest = read_manifest(store)
        parts = [f"pairs/{file['file']}" for file in manifest["tables"]["pairs"]["files"]]
        reads = [manifest["tables"].get(name) for name in ("pairs", "rejects/extract", "rejects/dedup")]
        settings = encode_settings(recipe.mine.encoder or recipe.similarity.first_encoder)
        with gpu_executor(EncodeStage(), settings, executor, options.usable_workers()) as fitting:
            encoded = run_stage(EncodeStage(), store, parts, settings, reads, fitting, progress)
        progress.stage_done("encode", "vectors written")
        built_with = Recipe.model_validate(manifest["recipe"])
        settings = mine_settings(recipe, built_with, encoded.folder, "rejects/extract", "rejects/dedup")
        mined = run_stage(MineStage(), store, parts, settings, encoded.fingerprint, executor, progress)
        progress.stage_done("mine", f"{mined.ledger.rows_in:,} pairs searched")
        short = shortfall(merge_facts(mined.receipts))
        if short is not None:
            progress.note(short)
        tables = ShardStage([TableInput("finetune", [*store.list(f"{mined.folder}/finetune")])])
        settings = recipe.stage_settings("shard")
        done = run_stage(tables, store, [], settings, mined.fingerprint, executor, progress)
        manifest = mined_manifest(manifest, recipe, encoded, mined, done)
        replace_table(store, done.folder, "finetune", manifest)
        store.remove(f"{WORK}/{done.folder.rsplit('/', 1)[1]}")
        progress.stage_done("shard", f"{manifest['tables']['finetune']['rows']:,} finetune rows written")
    return manifest
