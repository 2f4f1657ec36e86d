"""question_answer: a question or instruction with its answers."""

from __future__ import annotations

from collections.abc import Iterator

from cmtp.extract.pair import Limits, Pair, passages
from cmtp.sources.document import QuestionAnswers


def question_answer(document: QuestionAnswers, limits: Limits) -> Iterator[Pair]:
    """The question with each answer, best first.

    Passages over all answers count towards `max_passages`; answers after the first `max_answers` are set aside.
    """
    number = 0
    for rank, answer in enumerate(document.answers, 1):
        for pair in passages("question_answer", document.question, answer, limits, number):
            if rank > limits.max_answers:
                evidence = {"answer": rank, "max_answers": limits.max_answers}
                pair = pair._replace(reason="over_max_answers", evidence=evidence)
            yield pair
            number += 1
