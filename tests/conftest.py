"""What all tests share."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

from cmtp.threads import limit_threads, usable_cores
from tests.builds import SAMPLE, cli, made_once

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


@pytest.fixture(scope="session")
def sample_shards(tmp_path_factory):
    """The sample corpus, built in one process, so that kernels are compiled once; not to be changed."""
    return made_once(
        tmp_path_factory,
        "sample-shards",
        lambda out: cli("build", "--source", SAMPLE / "raw", "--out", out, "--workers", 1),
    )


@pytest.fixture(autouse=True)
def one_thread():
    """Commands that set the number of torch's threads leave it to no other test."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
