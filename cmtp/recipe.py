"""The recipe: all settings of a build, a group for each stage of the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, create_model

from cmtp.pipeline import PIPELINE
from cmtp.settings import RecipeBase
from cmtp.settings_file import load_settings
from cmtp.sources.mapping import SourceMappings

_GROUPS: dict[str, Any] = {
    stage.name: (stage.settings, Field(default_factory=stage.settings)) for stage in PIPELINE if stage.settings
}
"""Made for each recipe, because a default may depend on what is installed."""

Recipe = create_model("Recipe", __base__=RecipeBase, sources=(SourceMappings, SourceMappings()), **_GROUPS)
"""The class of recipes. Every setting that changes a result is in one of its groups."""


def load_recipe(
    path: Path | None = None, overrides: list[str] | None = None, base: dict[str, Any] | None = None
) -> RecipeBase:
    """The recipe in a file, changed by ``--set``. Arguments and errors: `cmtp.settings_file.load_settings`."""
    return load_settings(Recipe, path, overrides, base, what="recipe")
