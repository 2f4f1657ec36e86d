"""Miners: what searches a pool for near misses. To add one, write one file.

A miner is anything with `nearest(queries, k)`. It may look at the queries' texts and vectors, and at the pool's. What
it finds passes the same rules as any other negative, and it need not score: the stage works out cosines with the query.
A package adds a miner by an entry point of the group ``cmtp.miners`` that leads to a `MinerCard`. The entry point's
name is the miner's::

    [project.entry-points."cmtp.miners"]
    longest = "my_package:LONGEST"                  # then: --set mine.miner=longest, or =dense+longest

    class Longest:
        def __init__(self, pool: Pool) -> None:
            self.order = np.argsort(-pc.utf8_length(pool.passages).to_numpy(), kind="stable")

        def nearest(self, queries: Queries, k: int) -> Hits:
            return Hits(np.tile(self.order[:k], (len(queries.ids), 1)))

    LONGEST = MinerCard(Longest)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, NamedTuple, Protocol

from cmtp.engine.code import package_versions
from cmtp.errors import UsageError
from cmtp.mining.dense import Hits
from cmtp.mining.pool import Pool, Queries
from cmtp.registry import Registry
from cmtp.text.bm25 import Bm25Index
from cmtp.text.words import segmenter


class Miner(Protocol):
    """Searches one pool."""

    def nearest(self, queries: Queries, k: int) -> Hits:
        """The k passages (k ≤ m) that are most like answers to each query; the positives may be among them.

        The same queries must give the same hits in any process and in blocks of any size.
        """
        ...


@dataclass(frozen=True)
class MinerCard:
    """A miner's entry in the registry.

    Attributes:
        open: makes it for a pool.
        kind: what the column ``neg_kinds`` calls its negatives; empty: the miner's name.
        packages: packages that it needs, as they are imported.
        install: the command that installs them, for the message when one is missing.
        keep: whether to keep it for the blocks of queries that follow in the same pool. It should hold no vectors then:
            memory is reckoned for one pool's.
    """

    open: Callable[[Pool], Miner]
    kind: str = ""
    packages: Sequence[str] = ()
    install: str = ""
    keep: bool = False


class DenseMiner:
    """Searches with the encoder's vectors: exactly, or through inverted lists where the pool is large."""

    def __init__(self, pool: Pool) -> None:
        self._vectors = pool.vectors

    def nearest(self, queries: Queries, k: int) -> Hits:
        """See `Miner`."""
        return self._vectors.nearest(queries.vectors, k)


class WordMiner:
    """BM25 over words: reads no meaning, but misses no word."""

    def __init__(self, pool: Pool) -> None:
        self._index = Bm25Index(pool.passages.to_pylist(), segmenter().words)

    def nearest(self, queries: Queries, k: int) -> Hits:
        """See `Miner`."""
        return Hits(self._index.nearest(queries.texts.to_pylist(), k)[0])


MINERS: Final = Registry[MinerCard](
    "miner",
    "cmtp.miners",
    {
        "dense": MinerCard(DenseMiner, kind="mined"),
        "bm25": MinerCard(WordMiner, packages=("bm25s",), install="pip install 'cmtp[bm25]'", keep=True),
    },
)
"""The miners by name."""

MIX: Final = "dense+bm25"
"""What the setting ``mix`` means."""


def miner_cards(setting: str) -> dict[str, MinerCard]:
    """The miners that the setting ``mine.miner`` names, in order: one, several joined by +, or ``mix``.

    Raises:
        UsageError: there is none of this name, or a package of its is missing; says which, and the remedy.
    """
    names = (MIX if setting == "mix" else setting).split("+")
    try:
        cards = {name: MINERS.get(name) for name in names}
    except UsageError as error:
        raise UsageError(f"mine.miner = {setting!r}: {error}; several are joined by +, and mix is {MIX}") from error
    if len(cards) < len(names):
        raise UsageError(f"mine.miner = {setting!r} names a miner twice")
    for card in cards.values():
        if any(find_spec(package) is None for package in card.packages):
            raise UsageError(f"mine.miner = {setting!r} needs {' and '.join(card.packages)}: {card.install}")
    return cards


def miner_identities(setting: str) -> dict[str, str]:
    """Where each of the miners comes from, if from outside, and the versions of the packages that it needs, by name.

    Arguments and errors as for `miner_cards`.
    """
    origins = MINERS.origins()
    cards = miner_cards(setting)
    return {
        name: ", ".join(filter(None, (origins.get(name), package_versions(card.packages))))
        for name, card in cards.items()
    }


class OpenMiner(NamedTuple):
    """A miner at work, and what its negatives are called."""

    kind: str
    miner: Miner


_kept: dict[tuple[str, str], Miner] = {}
"""Miners of the last pool, by the pool's name and their own."""


def open_miners(setting: str, pool: Pool) -> list[OpenMiner]:
    """The miners that ``mine.miner`` names, for a pool. Arguments and errors as for `miner_cards`."""
    miners = []
    for other in [key for key in _kept if key[0] != pool.name]:
        del _kept[other]
    for name, card in miner_cards(setting).items():
        miner = _kept.get((pool.name, name)) or card.open(pool)
        if card.keep and pool.name:
            _kept[pool.name, name] = miner
        miners.append(OpenMiner(card.kind or name, miner))
    return miners
