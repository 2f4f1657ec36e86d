"""Built-in items of a registry, and items from other packages."""

import sys

import pytest

from cmtp.errors import UsageError
from cmtp.registry import Registry


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A package that is installed and offers an item of the group."""
    info = tmp_path / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (tmp_path / "elsewhere.py").write_text("ITEM = 'from elsewhere'\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: (info / "entry_points.txt").write_text(f"[cmtp.things]\n{name} = elsewhere:ITEM\n")
    sys.modules.pop("elsewhere", None)


def test_built_in_items_come_first(outside):
    outside("theirs")
    things = Registry("thing", "cmtp.things", {"ours": "built in"})
    assert things.items() == [("ours", "built in"), ("theirs", "from elsewhere")]
    assert "theirs" in things
    assert things.get("theirs") == "from elsewhere"


def test_an_unknown_name_is_refused_with_the_likeliest():
    things = Registry("thing", "cmtp.things", {"ours": 1, "more": 2})
    with pytest.raises(UsageError, match=r"no thing 'our'; did you mean ours\?; known: ours, more"):
        things.get("our")


def test_a_name_is_given_once(outside):
    things = Registry("thing", "cmtp.things", {"ours": 1})
    things.add("mine", 3)
    assert things.names() == ["ours", "mine"]
    with pytest.raises(UsageError, match="'mine' already"):
        things.add("mine", 4)
    outside("ours")
    with pytest.raises(UsageError, match=r"elsewhere:ITEM adds a thing 'ours'.*rename its entry point"):
        Registry("thing", "cmtp.things", {"ours": 1}).names()


def test_an_item_that_cannot_be_loaded_is_named(outside, tmp_path):
    outside("theirs")
    (tmp_path / "elsewhere.py").write_text("")
    with pytest.raises(UsageError, match=r"the thing 'theirs' \(elsewhere:ITEM\) cannot be loaded"):
        Registry("thing", "cmtp.things", {}).names()


def test_the_origin_of_an_item_follows_its_file(outside, tmp_path):
    outside("theirs")
    things = Registry("thing", "cmtp.things", {"ours": 1})
    before = things.origins()
    assert before.keys() == {"theirs"}
    assert before["theirs"].startswith("elsewhere 1.0 ")
    (tmp_path / "elsewhere.py").write_text("ITEM = 'changed'\n")
    assert things.origins() != before
