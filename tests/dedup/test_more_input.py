"""More input never loses a good pair. What stays without it stays with it, or a limit of the recipe says why not.

Rows are drawn from few texts, so that most of them are copies, near copies or rivals of others.
"""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cmtp.text.compare import comparison_form
from tests.dedup.pairs import ids, row, run
from tests.rows import an_id

_CLAUSE = "申请人对决定不服的，可以在收到通知以后向原来的部门提出意见，部门应当予以答复，并且说明理由"
PASSAGES = [
    _CLAUSE + "。",
    _CLAUSE + "，不得推诿。",  # near copies, the longest of them last
    _CLAUSE + "，不得推诿或者拖延。",
    "冬天的河面结了冰，孩子们带着木板去滑，大人在岸上喝茶，谁也不着急回家吃饭。",
    "是。",
]
QUERIES = ["怎样提出意见", "谁来答复", "河面什么时候结冰", "公告"]
RELATIONS = ["title_body", "subtitle_passage", "question_answer", "question_passage", "similar_question"]
EXAMPLES = 25
"""Of each property; a run of the stage takes .2 s."""
SETTINGS = {"max_per_query": 4, "max_per_answer": 3}


@st.composite
def documents(draw, names, passages=tuple(PASSAGES), most=3):
    """Rows of some documents, each of one relation. Their ids differ if their names do."""
    rows = []
    for name in names[: draw(st.integers(1, len(names)))]:
        relation = draw(st.sampled_from(RELATIONS))
        texts = draw(
            st.lists(st.tuples(st.sampled_from(QUERIES), st.sampled_from(passages)), min_size=1, max_size=most)
        )
        rows += [row(*pair, doc=name, relation=relation, name=f"{name}{i}") for i, pair in enumerate(texts)]
    return rows


def forms(rows):
    return set(map(form, rows))


def dedup(rows, **options):
    """(kept rows, rejected rows) of a run in a folder of its own; rows, or those of each partition as a list."""
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder), rows, **SETTINGS | options)[:2]


def texts(rows):
    return {(one["query"], one["passage"]) for one in rows}


def form(one):
    """What the copies of a pair share, swapped ones included."""
    return frozenset(map(comparison_form, (one["query"], one["passage"])))


def copied(rows, name):
    """The rows again, with their documents, under other ids in another source."""
    return [
        one | {"pair_id": an_id(name + one["pair_id"]), "doc_id": an_id(name + one["doc_id"]), "source": name}
        for one in rows
    ]


@settings(max_examples=EXAMPLES)
@given(documents("abcdef"), st.integers(1, 2), st.data())
def test_copies_of_the_documents_change_no_text(rows, copies, data):
    kept, _ = dedup(rows)
    more = [*rows, *(one for n in range(copies) for one in copied(rows, f"copy {n}"))]
    again, rejects = dedup(data.draw(st.permutations(more)))
    assert texts(again) == texts(kept)
    assert len(again) == len(kept)
    assert all(one["kept_id"] for one in rejects)


@settings(max_examples=EXAMPLES)
@given(documents("abcdef"), documents("uvwxyz", tuple(one.rstrip("。") for one in PASSAGES)), st.data())
def test_rivals_that_are_worse_take_nothing_away(rows, worse, data):
    """The rivals' passages do not end as sentences do, so the policy puts them behind all others."""
    kept, _ = dedup(rows)
    again, _ = dedup(data.draw(st.permutations(rows + worse)))
    assert forms(kept) <= forms(again)


@settings(max_examples=EXAMPLES)
@given(documents("abcdef"), documents("uvwxyz"), st.data())
def test_rows_that_later_stages_take_take_nothing_away(rows, others, data):
    """In another language, damaged or off the topic: what the screen or the cut takes, it takes alone."""
    kept, _ = dedup(rows)
    fate = [data.draw(st.sampled_from(["screened", "scored"])) for _ in others]
    goes = {
        name: {one["pair_id"]: "language" for one, how in zip(others, fate, strict=True) if how == name}
        for name in ("screened", "scored")
    }
    again, rejects = dedup(data.draw(st.permutations(rows + others)), **goes)
    gone = goes["screened"] | goes["scored"]
    assert forms(one for one in again if one["pair_id"] not in gone) >= forms(kept)
    for one in rejects:
        assert one["pair_id"] not in goes["screened"]  # left to the filter, with its own reason
        if one["kept_id"] in goes["scored"]:
            assert one["pair_id"] in goes["scored"]
            assert '"kept_row_goes_as": "low_similarity"' in one["evidence"]


@settings(max_examples=EXAMPLES)
@given(documents("abcdef"), documents("uvwxyz"), st.data())
def test_what_is_lost_to_other_documents_is_lost_by_name(rows, others, data):
    """To a cap of the recipe, or to a text that is nearly the same. No cap takes questions written for a passage."""
    kept, _ = dedup(rows)
    again, rejects = dedup(data.draw(st.permutations(rows + others)))
    lost_to = {one["pair_id"]: one["kept_id"] for one in rejects}
    for end in lost_to.values():
        while end in lost_to:
            end = lost_to[end]
        assert end in ids(again)
    named = {(form(one), one["reason"]) for one in rejects}
    there = forms(again)
    for one in kept:
        if form(one) not in there:
            caps = {"duplicate_query"} | ({"duplicate_passage"} if one["relation"] != "question_passage" else set())
            assert any((form(one), reason) in named for reason in caps | {"near_duplicate"})


@settings(max_examples=EXAMPLES)
@given(documents("abcdef"), st.integers(1, 4), st.data())
def test_order_names_and_partitions_change_no_text(rows, partitions, data):
    """A document lies in one partition."""
    kept, _ = dedup(rows)
    renamed = data.draw(st.permutations(copied(rows, "renamed")))
    place = {one["doc_id"]: data.draw(st.integers(0, partitions - 1)) for one in renamed}
    again, _ = dedup([[one for one in renamed if place[one["doc_id"]] == i] for i in range(partitions)])
    assert texts(again) == texts(kept)
