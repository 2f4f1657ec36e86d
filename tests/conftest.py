"""What all tests share."""

import os

import pytest
from hypothesis import HealthCheck, settings

from cmtp.threads import limit_threads, usable_cores

os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is fetched, and what would be fails at once
limit_threads()  # as in every process of a build, before a library reads it

# Tests hold behaviour, never times: no deadline on a busy machine. Where CI runs, the same examples every time: a run
# that fails there fails anywhere.
settings.register_profile(
    "cmtp", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("cmtp")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """How many processes `-n auto` starts."""
    return usable_cores()
