import pyarrow as pa

from cmtp.schema import PAIR, PRETRAIN
from cmtp.shards.pretrain import SOURCE_COLUMNS, join_passages
from tests.rows import an_id


def rows(*given):
    full = [
        dict.fromkeys(PAIR.names, "")
        | {"similarity": None, "source": "s"}
        | dict(zip(SOURCE_COLUMNS, row, strict=True))
        for row in given
    ]
    return pa.Table.from_pylist(full, schema=PAIR).select(SOURCE_COLUMNS)


def test_passages_are_joined_in_reading_order_and_lines_are_not_repeated():
    doc = an_id("doc")
    table, short = join_passages(
        rows(
            (doc, 2, "腌制 › 火候", "大火快炒。\n出锅前放盐。", "subtitle_passage", "s"),
            (doc, 0, "炒青菜", "先把水烧开。\n大火快炒。", "title_body", "s"),
        ),
        min_chars=1,
    )
    assert table.schema.equals(PRETRAIN)
    assert table["text"].to_pylist() == ["先把水烧开。\n大火快炒。\n出锅前放盐。"]
    assert short == 0


def test_a_question_is_text_too_but_a_question_made_for_a_passage_is_not():
    qa, reading = an_id("qa"), an_id("reading")
    table, _ = join_passages(
        rows(
            (qa, 0, "绿萝几天浇一次水？", "土干了再浇，冬天少浇。", "question_answer", "s"),
            (reading, 0, "谁写了《史记》？", "《史记》是司马迁写的。", "question_passage", "s"),
            (reading, 1, "史记的作者是谁？", "《史记》是司马迁写的。", "question_passage", "s"),
        ),
        min_chars=1,
    )
    texts = dict(zip(table["doc_id"].to_pylist(), table["text"].to_pylist(), strict=True))
    assert texts == {qa: "绿萝几天浇一次水？\n土干了再浇，冬天少浇。", reading: "《史记》是司马迁写的。"}


def test_short_texts_are_counted():
    table, short = join_passages(rows((an_id("a"), 0, "题", "短。", "title_body", "s")), min_chars=10)
    assert table.num_rows == 0
    assert short == 1
