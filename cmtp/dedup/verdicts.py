"""Verdicts: which rows are rejected, why, and for which row; and where a chain of them leads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

import numpy as np

from cmtp.dedup.exchange import F32, U8, U32, U64, Columns


class Reason(IntEnum):
    """Reasons of this stage to reject a row, in the order in which they are looked for."""

    CONTAMINATED = 0
    QUERY_EQUALS_PASSAGE = 1
    DUPLICATE_PAIR = 2
    DUPLICATE_SWAPPED = 3
    DUPLICATE_QUERY = 4
    NEAR_DUPLICATE_QUERY = 5
    DUPLICATE_PASSAGE = 6
    NEAR_DUPLICATE = 7
    IN_OLDER_RELEASE = 8

    @property
    def label(self) -> str:
        """As the column ``reason`` has it: ``duplicate_pair``."""
        return self.name.lower()


class Match(IntEnum):
    """What a rejected row has in common with the text or the row that it lost to."""

    PAIR = 0
    SWAPPED_PAIR = 1
    QUERY = 2
    PASSAGE = 3
    NEAR_QUERY = 4
    NEAR_PASSAGE = 5
    ANSWER = 6

    @property
    def label(self) -> str:
        """As evidence has it: ``swapped pair``."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Verdicts(Columns):
    """Rejected rows, each once.

    Attributes:
        row: number of the rejected row.
        kept: number of the row it lost to; its own number where it lost to none.
        kept_id_high: upper half of the pair_id of `kept`; 0 where it lost to none.
        kept_id_low: lower half.
        kept_cut: 1 where the similarity cut takes the row it lost to, and thus itself.
        reason: a Reason.
        match: a Match.
        group_size: rows of the group of copies that the row belongs to.
        score: Jaccard similarity to `kept`, or the share of n-grams in common with an evaluation text; NaN where none
            was measured.
        evaluation_text: number of the evaluation text, where the reason is CONTAMINATED.
    """

    row: U32
    kept: U32
    kept_id_high: U64
    kept_id_low: U64
    kept_cut: U8
    reason: U8
    match: U8
    group_size: U32
    score: F32
    evaluation_text: U32

    @classmethod
    def alone(
        cls,
        row: U32,
        reason: Reason,
        match: U8 | None = None,
        score: F32 | None = None,
        evaluation_text: U32 | None = None,
    ) -> Self:
        """Verdicts on rows that lost to no other row; the arguments are as the attributes."""
        count = len(row)
        return cls(
            row=row,
            kept=row,
            kept_id_high=np.zeros(count, np.uint64),
            kept_id_low=np.zeros(count, np.uint64),
            kept_cut=np.zeros(count, np.uint8),
            reason=np.full(count, reason, np.uint8),
            match=np.full(count, Match.PAIR, np.uint8) if match is None else match,
            group_size=np.ones(count, np.uint32),
            score=np.full(count, np.nan, np.float32) if score is None else score,
            evaluation_text=np.zeros(count, np.uint32) if evaluation_text is None else evaluation_text,
        )

    def except_on(self, rows: U32) -> Self:
        """The verdicts on other rows than these."""
        return self.take(~np.isin(self.row, rows))


_SAME_PASSAGE: Final = (Reason.DUPLICATE_PAIR, Reason.DUPLICATE_PASSAGE)
"""A row with such a verdict has the passage of the row it lost to."""


def resolve_chains(verdicts: Verdicts) -> Verdicts:
    """Let a rejected row point to the row that its passage lives on in.

    Row B loses to A, because both have one passage. Later A loses to C, because their passages hardly differ. Then B
    resembles C just as well, and points to C in the end: A is not in the result.

    1. A verdict is open if its row has the passage of the row it lost to: DUPLICATE_PAIR, DUPLICATE_PASSAGE.
    2. Look up the verdict on the row it lost to. If there is none, or none that is about the passage, the open one
       becomes final: a row never points to one that it does not resemble.
    3. Else point to the row that the other lost to, and go back to 2. If that is a row of an older release, this row is
       in that release too, and takes the other's reason, match and score.

    The loop ends. The exchanges by pair, by passage and by near passage run in this order, and each rejects a row only
    for a row that it lets stay. So each step leads to the verdict of a later exchange, and there are two steps at most.

    Returns:
        The verdicts in ascending order of their rows.
    """
    verdicts = verdicts.take(np.argsort(verdicts.row, kind="stable"))  # a copy, which is changed below
    reason = verdicts.reason
    in_older = reason == Reason.IN_OLDER_RELEASE
    passage_in_older = in_older & np.isin(verdicts.match, (Match.PASSAGE, Match.NEAR_PASSAGE))
    about_passage = np.isin(reason, (*_SAME_PASSAGE, Reason.NEAR_DUPLICATE)) | passage_in_older
    open_verdicts = np.flatnonzero(np.isin(reason, _SAME_PASSAGE))
    while len(open_verdicts):
        following = np.searchsorted(verdicts.row, verdicts.kept[open_verdicts])
        following = np.minimum(following, len(verdicts) - 1)
        leads_on = (verdicts.row[following] == verdicts.kept[open_verdicts]) & about_passage[following]
        open_verdicts, following = open_verdicts[leads_on], following[leads_on]
        to_older = reason[following] == Reason.IN_OLDER_RELEASE
        for column in (verdicts.kept, verdicts.kept_id_high, verdicts.kept_id_low, verdicts.kept_cut):
            column[open_verdicts] = column[following]
        for values in (verdicts.reason, verdicts.match, verdicts.score):
            values[open_verdicts[to_older]] = values[following[to_older]]
    return verdicts
