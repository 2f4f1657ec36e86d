"""The dataset card: what `datasets` reads of it."""

import pytest
import yaml

from cmtp.shards.card import make_dataset_card
from tests.shards.test_stage import make


@pytest.fixture
def front(tmp_path):
    _, _, manifest = make(tmp_path, until_publish=False)
    return yaml.safe_load(make_dataset_card(manifest).split("---\n")[1])


def test_pairs_is_what_is_loaded_without_a_name(front):
    assert [config["config_name"] for config in front["configs"] if config.get("default")] == ["pairs"]
    assert {config["config_name"] for config in front["configs"]} == {"pairs", "pretrain", "rejects_extract"}
    assert front["size_categories"] == ["n<1K"]
