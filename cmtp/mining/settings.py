"""What the mine stage is given beyond the recipe's own mine settings, and what is refused before any work."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from cmtp.dedup.references import resolve
from cmtp.encoders.hub import is_model_name, model_identity
from cmtp.encoders.registry import ENCODERS
from cmtp.errors import UsageError
from cmtp.mining.miners import miner_cards
from cmtp.recipe import Recipe


def check(recipe: Recipe) -> None:
    """Refuse a miner that cannot work.

    Raises:
        UsageError: naming the setting and the remedy.
    """
    mine = recipe.mine
    miner_cards(mine.miner)
    name = mine.cross_encoder
    if name is None:
        return
    if name in ENCODERS or not is_model_name(name):
        raise UsageError(f"mine.cross_encoder = {name!r}: give a model's hub name, owner/model, or its folder")
    if not find_spec("sentence_transformers"):
        raise UsageError(f"mine.cross_encoder = {name!r} needs sentence-transformers: pip install 'cmtp[gpu]'")
    try:
        model_identity(name)
    except UsageError as error:
        raise UsageError(f"mine.cross_encoder = {name!r}: {error}") from error


def mine_settings(recipe: Recipe, built_with: Recipe, encoded: str, extracted: str, deduped: str) -> dict[str, Any]:
    """The settings of the mine stage's tasks.

    Args:
        recipe: what to mine with.
        built_with: the recipe of the pairs; its filter and decontamination are applied to labelled negatives.
        encoded: folder of the encode stage.
        extracted: folder of the extract stage's rejects, where labelled negatives are.
        deduped: folder of the dedup stage's rejects, which say which passages live on in which.
    """
    settings = recipe.stage_settings("mine")
    settings["encoder"] = recipe.mine.encoder or recipe.similarity.first_encoder
    dedup = built_with.stage_settings("dedup")
    settings |= {
        "encoded": encoded,
        "extracted": extracted,
        "deduped": deduped,
        "filter": built_with.stage_settings("filter"),
        "decontaminate": {
            "evaluation": resolve(dedup | {"against": []})["evaluation"],
            "ngram": dedup["decontaminate_ngram"],
            "share": dedup["decontaminate_share"],
        },
    }
    if recipe.mine.cross_encoder is not None:
        settings["cross_encoder_weights"] = model_identity(recipe.mine.cross_encoder)
    return settings
