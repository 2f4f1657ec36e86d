"""Exit codes, and messages about errors."""

import errno
import os
import subprocess
import sys

import pytest

from cmtp import cli, interrupt
from cmtp.errors import CmtpError, UsageError


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments, error=None):
        if error is not None:

            def fail(*_):
                raise error

            monkeypatch.setattr("cmtp.sources.listing.listing", fail)
        monkeypatch.setattr(sys, "argv", ["cmtp", *arguments])
        return cli._run(), *capsys.readouterr()

    return call


def test_version_and_help(run):
    code, out, _ = run("--version")
    assert (code, out[:5]) == (0, "cmtp ")
    code, out, _ = run("build", "--help")
    assert code == 0
    assert "--until" in out


@pytest.mark.parametrize(
    "arguments", [("bild",), ("build", "--out", "x"), ("inspect", "x", "-n", "0"), ("--nonsense",)]
)
def test_unusable_arguments(run, arguments):
    assert run(*arguments)[0] == 2


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("what and where"), 2, "cmtp: what and where\n"),
        (CmtpError("what and where"), 1, "cmtp: what and where\n"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/x"),
            1,
            "out/x: No space left on device. Free some space",
        ),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "out/x"),
            1,
            "out/x: Permission denied. Look at this",
        ),
        (ZeroDivisionError("why"), 1, "unexpected ZeroDivisionError: why; --debug shows the traceback"),
    ],
)
def test_errors_are_one_line_with_their_exit_code(run, error, code, said):
    found, out, err = run("sources", error=error)
    assert (found, out) == (code, "")
    assert said in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


def test_a_library_that_takes_ctrl_c_itself_ends_the_command_too(run, monkeypatch):
    def leave():
        raise ZeroDivisionError("left")

    monkeypatch.setattr(cli, "leave", leave)
    with pytest.raises(ZeroDivisionError, match="left"):
        run("sources", error=KeyboardInterrupt())


def test_ctrl_c_removes_the_scratch_folder():
    program = (
        "import os, signal\n"
        "from cmtp.interrupt import leave_on_interrupt, scratch_folder\n"
        "leave_on_interrupt()\n"
        "with scratch_folder('cmtp-test-') as folder:\n"
        "    print(folder, os.path.isdir(folder), flush=True)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    folder, was_there = done.stdout.split()
    assert (done.returncode, was_there, done.stderr) == (130, "True", interrupt.MESSAGE)
    assert not os.path.exists(folder)


def test_debug_shows_the_traceback(run):
    with pytest.raises(ZeroDivisionError):
        run("sources", "--debug", error=ZeroDivisionError("why"))


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GiB", 8 << 30), ("1.5 GB", 1_500_000_000), ("500mb", 500_000_000), ("1000000", 1_000_000), ("2TiB", 2 << 40)],
)
def test_sizes(text, size):
    assert cli._bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "1 PiB", "1GiBit"])
def test_sizes_that_are_none(text):
    with pytest.raises(UsageError, match="8GiB"):
        cli._bytes(text)
