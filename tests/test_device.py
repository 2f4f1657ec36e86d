"""The GPU that a process uses."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

from cmtp.device import gpus, own_device


def device_of_two():
    """The device of a process on a machine with two GPUs."""
    import cmtp.device

    cmtp.device.gpus = lambda: 2
    return own_device()


def test_worker_processes_take_the_gpus_in_turn():
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        names = [pool.submit(device_of_two) for _ in range(3)]
        assert {name.result() for name in names} <= {"cuda:0", "cuda:1"}


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("MainProcess", "cuda:0"),
        ("SpawnProcess-1", "cuda:0"),
        ("SpawnProcess-2", "cuda:1"),
        ("ForkPoolWorker-3", "cuda:0"),
        ("Process-2:1", "cuda:1"),
        ("a name of one's own", "cuda:0"),
    ],
)
def test_the_number_in_a_process_name_decides(monkeypatch, name, device):
    monkeypatch.setattr("cmtp.device.gpus", lambda: 2)
    monkeypatch.setattr(multiprocessing.current_process(), "name", name)
    assert own_device() == device


def test_a_machine_without_a_gpu(monkeypatch):
    monkeypatch.setattr("cmtp.device._DRIVERS", ())
    gpus.cache_clear()
    assert gpus() == 0
    assert own_device() == "cpu"
    gpus.cache_clear()
