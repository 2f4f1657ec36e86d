"""What tests of hostile input share."""

import re
import resource
import time
from pathlib import Path

import pytest

LIMIT_S = 10
"""Of processor time, for tests that take less than one: far beyond what another load on the machine adds."""

LIMIT_KIB = 400 << 10


def memory(name):
    """VmRSS (now) or VmHWM (the peak) of this process in KiB, where the system tells."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(re.search(rf"{name}:\s+(\d+)", status.read_text())[1])


@pytest.fixture
def bounded():
    """The test takes little processor time, and at most 400 MiB more than the process holds when it starts."""
    forget_peak = Path("/proc/self/clear_refs")
    if forget_peak.exists():
        forget_peak.write_text("5")
    before, start = memory("VmRSS"), time.process_time()
    yield
    assert time.process_time() - start < LIMIT_S
    assert memory("VmHWM") - before < LIMIT_KIB
