"""A small exchange stage for the engine's tests: numbers in, even numbers kept, totals merged."""

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from cmtp.engine.task import Result, Task

NUMBERS = pa.schema([("n", pa.int64()), ("source", pa.string()), ("relation", pa.string())])


class EvenStage:
    name: ClassVar[str] = "even"
    code: ClassVar[tuple[str, ...]] = ("cmtp.errors",)
    rejects_rows: ClassVar[bool] = True

    def __init__(self, function="tests.engine.steps:even"):
        self.function = function
        self.asked = []

    def steps(self, job):
        self.asked.append("first")
        yield [
            Task(self.function, job.folder, f"even-{i:05d}", [part, job.kept(i), job.rejects(i)], job.settings)
            for i, part in enumerate(job.inputs)
        ]
        self.asked.append("second")
        kept = [job.kept(i) for i in range(len(job.inputs))]
        assert all(job.store.exists(path) for path in kept)  # a step begins when the one before is whole
        yield [Task("tests.engine.steps:total", job.folder, "total-00000", [kept], job.settings)]


def even(task, store):
    part, kept_path, rejects_path = task.inputs
    rows = store.read_table(part)
    result = Result(rows=rows.num_rows, bytes=rows.nbytes)
    result.ledger.take(rows)
    mask = pc.equal(pc.bit_wise_and(rows["n"], 1), 0)
    kept, rejected = rows.filter(mask), rows.filter(pc.invert(mask))
    rejected = rejected.append_column("reason", pa.array(["odd"] * rejected.num_rows, pa.string()))
    store.write_table(kept_path, kept)
    store.write_table(rejects_path, rejected)
    result.ledger.keep(kept)
    result.ledger.reject(rejected)
    return result


def total(task, store):
    rows = pa.concat_tables([store.read_table(path) for path in task.inputs[0]])
    return Result(facts={"sum": pc.sum(rows["n"]).as_py() or 0})


def forgetful(task, store):
    """Loses its rejects: the ledger must notice."""
    result = even(task, store)
    for key in [key for key in result.ledger.outcome if key[2] == "odd"]:
        del result.ledger.outcome[key]
    return result


def full_disk(task, store):
    raise OSError(28, "No space left on device")


def kill_once(task, store):
    """Ends its process the hard way the first time it runs task 1, as the kernel does when memory is short."""
    flag = Path(task.settings["flag"])
    if task.index == 1 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return even(task, store)


def sleep(task, store):
    """Works until it is killed."""
    store.write_json(f"{task.folder}/started-{task.name}", {})
    while True:
        time.sleep(1)
