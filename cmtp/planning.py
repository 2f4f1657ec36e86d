"""What a build will do, laid out and checked before any work: its options, folders, settings, files and stages."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from cmtp.dedup.references import resolve
from cmtp.dedup.stage import DedupStage
from cmtp.encoders.registry import check_encoder
from cmtp.engine.plan import fingerprint, folder_of
from cmtp.engine.task import Stage
from cmtp.errors import UsageError
from cmtp.extract.stage import ExtractStage
from cmtp.filters.book import open_book
from cmtp.filters.learned import load_model
from cmtp.filters.stage import FilterStage
from cmtp.folders import check_folders
from cmtp.mining.settings import check as check_mining
from cmtp.mining.settings import mine_settings
from cmtp.mining.stage import MineStage
from cmtp.recipe import Recipe
from cmtp.schema import RELATIONS, STAGES
from cmtp.shards.eval_stage import EvalStage
from cmtp.similarity.encode import EncodeStage, encode_settings
from cmtp.similarity.stage import SimilarityStage
from cmtp.sources.discover import RawFiles, discover
from cmtp.sources.read import find_mapping
from cmtp.sources.recognise import split_name

WORKER_BYTES = 1 << 30
"""Memory a worker may need, measured on builds with the default settings; --max-memory is divided by it."""


@dataclass
class Options:
    """How a build runs; nothing here changes its result.

    Attributes:
        workers: processes; 1 works in this process.
        max_memory: bytes, or None for no bound; lowers the number of workers.
        until: the last stage to run; the final tables are written in any case.
        fresh: forget what an earlier run finished.
        strict: stop at the first broken record.
    """

    workers: int = os.cpu_count() or 1
    max_memory: int | None = None
    until: str = STAGES[-1]
    fresh: bool = False
    strict: bool = False

    def usable_workers(self) -> int:
        """Workers that fit into the memory given.

        Raises:
            UsageError: not even one does.
        """
        if self.max_memory is None:
            return self.workers
        fit = self.max_memory // WORKER_BYTES
        if fit < 1:
            raise UsageError(f"--max-memory {self.max_memory:,} bytes: one worker may need {WORKER_BYTES:,}")
        return min(self.workers, fit)


@dataclass(frozen=True)
class PlannedStage:
    """A stage, what it is given, and where it will work.

    Attributes:
        stage: the stage.
        settings: what its tasks are given.
        reads: what identifies its input.
        folder: below the output folder; named by the fingerprint of all of these.
    """

    stage: Stage
    settings: dict[str, Any]
    reads: Any
    folder: str


@dataclass(frozen=True)
class Plan:
    """What a build will do, found out before any work.

    Attributes:
        files: what is read.
        stages: all but the last, shard.
        vectors: folder where a cascade's expensive encoder keeps what it encoded; empty before the encode stage.
        notes: names in the recipe that mean nothing in these files.
    """

    files: RawFiles
    stages: list[PlannedStage]
    vectors: str
    notes: list[str]


def make_plan(roots: list[str], out: str, recipe: Recipe, options: Options) -> Plan:
    """Check everything that can be checked before any work, and lay out the stages. Arguments as for `build`.

    Raises:
        UsageError: unusable folders, sources or settings.
    """
    check_encoders(recipe)
    options.usable_workers()
    check_folders(roots, out, recipe.dedup.against)
    book = open_book(recipe.stage_settings("filter"))
    if book.model is not None:
        load_model(book.model)
    files = discover(roots, recipe.extract, recipe.sources)
    # Size and time of change stand for a file's content here; the manifest has a digest of what was read.
    reads: Any = [[file.path, file.source, file.bytes, file.mtime_ns] for file in files]
    planned: list[PlannedStage] = []
    encoded = vectors = ""
    rejects: dict[str, str] = {}
    for stage in stages_until(files, recipe, options.until):
        if stage.name == "encode" and not encoded:
            # Depends on encoder and texts, on no threshold: a cascade finds again what it has encoded.
            vectors = folder_of("vectors", fingerprint(stage, encode_settings(recipe.similarity.encoder), reads))
        settings = stage_settings(recipe, stage.name, options.strict, encoded, vectors, rejects)
        mark = fingerprint(stage, settings, reads)
        planned.append(PlannedStage(stage, settings, reads, folder_of(stage.name, mark)))
        rejects[stage.name] = f"{planned[-1].folder}/rejects"
        reads = mark
        if stage.name == "encode":
            encoded = planned[-1].folder
    return Plan(files, planned, vectors, _meaningless(files, recipe))


def stages_until(files: RawFiles, recipe: Recipe, until: str) -> list[Stage]:
    """The stages up to `until`; encode, which decides nothing, stands before those that read its vectors."""
    stages: list[Stage] = []
    for stage in (ExtractStage(files), DedupStage(), FilterStage(), SimilarityStage(), EvalStage(), MineStage()):
        if stage.name == "eval" and not recipe.eval.share:
            if until == "eval":
                break
            continue
        searched_with_another = recipe.mine.encoder not in (None, recipe.similarity.first_encoder)
        if stage.name == "similarity" or (stage.name == "mine" and searched_with_another):
            stages.append(EncodeStage())
        stages.append(stage)
        if stage.name == until:
            break
    return stages


def _meaningless(files: RawFiles, recipe: Recipe) -> list[str]:
    """Patterns and names in the recipe that fit no file and no source: a slip of the pen, most likely."""
    notes = []
    if not any(split_name(file.path)[1] in ("tar", "zip") for file in files):  # a pattern may mean what is in them
        used = [find_mapping(file.path, recipe.sources) for file in files]
        notes = [
            f"sources.{i}.files = {mapping.files!r} fits no file, or only such as an entry before it fits: patterns "
            f"are compared with the path below --source, for example {files[0].path}"
            for i, mapping in enumerate(recipe.sources)
            if not any(one is mapping for one in used)
        ]
    names = sorted({file.source for file in files})
    given = [("dedup.source_priority", name) for name in recipe.dedup.source_priority]
    scopes = [(key, key.partition("@")[2]) for key in recipe.filter.thresholds if "@" in key]
    given += [(f"filter.thresholds: {key}", scope) for key, scope in scopes if scope not in RELATIONS]
    known = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    notes += [
        f"{setting}: there is no source {name!r} here; there are {known}"
        for setting, name in given
        if name not in names
    ]
    return notes


def stage_settings(
    recipe: Recipe, stage: str, strict: bool, encoded: str, vectors: str, rejects: dict[str, str]
) -> dict[str, Any]:
    """What the tasks of a stage are given.

    Args:
        recipe: the recipe.
        stage: name of the stage.
        strict: whether extract stops at the first broken record.
        encoded: folder of the last encode stage; empty before the first, which is similarity's.
        vectors: folder of what a cascade's expensive encoder has encoded; read and added to by similarity.
        rejects: folders of the rejects of the stages before, by their names.
    """
    similarity = recipe.similarity
    if stage == "encode":
        if not encoded or recipe.mine.encoder is None:
            return encode_settings(similarity.first_encoder)
        known = {"known": vectors} if similarity.cascade and recipe.mine.encoder == similarity.encoder else {}
        return encode_settings(recipe.mine.encoder) | known
    if stage == "mine":
        return mine_settings(recipe, recipe, encoded, rejects["extract"], rejects["dedup"])
    settings = recipe.stage_settings(stage)
    if stage == "extract":
        settings["strict"] = strict
    if stage == "dedup":
        settings["references"] = resolve(settings)
    if stage == "similarity":
        settings["encoded"] = encoded
    if stage == "similarity" and similarity.cascade is not None:
        settings["dear"] = encode_settings(similarity.encoder) | {"folder": vectors}
    return settings


def check_encoders(recipe: Recipe) -> None:
    """Refuse encoders and miners that are not known, or whose package is not installed.

    Raises:
        UsageError: naming the setting, and the known ones or the extra.
    """
    named = {
        "similarity.encoder": recipe.similarity.encoder,
        "similarity.cascade": recipe.similarity.cascade,
        "mine.encoder": recipe.mine.encoder,
    }
    for setting, name in named.items():
        if name is not None:
            check_encoder(setting, name)
    check_mining(recipe)
