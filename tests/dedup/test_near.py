import json
import random

import pytest

from cmtp.dedup import group, layout
from cmtp.dedup.settings import DedupSettings
from cmtp.dedup.stage import dedup_work
from cmtp.recipe import Recipe
from cmtp.settings_file import load_settings
from tests.dedup import pairs
from tests.dedup.pairs import jaccard, row, run


def article(*parts):
    base = "国家鼓励和支持开展科学普及活动，县级以上人民政府应当把科学普及工作纳入国民经济和社会发展规划，"
    return base + "为开展科学普及工作创造良好的环境和条件" + "".join(parts) + "。"


def test_amended_article_collapses_and_says_why(tmp_path):
    rows = pairs.passages([article(), article("，并且予以保障")])
    kept, rejects, _, _ = run(tmp_path, rows)
    assert pairs.ids(kept) == [rows[1]["pair_id"]]  # the longer passage
    (lost,) = rejects
    truth = jaccard(rows[0]["passage"], rows[1]["passage"])
    assert (lost["reason"], lost["kept_id"]) == ("near_duplicate", rows[1]["pair_id"])
    assert lost["score"] == pytest.approx(truth, abs=1e-6)
    assert json.loads(lost["evidence"]) == {"jaccard": round(truth, 4), "threshold": 0.8, "cluster_size": 2}


def test_off(tmp_path):
    kept, _, _, figures = run(tmp_path, pairs.passages([article(), article("，并且予以保障")]), near="off")
    assert len(kept) == 2
    assert not any(name.startswith(("mark", "match")) for name in figures)


@pytest.mark.parametrize("written", ["off", "'off'", '"off"'])
def test_off_is_a_word_on_the_command_line(written):
    """YAML 1.1 reads off as false."""
    assert load_settings(Recipe, overrides=[f"dedup.near={written}"]).of(DedupSettings).near == "off"


def test_articles_of_one_law_that_differ_in_a_word_survive(tmp_path):
    stem = "提出证据证明涉外仲裁裁决有民事诉讼法规定的情形之一的，经人民法院组成合议庭审查核实，裁定"
    rows = [
        row("仲裁法 第七十条", f"当事人{stem}撤销。", doc="仲裁法"),
        row("仲裁法 第七十一条", f"被申请人{stem}不予执行。", doc="仲裁法"),
    ]
    assert jaccard(rows[0]["passage"], rows[1]["passage"]) > 0.7
    kept, _, _, _ = run(tmp_path, rows, threshold=0.7)
    assert len(kept) == 2
    kept, _, _, _ = run(tmp_path, rows, threshold=0.7, near_within_document=True, number_chars=0, folder="within")
    assert len(kept) == 1


def test_third_document_loses_to_the_first_of_two_kept_neighbours(tmp_path):
    rows = [row(f"条{i}", article("，" + end), doc="甲法") for i, end in enumerate(["应予执行", "应予撤销"])]
    rows.append(row("乙", article("，应予"), doc="乙法"))
    kept, rejects, _, _ = run(tmp_path, rows)
    assert pairs.ids(kept) == pairs.ids(rows[:2])
    assert rejects[0]["kept_id"] == pairs.in_order(rows[:2])[0]["pair_id"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("每次制作前需要确定计划做几份。一份正好够 1 个人食用", "每次制作前需要确定计划做几份。一份正好够 2 个人食用"),
        ("10, 11, 12, 13, 14, 15", "10, 11, 12, 13, 14, 15, 16"),
        (
            "登记机关应当自受理登记申请之日起三十日内对申请材料进行审查核实并且依照本条例规定作出是否准予设立登记的书面决定同时告知申请人理由",
            "登记机关应当自受理登记申请之日起二十日内对申请材料进行审查核实并且依照本条例规定作出是否准予设立登记的书面决定同时告知申请人理由",
        ),
    ],
)
def test_numbers_of_short_texts_are_substance(tmp_path, one, other):
    rows = pairs.passages([one, other])
    settings = {"threshold": min(0.8, jaccard(one, other))}
    kept, _, _, _ = run(tmp_path, rows, **settings)
    assert len(kept) == 2
    kept, _, _, _ = run(tmp_path, rows, folder="without", number_chars=0, same_amounts=0.0, **settings)
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "可以吃一些清淡的食物并且注意休息，对孩子的恢复没有影响",
            "不可以吃一些清淡的食物并且注意休息，对孩子的恢复没有影响",
        ),
        ("Transitive", "Intransitive"),
        ("He and I went to the store to buy milk.", "She and I went to the store to buy milk."),
        (
            "请在命令行里运行这个程序来查看网络连接的状态 netstat",
            "请在命令行里运行这个程序来查看网络连接的状态 netstatx",
        ),
    ],
)
def test_negations_and_latin_letters_of_short_texts_are_substance(tmp_path, one, other):
    rows = pairs.passages([one, other])
    settings = {"threshold": min(0.8, jaccard(one, other))}
    kept, _, _, _ = run(tmp_path, rows, **settings)
    assert len(kept) == 2
    kept, _, _, _ = run(tmp_path, rows, folder="without", number_chars=0, **settings)
    assert len(kept) == 1


