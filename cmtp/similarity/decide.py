"""What is decided about a group: whether anything is cut, by which encoder, and where.

1. `judge_alone`: the first encoder, which saw all pairs, estimates how many are wrong. Without a second encoder it cuts
   only where nearly every right pair stands clear of the shuffled ones, so that its own blind spots are likely few.
2. It can say everywhere where to look, the suspects (`SUSPECT`), and a second encoder says how many of those are wrong.
   `judge_probe` asks it about a few of them. Mostly the answer is: hardly any, and nothing is cut.
3. `fit_suspects`: where it is more, the second encoder sees all suspects, and those are rejected that are mostly wrong.

All settings were looked at on groups of public text, with wrong pairs planted, and measured on others
(benchmarks/similarity.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from cmtp.similarity.posterior import Limits, PosteriorSteps, posterior_steps, reject_below
from cmtp.similarity.wrong_share import WrongShare, clearly_right, unclear_right, wrong_share

GroupDecision = Literal["cut", "clean", "cannot_tell", "blind", "too_many", "labelled"]
"""``cut``: pairs are rejected. ``clean``: too few wrong pairs to be worth a cut. ``cannot_tell``: the first encoder
does not know, and there is no second one. ``blind``: neither does the second. ``too_many``: most pairs look wrong.
``labelled``: people wrote these pairs; estimated, not cut."""

WORTH_A_PROBE: Final = ("cut", "cannot_tell")
"""Decisions of the first encoder after which a second one is asked."""

ALONE: Final = Limits(local=0.5, mean=0.75)
"""Rejections by the first encoder."""

TOGETHER: Final = Limits(local=0.4, mean=0.75)
"""Rejections by both."""

STANDS_CLEAR: Final = 0.97
"""The first encoder cuts alone where this share of the right pairs score above `CLEAR_RANK` of the shuffled ones. Of
twenty-three groups of public text four reach .98 (reading comprehension, abstracts, titles of statutes); the next best
have .96."""

CLEAR_RANK: Final = 0.98

SUSPECT: Final = 0.97
"""Ranks below are suspect: a wrong pair's rank is below with this probability."""

WORTH_A_CUT: Final = 0.02
"""Where the lower limit of the estimate is not above this share, nothing is cut: fewer wrong pairs than that cost a
model less than the right ones that would go with them."""

SECOND_ALLOWANCE: Final = 0.01
"""Share of right pairs that score like wrong ones by the second encoder."""

BLIND: Final = 0.12
"""Share of the right pairs that the second encoder may leave unclear; see `unclear_right`. It is .09 at most in
documentation, articles, statutes, recipes, instructions and medical questions, and .16 or more in poems."""

MOST_WRONG: Final = 0.5
"""Above this share nothing is cut: either the encoder knows nothing here, or a whole file is shifted by a line."""


@dataclass(frozen=True)
class GroupVerdict:
    """What is decided about a group.

    Attributes:
        decision: see `GroupDecision`.
        wrong: the estimate of the share of wrong pairs; None: there is none.
        clear: U90, the share of right pairs that score above nine tenths of the shuffled ones, by the first encoder.
        limit: pairs with a rank below it are rejected.
        steps: posterior by rank.
    """

    decision: GroupDecision
    wrong: WrongShare | None = None
    clear: float = 0.0
    limit: float = 0.0
    steps: PosteriorSteps = field(default_factory=lambda: PosteriorSteps(np.zeros(1), np.full(1, np.nan)))


def judge_alone(ranks: np.ndarray) -> GroupVerdict:
    """What the first encoder decides about a group.

    The allowance is the share of right pairs that may score like shuffled ones: twice those that do not reach the
    null's 90 % point, since a right pair's score is rarely lower than just below it.

    Args:
        ranks: u of the sampled pairs that can be judged, n ≥ 1.
    """
    wrong = wrong_share(ranks)
    clear = clearly_right(ranks, wrong.estimate)
    allowance = 2 * (1 - clear)
    believed = max((wrong.estimate - allowance) / max(1 - allowance, 1e-9), 0.0)
    steps = posterior_steps(ranks, believed)
    if wrong.estimate > MOST_WRONG:
        unknown = PosteriorSteps(np.zeros(1), np.full(1, np.nan))
        return GroupVerdict("too_many", wrong, clear, steps=unknown)
    if clearly_right(ranks, wrong.estimate, CLEAR_RANK) < STANDS_CLEAR or wrong.low <= allowance:
        decision: GroupDecision = "clean" if wrong.high <= WORTH_A_CUT else "cannot_tell"
        return GroupVerdict(decision, wrong, clear, steps=steps)
    return GroupVerdict("cut", wrong, clear, reject_below(ranks, steps, ALONE), steps)


def judge_probe(alone: GroupVerdict, ranks: np.ndarray, part: float, null_part: float) -> GroupVerdict:
    """What the second encoder says about a few suspects: ``cut`` if it has to see all of them.

    Args:
        alone: what the first encoder said.
        ranks: u of the suspects by the second encoder, among shuffled pairs that are suspects too.
        part: share of the group's pairs that are suspects.
        null_part: share of the shuffled pairs that are.
    """
    if len(ranks) == 0:
        return GroupVerdict("clean", WrongShare(0.0, 0.0, 0.0), alone.clear, steps=_everywhere(0.0))
    wrong = wrong_share(ranks, part, null_part)
    if wrong.estimate > MOST_WRONG:
        return GroupVerdict("too_many", wrong, alone.clear)
    if unclear_right(ranks, wrong.estimate, part, null_part) > BLIND:
        return GroupVerdict("blind", wrong, alone.clear)
    decision: GroupDecision = "cut" if wrong.low > WORTH_A_CUT else "clean"
    return GroupVerdict(decision, wrong, alone.clear, steps=_everywhere(wrong.estimate * null_part / part))


def fit_suspects(probed: GroupVerdict, ranks: np.ndarray, part: float, null_part: float) -> GroupVerdict:
    """Where a group is cut in which the second encoder saw all suspects of the sample.

    Args:
        probed: what `judge_probe` decided.
        ranks: u of those suspects by the second encoder.
        part: share of the group's pairs that are suspects.
        null_part: share of the shuffled pairs that are.
    """
    wrong = wrong_share(ranks, part, null_part)
    believed = max((wrong.estimate - SECOND_ALLOWANCE) / (1 - SECOND_ALLOWANCE), 0.0)
    steps = posterior_steps(ranks, believed * null_part / part)
    return GroupVerdict("cut", wrong, probed.clear, reject_below(ranks, steps, TOGETHER), steps)


def _everywhere(posterior: float) -> PosteriorSteps:
    return PosteriorSteps(np.zeros(1), np.full(1, min(posterior, 1.0)))
