"""Traditional to simplified characters, and the frequent ones of both scripts."""

from cmtp.text import frequent
from cmtp.text.script import simplified


def test_opencc_table():
    table = simplified()
    assert {old: table[old] for old in "漢臺頭"} == {"漢": "汉", "臺": "台", "頭": "头"}
    assert "汉" not in table


def test_a_chain_is_followed_to_its_end():
    table = simplified()
    assert table["薴"] == table["苧"] == "苎"
    assert all(table.get(new, new) == new for new in table.values())


def test_every_character_becomes_one_character():
    assert all(len(old) == len(new) == 1 for old, new in simplified().items())


def test_frequent_characters_are_of_their_script_and_listed_once():
    table = simplified()
    assert not table.keys() & set(frequent.SIMPLIFIED)
    assert set(frequent.TRADITIONAL) <= table.keys()
    assert {table[char] for char in frequent.TRADITIONAL} <= set(frequent.SIMPLIFIED)
    for text in (frequent.SIMPLIFIED, frequent.TRADITIONAL, frequent.MARKS):
        assert len(set(text)) == len(text)
