from cmtp.relations import RELATIONS, SYMMETRIC_RELATIONS, relations_where


def test_names_and_kinds():
    assert len(RELATIONS) == 10
    assert SYMMETRIC_RELATIONS == ("similar_question", "paraphrase", "premise_hypothesis")
    assert relations_where(lambda one: one.query == "title") == ("title_body", "title_abstract", "subtitle_passage")
    assert RELATIONS["paraphrase"].pool == "paraphrase"
    assert RELATIONS["paraphrase"].task == "symmetric"
    assert RELATIONS["question_answer"].pool == "retrieval" == RELATIONS["question_answer"].task
