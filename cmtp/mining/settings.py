"""Settings of the mine stage, and what its tasks get."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cmtp.dedup.settings import EvaluationFile
from cmtp.filters.settings import FilterWork
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
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the pairs of each source and relation, best similarity first, that become finetune rows."""
    max_queries: Annotated[int, Field(ge=1)] = 20_000
    """Most finetune rows per source and relation."""
    max_pool: Annotated[int, Field(ge=1)] = 200_000
    """Most passages of a pool, which is a source's for one task. Beyond that the pool is a seeded sample. A worker
    holds its pool: 2.5 kB of vectors per passage at 512 dimensions, and the text."""
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
    fill: Literal["random", "short"] = "random"
    """A shortfall is filled by seeded random passages of the pool, marked random, or left short."""
    instruction: Instructions = Instructions()
    """Put before queries, by task."""

    @model_validator(mode="after")
    def _window(self) -> MineSettings:
        if self.last_rank < self.first_rank:
            raise ValueError(f"last_rank {self.last_rank} is above first_rank {self.first_rank}")
        return self


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
