"""On what a miner's results depend, as the stage's fingerprint has it."""

from importlib.metadata import version

import pytest

from cmtp.mining.miners import miner_identities


def test_a_miner_names_the_version_of_its_package():
    pytest.importorskip("bm25s")
    assert miner_identities("dense") == {"dense": ""}
    assert miner_identities("mix") == {"dense": "", "bm25": f"bm25s {version('bm25s')}"}
