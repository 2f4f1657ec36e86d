"""Texts for pretraining: what is left out of a document, and which of several near-duplicate documents stays."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmtp.engine.executor import SerialExecutor
from cmtp.engine.plan import run_alone
from cmtp.engine.store import Store
from cmtp.filters.screen import filter_work
from cmtp.filters.settings import FilterSettings
from cmtp.schema import PRETRAIN, TEXTS
from cmtp.shards.settings import ShardWork, TextWork
from cmtp.shards.stage import ShardStage, TableInput
from tests.rows import an_id, pair, pair_table, rejects_table

WATER = "绿萝喜欢半阴的地方，土干了再浇透，冬天半个月浇一次就够了。"
LIGHT = "窗边的散射光最合适，夏天的直射阳光会把叶子晒出黄斑来。"
SOIL = "换盆用疏松的腐叶土，盆底垫一层碎瓦片，根就不容易烂掉。"
FEED = "生长的季节里每个月施一次稀薄的液肥，到了秋天就不再施肥。"


def pretrain(folder, *parts, rejects=None, held_out=None, min_chars=1):
    """Texts by document, and what was left out. A part is a list of documents: name and pieces."""
    store = Store(str(folder))
    paths = []
    for number, documents in enumerate(parts):
        rows = [(an_id(name), piece, "title_body", "s") for name, pieces in documents for piece in pieces]
        columns = [pa.array([row[i] for row in rows], pa.string()) for i in range(4)]
        paths.append(f"in/part-{number:05d}.parquet")
        store.write_table(paths[-1], pa.table(columns, names=TEXTS.names).cast(TEXTS))
    texts = TextWork(filter=filter_work(FilterSettings()), rejects=rejects)
    work = ShardWork(seed=1, min_pretrain_chars=min_chars, held_out=held_out, texts=texts)
    stage = ShardStage([TableInput("pretrain", paths)])
    run = run_alone(stage, store, work, [], input_fingerprint="x", executor=SerialExecutor())
    table = store.read_table(f"{run.folder}/tables/pretrain/part-00000.parquet")
    assert table.schema.equals(PRETRAIN)
    left_out = {}
    for receipt in run.receipts:
        for record in receipt.records:
            for kind in ("left_out", "pieces_left_out"):
                for reason, count in record.get(kind, {}).items():
                    left_out[reason] = left_out.get(reason, 0) + count
    found = dict(zip(table["doc_id"].to_pylist(), table["text"].to_pylist(), strict=True))
    return found, {reason: count for reason, count in left_out.items() if count}


def test_pieces_are_joined_in_order_and_a_line_may_occur_twice(tmp_path):
    found, left_out = pretrain(tmp_path, [("a", [f"养绿萝\n浇水\n{WATER}", f"光\n{LIGHT}\n{WATER}"])])
    assert found == {an_id("a"): f"养绿萝\n浇水\n{WATER}\n光\n{LIGHT}\n{WATER}"}
    assert left_out == {}


def test_junk_goes_piece_by_piece_and_private_data_is_masked(tmp_path):
    junk = "The quick brown fox jumps over the lazy dog and it was the best of the days that we had in the town."
    call = "想要插条的可以打电话给我，手机号是 13812345678，晚上也可以打。"
    found, left_out = pretrain(tmp_path, [("a", [WATER, junk, call])])
    assert found == {an_id("a"): f"{WATER}\n{call.replace('13812345678', '[手机号]')}"}
    assert left_out == {"language": 1}


def test_short_texts_are_counted(tmp_path):
    found, left_out = pretrain(tmp_path, [("a", ["养绿萝的办法。"]), ("b", [WATER])], min_chars=10)
    assert (set(found), left_out) == ({an_id("b")}, {"too_short": 1})


def test_held_out_documents_are_left_out(tmp_path):
    documents = [(f"d{n}", [f"第{n}盆的记录：{WATER}"]) for n in range(40)]
    held = pa.table({"doc_id": [an_id("d3"), an_id("d7"), an_id("elsewhere")]})
    Store(str(tmp_path)).write_table("eval/held.parquet", held)
    found, left_out = pretrain(tmp_path, documents, held_out="eval")
    assert left_out == {"held_out": 2}
    assert set(found) == {an_id(f"d{n}") for n in range(40) if n not in (3, 7)}


def test_a_document_with_a_pair_of_an_evaluation_set_is_left_out(tmp_path):
    asked = pair_table(
        [pair("绿萝怎么浇水", WATER) | {"doc_id": an_id("a")}, pair("光", LIGHT) | {"doc_id": an_id("b")}]
    )
    store = Store(str(tmp_path))
    for number, reason in enumerate(("contaminated", "duplicate_pair")):
        rows = rejects_table(asked.slice(number, 1), "dedup", reason)
        store.write_table(f"rejects/part-{number:05d}.parquet", rows)
    found, left_out = pretrain(tmp_path, [("a", [WATER]), ("b", [LIGHT])], rejects="rejects")
    assert (set(found), left_out) == ({an_id("b")}, {"not_to_be_trained_on": 1})


def test_of_near_duplicate_documents_the_longest_stays_whichever_part_it_lies_in(tmp_path):
    short, long = ("short", [WATER, LIGHT]), ("long", [WATER, LIGHT, SOIL])
    half = ("half", [WATER, FEED])
    for number, parts in enumerate(([[short, half], [long]], [[long], [half, short]], [[long, half, short]])):
        found, left_out = pretrain(tmp_path / str(number), *parts)
        assert set(found) == {an_id("long"), an_id("half")}
        assert left_out == {"copy": 1}


def test_of_equal_documents_the_smallest_id_stays(tmp_path):
    names = sorted("abcdef", key=an_id)
    found, left_out = pretrain(tmp_path, [(name, [WATER]) for name in "abc"], [(name, [WATER]) for name in "def"])
    assert (set(found), left_out) == ({an_id(names[0])}, {"copy": 5})


PARAGRAPHS = st.lists(st.sampled_from([WATER, LIGHT, SOIL, FEED]), min_size=1, max_size=4, unique=True)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PARAGRAPHS, min_size=1, max_size=6), st.data())
def test_no_paragraph_is_lost_to_copies(tmp_path_factory, documents, data):
    """Where a copy is its whole text, every paragraph stays in some document, however the input is cut into parts."""
    named = [(f"d{n}", paragraphs) for n, paragraphs in enumerate(documents)]
    cut = data.draw(st.integers(0, len(named)))
    found, _ = pretrain(tmp_path_factory.mktemp("cut"), named[:cut], named[cut:])
    whole, _ = pretrain(tmp_path_factory.mktemp("whole"), named)
    assert found == whole
    lines = {line for text in found.values() for line in text.split("\n")}
    wanted = [set(paragraphs) for paragraphs in documents]
    assert all(len(paragraphs & lines) * 5 >= len(paragraphs) * 4 for paragraphs in wanted)


@pytest.mark.parametrize("share", [0.6, 0.8])
def test_the_share_that_makes_a_copy_is_a_setting(tmp_path, share):
    work = ShardWork(seed=1, held_out=None, pretrain_copies=share)
    assert work.pretrain_copies == share
