"""Settings of the mine stage, and what its tasks get."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cmtp.dedup.settings import EvaluationFile
from cmtp.filters.settings import FilterWork
from cmtp.relations import RELATIONS
from cmtp.settings import Settings


class Instructions(Settings):
    """What is put before a query, by task; texts of one kind that say the same need nothing."""

    retrieval: str = "为这个句子生成表示以用于检索相关文章："
    """Queries whose passage is found by them (C-Pack's own string)."""
    symmetric: str = ""
    """similar_question, paraphrase, premise_hypothesis."""


class MineSettings(Settings):
    """Hard negatives for the finetune table."""

    encoder: str | None = None
    """Encoder that searches; None: the one that scored all pairs. BGE mined with its own model of stage 2."""
    miner: str = "dense"
    """What searches: dense, the encoder; bm25, BM25 over words (extra [bm25]); a miner of another package; or several
    in turn, joined by + (mix is dense+bm25). NV-Retriever (arXiv 2407.15831, table 1) trains best with negatives of a
    strong encoder, worst with BM25's alone."""
    labelled: list[str] = []
    """Sources whose pairs people have judged, besides those of the labelled relations (`cmtp.relations`). All labelled
    pairs become finetune rows, as C-MTP's third stage is the labelled half (C-Pack, section 3.2)."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the other pairs of each source and relation that may become finetune rows: a seeded sample of the pairs
    within the band. Those that the rules below leave out are not replaced."""
    max_queries: Annotated[int, Field(ge=1)] = 20_000
    """Most pairs drawn per source and relation that is not labelled."""
    lowest_quantile: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """The band: of the similarities of a source and relation, pairs below this quantile are not drawn."""
    highest_quantile: Annotated[float, Field(gt=0, le=1)] = 0.95
    """The band: nor are pairs above this quantile. The most similar pairs are those that repeat their query."""
    max_positive_rank: Annotated[int, Field(ge=1)] | None = 10
    """A pair that is not labelled becomes a row only if fewer passages than this are nearer to its query than its own.
    That tells a query which names its passage from one that does not: of titles of poems 6 % pass, of questions about
    an encyclopedia 98 %. None: the rule is off."""
    max_echo: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A passage of which this share of the character bigrams stands in the query gives no row: it repeats the query."""
    max_per_document: Annotated[int, Field(ge=1)] = 2
    """Most rows per document, of pairs that are not labelled."""
    min_chars: Annotated[int, Field(ge=1)] = 16
    """Characters that a passage has at least, as the positive of a pair that is not labelled, or as a negative. A
    negative may be shorter where the positive is: it has at least as many as that."""
    min_negatives: Annotated[int, Field(ge=0)] = 2
    """A pair that is not labelled and has fewer negatives, random ones not counted, gives no row."""
    max_pool: Annotated[int, Field(ge=1)] = 200_000
    """Most passages of a pool, which is a source's for one task. Beyond that the pool is a seeded sample. A worker
    holds its pool: 2.5 kB of vectors per passage at 512 dimensions, and the text."""
    min_pool: Annotated[int, Field(ge=0)] = 10_000
    """Sources with fewer passages for a task share one pool, in which there are near misses enough."""
    shared_pool: Annotated[int, Field(ge=1)] = 30_000
    """Passages up to which the shared pool is filled with a seeded sample of the larger sources."""
    exact_rows: Annotated[int, Field(ge=1)] = 1_000_000
    """Largest pool that is searched exactly; a larger one goes through faiss' inverted lists."""
    recall: Annotated[float, Field(gt=0, le=1)] = 0.98
    """Inverted lists: share of the exact result that they find at least, on a sample of queries. As many lists are read
    as that takes. The manifest says what was reached."""
    negatives: Annotated[int, Field(ge=1, le=100)] = 8
    """Negatives per query."""
    first_rank: Annotated[int, Field(ge=1)] = 2
    """Highest rank a negative may come from."""
    last_rank: Annotated[int, Field(ge=1)] = 100
    """Lowest rank a negative may come from."""
    relative_margin: Annotated[float, Field(ge=0, le=1)] = 0.05
    """A negative scores at most (1 - margin) × the positive's score: NV-Retriever's TopK-PercPos at 95 %."""
    absolute_margin: Annotated[float, Field(ge=0, le=2)] = 0.0
    """A negative scores at most the positive's score - margin (NV-Retriever's MarginPos, there 0.05)."""
    max_score: Annotated[float, Field(ge=-1, le=1)] = 1.0
    """A negative scores at most this. The number belongs to an encoder."""
    min_related: Annotated[float, Field(gt=0, lt=1)] | None = 0.995
    """A negative is closer to the positive, by the encoder, than this share of pairs of passages drawn at random from
    the pool; else the two have no topic in common. None: the rule is off."""
    hub_share: Annotated[float, Field(gt=0, le=1)] = 0.005
    """A passage is a negative of at most this share of a source's rows, and of `cmtp.mining.hubs.LEAST_USES` at least.
    It stays with the queries that it is nearest to."""
    max_jaccard: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A passage this close to the positive in character n-grams is the same text in other words, not a negative."""
    max_contained: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A passage says a part of what the positive says, and is not a negative, if this share of its character n-grams,
    or of the positive's, stands in the other."""
    max_query_jaccard: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A passage that answers another query this close to the query in character n-grams answers both."""
    max_answer_ratio: Annotated[float, Field(gt=0)] | None = 0.9
    """A passage at least this many times as close to the positive as the query is, by the encoder, says the same in
    other words. Both are centred by their means, so the number belongs to no encoder. A query whose own score is then 0
    or less rules nothing out. None: the rule is off. On 480 negatives read, 0.9 finds 6 of 20 that answer with
    static-zh and 13 with e5-small, and 5 and 7 % of the others."""
    cross_encoder: str | None = None
    """Hub name or folder of a cross-encoder (extra [gpu]) that reads query and passage together. It scores the positive
    and what the other rules left, and its scores are written instead of cosines."""
    cross_margin: Annotated[float, Field(ge=0, le=1)] = 0.05
    """With a cross_encoder: a negative scores at most (1 - margin) × the positive, by its scores."""
    curated: bool = True
    """Texts that a labelled source says do not belong to the query become negatives of it, marked curated, before mined
    ones. The rules do not touch them; filter and decontamination do."""
    fill: Literal["random", "short"] = "short"
    """A shortfall is filled by seeded random passages of the pool, marked random, or left short. The other passages of
    a training batch are random negatives already."""
    instruction: Instructions = Instructions()
    """Put before queries, by task."""

    @model_validator(mode="after")
    def _window(self) -> MineSettings:
        if self.last_rank < self.first_rank:
            raise ValueError(f"last_rank {self.last_rank} is above first_rank {self.first_rank}")
        if self.highest_quantile <= self.lowest_quantile:
            raise ValueError(f"highest_quantile {self.highest_quantile} is not above lowest_quantile")
        return self

    def is_labelled(self, source: str, relation: str) -> bool:
        """Whether people have judged the pairs of a source and relation."""
        return RELATIONS[relation].labelled or source in self.labelled


class Decontamination(Settings):
    """Evaluation texts that a labelled negative must not hold, as for dedup."""

    evaluation: list[EvaluationFile]
    ngram: int
    share: float


class MineWork(MineSettings):
    """What the tasks of the mine stage get."""

    seed: int
    encoder: str
    """The encoder that searches, by name."""
    encoded: str
    """Folder of the encode stage."""
    extracted: str
    """Folder of the extract stage's rejects, where labelled negatives are."""
    deduped: str
    """Folder of the dedup stage's rejects, which say which passages live on in which."""
    filter: FilterWork
    """Labelled negatives pass the filter as pairs do."""
    decontamination: Decontamination
    cross_encoder_weights: str | None
    """On what the cross-encoder's scores depend (`cmtp.encoders.hub.computed_identity`)."""
    miner_identities: dict[str, str]
    """On what the miners' results depend besides this package (`cmtp.mining.miners.miner_identities`)."""
