"""The unit of work, and the protocol a stage fulfils."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

from cmtp.engine.ledger import Ledger
from cmtp.engine.store import Store


@dataclass(frozen=True)
class Task:
    """A self-contained piece of work: any executor that can import the package and reach the store can run it.

    Attributes:
        run: ``package.module:function``; called as ``function(task, store) -> Result``.
        folder: the stage's folder, relative to the store's root; everything the task writes lies under it.
        name: unique within the folder, for example ``match-00003``; names the receipt.
        inputs: what it reads: paths relative to the store's root, or any JSON value the function understands.
        settings: the stage's settings as JSON values.
    """

    run: str
    folder: str
    name: str
    inputs: list[Any]
    settings: dict[str, Any]

    @property
    def index(self) -> int:
        """The number at the end of the name."""
        return int(self.name.rsplit("-", 1)[1])

    @property
    def receipt(self) -> str:
        """Path of the file that says the task is done."""
        return f"{self.folder}/receipts/{self.name}.json"

    def digest(self) -> str:
        """Changes when anything the task depends on changes (the folder's name covers code and settings upstream)."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def function(self) -> Callable[[Task, Store], Result]:
        """The function named by `run`."""
        module, _, name = self.run.partition(":")
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


@dataclass
class Result:
    """What a task reports besides the files it wrote.

    Attributes:
        ledger: rows in and out by source, relation and reason; empty for tasks that decide nothing.
        rows: rows read.
        bytes: bytes of input read, for the rates shown.
        facts: small JSON values for later steps or the manifest (never anything that differs between runs).
    """

    ledger: Ledger = field(default_factory=Ledger)
    rows: int = 0
    bytes: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StageJob:
    """What a stage is given: where to work, what to read, how.

    Attributes:
        folder: the stage's folder, relative to the store's root.
        inputs: partitions kept by the stage before (schema PAIR), in order; empty for the first stage.
        settings: the stage's settings as JSON values, with ``seed``; goes into every task as it is.
    """

    store: Store
    folder: str
    inputs: list[str]
    settings: dict[str, Any]

    def kept(self, index: int) -> str:
        """Path of the kept rows of partition `index` (schema PAIR)."""
        return f"{self.folder}/kept/part-{index:05d}.parquet"

    def rejects(self, index: int) -> str:
        """Path of the rejected rows of partition `index` (schema REJECTS)."""
        return f"{self.folder}/rejects/part-{index:05d}.parquet"


class Stage(Protocol):
    """A stage of the build.

    Attributes:
        name: as in ``schema.STAGES``.
        code: packages and modules whose source decides the result; their hash is part of the fingerprint.
        rejects_rows: False for a stage that hands on all rows as they are: it writes neither kept/ nor rejects/, and
            the next stage reads what this one read.
    """

    name: ClassVar[str]
    code: ClassVar[tuple[str, ...]]
    rejects_rows: ClassVar[bool] = True

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """Yield one list of tasks per step.

        The next step is asked for when all tasks of the one before are done, so it may look at what they wrote. The
        last step writes ``kept/part-*.parquet`` and ``rejects/part-*.parquet``. Tasks must not depend on the number of
        workers.
        """
        ...