def official(word, law):
    """An article of two laws that say the same of two offices."""
    text = (
        f"初任{word}采用考试、考核的办法，按照德才兼备的标准，从具备任职条件的人员中择优提出人选，并应当具有良好的政治业务"
        "素质和道德品行，具备全日制普通高等学校法学类本科学历并获得学士及以上学位，从事法律工作满规定的年限"
    )
    return row(f"中华人民共和国{law} › 第十三条", text, doc=law)


@pytest.mark.parametrize("slot_rows", [1, group.SLOT_ROWS])
def test_the_same_said_of_two_subjects_survives(tmp_path, monkeypatch, slot_rows):
    monkeypatch.setattr(group, "SLOT_ROWS", slot_rows)
    rows = [official("法官", "法官法"), official("检察官", "检察官法")]
    assert jaccard(rows[0]["passage"], rows[1]["passage"]) > 0.8
    kept, _, _, _ = run(tmp_path, rows)
    assert len(kept) == 2
    kept, _, _, _ = run(tmp_path, rows, folder="without", same_subject=False)
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("法官", "法官法"), ("检察官", "法官法（修正）")),  # amended: the title has no other word for it
        (
            ("法官", "法官法第二条"),
            ("法官", "检察官法第三条"),
        ),  # another title, the same subject; numerals do not count
    ],
)
def test_a_subject_is_another_only_where_texts_and_queries_say_so(tmp_path, one, other):
    rows = [official(*one), official(*other)]
    rows[1]["passage"] += "，并且予以公布"
    kept, _, _, _ = run(tmp_path, rows)
    assert len(kept) == 1


def test_numbers_of_long_texts_are_not(tmp_path):
    rows = pairs.passages([article("，具体办法见第三十七条"), article("，具体办法见第三十八条")])
    kept, _, _, _ = run(tmp_path, rows)
    assert len(kept) == 1


def test_long_texts_with_other_amounts_are_not_copies(tmp_path):
    checked = (
        "检查的内容包括灭火器的压力是否在绿色区域，疏散通道是否畅通，电气线路有没有老化和私拉乱接的情况，堆垛与墙壁之间"
        "有没有留出足够的距离，货物之间有没有可供通行的过道，门窗是否完好，消防栓前面有没有堆放杂物，应急灯能不能正常点亮。"
    )

    def rule(days, years, hours):
        return f"仓库由安全员每{days}日检查一次，结果记入台账，保存{years}年，隐患在{hours}小时内报告。{checked}"

    loose = {"threshold": 0.7}
    rows = pairs.passages([rule("三", "五", "二十"), rule("七", "八", "四十")])
    kept, _, _, _ = run(tmp_path, rows, **loose)
    assert len(kept) == 2
    kept, _, _, _ = run(tmp_path, rows, folder="without", same_amounts=0.0, **loose)
    assert len(kept) == 1
    rows = pairs.passages([rule("三", "五", "二十"), rule("三", "五", "四十")])
    kept, _, _, _ = run(tmp_path, rows, folder="most", **loose)
    assert len(kept) == 1


def test_short_texts_neither_vanish_nor_collapse(tmp_path):
    texts = [
        "好",
        "坏",
        "可以",
        "不可以",
        "是的",
        "甲乙丙",
        "甲乙丁",
        "一二三四五六七",
        "一二三四五六八",
        "同意以上方案",
        "。",
        "！",
    ]
    kept, _, _, _ = run(tmp_path, pairs.passages(texts))
    assert len(kept) == len(texts)


