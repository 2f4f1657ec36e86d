import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from cmtp.engine.executor import ProcessExecutor, SerialExecutor, TaskError
from cmtp.engine.plan import fingerprint, run_stage
from cmtp.engine.store import Store
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


def test_workers_end_when_their_parent_is_killed():
    pid = os.fork()
    if pid == 0:  # the child starts workers and is killed while they wait
        executor = ProcessExecutor(1)
        executor._start()
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    import psutil

    deadline = time.time() + 20
    while time.time() < deadline:
        orphans = [p for p in psutil.process_iter(["ppid", "cmdline"]) if _spawned_by(p, pid)]
        if not orphans:
            return
        time.sleep(0.2)
    raise AssertionError(f"workers are still there: {orphans}")


def test_ctrl_c_ends_workers_at_once_and_in_silence(tmp_path):
    """The terminal sends SIGINT to the whole process group, to workers that wait, start or work alike."""
    program = (
        "import sys\n"
        "from cmtp.engine.executor import ProcessExecutor\n"
        "from cmtp.engine.store import Store\n"
        "from cmtp.engine.task import Task\n"
        "if __name__ == '__main__':\n"
        "    with ProcessExecutor(2) as executor:\n"
        "        tasks = [Task('tests.engine.steps:sleep', 'x', f't-{i}', [], {}) for i in range(3)]\n"
        "        try:\n"
        "            print('ready', flush=True)\n"
        "            list(executor.run(tasks, Store(sys.argv[1])))\n"
        "        except KeyboardInterrupt:\n"
        "            print('stopped', flush=True)\n"
    )
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    for wait_for in ("x/started-t-0", "x"):  # at work; hardly started
        command = [sys.executable, str(tmp_path / "program.py"), str(tmp_path)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment
        )
        assert process.stdout.readline() == "ready\n"
        while wait_for != "x" and not (tmp_path / wait_for).exists():
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)  # less than the tasks sleep
        assert (out, err) == ("stopped\n", "")


def _spawned_by(process, pid):
    line = " ".join(process.info["cmdline"] or [])
    return "spawn_main" in line and f"parent_pid={pid}" in line
