"""What a label says of a pair of texts: that they belong together, that they do not, or neither."""

from __future__ import annotations

import re
from typing import Any, Final

NEGATIVE: Final = "labelled_negative"
UNCERTAIN: Final = "labelled_uncertain"
"""Reasons under which the extract stage sets labelled pairs aside; a positive has none."""

_NLI: Final = {
    "entailment": "",
    "蕴含": "",
    "neutral": UNCERTAIN,
    "中立": UNCERTAIN,
    "-": UNCERTAIN,
    "contradiction": NEGATIVE,
    "矛盾": NEGATIVE,
}
_YES: Final = frozenset({"1", "true", "yes", "是"})
_NO: Final = frozenset({"0", "false", "no", "否", "-1"})

STS_POSITIVE: Final = 4.0
STS_NEGATIVE: Final = 1.0
"""On the scale of STS from 0 to 5, 4 is "mostly equivalent, some unimportant details differ" and 1 "not equivalent, but
on the same topic" (SemEval-2017 task 1); what lies between teaches neither."""

LABEL_VALUE: Final = re.compile(r"-?\d(?:\.\d+)?|-|" + "|".join(name for name in _NLI if name != "-"), re.IGNORECASE)
"""What a column of labels holds."""

_NLI_FILES: Final = re.compile(r"nli", re.IGNORECASE)
_GRADED_FILES: Final = re.compile(r"sts", re.IGNORECASE)
"""Sets of sentence pairs whose labels are grades: STS-B."""

_FILES_BY_RELATION: Final = {
    "similar_question": r"afqmc|atec|lcqmc|\bbq|bq_|oppo|xiaobu|qqp|ccks|chip-?sts|cmedqq|question",
    "paraphrase": r"paws|sts|paraphras|sohu",
}
"""Names of public sets of text pairs by their relation, as they stand in the names of files. The first relation counts:
CHIP-STS holds questions, though it is called STS."""

_RELATION_FILES: Final = {relation: re.compile(names, re.IGNORECASE) for relation, names in _FILES_BY_RELATION.items()}

_QUESTION: Final = re.compile(
    r"[？?]|[吗么呢]\s*$|什么|怎么|怎样|如何|为何|为什么|多少|几[个天年岁点时月次]|哪[里个些儿种]|是不是|能不能|可不可以|是否|能否|有没有|谁"
)


def is_question(text: str) -> bool:
    """Whether a text asks something: it has a question mark, or a word that asks."""
    return bool(_QUESTION.search(text))


def is_nli(label: Any) -> bool:
    """Whether a label is one of natural language inference."""
    return isinstance(label, str) and label.strip().lower() in _NLI and label.strip() != "-"


def verdict(label: Any, graded: bool) -> str:
    """Why a pair with this label is no positive; empty where it is one, or has no label.

    Args:
        label: as it stands in the record.
        graded: whether labels are grades from 0 to 5, rather than yes or no.
    """
    if label is None:
        return ""
    text = str(label).strip().lower()
    if text in _NLI:
        return _NLI[text]
    try:
        grade = float(text)
    except ValueError:
        return "" if text in _YES else NEGATIVE if text in _NO else UNCERTAIN
    if graded or grade > 1:
        return "" if grade >= STS_POSITIVE else NEGATIVE if grade <= STS_NEGATIVE else UNCERTAIN
    return "" if grade == 1 else NEGATIVE if grade in (0, -1) else UNCERTAIN


def is_graded(origin: str) -> bool:
    """Whether a file's name says that its labels are grades (STS-B)."""
    return bool(_GRADED_FILES.search(origin.rpartition("/")[2]))


def relation_of(label: Any, origin: str, left: str, right: str) -> str:
    """The relation of two texts of one kind.

    1. A label of inference says premise_hypothesis. So does ``-``, on which its annotators did not agree, where the
       file's name speaks of NLI.
    2. The file's name names a set that is known.
    3. Two questions are similar questions; other texts are paraphrases.
    """
    if is_nli(label):
        return "premise_hypothesis"
    path = origin.rpartition("#")[0]
    if label is not None and str(label).strip() == "-" and _NLI_FILES.search(path):
        return "premise_hypothesis"
    for relation, names in _RELATION_FILES.items():
        if names.search(path):
            return relation
    return "similar_question" if is_question(left) and is_question(right) else "paraphrase"
