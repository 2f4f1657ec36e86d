"""The settings of a build: one class per stage. A setting that changes a result lives here and nowhere else."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cmtp.errors import UsageError
from cmtp.registry import origins_of
from cmtp.schema import RELATIONS


class Settings(BaseModel):
    """Base of all settings: immutable, no unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SourceMapping(Settings):
    """How to read files whose layout is not recognised by itself, or what to call a source."""

    files: str
    """Glob on the path relative to the raw folder, for example ``forum/*.jsonl``."""
    name: str | None = None
    """Name of the source; None: derived from the path."""
    relation: str | None = None
    """One of the relations; None: recognised from the fields."""
    query: str | None = None
    """Field that holds the query."""
    passage: str | None = None
    """Field that holds the passage."""
    label: str | None = None
    """Field that says whether the two belong together: 1 or 0, a grade from 0 to 5, or entailment, neutral and
    contradiction. Pairs that do not are set aside as ``labelled_negative`` or ``labelled_uncertain``."""

    @model_validator(mode="after")
    def _complete(self) -> SourceMapping:
        given = [self.relation, self.query, self.passage]
        if any(given) and not all(given):
            raise ValueError("relation, query and passage go together: give all three, or none")
        if self.label is not None and self.relation is None:
            raise ValueError("label needs relation, query and passage beside it")
        if self.relation is not None and self.relation not in RELATIONS:
            raise ValueError(f"relation {self.relation!r} is not one of {', '.join(RELATIONS)}")
        return self


class ExtractSettings(Settings):
    """Raw files to pairs."""

    max_passage_chars: Annotated[int, Field(ge=50)] = 1000
    """Longest passage in characters; about what 512 tokens of a Chinese BERT hold. Longer text is cut at paragraph or
    sentence ends into several passages."""
    min_passage_chars: Annotated[int, Field(ge=1)] = 2
    """A passage shorter than this is not worth a row of its own: it joins its neighbour where there is one."""
    max_passages: Annotated[int, Field(ge=1)] = 3
    """Passages per title or heading; further ones are rejected as ``over_max_passages``. C-MTP took one per title."""
    max_answers: Annotated[int, Field(ge=1)] = 3
    """Answers per question, the accepted one and those with most votes first; further ones are rejected as
    ``over_max_answers``."""
    max_negatives: Annotated[int, Field(ge=0)] = 8
    """Passages judged not to answer a query that are read per query of a collection in several files (cMedQA v2 and MS
    MARCO list hundreds); the first ones."""
    language: Literal["zh", "en", "any"] = "any"
    """Which half of records that hold both languages is read (``zh_instruction`` and ``en_instruction``); any: both, so
    that what goes, goes with a reason: whether a pair in another language is kept is the filter's setting."""
    min_lead_chars: Annotated[int, Field(ge=0)] = 50
    """A shorter text between title and first sub-heading is joined by the text that follows, up to one passage."""
    heading_path: bool = True
    """A sub-heading's query carries the headings above it: 标题 › 小节."""
    task_bytes: Annotated[int, Field(ge=1 << 16)] = 8 << 20
    """Raw bytes per task: larger JSONL and Parquet files are split, smaller files are read together."""


