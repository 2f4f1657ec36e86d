import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pyarrow as pa
import pytest

from cmtp.engine import figures, plan
from cmtp.engine.code import closure, libraries
from cmtp.engine.executor import ProcessExecutor, SerialExecutor, TaskError
from cmtp.engine.plan import place, run_alone
from cmtp.engine.store import Store
from cmtp.engine.task import Job, task
from cmtp.interrupt import INTERRUPTED, MESSAGE
from tests.engine import steps
from tests.engine.steps import NUMBERS, EvenSettings, EvenStage


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
    log, settings = Log(), EvenSettings(**settings or {})
    executor = executor or SerialExecutor()
    done = run_alone(
        stage or EvenStage(), store, settings, store.list("in"), input_fingerprint="raw", executor=executor, watcher=log
    )
    return done, log


def test_a_stage_runs_its_steps_in_order_and_counts(store):
    done, log = run(store)
    assert [event for event in log.events if event[0] == "step"] == [("step", 3), ("step", 1)]
    assert done.ledger.rows_in == 30
    assert done.ledger.rows_kept == 15
    assert done.ledger.reasons() == {"odd": 15}
    assert figures.plain_values(done.figures) == {"sum": sum(range(0, 30, 2)), "largest": 5}
    assert done.kept == [f"{done.folder}/kept/part-{i:05d}.parquet" for i in range(3)]


def test_finished_tasks_are_not_repeated(store):
    run(store)
    done, log = run(store)
    assert log.fresh() == []
    assert done.resumed == 4
    store.remove(f"{done.folder}/receipts/even-00001.json")
    assert run(store)[1].fresh() == ["even-00001"]


def test_settings_code_libraries_and_inputs_each_change_the_fingerprint(monkeypatch):
    def fingerprint(a, content):
        return place(EvenStage(), EvenSettings(a=a), content).fingerprint

    base = fingerprint(1, "raw")
    assert fingerprint(1, "raw") == base
    assert fingerprint(2, "raw") != base
    assert fingerprint(1, "other") != base
    for name in ("code_digest", "libraries"):
        with monkeypatch.context() as patch:
            patch.setattr(plan, name, lambda modules: "another")
            assert fingerprint(1, "raw") != base
    assert fingerprint(1, "raw") == base


def test_the_code_of_a_stage_is_all_that_it_imports_of_the_package():
    modules = closure(["cmtp.dedup.stage"])
    assert {"cmtp.schema", "cmtp.engine.store", "cmtp.dedup.minhash", "cmtp.text.compare"} <= modules.keys()
    assert "numba" in libraries(("cmtp.dedup.stage",))
    assert "polars" not in modules


def test_a_task_is_a_function_at_the_top_of_a_module_called_as_it_is_defined(store):
    job = Job(store, "x", EvenSettings())
    made = task(steps.even, job, "even-00003", 3, part="in/0.parquet")
    assert made.arguments == {"index": 3, "part": "in/0.parquet"}
    assert made.receipt == "x/receipts/even-00003.json"
    assert made.digest() != task(steps.even, job, "even-00003", 4, part="in/0.parquet").digest()
    assert made.digest() != task(steps.forgetful, job, "even-00003", 3, part="in/0.parquet").digest()
    other = Job(store, "x", EvenSettings(a=1))
    assert made.digest() != task(steps.even, other, "even-00003", 3, part="in/0.parquet").digest()
    with pytest.raises(TypeError, match="missing a required argument: 'part'"):
        task(steps.even, job, "even-00003", 3)
    with pytest.raises(TypeError, match="stands at the top of a module"):
        task(lambda job: None, job, "x")


def test_a_changed_setting_works_in_another_folder(store):
    first, _ = run(store)
    second, log = run(store, settings={"a": 1})
    assert first.folder != second.folder
    assert len(log.fresh()) == 4


def test_a_lost_row_stops_the_build(store):
    with pytest.raises(AssertionError, match=r"s / r: 30 in, 15 accounted for"):
        run(store, EvenStage(steps.forgetful))


def test_a_full_disk_is_named_and_loses_nothing(store):
    with pytest.raises(TaskError, match=r"even-00000.*in/0\.parquet.*No space left.*not repeated"):
        run(store, EvenStage(steps.full_disk))


def test_processes_give_the_same_files_as_one(store, tmp_path):
    serial, _ = run(store)
    before = {path: (tmp_path / path).read_bytes() for path in [*serial.kept, *serial.rejects]}
    store.remove(serial.folder)
    with ProcessExecutor(2) as executor:
        parallel, _ = run(store, executor=executor)
    assert parallel.ledger == serial.ledger
    assert {path: (tmp_path / path).read_bytes() for path in [*parallel.kept, *parallel.rejects]} == before


def test_a_killed_worker_is_explained_and_the_rerun_goes_on(store, tmp_path):
    stage = EvenStage(steps.kill_once)
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
        "from cmtp.engine.task import Job, task\n"
        "from tests.engine.steps import EvenSettings, sleep\n"
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
    out, err = process.communicate()  # returns when nobody holds the pipe any more: the workers have ended
    assert process.returncode == -signal.SIGKILL
    assert int(out) != process.pid
    assert err == ""


@pytest.mark.parametrize("at_work", [True, False])
def test_ctrl_c_ends_workers_at_once_and_in_silence(tmp_path, at_work):
    """The terminal sends SIGINT to the whole process group: to workers that wait, that start and that work."""
    process = start_program(
        tmp_path,
        "leave_on_interrupt()\n"
        "with ProcessExecutor(2) as executor:\n"
        f"    job = Job(Store(sys.argv[1]), 'x', EvenSettings(flag={'at work' if at_work else ''!r}))\n"
        "    tasks = [task(sleep, job, f't-{i}', i) for i in range(3)]\n"
        "    print('ready', flush=True)\n"
        "    list(executor.run(tasks))\n",
    )
    assert process.stdout.readline() == "ready\n"
    if at_work:
        assert process.stdout.readline() == "at work\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate()  # the tasks never end by themselves
    assert (process.returncode, out, err) == (INTERRUPTED, "", MESSAGE)
