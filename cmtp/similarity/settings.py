"""Settings of the similarity stage, and what its tasks and those of the encode and score stages are given."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, ValidationInfo, field_validator, model_validator

from cmtp.encoders.registry import encoder_card
from cmtp.settings import Settings

AUTO: Final = "auto"
"""Value of `SimilaritySettings.second_encoder`: whichever is installed."""

_CHEAP: Final = "static-zh"
_BETTER: Final = "e5-small"

_REMOVED: Final = {
    "shuffled_share": "a cut now follows from an estimate of how many pairs are wrong; similarity.threshold sets one",
    "max_loss": "a cut now follows from an estimate of how many pairs are wrong; similarity.threshold sets one",
    "cascade": "similarity.encoder now names the encoder that sees all pairs, similarity.second_encoder the better one",
    "cascade_weight": "the weight of the two encoders is fixed",
    "agreement": "the second encoder sees the suspects of a group; similarity.probe says how many of them at first",
}
"""Settings of former versions, and what stands in their place."""


class SimilaritySettings(Settings):
    """Does the passage belong to the query?"""

    encoder: str = "static-zh"
    """static-zh (bundled), e5-small (extra [e5]), or with the extra [gpu] text2vec-large, text2vec-base or the hub name
    or folder of any sentence-transformers model. It sees all pairs."""
    second_encoder: Annotated[str | None, Field(validate_default=True)] = AUTO
    """A better encoder that is asked about suspects, where `encoder` cannot tell how many are wrong. auto: e5-small
    where it is installed and `encoder` is static-zh, else none; the manifest's recipe names what was chosen."""
    threshold: Annotated[float, Field(ge=-1, le=1)] | None = None
    """Lowest cosine by `encoder` that is kept; None: a cut is estimated for every source and relation. A threshold
    belongs to an encoder: C-MTP's 0.43 is Text2Vec-Chinese's and means nothing for another."""
    sample: Annotated[int, Field(ge=10)] = 2000
    """Estimate: different pairs per source and relation, drawn by seeded hash of their texts."""
    min_sample: Annotated[int, Field(ge=10)] = 500
    """Estimate: sources and relations with fewer different pairs are taken together; if those are fewer too, nothing is
    estimated and nothing cut."""
    probe: Annotated[int, Field(ge=20)] = 300
    """Most suspects of a source and relation that the second encoder sees before it is known that pairs are wrong."""
    cut_labelled: bool = False
    """Whether pairs are rejected of relations in which people wrote or judged them (`Relation.labelled`)."""

    @model_validator(mode="before")
    @classmethod
    def _former_names(cls, given: Any) -> Any:
        for name in _REMOVED.keys() & given.keys() if isinstance(given, dict) else ():
            raise ValueError(f"there is no setting similarity.{name} any more: {_REMOVED[name]}")
        return given

    @field_validator("second_encoder")
    @classmethod
    def _what_is_installed(cls, given: str | None, info: ValidationInfo) -> str | None:
        first = info.data.get("encoder")
        if given == AUTO:
            return _BETTER if first == _CHEAP and encoder_card(_BETTER).missing is None else None
        if given is not None and given == first:
            raise ValueError(f"{given} sees all pairs already: name a better encoder, or null")
        return given

    @property
    def estimates(self) -> bool:
        """Whether cuts are estimated: a fixed threshold decides alone."""
        return self.threshold is None


class EncodeWork(Settings):
    """What the tasks of the encode stage are given: the encoder, and which weights that is.

    Stages are found again by their settings, and a model that is trained on lies in the same folder with other weights.
    """

    encoder: str
    """As a recipe names it."""
    identity: str
    """Which weights that is, see `cmtp.encoders.registry.encoder_identity`."""
    screened: str | None = None
    """Folder of the verdicts that the screen stage recorded: only rows that pass are encoded. None: all rows are."""


class SecondWork(EncodeWork):
    """The second encoder, and where its vectors are kept for later builds."""

    folder: str


class SimilarityWork(SimilaritySettings):
    """What the tasks of the score stage are given."""

    seed: int
    screened: str | None
    """Folder of the verdicts that the screen stage recorded: only rows that pass are scored. None: all rows are."""
    encoded: str
    """Folder of the encode stage."""
    second: SecondWork | None = None
    """`second_encoder`; None: there is none."""


class SimilarityApplied(SimilaritySettings):
    """What the tasks of the similarity stage are given."""

    scored: str
    """Folder of the verdicts that the score stage recorded."""