def test_no_chaining(tmp_path):
    """A ~ B ~ C ~ … but A does not resemble the far end: every row that is lost resembles the row it lost to."""
    generator = random.Random(1)
    text = pairs.passage(generator, 200)
    chain = [text]
    for i in range(30):
        chain.append(chain[-1][:-5] if i % 2 else chain[-1][5:])
    rows = pairs.passages(chain)
    kept, rejects, _, _ = run(tmp_path, rows)
    assert jaccard(chain[0], chain[-1]) < 0.3
    texts = {one["pair_id"]: one["passage"] for one in rows}
    for lost in rejects:
        assert lost["kept_id"] in pairs.ids(kept)
        assert jaccard(lost["passage"], texts[lost["kept_id"]]) >= 0.8
    assert kept[0]["passage"] == chain[0]
    assert 4 < len(kept) < 12
    for one in kept:
        for other in kept:
            assert one is other or jaccard(one["passage"], other["passage"]) < 0.8


def test_a_near_copy_of_a_passage_keeps_its_own_questions(tmp_path):
    """Of a question that stands with both passages one is enough; and a title is no rival of a question."""
    ask = "question_passage"
    rows = [
        row("谁作了规定？", article("，应予执行，并且予以保障"), doc="甲", relation=ask),
        row("谁作了规定？", article("，应予执行"), doc="乙", relation=ask),
        row("何时施行？", article("，应予执行"), doc="乙", relation=ask),
        row("规定", article("，应予执行"), doc="丙"),
    ]
    kept, rejects, _, _ = run(tmp_path, rows)
    assert pairs.ids(kept) == pairs.ids([rows[0], rows[2], rows[3]])
    assert [(one["reason"], one["kept_id"]) for one in rejects] == [("near_duplicate", rows[0]["pair_id"])]


def brute(rows, threshold=0.8):
    """Greedy in policy order over all pairs: what near-dedup would do with unlimited time."""
    order = sorted(pairs.in_order(rows), key=lambda one: -len(one["passage"]))
    sets = {one["pair_id"]: pairs.shingles(one["passage"]) for one in rows}
    stayed, lost = [], set()
    by_shingle = {}
    for one in order:
        mine = sets[one["pair_id"]]
        met = {}
        for shingle in mine:
            for name in by_shingle.get(shingle, ()):
                met[name] = met.get(name, 0) + 1
        if any(n / (len(mine) + len(sets[name]) - n) >= threshold for name, n in met.items()):
            lost.add(one["pair_id"])
            continue
        stayed.append(one)
        for shingle in mine:
            by_shingle.setdefault(shingle, []).append(one["pair_id"])
    return lost


def test_recall_and_precision_against_brute_force(tmp_path):
    rows = pairs.passages(pairs.family(11, 1500, 4))
    expected = brute(rows)
    assert len(expected) > 700
    _, rejects, _, _ = run(tmp_path, rows, partitions=3)
    found = set(pairs.ids(rejects))
    texts = {one["pair_id"]: one["passage"] for one in rows}
    for lost in rejects:  # precision is 1 by construction
        truth = jaccard(lost["passage"], texts[lost["kept_id"]])
        assert truth >= 0.8
        assert lost["score"] == pytest.approx(truth, abs=1e-6)
    assert len(found & expected) / len(expected) >= 0.98


