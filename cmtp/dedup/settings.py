"""Settings of the dedup stage: what a recipe sets (`DedupSettings`), and what its tasks are given (`DedupWork`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cmtp.settings import Settings


class DedupSettings(Settings):
    """Exact and near duplicates."""

    max_per_passage: Annotated[int, Field(ge=1)] = 1
    """Titles and headings that may share one passage. What stands under several is a formula (本条例自公布之日起施行),
    an advertisement, or the same text twice."""
    max_per_answer: Annotated[int, Field(ge=1)] = 20
    """Questions that may share one answer, and topics or texts their counterpart. Two questions with one answer are two
    pairs; an answer to dozens is a label (负面) or a stock phrase. Questions that were written for a passage
    (question_passage, query_document) are all kept."""
    max_per_query: Annotated[int, Field(ge=1)] = 20
    """Pairs that may share one query. This caps boilerplate titles."""
    near: Literal["passage", "query+passage", "off"] = "passage"
    """Where near-duplicates are looked for. query+passage looks at the questions of question_answer, question_passage
    and similar_question too: of two questions that hardly differ, one pair stays."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Lowest true Jaccard similarity of the character n-grams of two near-duplicates."""
    near_within_document: bool = False
    """Whether two passages of one document may be near-duplicates. An author who writes two articles that differ in
    one word means both. Exact copies within a document are always rejected."""
    number_chars: Annotated[int, Field(ge=0)] = 64
    """Passages of up to this many characters are kept apart if their numbers (够 1 人食用, 够 2 人食用), negations
    (可以, 不可以) or Latin letters differ."""
    same_amounts: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Longer passages are kept apart if the Jaccard similarity of their amounts is lower: rules that set other terms
    and fees in the same words say different things. Ordinals (第三十条) do not count as amounts. 0 turns this off."""
    same_subject: bool = True
    """Whether two passages are kept apart if they differ in the same words as their queries, on both sides: where an
    article of 法官法 says 法官, an article of 检察官法 says 检察官."""
    permutations: Annotated[int, Field(ge=16, le=1024)] = 128
    """MinHash permutations: slots of a signature. More of them estimate the similarity better and take more time."""
    bands: Annotated[int, Field(ge=1)] | Literal["auto"] = 21
    """LSH bands, of permutations // bands slots each. 21 × 6 find a pair of Jaccard .8 with a probability of .998.
    auto: as many bands and slots as suit the threshold, by the parameter search of datasketch."""
    shingle: Annotated[int, Field(ge=1, le=16)] = 5
    """Characters per n-gram. Texts of up to 12 characters have 3-grams; a text shorter than that is one n-gram."""
    source_priority: Annotated[list[str], Field(max_length=126)] = []
    """Sources, best first. Sources that are not named come last."""
    keep: Annotated[list[Literal["quality", "source_priority", "length", "hash"]], Field(min_length=1)] = [
        "quality",
        "source_priority",
        "length",
        "hash",
    ]
    """Which of several copies stays, by these criteria, most significant first. quality: the passage is not damaged
    (U+FFFD, private-use characters, HTML entities) and ends as a sentence does. source_priority: the better source.
    length: the longer passage. hash: a hash of the document's and the pair's texts, so that names of files decide
    nothing. Before all of these come the rows that the similarity cut leaves."""
    against: list[str] = []
    """Output folders of builds made earlier. Pairs and passages that they hold are not issued again
    (``in_older_release``)."""
    decontaminate: list[str] = []
    """Evaluation files (csv, tsv, txt, json, jsonl, parquet, compressed or not), or folders of them. Texts that they
    hold must not be trained on (``contaminated``)."""
    decontaminate_ngram: Annotated[int, Field(ge=5, le=64)] = 13
    """Characters per n-gram of the overlap with evaluation texts. GPT-3 took 13 words. A shorter evaluation text is
    only found by its whole comparison form."""
    decontaminate_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Lowest share of a contaminated text: the n-grams that it has in common with one evaluation text, divided by the
    n-grams of the shorter of the two."""

    @model_validator(mode="after")
    def _possible(self) -> DedupSettings:
        if self.bands != "auto" and self.bands > self.permutations:
            raise ValueError(f"bands {self.bands} is above permutations {self.permutations}")
        if len(set(self.keep)) < len(self.keep):
            raise ValueError(f"keep {self.keep} names something twice")
        return self


class Release(Settings):
    """An older build, whose pairs and passages are not issued again."""

    name: str
    """Its folder's name."""
    root: str
    """Its output folder."""
    files: list[str]
    """Its tables of pairs, below root."""
    digest: str
    """Of its manifest, which has every file's checksum."""


class EvaluationFile(Settings):
    """A file of texts that must not be trained on."""

    name: str
    """The folder's name and the path below it."""
    url: str
    """Where it lies."""
    digest: str
    """Of its content."""


class References(Settings):
    """What a build is compared with besides itself. The digests make a change of content a change of settings."""

    releases: list[Release]
    evaluation: list[EvaluationFile]


class DedupWork(DedupSettings):
    """What the tasks of the dedup stage are given."""

    seed: int
    references: References
    screened: str | None
    """Folder of the verdicts that the screen stage recorded. A row that does not pass is compared with none, and passes
    dedup. None: all rows pass."""
    scored: str | None
    """Folder of the verdicts that the score stage recorded. A row that the cut takes never beats one that it leaves.
    None: all rows pass."""
    bands: int
    """LSH bands."""
    band_rows: int
    """Slots of each band."""