class DedupSettings(Settings):
    """Exact and near duplicates."""

    max_per_passage: Annotated[int, Field(ge=1)] = 1
    """Pairs that may share one passage; questions on a passage of one document count as one."""
    max_per_query: Annotated[int, Field(ge=1)] = 20
    """Pairs that may share one query: caps boilerplate titles."""
    near: Literal["passage", "query+passage", "off"] = "passage"
    """Which side near-duplicates are looked for on. query+passage looks at the questions of question_answer,
    question_passage and similar_question too: of two questions that hardly differ, one pair stays."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    """True Jaccard similarity of the character n-grams from which two passages are near-duplicates."""
    near_within_document: bool = False
    """Whether two passages of one document may be near-duplicates. An author who writes two articles that differ in one
    word means both; exact copies within a document always go."""
    number_chars: Annotated[int, Field(ge=0)] = 64
    """Passages of up to this many characters are no near-duplicates if their numbers (够 1 人食用, 够 2 人), negations
    (可以, 不可以) or Latin letters differ."""
    same_amounts: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Longer passages are no near-duplicates if they share fewer of their amounts (Jaccard): rules that set other terms
    and fees in the same words say different things. Ordinals (第三十条) are no amounts. 0 turns this off."""
    same_subject: bool = True
    """Passages are no near-duplicates if what differs is what their queries differ in, on both sides: 法官 in an
    article of 法官法 is 检察官 in one of 检察官法."""
    permutations: Annotated[int, Field(ge=16, le=1024)] = 128
    """MinHash permutations."""
    bands: Annotated[int, Field(ge=1)] = 21
    """LSH bands; rows per band is permutations // bands. 21 × 6 finds a pair of Jaccard .8 with probability .998."""
    shingle: Annotated[int, Field(ge=1, le=16)] = 5
    """Characters per n-gram; 3 for texts of up to 12 characters, the whole text where it is shorter than that."""
    source_priority: Annotated[list[str], Field(max_length=126)] = []
    """Sources by rank, best first; sources not named come last."""
    keep: Annotated[list[Literal["quality", "source_priority", "length", "id"]], Field(min_length=1)] = [
        "quality",
        "source_priority",
        "length",
        "id",
    ]
    """Which of several copies stays, most significant first: the passage that is not damaged (U+FFFD, private-use
    characters, HTML entities) and ends as a sentence does, of the better source, the longer passage, the lower id."""
    against: list[str] = []
    """Output folders of builds made earlier: what they hold is not issued again (``in_older_release``)."""
    decontaminate: list[str] = []
    """Evaluation files (txt, tsv, csv, json, jsonl, parquet), or folders of them: what they hold must not be trained on
    (``contaminated``)."""
    decontaminate_ngram: Annotated[int, Field(ge=5, le=64)] = 13
    """Characters per n-gram of the overlap with evaluation texts; GPT-3 took 13 words. A shorter evaluation text is
    found by its whole comparison form alone."""
    decontaminate_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A text is contaminated from this share on: n-grams it has in common with one evaluation text, by the n-grams of
    the shorter of the two."""

    @model_validator(mode="after")
    def _bands(self) -> DedupSettings:
        if self.bands > self.permutations:
            raise ValueError(f"bands {self.bands} is above permutations {self.permutations}")
        if len(set(self.keep)) < len(self.keep):
            raise ValueError(f"keep {self.keep} names something twice")
        return self


class FilterSettings(Settings):
    """Junk, malicious and private text."""

    language: Literal["zh", "any"] = "zh"
    """zh: a pair in another language is rejected as ``language``."""
    private: Literal["mask", "drop", "keep"] = "mask"
    """What happens to private data: masked by a placeholder per kind, the row rejected, or nothing."""
    malicious: bool = True
    """Whether the malicious categories are looked for."""
    disable: list[str] = []
    """Names of rules that are not to be applied."""
    thresholds: dict[str, float] = {}
    """Thresholds by rule name, or ``rule@relation`` or ``rule@source``, that replace the built-in ones."""
    lexicons: dict[str, dict[str, float]] = {}
    """More words and their weights by malicious category, or ``offer`` and ``benign``; see docs/filters.md."""
    model: str | None = None
    """File of a score learned by ``cmtp filter train``: a pair is rejected as ``learned_score`` when either side's
    probability reaches model_threshold. Its content is part of the build's fingerprint."""
    model_threshold: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Probability from which the learned score rejects; ``learned_score@SOURCE`` in thresholds sets it by source."""

    def model_sha256(self) -> str | None:
        """Hex digest of the model file, or None without one.

        Raises:
            UsageError: it cannot be read.
        """
        if self.model is None:
            return None
        try:
            return hashlib.sha256(Path(self.model).read_bytes()).hexdigest()
        except OSError as error:
            raise UsageError(f"filter.model: cannot read {self.model}: {error.strerror}") from error


class SimilaritySettings(Settings):
    """Does the passage belong to the query?"""

    encoder: str = "static-zh"
    """static-zh (bundled), e5-small (extra [e5]), or with the extra [gpu] text2vec-large, text2vec-base or the hub name
    or folder of any sentence-transformers model."""
    threshold: Annotated[float, Field(ge=-1, le=1)] | None = None
    """Lowest cosine kept; None: calibrated for every source and relation. A threshold belongs to an encoder: C-MTP's
    0.43 is Text2Vec-Chinese's and means nothing for another."""
    shuffled_share: Annotated[float, Field(gt=0, lt=1)] = 0.08
    """Calibration: share of shuffled pairs (a query with another pair's passage, same source and relation) that may
    pass."""
    max_loss: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Calibration: most of a source's pairs that the cut may take, however badly the encoder tells true from shuffled
    ones. C-MTP kept 79 to 100 % of its sources."""
    sample: Annotated[int, Field(ge=10)] = 2000
    """Calibration: pairs per source and relation, drawn by seeded hash. With a cascade 1000, since the expensive
    encoder sees all of them."""
    min_sample: Annotated[int, Field(ge=2)] = 500
    """Calibration: a source and relation with fewer pairs is cut where all pairs together would be; a build with fewer,
    at the encoder's own threshold. With a cascade 300."""
    cascade: str | None = None
    """A cheap encoder (static-zh) that scores all pairs and decides the clear ones; `encoder` sees the others and the
    sample. ``pairs.similarity`` is then the cheap one's."""
    cascade_weight: Annotated[float, Field(ge=0)] = 0.3
    """Weight of the cheap score beside `encoder`'s, in standard deviations; more in groups that `encoder` cannot tell
    apart, 0 with a fixed threshold."""
    agreement: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Cascade: share of pairs that must end as if `encoder` had seen them all; measured on the sample."""

    @model_validator(mode="after")
    def _two_encoders(self) -> SimilaritySettings:
        if self.cascade == self.encoder:
            raise ValueError(f"cascade {self.cascade} is the encoder itself: set encoder to a better one")
        return self

    @model_validator(mode="before")
    @classmethod
    def _small_sample(cls, given: Any) -> Any:
        cascade = isinstance(given, dict) and given.get("cascade") is not None
        return {"sample": 1000, "min_sample": 300} | given if cascade else given

    @property
    def first_encoder(self) -> str:
        """The encoder that sees all pairs."""
        return self.cascade or self.encoder


class Instructions(Settings):
    """What is put before a query, by task; texts of one kind that say the same need nothing."""

    retrieval: str = "为这个句子生成表示以用于检索相关文章："
    """Queries whose passage is found by them (C-Pack's own string)."""
    symmetric: str = ""
    """similar_question, paraphrase, premise_hypothesis."""


class EvalSettings(Settings):
    """Whole documents kept out of all that is trained on, to search in when a model is scored."""

    share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the documents, by a seeded hash of their id. Their pairs are in rejects/eval as ``held_out``, and in no
    other table: neither pairs, nor finetune or its negatives, nor pretrain. 0: none; the trainer then leaves out a
    share of its own."""
    seed: int = 1
    """Another seed holds other documents out."""


class MineSettings(Settings):
    """Hard negatives for the finetune table."""

    encoder: str | None = None
    """Encoder that searches; None: the one that scored all pairs. BGE mined with its own model of stage 2."""
    miner: Literal["dense", "bm25", "mix"] = "dense"
    """What searches: the encoder; BM25 over words (extra [bm25]); or both in turn. NV-Retriever (arXiv 2407.15831,
    table 1) trains best with negatives of a strong encoder, worst with BM25's alone."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the pairs of each source and relation, best similarity first, that become finetune rows."""
    max_queries: Annotated[int, Field(ge=1)] = 20_000
    """Most finetune rows per source and relation."""
    max_pool: Annotated[int, Field(ge=1)] = 200_000
    """Most passages of a pool, which is a source's for one task: a seeded sample of them beyond that. A
    worker holds its pool: 2.5 kB of vectors per passage at 512 dimensions, and the text."""
    exact_rows: Annotated[int, Field(ge=1)] = 1_000_000
    """Largest pool that is searched exactly; a larger one goes through faiss' inverted lists."""
    recall: Annotated[float, Field(gt=0, le=1)] = 0.98
    """Inverted lists: share of the exact result that they find at least, on a sample of queries; as many lists are read
    as that takes. What was reached is in the manifest."""
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
    """A passage is no negative either if this share of its character n-grams, or of the positive's, stands in the
    other: it says a part of the same."""
    max_query_jaccard: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A passage that answers another query this close to the query in character n-grams answers both."""
    max_answer_ratio: Annotated[float, Field(gt=0)] | None = 0.9
    """A passage at least this many times as close to the positive as the query is, by the encoder, says the same in
    other words; both are centred by their means, so that the number belongs to no encoder (a query whose own score is
    then 0 or less rules nothing out). None: no such rule. On 480
    negatives read, 0.9 finds 6 of 20 that answer with static-zh and 13 with e5-small, and 5 and 7 % of the others."""
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


class ShardSettings(Settings):
    """The final tables."""

    shard_bytes: Annotated[int, Field(ge=1 << 20)] = 256 << 20
    """Uncompressed bytes per Parquet shard, about."""
    min_pretrain_chars: Annotated[int, Field(ge=1)] = 64
    """Shorter texts are not written to pretrain/: a text of a few words teaches RetroMAE nothing."""


class Recipe(Settings):
    """All settings of a build."""

    seed: int = 42
    """Seeds row order, samples and random negatives; always keyed by id."""
    sources: list[SourceMapping] = []
    """Names and field mappings for files that are not recognised by themselves; the first match wins."""
    extract: ExtractSettings = ExtractSettings()
    dedup: DedupSettings = DedupSettings()
    filter: FilterSettings = FilterSettings()
    similarity: SimilaritySettings = SimilaritySettings()
    eval: EvalSettings = EvalSettings()
    mine: MineSettings = MineSettings()
    shard: ShardSettings = ShardSettings()

    def stage_settings(self, stage: str) -> dict[str, Any]:
        """The settings a stage's tasks are given, as JSON values."""
        settings: dict[str, Any] = getattr(self, stage).model_dump(mode="json")
        settings["seed"] = self.seed
        if stage == "eval":
            settings["split_seed"] = self.eval.seed  # the recipe's own seed has its name
        if stage == "filter":
            settings["model_sha256"] = self.filter.model_sha256()
            if outside := origins_of("cmtp.rules"):
                settings["outside_rules"] = outside
        if stage == "extract":
            settings["sources"] = [source.model_dump(mode="json") for source in self.sources]
        return settings

    def to_yaml(self) -> str:
        """The resolved recipe: every setting with the value it has."""
        return yaml.safe_dump(self.model_dump(mode="json"), allow_unicode=True, sort_keys=False)