@pytest.mark.parametrize(("threshold", "edits"), [(0.5, 8), (0.9, 60)])
def test_bands_that_follow_the_threshold(tmp_path, threshold, edits):
    """Recall on planted copies at other thresholds than the default's, with the cut that `auto` chooses."""
    generator = random.Random(23)
    texts = [pairs.passage(generator, generator.randrange(40, 300)) for _ in range(500)]
    texts += [pairs.perturbed(generator, text, generator.randint(1, max(1, len(text) // edits))) for text in texts]
    rows = pairs.passages(dict.fromkeys(texts))
    expected = brute(rows, threshold)
    assert len(expected) > 200
    guards = {"number_chars": 0, "same_amounts": 0, "same_subject": False}
    _, rejects, _, _ = run(tmp_path, rows, bands="auto", threshold=threshold, **guards)
    found = set(pairs.ids(rejects))
    assert found <= expected
    assert len(found) / len(expected) >= 0.99


def test_auto_bands_of_the_default_threshold_are_the_default():
    default, auto = (dedup_work(settings, seed=1) for settings in (DedupSettings(), DedupSettings(bands="auto")))
    assert (auto.bands, auto.band_rows) == (21, 6)
    assert auto == default


def test_same_result_however_the_rows_are_cut(tmp_path, monkeypatch):
    rows = pairs.passages(pairs.family(12, 150, 4))
    rows += [row(f"又{i}", one["passage"], source="t") for i, one in enumerate(rows[:60])]
    rows += [row("公告", one["passage"] + "公告", source="u") for one in rows[60:120]]
    kept, rejects, ledger, _ = run(tmp_path, rows, folder="one")
    expected = {one["pair_id"]: (one["reason"], one["kept_id"], one["score"], one["evidence"]) for one in rejects}
    assert {one[0] for one in expected.values()} == {"duplicate_passage", "near_duplicate", "duplicate_query"}
    monkeypatch.setattr(layout, "KEYS_PER_RANGE", 50)
    monkeypatch.setattr(layout, "BANDS_PER_RANGE", 1000)
    monkeypatch.setattr(group, "SLOT_ROWS", 40)
    random.Random(2).shuffle(rows)
    again, lost, counted, figures = run(tmp_path, rows, partitions=5, folder="five", empty=(0, 3))
    assert sum(name.startswith("verify") for name in figures) > 2
    assert sum(name.startswith("match") for name in figures) > 2
    assert sum(name.startswith("passage") for name in figures) > 2
    assert pairs.ids(again) == pairs.ids(kept)
    assert {one["pair_id"]: (one["reason"], one["kept_id"], one["score"], one["evidence"]) for one in lost} == expected
    assert counted == ledger


def test_large_component_is_compared_slot_by_slot(tmp_path, monkeypatch):
    """Copies, chains and boilerplate in one component: cut into slots, it gives what it gives whole."""
    generator = random.Random(6)
    paragraph = pairs.passage(generator, 240)
    texts = [paragraph + pairs.passage(generator, generator.randrange(20, 120)) for _ in range(150)]
    texts += [pairs.perturbed(generator, text, generator.randrange(1, 12)) for text in texts for _ in range(2)]
    rows = pairs.passages(dict.fromkeys(texts))
    _, rejects, _, figures = run(tmp_path, rows, folder="whole")
    assert figures["group-passage"] == {"jobs": 1, "largest": 449}
    expected = {one["pair_id"]: (one["kept_id"], one["score"], one["evidence"]) for one in rejects}
    assert 100 < len(expected) < 300
    monkeypatch.setattr(group, "SLOT_ROWS", 30)
    _, rejects, _, figures = run(tmp_path, rows, partitions=3, folder="cut")
    assert figures["group-passage"] == {"jobs": 1, "largest": 449}
    assert {one["pair_id"]: (one["kept_id"], one["score"], one["evidence"]) for one in rejects} == expected


def test_the_largest_component_of_both_sides_is_reported(tmp_path):
    questions = [QUESTION, QUESTION.replace("请问", "")]
    rows = [row(text, f"{i}号回答在这里", relation="question_answer") for i, text in enumerate(questions)]
    rows += pairs.passages([article(f"，并且予以保障{end}") for end in ("", "了", "的")])
    _, _, _, figures = run(tmp_path, rows, near="query+passage")
    assert {side: figures[f"group-{side}"]["largest"] for side in ("query", "passage")} == {"query": 2, "passage": 3}
    assert figures["stage"]["largest"] == 3
    assert figures["stage"]["jobs"] == 2


def test_same_bytes_twice(tmp_path):
    rows = pairs.passages(pairs.family(13, 100, 3))
    for folder in ("a", "b"):
        run(tmp_path, rows, partitions=2, folder=folder)
    for name in ("kept/part-00000.parquet", "rejects/part-00001.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("kind", ["identical", "one word", "boilerplate"])
def test_pathological_bucket_costs_linear_time(tmp_path, kind):
    generator = random.Random(4)
    paragraph = pairs.passage(generator, 300)
    make = {
        "identical": lambda: paragraph,
        "one word": lambda: paragraph + pairs.passage(generator, 2),  # all copies of each other
        "boilerplate": lambda: paragraph + pairs.passage(generator, 200),  # Jaccard about .6: none is a copy
    }[kind]
    work = []
    for many in (1000, 20_000) if kind == "identical" else (1000, 5000):
        rows = pairs.passages([make() for _ in range(many)])
        kept, _, _, figures = run(tmp_path, rows, folder=f"{kind}{many}")
        assert len(kept) == (many if kind == "boilerplate" else 1)
        work.append(figures["stage"].get("comparisons", 0) + figures["stage"].get("edges", 0) + many)
        assert work[-1] < 400 * many  # all pairs would be 500 and 2,000 per row
    assert work[1] < 1.5 * many / 1000 * work[0]


def test_copies_in_a_huge_band_are_found_among_boilerplate(tmp_path):
    generator = random.Random(5)
    paragraph = pairs.passage(generator, 200)
    texts = [paragraph + pairs.passage(generator, 200) for _ in range(1500)]
    copies = [pairs.perturbed(generator, text, 3) for text in texts[:300]]
    _, rejects, _, _ = run(tmp_path, pairs.passages(texts + copies))
    assert len(rejects) >= 290


def test_pairs_that_may_share_a_passage_are_no_near_duplicates_of_each_other(tmp_path):
    rows = [row(f"标题{i}号", article()) for i in range(3)]
    kept, _, _, _ = run(tmp_path, rows, max_per_passage=2)
    assert len(kept) == 2
    better = row("标题三号", article("，并且予以保障"))
    kept, _, _, _ = run(tmp_path, [*rows, better], max_per_passage=2, folder="better")
    assert pairs.ids(kept) == [better["pair_id"]]


QUESTION = "请问怎样才能在家里用简单的办法把旧手机里的照片全部备份到电脑的硬盘上面去呢"


def test_near_queries_of_question_sources(tmp_path):
    def both(relation, **options):
        rows = [
            row(QUESTION, "先用数据线连接，再复制文件夹", relation=relation),
            row(QUESTION.replace("请问", ""), "打开设置里的备份", relation=relation),
        ]
        return rows, run(tmp_path, rows, folder=f"{relation}{len(options)}", **options)

    rows, (kept, rejects, _, _) = both("question_answer", near="query+passage")
    assert pairs.ids(kept) == [rows[0]["pair_id"]]  # the longer passage
    assert [one["reason"] for one in rejects] == ["near_duplicate_query"]
    truth = jaccard(rows[0]["query"], rows[1]["query"])
    assert json.loads(rejects[0]["evidence"]) == {"jaccard": round(truth, 4), "threshold": 0.8, "cluster_size": 2}
    assert len(both("question_answer")[1][0]) == 2
    assert len(both("title_body", near="query+passage")[1][0]) == 2  # titles of different texts may be alike


def test_passage_does_not_vanish_with_a_near_query(tmp_path):
    """A row that goes for its query must not have beaten the copy of its passage under another query."""
    first = row(QUESTION, "先用数据线连接手机和电脑，再把照片的文件夹复制过去", relation="question_answer")
    better = set()
    for number in range(16):
        near = row(QUESTION.replace("请问", ""), f"打开设置{number}", relation="question_answer")
        other = row("照片在哪里备份", f"打开设置{number}", relation="question_answer")
        better.add(pairs.in_order([near, other])[0] is other)
        settings = {"near": "query+passage", "max_per_answer": 1}
        kept, rejects, _, _ = run(tmp_path, [first, near, other], folder=str(number), **settings)
        assert pairs.ids(kept) == pairs.ids([first, other])
        assert [one["reason"] for one in rejects] == ["near_duplicate_query"]
    assert better == {True, False}  # whichever of the two copies is better


def test_near_queries_however_the_rows_are_cut(tmp_path, monkeypatch):
    texts = pairs.family(31, 80, 3)
    rows = [
        row(text, f"{i}号回答" + pairs.passage(random.Random(i), 20), relation="question_answer")
        for i, text in enumerate(texts)
    ]
    rows += [
        row(f"又{i}", one["passage"] + "。", source="t", relation="question_answer") for i, one in enumerate(rows[:40])
    ]
    told = []
    for folder, partitions in (("one", 1), ("four", 4)):
        _, rejects, _, _ = run(
            tmp_path, rows, partitions=partitions, folder=folder, near="query+passage", max_per_answer=1
        )
        told.append({one["pair_id"]: (one["reason"], one["kept_id"], one["evidence"]) for one in rejects})
        monkeypatch.setattr(layout, "KEYS_PER_RANGE", 50)
        monkeypatch.setattr(layout, "BANDS_PER_RANGE", 1000)
        monkeypatch.setattr(group, "SLOT_ROWS", 20)
    assert told[0] == told[1]
    assert {one[0] for one in told[0].values()} == {"near_duplicate_query", "duplicate_passage"}
