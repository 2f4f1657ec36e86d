"""Settings of the similarity stage, and what its tasks and those of the encode and score stages are given."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from cmtp.settings import Settings


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
    at the encoder's own threshold, or not at all where none is known. With a cascade 300."""
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

    @property
    def needs_sample(self) -> bool:
        """Whether there is something to measure on a sample: cuts, unless a fixed threshold decides alone, or bands."""
        return self.threshold is None or self.cascade is not None


class EncodeWork(Settings):
    """What the tasks of the encode stage are given: the encoder, and which weights that is.

    Stages are found again by their settings, and a model that is trained on lies in the same folder with other weights.
    """

    encoder: str
    """As a recipe names it."""
    identity: str
    """Which weights that is, see `cmtp.encoders.registry.encoder_identity`."""
    cached: str | None = None
    """Folder of vectors that the same encoder made before; None: there is none."""
    screened: str | None = None
    """Folder of the verdicts that the screen stage recorded: only rows that pass are encoded. None: all rows are."""


class SimilarityWork(SimilaritySettings):
    """What the tasks of the score stage are given."""

    seed: int
    screened: str | None
    """Folder of the verdicts that the screen stage recorded: only rows that pass are scored. None: all rows are."""
    encoded: str
    """Folder of the encode stage."""
    uncalibrated_cut: float | None
    """Cosine from which a pair is kept where no cut is found on the sample: `threshold`, or else the encoder's own
    (`EncoderCard.fallback_cut`). None: not known; such pairs are all kept."""
    expensive: EncodeWork | None = None
    """`encoder` of a cascade, which sees some pairs only. `cached` is the folder of their vectors, which the stage adds
    to. None: there is no cascade."""


class SimilarityApplied(SimilaritySettings):
    """What the tasks of the similarity stage are given."""

    encoded: str
    """Folder of the encode stage."""
    scored: str
    """Folder of the verdicts that the score stage recorded."""
