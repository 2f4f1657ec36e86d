from pathlib import Path

import pytest

from cmtp.recipe import load_recipe
from cmtp.sources.layouts_data import LAYOUTS
from cmtp.sources.listing import listing
from cmtp.sources.read import find_mapping

PIPELINES = Path(__file__).parent.parent.parent / "pipelines"


def test_the_listing_names_every_layout_and_collection():
    shown = listing()
    for layout in LAYOUTS:
        assert f"{layout.name}  →  {layout.relation}" in shown
        assert all(source in shown for source in layout.sources)


@pytest.mark.parametrize(
    ("recipe", "path", "source"),
    [
        ("c-mtp-unlabeled", "wudao/part-1.json", "wudao"),
        ("c-mtp-unlabeled", "wiki2019zh/AA/wiki_00", "wiki"),
        ("c-mtp-unlabeled", "dureader-checklist/train.json", "dureader"),
        ("c-mtp-unlabeled", "crawl/x.warc.gz", "crawl"),
        ("c-mtp-labeled", "nli-zh/LCQMC.train.data", "lcqmc"),
        ("c-mtp-labeled", "ocnli/train.50k.json", "ocnli"),
    ],
)
def test_recipes_of_c_mtp(recipe, path, source):
    mapping = find_mapping(path, load_recipe(PIPELINES / f"{recipe}.yaml").sources.root)
    assert mapping.name == source
