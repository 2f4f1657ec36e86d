"""A small exchange stage for the engine's tests: numbers in, even numbers kept, totals merged."""

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from cmtp.engine import figures
from cmtp.engine.stage import Stage
from cmtp.engine.task import Result, task
from cmtp.settings import Settings

NUMBERS = pa.schema([("n", pa.int64()), ("source", pa.string()), ("relation", pa.string())])


class EvenSettings(Settings):
    a: int = 0
    flag: str = ""


def even(job, index, part):
    rows = job.store.read_table(part)
    result = Result(rows=rows.num_rows, bytes=rows.nbytes)
    result.ledger.take(rows)
    mask = pc.equal(pc.bit_wise_and(rows["n"], 1), 0)
    kept, rejected = rows.filter(mask), rows.filter(pc.invert(mask))
    rejected = rejected.append_column("reason", pa.array(["odd"] * rejected.num_rows, pa.string()))
    job.store.write_table(job.kept(index), kept)
    job.store.write_table(job.rejects(index), rejected)
    result.ledger.keep(kept)
    result.ledger.reject(rejected)
    return result


class EvenStage(Stage[EvenSettings]):
    name: ClassVar[str] = "even"

    def __init__(self, function=even):
        self.function = function

    def resolve(self, recipe, before):
        return EvenSettings()

    def steps(self, job, inputs):
        yield [task(self.function, job, f"even-{i:05d}", i, part) for i, part in enumerate(inputs)]
        kept = [job.kept(i) for i in range(len(inputs))]
        assert all(job.store.exists(path) for path in kept)  # a step begins when the one before is whole
        yield [task(total, job, "total-00000", kept)]


def total(job, parts):
    numbers = [pc.sum(job.store.read_table(path)["n"]).as_py() or 0 for path in parts]
    counts = [job.store.rows(path) for path in parts]
    return Result(figures={"sum": figures.total(sum(numbers)), "largest": figures.most(max(counts))})


def forgetful(job, index, part):
    """Loses its rejects, which the ledger must notice."""
    result = even(job, index, part)
    for key in [key for key in result.ledger.outcome if key[2] == "odd"]:
        del result.ledger.outcome[key]
    return result


def full_disk(job, index, part):
    raise OSError(28, "No space left on device")


def kill_once(job, index, part):
    """Kills its process the first time it runs task 1, as the kernel does when memory runs out."""
    flag = Path(job.settings.flag)
    if index == 1 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return even(job, index, part)


def sleep(job, number):
    """Works until it is killed; the first prints the settings' flag."""
    if number == 0 and job.settings.flag:
        print(job.settings.flag, flush=True)
    while True:
        time.sleep(1)
