"""Compiled kernels are never older than the code they come from."""

import fcntl
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from numba.core.caching import IndexDataCacheFile

import cmtp
from cmtp.kernels import jit

CALLEE = """
from cmtp.kernels.jit import kernel
from cmtp.constants import STEP

@kernel
def step(x):
    return x + STEP
"""
CALLER = """
from cmtp.kernels.jit import kernel
from cmtp.callee import step

@kernel
def twice(x):
    return step(step(x))
"""
MAIN = "from cmtp.caller import twice; print(twice(1), sum(twice.stats.cache_hits.values()))"


@pytest.fixture
def package(tmp_path):
    """A copy of the package's first folders, with two kernels of which one calls the other."""
    source, copy = Path(cmtp.__file__).parent, tmp_path / "code" / "cmtp"
    for folder in ("engine", "kernels"):
        shutil.copytree(source / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(source / "__init__.py", copy)
    for name, text in {"callee": CALLEE, "caller": CALLER, "constants": "STEP = 1", "other": "X = 1"}.items():
        (copy / f"{name}.py").write_text(text)
    return copy


def run(package, given):
    """Result and cache hits of a new process over the package."""
    environment = os.environ | {"PYTHONPATH": str(package.parent), "NUMBA_CACHE_DIR": str(given)}
    command, folder = [sys.executable, "-c", MAIN], package.parent
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_edited_callee_or_constant_is_seen_and_another_file_is_no_reason_to_compile(package, tmp_path):
    cache = tmp_path / "cache"
    assert run(package, cache) == (3, 0)
    assert run(package, cache) == (3, 1)
    edit(package / "other.py", "X = 1", "X = 2")
    assert run(package, cache) == (3, 1)
    edit(package / "callee.py", "x + STEP", "x - STEP")
    assert run(package, cache) == (-1, 0)
    edit(package / "constants.py", "STEP = 1", "STEP = 5")
    assert run(package, cache) == (-9, 0)
    assert len(list(cache.iterdir())) == 3


def test_kernels_depend_on_no_stage_and_no_engine():
    """Otherwise every edit there would compile all kernels again."""
    others = [name for name in jit.kernel_files() if re.match(r"cmtp\.(engine\.(?!code$)|cli|build|.*\bstage$)", name)]
    assert others == []


def test_this_process_uses_the_folder():
    assert str(jit.CACHE) == numba.config.CACHE_DIR == os.environ["NUMBA_CACHE_DIR"]
    assert re.fullmatch(r"numba-[0-9a-f]{16}", jit.CACHE.name)


def test_a_worker_keeps_the_folder_of_its_parent(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = jit.cache_folder()
    assert folder.parent == tmp_path
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
    assert jit.cache_folder() == folder


def test_without_a_wish_the_folder_is_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jit.cache_folder().parent == tmp_path / "cmtp"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert jit.cache_folder().parent == tmp_path / "home" / ".cache" / "cmtp"


def test_where_nothing_can_be_written_a_temporary_folder_serves(monkeypatch, tmp_path):
    (tmp_path / "file").touch()  # a folder cannot be made inside a file, not even by root
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "a"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "b"))
    monkeypatch.setattr(jit.tempfile, "tempdir", str(tmp_path))
    folder = jit.cache_folder()
    assert folder.is_dir()
    assert folder.parent.parent == tmp_path
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700  # what numba loads from it is code


def test_processes_add_to_the_files_of_a_kernel_one_at_a_time(monkeypatch, tmp_path):
    """The lock covers reading the index and writing the compiled form. Otherwise two forms could get one number."""
    steps = []

    def watched(name):
        plain = getattr(IndexDataCacheFile, name)

        def step(self, *arguments):
            with (tmp_path / "lock").open("wb") as another:
                try:
                    fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    steps.append(name)
            return plain(self, *arguments)

        monkeypatch.setattr(IndexDataCacheFile, name, step)

    watched("_load_index")
    watched("_save_data")
    monkeypatch.setattr(jit, "CACHE", tmp_path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    @jit.kernel
    def double(x):
        return x + x

    assert (double(2), double(2.5)) == (4, 5)
    assert steps == ["_load_index", "_save_data"] * 2
    assert len(list(tmp_path.rglob("*.nbc"))) == 2


def test_a_new_folder_sweeps_those_long_unused_and_nothing_else(monkeypatch, tmp_path):
    names = {"numba-0123456789abcdef": 40, "numba-fedcba9876543210": 20, "other": 400, "numba-notes": 400}
    for name, days in names.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "kernel.nbc").touch()
        then = jit.time.time() - days * 86_400
        os.utime(tmp_path / name, (then, then))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = jit.cache_folder()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*names, folder.name} - {"numba-0123456789abcdef"}
