"""Where a chain of verdicts leads."""

import numpy as np
import pytest

from cmtp.dedup.verdicts import Match, Reason, Verdicts, resolve_chains


def verdicts(*rows):
    """Verdicts of (row, kept, reason, match, score); the halves of an id are the row's number."""
    row, kept, reason, match, score = map(list, zip(*rows, strict=True))
    return Verdicts(
        row=np.array(row, np.uint32),
        kept=np.array(kept, np.uint32),
        kept_id_high=np.array(kept, np.uint64),
        kept_id_low=np.array(kept, np.uint64),
        kept_cut=np.array(kept, np.uint8),
        reason=np.array(reason, np.uint8),
        match=np.array(match, np.uint8),
        group_size=np.full(len(row), 2, np.uint32),
        score=np.array(score, np.float32),
        evaluation_text=np.zeros(len(row), np.uint32),
    )


PAIR = (Reason.DUPLICATE_PAIR, Match.PAIR, np.nan)
QUERY = (Reason.DUPLICATE_QUERY, Match.QUERY, np.nan)
PASSAGE = (Reason.DUPLICATE_PASSAGE, Match.PASSAGE, np.nan)
NEAR = (Reason.NEAR_DUPLICATE, Match.NEAR_PASSAGE, 0.9)
OLDER = (Reason.IN_OLDER_RELEASE, Match.PASSAGE, np.nan)
NEAR_OLDER = (Reason.IN_OLDER_RELEASE, Match.NEAR_PASSAGE, 0.8)
OLDER_QUERY = (Reason.IN_OLDER_RELEASE, Match.QUERY, np.nan)


def resolved(*rows):
    found = resolve_chains(verdicts(*rows))
    assert (found.kept_id_high == found.kept).all()
    assert (found.kept_id_low == found.kept).all()
    assert (found.kept_cut == found.kept).all()
    return list(zip(found.row.tolist(), found.kept.tolist(), map(Reason, found.reason.tolist()), strict=True))


def test_a_copy_of_a_copy_points_to_the_row_that_stayed():
    chain = [(3, 1, *PASSAGE), (4, 3, *PAIR), (1, 2, *NEAR)]
    assert resolved(*chain) == [
        (1, 2, Reason.NEAR_DUPLICATE),
        (3, 2, Reason.DUPLICATE_PASSAGE),
        (4, 2, Reason.DUPLICATE_PAIR),
    ]


@pytest.mark.parametrize("why", [QUERY, OLDER_QUERY])
def test_a_row_never_points_to_one_that_it_does_not_resemble(why):
    assert resolved((3, 1, *PAIR), (1, 2, *why))[1] == (3, 1, Reason.DUPLICATE_PAIR)
    assert resolved((3, 1, *NEAR), (1, 2, *PASSAGE))[1] == (3, 1, Reason.NEAR_DUPLICATE)


@pytest.mark.parametrize(
    ("why", "match", "score"), [(OLDER, Match.PASSAGE, None), (NEAR_OLDER, Match.NEAR_PASSAGE, 0.8)]
)
def test_a_copy_of_a_row_in_an_older_release_is_in_it_too(why, match, score):
    found = resolve_chains(verdicts((3, 1, *PAIR), (1, 9, *why)))
    assert found.row.tolist() == [1, 3]
    assert found.kept.tolist() == [9, 9]
    assert found.reason.tolist() == [Reason.IN_OLDER_RELEASE] * 2
    assert found.match.tolist() == [match] * 2
    assert found.score.tolist() == pytest.approx([np.nan if score is None else score] * 2, nan_ok=True)


def test_no_verdicts():
    empty = Verdicts(**{name: values[:0] for name, values in verdicts((1, 2, *PAIR)).by_name().items()})
    assert len(resolve_chains(empty)) == 0
