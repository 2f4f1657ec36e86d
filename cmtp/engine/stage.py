"""The base class of a stage: its settings, its steps, its tables, its explanations.

A stage reads the Parquet partitions that the stage before it kept, and writes its own: the rows that pass, and the rows
that do not. To write one, subclass `Stage` and give it its place in `cmtp/pipeline.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic

from cmtp.engine.executor import Receipt
from cmtp.engine.figures import Figures, merge
from cmtp.engine.ledger import Ledger
from cmtp.engine.store import Store
from cmtp.engine.task import Job, S, Task
from cmtp.settings import RecipeBase, Settings

TOO_MUCH = 0.95
"""Share of rejected rows from which a stage warns."""


@dataclass(frozen=True)
class StageFolder:
    """The folder of a stage, as the stages after it see it.

    Attributes:
        folder: relative to the store's root.
        fingerprint: hash of all that the stage's result depends on.
        input_fingerprint: JSON value that identifies the stage's input: the fingerprint of the stage before it.
        rejects: folder of the rows that the stage rejected (schema REJECTS).
    """

    folder: str
    fingerprint: str
    input_fingerprint: Any
    rejects: str

    @property
    def judged(self) -> str:
        """Folder of the verdicts that the stage recorded for later stages, see `cmtp.partition`."""
        return f"{self.folder}/judged"


@dataclass
class StageRun:
    """A stage that has finished.

    Attributes:
        stage: the stage.
        store: the files of the build.
        folder: of the stage, relative to the store's root.
        fingerprint: hash of all that its result depends on.
        kept: paths of the partitions that it hands on, in order.
        rejects: paths of the partitions of rejected rows.
        ledger: rows in and out over all tasks.
        receipts: in order of the tasks.
        resumed: number of tasks that an earlier run had finished.
    """

    stage: Stage[Any]
    store: Store
    folder: str
    fingerprint: str
    kept: list[str]
    rejects: list[str]
    ledger: Ledger = field(default_factory=Ledger)
    receipts: list[Receipt] = field(default_factory=list)
    resumed: int = 0

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name

    def files(self, folder: str) -> list[str]:
        """Paths of the files in a folder of the stage's own, in order."""
        return [*self.store.list(f"{self.folder}/{folder}")]

    @property
    def figures(self) -> Figures:
        """The figures of all tasks, merged."""
        return merge(receipt.figures for receipt in self.receipts)


class Stage(ABC, Generic[S]):
    """A stage of the build.

    Attributes:
        name: names the stage's folder and ``rejects/NAME``.
        settings: class of its group of settings in the recipe, which has the stage's `name`; None: it has none.
        reads: names of earlier stages. It reads their folders, and not only the partitions that it is given.
        writes_rows: False for a stage that hands on the partitions it was given: it writes neither kept/ nor rejects/.
        decides: False for a stage that rejects no row and keeps no ledger.
        reports: names of earlier stages that recorded the verdicts which this one applies; their figures stand beside
            its own in the manifest.
        explained_by: settings that most likely explain why a stage keeps hardly anything or rejects nothing; empty: the
            stage does not warn about that.
    """

    name: ClassVar[str]
    settings: ClassVar[type[Settings] | None] = None
    reads: ClassVar[tuple[str, ...]] = ()
    writes_rows: ClassVar[bool] = True
    decides: ClassVar[bool] = True
    reports: ClassVar[tuple[str, ...]] = ()
    explained_by: ClassVar[str] = ""

    def wanted(self, recipe: RecipeBase) -> bool:
        """Whether a build with this recipe has this stage."""
        return True

    def check(self, recipe: RecipeBase) -> None:
        """Refuse settings that cannot work, before any work.

        Raises:
            UsageError: names the setting and the remedy.
        """

    @abstractmethod
    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> S:
        """The settings of the stage's tasks. Only here may a stage look at another.

        Args:
            recipe: the settings of the build.
            before: where the stages before it work, by name; those in `reads` are among them if the build has them.

        Raises:
            UsageError: a setting names something that is not there.
        """

    @abstractmethod
    def steps(self, job: Job[S], inputs: list[str]) -> Iterator[list[Task]]:
        """Yield one list of tasks per step.

        The next step is asked for after all tasks of the one before have ended, so it may read what they wrote. The
        last step writes ``kept/part-*.parquet`` and ``rejects/part-*.parquet``. Tasks must not depend on the number of
        workers.

        Args:
            job: where to work, with which settings.
            inputs: partitions kept by the stage before (schema PAIR), in order; empty for the first stage.
        """

    def tables(self, run: StageRun) -> dict[str, list[str]]:
        """Final tables that are made of what the stage wrote: name → partitions."""
        return {f"rejects/{self.name}": run.rejects} if run.rejects else {}

    def summary(self, run: StageRun) -> str:
        """The result of the stage in a few words."""
        return f"{run.ledger.rows_kept:,} of {run.ledger.rows_in:,} rows kept"

    def warning(self, run: StageRun) -> str | None:
        """A line about a stage that keeps nothing, rejects nearly everything, or rejects nothing; else None."""
        rows, kept = run.ledger.rows_in, run.ledger.rows_kept
        if not self.explained_by or rows == 0:
            return None
        most = ", ".join(f"{reason} {n:,}" for reason, n in run.ledger.reasons().most_common(3))
        if kept == 0:
            return f"{self.name} kept none of {rows:,} rows ({most}): look at {self.explain(run)}"
        if rows - kept > TOO_MUCH * rows:
            return f"{self.name} rejected {rows - kept:,} of {rows:,} rows ({most}): look at {self.explain(run)}"
        if rows == kept:
            return f"{self.name} rejected none of {rows:,} rows: look at {self.explain(run)}"
        return None

    def explain(self, run: StageRun) -> str:
        """What most likely explains the stage's result: settings, by default."""
        return self.explained_by

    def keeps(self, settings: S) -> set[str]:
        """Folders beside its own that it writes to, and that later builds with other settings find again."""
        return set()

    def processes(self, settings: S) -> int | None:
        """Most processes that may work on the stage at once, for example one per GPU. None: as many as there are."""
        return None
