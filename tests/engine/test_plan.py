import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import indent

import pyarrow as pa
import pytest

from cmtp.engine.executor import ProcessExecutor, SerialExecutor, TaskError
from cmtp.engine.plan import fingerprint, run_stage
from cmtp.engine.store import Store
from cmtp.interrupt import INTERRUPTED, MESSAGE
from tests.engine.steps import NUMBERS, EvenStage


class Log:
    def __init__(self):
        self.events = []

    def step(self, stage, total):
        self.events.append(("step", total))

    def task(self, stage, receipt, resumed):
        self.events.append((receipt.name, resumed))

    def fresh(self):
        return [name for name, resumed in self.events if resumed is False]


@pytest.fixture
def store(tmp_path):
    store = Store(str(tmp_path))
    for i in range(3):
        rows = {"n": range(i * 10, i * 10 + 10), "source": ["s"] * 10, "relation": ["r"] * 10}
        store.write_table(f"in/{i}.parquet", pa.table(rows, schema=NUMBERS))
    return store


def run(store, stage=None, settings=None, executor=None):
    log = Log()
    inputs = store.list("in")
    done = run_stage(stage or EvenStage(), store, inputs, settings or {}, "raw", executor or SerialExecutor(), log)
    return done, log


def test_a_stage_runs_its_steps_in_order_and_counts(store):
    done, log = run(store)
    assert [event for event in log.events if event[0] == "step"] == [("step", 3), ("step", 1)]
    assert done.ledger.rows_in == 30
    assert done.ledger.rows_kept == 15
    assert done.ledger.reasons() == {"odd": 15}
    assert done.receipts[-1].facts == {"sum": sum(range(0, 30, 2))}
    assert done.kept == [f"{done.folder}/kept/part-{i:05d}.parquet" for i in range(3)]


def test_finished_tasks_are_not_repeated(store):
    run(store)
    done, log = run(store)
    assert log.fresh() == []
    assert done.resumed == 4
    store.remove(f"{done.folder}/receipts/even-00001.json")
    assert run(store)[1].fresh() == ["even-00001"]


def test_settings_code_and_inputs_each_change_the_fingerprint(store):
    stage = EvenStage()
    base = fingerprint(stage, {"a": 1}, "raw")
    assert fingerprint(stage, {"a": 1}, "raw") == base
    assert fingerprint(stage, {"a": 2}, "raw") != base
    assert fingerprint(stage, {"a": 1}, "other") != base
    stage.code = ("cmtp.schema",)
    assert fingerprint(stage, {"a": 1}, "raw") != base


def test_a_changed_setting_works_in_another_folder(store):
    first, _ = run(store)
    second, log = run(store, settings={"a": 1})
    assert first.folder != second.folder
    assert len(log.fresh()) == 4


def test_a_lost_row_stops_the_build(store):
    with pytest.raises(AssertionError, match=r"s / r: 30 in, 15 accounted for"):
        run(store, EvenStage("tests.engine.steps:forgetful"))


def test_a_full_disk_is_named_and_loses_nothing(store):
    with pytest.raises(TaskError, match=r"even-00000.*in/0\.parquet.*No space left.*not repeated"):
        run(store, EvenStage("tests.engine.steps:full_disk"))


def test_processes_give_the_same_files_as_one(store, tmp_path):
    serial, _ = run(store)
    before = {path: (tmp_path / path).read_bytes() for path in [*serial.kept, *serial.rejects]}
    store.remove(serial.folder)
    with ProcessExecutor(2) as executor:
        parallel, _ = run(store, executor=executor)
    assert parallel.ledger == serial.ledger
    assert {path: (tmp_path / path).read_bytes() for path in [*parallel.kept, *parallel.rejects]} == before


def test_a_killed_worker_is_explained_and_the_rerun_goes_on(store, tmp_path):
    stage = EvenStage("tests.engine.steps:kill_once")
    settings = {"flag": str(tmp_path / "flag")}
    with ProcessExecutor(2) as executor, pytest.raises(TaskError, match=r"worker process was killed.*--max-memory"):
        run(store, stage, settings, executor)
    with ProcessExecutor(2) as executor:
        done, _ = run(store, stage, settings, executor)
    assert done.ledger.rows_kept == 15


def start_program(folder, body):
    """Start a program whose first lines make a ProcessExecutor importable; returns the process."""
    imports = (
        "import os, signal, sys\n"
        "from cmtp.engine.executor import ProcessExecutor\n"
        "from cmtp.engine.store import Store\n"
        "from cmtp.engine.task import Task\n"
        "from cmtp.interrupt import leave_on_interrupt\n"
    )
    (folder / "program.py").write_text(f"{imports}if __name__ == '__main__':\n{indent(body, '    ')}", encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, str(folder / "program.py"), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_workers_end_when_their_parent_is_killed(tmp_path):
    process = start_program(
        tmp_path,
        "executor = ProcessExecutor(2)\n"
        "pool = executor._start()\n"
        "print(pool.submit(os.getpid).result(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n",
    )
    out, err = process.communicate(timeout=300)  # returns when nobody holds the pipe any more: the workers have ended
    assert process.returncode == -signal.SIGKILL
    assert int(out) != process.pid
    assert err == ""


@pytest.mark.parametrize("at_work", [True, False])
def test_ctrl_c_ends_workers_at_once_and_in_silence(tmp_path, at_work):
    """The terminal sends SIGINT to the whole process group, to workers that wait, start or work alike."""
    process = start_program(
        tmp_path,
        "leave_on_interrupt()\n"
        "with ProcessExecutor(2) as executor:\n"
        "    tasks = [Task('tests.engine.steps:sleep', 'x', f't-{i}', [], {}) for i in range(3)]\n"
        "    print('ready', flush=True)\n"
        "    list(executor.run(tasks, Store(sys.argv[1])))\n",
    )
    assert process.stdout.readline() == "ready\n"
    while at_work and not (tmp_path / "x/started-t-0").exists():
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=300)  # the tasks never end by themselves
    assert (process.returncode, out, err) == (INTERRUPTED, "", MESSAGE)
