"""What a build will do, laid out and checked before any work: its options, folders, settings, files and stages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cmtp.dedup.settings import DedupSettings
from cmtp.engine.executor import ENGINES
from cmtp.engine.plan import place
from cmtp.engine.stage import Stage, StageFolder
from cmtp.errors import UsageError
from cmtp.filters.settings import FilterSettings
from cmtp.folders import check_folders
from cmtp.pipeline import ENDS, stages_over
from cmtp.relations import RELATIONS
from cmtp.settings import RecipeBase
from cmtp.sources.discover import RawFiles, discover
from cmtp.sources.mapping import SourceMappings
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
        engine: what runs tasks: ``local``, or an engine of another package.
    """

    workers: int = os.cpu_count() or 1
    max_memory: int | None = None
    until: str = ENDS[-1]
    fresh: bool = False
    strict: bool = False
    engine: str = "local"

    def usable_workers(self) -> int:
        """The number of workers that fit into the memory given.

        Raises:
            UsageError: it is too small for one.
        """
        if self.max_memory is None:
            return self.workers
        fit = self.max_memory // WORKER_BYTES
        if fit < 1:
            raise UsageError(f"--max-memory {self.max_memory:,} bytes: one worker may need {WORKER_BYTES:,}")
        return min(self.workers, fit)


@dataclass(frozen=True)
class PlannedStage:
    """A stage, the settings of its tasks, and where it will work."""

    stage: Stage[Any]
    settings: Any
    place: StageFolder


@dataclass(frozen=True)
class Plan:
    """What a build will do.

    Attributes:
        files: what is read.
        stages: all but the last, which writes the final tables.
        last: the last, without the tables that it will write.
        notes: a line about each name in the recipe that fits no file and no source.
    """

    files: RawFiles
    stages: list[PlannedStage]
    last: PlannedStage
    notes: list[str]


def make_plan(roots: list[str], out: str, recipe: RecipeBase, options: Options) -> Plan:
    """Check everything that can be checked before any work, and lay out the stages. Arguments as for `build`.

    Raises:
        UsageError: unusable folders, sources or settings.
    """
    if options.until not in ENDS:
        raise UsageError(f"--until {options.until}: give one of {', '.join(ENDS)}")
    options.usable_workers()
    ENGINES.get(options.engine)
    check_folders(roots, out, recipe.of(DedupSettings).against)
    mappings = recipe.of(SourceMappings)
    check_stages(stages_over(()), recipe)
    files = discover(roots, mappings.root)
    # Size and time of change stand for a file's content here; the manifest has a digest of what was read.
    content = [[file.path, file.source, file.bytes, file.mtime_ns] for file in files]
    *stages, last = plan_stages(stages_over(files, options.strict), recipe, content, options.until)
    return Plan(files, stages, last, _unused_names(files, recipe))


def check_stages(stages: Sequence[Stage[Any]], recipe: RecipeBase) -> None:
    """Refuse settings that cannot work, before any work.

    Raises:
        UsageError: names the setting and the remedy.
    """
    for stage in stages:
        stage.check(recipe)


def plan_stages(
    stages: Sequence[Stage[Any]],
    recipe: RecipeBase,
    content: Any,
    until: str = ENDS[-1],
    before: dict[str, StageFolder] | None = None,
) -> list[PlannedStage]:
    """The stages that a build has, up to `until`, and the last of all, which writes the tables.

    Args:
        stages: in order.
        recipe: the settings.
        content: a JSON value that changes when the content of the first stage's input changes.
        until: name of the last stage before the tables are written.
        before: folders of stages that have run already, by name.
    """
    *deciding, last = stages
    chosen = []
    for stage in deciding:
        if stage.wanted(recipe):
            chosen.append(stage)
        if stage.name == until:
            break
    folders = dict(before or {})
    planned = []
    reads = content
    for stage in (*chosen, last):
        settings = stage.resolve(recipe, folders)
        folders[stage.name] = place(stage, settings, reads)
        planned.append(PlannedStage(stage, settings, folders[stage.name]))
        reads = folders[stage.name].fingerprint
    return planned


def _unused_names(files: RawFiles, recipe: RecipeBase) -> list[str]:
    """A line about each pattern and name in the recipe that fits no file and no source: a typing error, most likely."""
    notes = []
    mappings = recipe.of(SourceMappings).root
    if not any(split_name(file.path)[1] in ("tar", "zip") for file in files):  # a pattern may mean what is in them
        used = [find_mapping(file.path, mappings) for file in files]
        notes = [
            f"sources.{i}.files = {mapping.files!r} fits no file, or only such as an entry before it fits: patterns "
            f"are compared with the path below --source, for example {files[0].path}"
            for i, mapping in enumerate(mappings)
            if not any(one is mapping for one in used)
        ]
    names = sorted({file.source for file in files})
    given = [("dedup.source_priority", name) for name in recipe.of(DedupSettings).source_priority]
    scopes = [(key, key.partition("@")[2]) for key in recipe.of(FilterSettings).thresholds if "@" in key]
    given += [(f"filter.thresholds: {key}", scope) for key, scope in scopes if scope not in RELATIONS]
    known = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    notes += [
        f"{setting}: there is no source {name!r} here; there are {known}"
        for setting, name in given
        if name not in names
    ]
    return notes
