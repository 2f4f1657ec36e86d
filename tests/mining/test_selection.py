"""Rows that are not worth finetuning on, by reason: real rows, shortened."""

import pyarrow as pa
import pytest

from cmtp.mining.selection import UNFIT, echoes, unfit
from cmtp.mining.settings import MineSettings

LONG = "呼吸系统的主要器官是鼻子、咽部、喉部、气管、支气管、肺和膈肌，它们把空气送到血液里。"

LEFT_OUT = [
    ("地球完成一次自转需要几小时？", "地球完成一次自转需要 24 小时。", "echo"),
    ("预处理语句", "本节将介绍创建、使用及删除预处理语句的 SQL 语法。", "lead_in"),
    ("如何在手机上安装", "要在您的手机上安装这个应用，操作步骤如下：", "lead_in"),
    ("谁赢了昨天的比赛？", "抱歉，作为一个人工智能语言模型，我不能上网查看昨天的比赛结果。", "refusal"),
    ("法国的首都是哪里？", "巴黎。", "short_passage"),
    ("概述", LONG, "short_query"),
    (
        "重写句子以更正大小写错误。\n澳大利亚的首都是堪培拉。",
        "已经改好：“堪培拉”前面不用大写，句号保留。",
        "other_task",
    ),
    ("总结给定的文本。\n机器学习是人工智能的一支。", LONG, "other_task"),
    ("将 12 和 11 相乘。", "两个数字的积等于一百三十二，可以用竖式验算。", "other_task"),
    ("写一首关于秋天的诗。", "落叶飘过小桥，远山渐渐变红，风里有桂花的香气。", "other_task"),
]

KEPT = [
    ("列出呼吸系统的主要器官", LONG),
    (
        "高血压可以吃龙眼干吗？\n女儿在网上买了一些，我有高血压。",
        "可以适量吃，但龙眼干是温补水果，不宜多吃，要坚持服药。",
    ),
    ("牛顿第一运动定律是什么？", "运动中的物体保持运动，静止的保持静止，除非受到外力的作用。"),
]


def reason(query, passage, relation="question_answer", **settings):
    rows = pa.table({"query": [query], "passage": [passage], "relation": [relation]})
    (place,) = unfit(rows, MineSettings(**settings)).tolist()
    return None if place < 0 else UNFIT[place]


@pytest.mark.parametrize(("query", "passage", "name"), LEFT_OUT)
def test_rows_that_are_left_out(query, passage, name):
    assert reason(query, passage) == name


@pytest.mark.parametrize(("query", "passage"), KEPT)
def test_rows_that_stay(query, passage):
    assert reason(query, passage) is None


def test_a_heading_is_no_instruction():
    assert reason("写一首关于秋天的诗", LONG, "title_body") is None
    assert reason("写一首关于秋天的诗", LONG, "question_answer") == "other_task"


def test_settings_decide():
    assert reason("法国的首都是哪里？", "是巴黎。", min_chars=2) is None
    assert reason("地球完成一次自转需要几小时？", "地球完成一次自转需要 24 小时。", max_echo=1.0) is None


def test_the_share_of_a_passage_that_stands_in_its_query():
    queries, passages = pa.chunked_array([["北京的天气", "甲乙丙"]]), pa.chunked_array([["北京的雨", "丁戊己庚"]])
    assert echoes(queries, passages).tolist() == [2 / 3, 0.0]
    assert (
        len(
            unfit(
                pa.table({name: pa.array([], pa.string()) for name in ("query", "passage", "relation")}), MineSettings()
            )
        )
        == 0
    )
