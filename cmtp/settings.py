"""The base class of everything a user can set."""

from __future__ import annotations

from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict

G = TypeVar("G", bound=BaseModel)


class Settings(BaseModel):
    """Settings: immutable, and without unknown names. The docstring below a field is its description."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @classmethod
    def extend(cls, settings: Settings, **more: Any) -> Self:
        """These settings made from those of a base class, with the fields that the base class lacks.

        A stage's tasks are given the stage's settings in the recipe, and what the build has worked out. Example:
        ``DedupWork.extend(recipe.of(DedupSettings), seed=42, references=references)``.

        Raises:
            ValidationError: a field is missing, unknown, or has an impossible value.
        """
        return cls(**{name: getattr(settings, name) for name in type(settings).model_fields}, **more)


class RecipeBase(Settings):
    """All settings of a build, as a stage sees them: the seed, and a group for each stage that has settings.

    `cmtp.recipe.Recipe` has the groups: one per stage of the pipeline, under the stage's name.
    """

    seed: int = 42
    """Seeds row order, samples and random negatives; always keyed by id."""

    def of(self, group: type[G]) -> G:
        """The settings of this class: ``recipe.of(DedupSettings).threshold``.

        Raises:
            LookupError: no stage of the pipeline has settings of this class.
        """
        for name in type(self).model_fields:
            settings = getattr(self, name)
            if type(settings) is group:
                return settings
        raise LookupError(f"no group of the recipe is of the class {group.__name__}")

    def to_yaml(self) -> str:
        """The resolved recipe: every setting with the value it has."""
        return yaml.safe_dump(self.model_dump(mode="json"), allow_unicode=True, sort_keys=False)
