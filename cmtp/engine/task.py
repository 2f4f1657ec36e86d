"""The unit of work: a function with its arguments.

A task's function is an ordinary function of a stage's package. It is given the stage's job (where to work, with which
settings) and arguments of its own, and it returns a Result::

    def decide(job: Job[DedupWork], index: int, exchange: str) -> Result:
        ...

    task(decide, job, f"decide-{exchange}-{index:05d}", index, exchange=exchange)

mypy checks the arguments where the task is made. The name of a task is unique in its stage's folder and names its
receipt. Nothing else depends on the name.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from pydantic import BaseModel, TypeAdapter

from cmtp.engine.figures import Figures
from cmtp.engine.ledger import Ledger
from cmtp.engine.store import Store

S = TypeVar("S", bound=BaseModel)
S_co = TypeVar("S_co", bound=BaseModel, covariant=True)
P = ParamSpec("P")

_ANY: TypeAdapter[Any] = TypeAdapter(Any)
"""Turns dataclasses and settings into JSON values."""


@dataclass
class Result:
    """The report of a task, apart from the files that it wrote.

    Attributes:
        ledger: rows in and out by source, relation and reason; empty for tasks that decide nothing.
        rows: rows read.
        bytes: bytes of input read, for the rates shown.
        figures: numbers for the manifest, each with the rule by which those of several tasks are merged. No number here
            may differ between two runs of the task.
        records: rows for later steps or the manifest, as JSON objects: a file that was read, a table that was written.
    """

    ledger: Ledger = field(default_factory=Ledger)
    rows: int = 0
    bytes: int = 0
    figures: Figures = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Job(Generic[S_co]):
    """The folder that a stage works in, and its settings.

    Attributes:
        store: the files of the build.
        folder: the stage's folder, relative to the store's root; everything the stage writes lies below it.
        settings: the stage's settings.
    """

    store: Store
    folder: str
    settings: S_co

    def path(self, name: str) -> str:
        """Path of a file in the stage's folder."""
        return f"{self.folder}/{name}"

    def kept(self, index: int) -> str:
        """Path of the kept rows of partition `index` (schema PAIR)."""
        return f"{self.folder}/kept/part-{index:05d}.parquet"

    def rejects(self, index: int) -> str:
        """Path of the rejected rows of partition `index` (schema REJECTS)."""
        return f"{self.folder}/rejects/part-{index:05d}.parquet"


@dataclass(frozen=True)
class Task:
    """A self-contained piece of work: any executor that can import the package and reach the store can run it.

    Made by `task`. It can be pickled: its function is a function of a module.
    """

    function: Callable[..., Result]
    job: Job[BaseModel]
    name: str
    arguments: dict[str, Any]

    @property
    def receipt(self) -> str:
        """Path of the file that says the task is done."""
        return self.job.path(f"receipts/{self.name}.json")

    def run(self) -> Result:
        """Call the function."""
        return self.function(self.job, **self.arguments)

    def digest(self) -> str:
        """SHA-256 (hex) of all that the task is given. The folder's name covers its code and the stages before."""
        given = {
            "function": f"{self.function.__module__}:{self.function.__qualname__}",
            "folder": self.job.folder,
            "name": self.name,
            "arguments": _ANY.dump_python(self.arguments, mode="json"),
            "settings": self.job.settings.model_dump(mode="json"),
        }
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def task(
    function: Callable[Concatenate[Job[S], P], Result], job: Job[S], name: str, /, *args: P.args, **kwargs: P.kwargs
) -> Task:
    """A task that calls ``function(job, *args, **kwargs)``.

    Args:
        function: a function at the top of a module.
        job: the stage's job.
        name: unique within the stage's folder, for example ``match-00003``.
        args: JSON values, or dataclasses and settings that hold such.
        kwargs: the same.

    Raises:
        TypeError: the arguments do not fit the function, or the function is not at the top of a module.
    """
    if function.__qualname__ != function.__name__:
        raise TypeError(f"{function.__qualname__}: a task's function stands at the top of a module")
    bound = inspect.signature(function).bind(job, *args, **kwargs)
    arguments = dict(list(bound.arguments.items())[1:])
    return Task(function, job, name, arguments)
