"""Mines the hard negatives of a finished build again, with another encoder or other settings.

It reads published tables alone: the pairs, and the rejects that hold labelled negatives and copies. So it needs neither
the raw files nor the outputs of the build's stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cmtp.build import open_workers, run_stages, write_tables
from cmtp.engine.plan import WORK
from cmtp.engine.progress import BuildProgress
from cmtp.engine.stage import StageFolder
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.folders import is_output, lock
from cmtp.mining.settings import MineSettings, MineWork
from cmtp.mining.stage import MineStage
from cmtp.planning import Options, check_stages, plan_stages
from cmtp.recipe import load_recipe
from cmtp.settings import RecipeBase
from cmtp.settings_file import set_groups
from cmtp.shards.manifest import mined_manifest
from cmtp.shards.publish import replace_table, resume_replacement
from cmtp.shards.stage import ShardStage, TableInput
from cmtp.shards.verify import read_manifest
from cmtp.similarity.encode import EncodeStage, encode_work
from cmtp.similarity.settings import EncodeWork, SimilaritySettings

READ = ("pairs", "rejects/extract", "rejects/dedup")
"""Tables of the build that mining depends on."""


class SearchEncodeStage(EncodeStage):
    """Encodes the published pairs with the encoder that searches."""

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> EncodeWork:
        """See Stage."""
        return encode_work(recipe.of(MineSettings).encoder or recipe.of(SimilaritySettings).encoder)


def remine(
    shards: str, recipe: Path | None, overrides: list[str] | None, options: Options, progress: BuildProgress
) -> dict[str, Any]:
    """Replace the finetune table.

    Args:
        shards: output folder of a build.
        recipe: YAML file; its settings of the mine stage replace those that the build was made with.
        overrides: values of ``--set``, for example ``mine.negatives=15``; settings of the mine stage.
        options: workers and memory.
        progress: shows every task.

    Returns:
        The new manifest.

    Raises:
        UsageError: no build there, or unusable settings.
        CmtpError: a task failed.
    """
    others = [name for name in set_groups(overrides) if name != MineStage.name]
    if others:
        raise UsageError(
            f"cmtp mine changes settings of mine alone, not of {', '.join(others)}: those tables stay as they are. "
            "Run cmtp build with the raw files for the others"
        )
    store = Store(shards)
    if not is_output(store):
        read_manifest(store)  # raises before the lock makes a folder
    with lock(store), open_workers(options) as workers:
        resume_replacement(store)
        manifest = read_manifest(store)
        settings = _changed(manifest["recipe"], recipe, overrides, progress)
        stages = (SearchEncodeStage(), MineStage(), ShardStage())
        check_stages(stages, settings)
        parts = [f"pairs/{file['file']}" for file in manifest["tables"]["pairs"]["files"]]
        content = [manifest["tables"].get(name) for name in READ]
        before = {name: StageFolder("", "", None, f"rejects/{name}") for name in ("extract", "dedup")}
        *planned, last = plan_stages(stages, settings, content, before=before)
        runs = run_stages(planned, store, parts, workers, progress)
        encoded, mined = runs
        if (warning := mined.stage.warning(mined)) is not None:
            progress.note(warning)
        tables = [TableInput(name, parts) for name, parts in mined.stage.tables(mined).items()]
        done = write_tables(last, tables, store, content=mined.fingerprint, workers=workers, progress=progress)
        work = planned[-1].settings
        assert isinstance(work, MineWork)
        manifest = mined_manifest(manifest, settings, work.encoder, encoded=encoded, mined=mined, shard=done)
        replace_table(store, done.folder, "finetune", manifest)
        store.remove(f"{WORK}/{done.folder.rsplit('/', 1)[1]}")
        progress.stage_done(done.name, f"{manifest['tables']['finetune']['rows']:,} finetune rows written")
    return manifest


def _changed(
    built_with: dict[str, Any], recipe: Path | None, overrides: list[str] | None, progress: BuildProgress
) -> RecipeBase:
    """The build's own recipe with the mine settings that a person changed."""
    given = load_recipe(recipe, overrides, built_with).model_dump(mode="json")
    ignored = [name for name in built_with if name != MineStage.name and given[name] != built_with[name]]
    if ignored:
        progress.note(f"{recipe}: {', '.join(ignored)} differ from the build's; cmtp mine takes its mine part alone")
    return load_recipe(base=built_with | {MineStage.name: given[MineStage.name]})
