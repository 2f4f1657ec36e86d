"""Names of any script that tell two near copies apart."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest

from cmtp.dedup.subjects import names_of, other_subjects, subjects_of
from cmtp.text.compare import fold


def names(*texts: str) -> list[int]:
    """How many different names each text has."""
    _, starts = names_of(pa.array(texts))
    return [int(end - start) for start, end in pairwise(starts)]


def apart(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two (query, passage) rows are about two things."""
    queries, texts = pa.chunked_array([[one[0], other[0]]]), pa.chunked_array([[one[1], other[1]]])
    of = subjects_of(texts, queries, fold(texts), fold(queries))
    assert other_subjects(of, 0, 1) == other_subjects(of, 1, 0)
    return bool(other_subjects(of, 0, 1))


def test_names_by_hand():
    assert names("Kafka 与 kafka、C++、C#", "v8 和 5.1.3", "2018年10月", "2018-10-26", "第30条", "30 条", "") == [
        3,
        2,
        1,
        0,
        0,
        1,
        0,
    ]
    one, _ = names_of(pa.array(["Cluster 的 tb_emp1"]))
    other, _ = names_of(pa.array(["TB_EMP1，cluster。"]))
    assert one.tolist() == other.tolist()


SAME = "的接口把文字变成一串数字，使用之前先申请密钥，把密钥写进配置文件，再调用接口提交文字。"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Marlin 向量接口", f"Marlin {SAME}"), ("Corvus 向量接口", f"Corvus {SAME}")),
        (("quark dm destroy", f"quark dm destroy {SAME}"), ("quark cluster destroy", f"quark cluster destroy {SAME}")),
        (("用 Kafka 同步", f"Kafka {SAME}"), ("用 Pulsar 同步", f"Pulsar {SAME}它与 Kafka 相似。")),
        (("up restart", f"up restart {SAME}先 up start"), ("up start", f"up start {SAME}")),
        (("Quark 5.1.3 发布说明", SAME), ("Quark 5.0.5 发布说明", SAME + "修复")),
        (("Quark 5.2.2 修复", SAME), ("Quark 5.3 修复", SAME + "等")),
        (("RX 3080 的散热", f"3080 {SAME}"), ("RX 3090 的散热", f"3090 {SAME}")),
        (("C++ 的接口", f"C++ {SAME}"), ("C# 的接口", f"C# {SAME}")),
        (("Aspirin 的用法", f"Aspirin {SAME}"), ("布洛芬的用法", f"布洛芬{SAME}")),
        (("法官法", f"法官{SAME}"), ("检察官法", f"检察官{SAME}")),
        (("tb_order 表", f"tb_order {SAME}"), ("tb_user 表", f"tb_user {SAME}")),
    ],
)
def test_two_things(one, other):
    assert apart(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("发票管理办法(2019-03-02)", SAME), ("发票管理办法(2023-07-20)", SAME + "。")),
        (("公司法（2018修正）第30条", SAME), ("公司法（2023修订）第31条", SAME + "。")),
        (("Docker 入门 | Blog", f"Docker {SAME}"), ("Docker 入门 | Forum", f"Docker {SAME}。")),  # names of sites
        (("Marlin 向量接口", f"Marlin {SAME}"), ("Marlin 的向量接口", f"Marlin {SAME}。")),
        (("Marlin 向量接口", f"Marlin {SAME}"), ("向量接口", f"{SAME}。")),  # the other names none
        (("血糖 5.3 怎么办", SAME), ("血糖 6.1 怎么办", SAME + "。")),
        (("第 3 步", SAME), ("第 4 步", SAME + "。")),
        (("", ""), ("", "")),
    ],
)
def test_one_thing(one, other):
    assert not apart(one, other)
