import numpy as np
import pyarrow as pa
import pytest

from cmtp.dedup.policy import ranks
from cmtp.dedup.settings import DedupSettings
from tests.dedup import pairs
from tests.dedup.pairs import run

WHOLE = "国家鼓励和支持开展科学普及活动，县级以上人民政府应当把科学普及工作纳入国民经济和社会发展规划。"


def rank(*texts, keep=("quality", "hash")):
    passages = pa.chunked_array([pa.array(texts, pa.string())])
    sources = pa.chunked_array([pa.array(["s"] * len(texts))])
    lengths = np.array([len(text) for text in texts])
    return ranks(passages, sources, lengths, DedupSettings(keep=list(keep))).tolist()


@pytest.mark.parametrize(
    "worse",
    [
        WHOLE[:-1],  # cut off
        WHOLE.replace("活动", "活\ufffd"),
        WHOLE.replace("活动", "活动\ue123"),
        WHOLE.replace("活动", "活动\uf8ff"),
        WHOLE.replace("活动", "活动&nbsp;"),
        WHOLE.replace("活动", "活动&#12288;"),
        "",
    ],
)
def test_damaged_and_unfinished_texts_rank_lower(worse):
    best, other = rank(WHOLE, worse)
    assert best < other


@pytest.mark.parametrize(
    "fine", [WHOLE + "\n", "「" + WHOLE + "」", "R&D 与 AT&T; 都好。", "OK!", "（完）", "ﬁ 的写法是 U+FB01。", "Ａ。"]
)
def test_sound_texts_rank_first(fine):
    best, other = rank(WHOLE, fine)
    assert best == other


def test_damage_weighs_more_than_a_cut():
    cut, damaged = rank(WHOLE[:-1], WHOLE.replace("国家", "国\ufffd"))
    assert cut < damaged


def test_the_sound_copy_stays_although_the_damaged_one_is_longer(tmp_path):
    rows = pairs.passages([WHOLE, WHOLE.replace("活动", "活动&nbsp;等") + "特此通知"])
    kept, _, _, _ = run(tmp_path, rows, threshold=0.5, number_chars=0)
    assert pairs.ids(kept) == [rows[0]["pair_id"]]
    kept, _, _, _ = run(
        tmp_path, rows, folder="long", threshold=0.5, number_chars=0, keep=["length", "quality", "hash"]
    )
    assert pairs.ids(kept) == [rows[1]["pair_id"]]


def test_all_criteria_fit_in_one_rank():
    keep = ["quality", "source_priority", "length", "hash"]
    short, long = rank("短。", "长" * 5000 + "。", keep=keep)
    assert long < short < 1 << 32
