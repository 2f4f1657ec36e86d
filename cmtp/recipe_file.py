"""Recipes as users write them: YAML files and ``--set``.

Unknown names and impossible values are refused before any work starts, and what would be right is said.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel, ValidationError

from cmtp.errors import UsageError
from cmtp.recipe import Recipe

_SHOWN_CHARS: Final = 80
"""Characters shown of a value that is refused."""


class _Loader(yaml.SafeLoader):
    """YAML as it is, but that a name given twice is an error: the first value would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See yaml.SafeLoader."""
        names = [key.value for key, _ in node.value]
        twice = next((key for key, _ in node.value if names.count(key.value) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{twice.value} is given twice", twice.start_mark)
        return super().construct_mapping(node, deep)


def load_recipe(
    path: Path | None = None, overrides: list[str] | None = None, base: dict[str, Any] | None = None
) -> Recipe:
    """Read a recipe file and apply ``--set`` overrides.

    Args:
        path: YAML file, or None for `base`.
        overrides: strings such as ``similarity.threshold=0.43``; the value is read as YAML.
        base: settings to start from without a file, as a manifest holds them; None: the defaults.

    Raises:
        UsageError: unreadable file, unknown setting, impossible value.
    """
    values: Any = base or {}
    if path is not None:
        try:
            values = yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}  # a SafeLoader
        except OSError as error:
            raise UsageError(f"{path}: cannot read the recipe: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: not a YAML file: {error}") from error
        if not isinstance(values, dict):
            raise UsageError(f"{path}: a recipe is a YAML mapping of settings, not {type(values).__name__}")
        values = {name: value for name, value in values.items() if value is not None}  # all lines of it commented out
    for override in overrides or []:
        _apply(values, override)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise UsageError(_explain(error, path, overrides or [])) from error


def _apply(values: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set {override}: write it as STAGE.SETTING=VALUE, for example similarity.threshold=0.43")
    *parents, leaf = name.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise UsageError(f"--set {override}: {parent} is a value, not a group of settings")
    try:
        values[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {override}: the value is not YAML: {error}") from error


def _explain(error: ValidationError, path: Path | None, overrides: list[str]) -> str:
    """One line per problem: where it was set, the setting's full name, what is wrong, and what would be right."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        # the file is read first, so what an override sets is the override's doing
        overridden = any(name.startswith(override.partition("=")[0].strip()) for override in overrides)
        where = "--set" if overridden or path is None else str(path)
        if problem["type"] == "extra_forbidden":
            lines.append(f"{where}: there is no setting {name}{_known_beside(problem['loc'])}")
        elif problem["type"] == "value_error":  # raised by a class of ours, about several of its settings
            lines.append(f"{where}: {name}: {problem['ctx']['error']}")
        elif problem["type"] in ("model_type", "model_attributes_type"):
            group = _settings_at(problem["loc"])
            lines.append(f"{where}: {name} is a group of settings, not a value: {', '.join(group)}")
        else:
            lines.append(f"{where}: {name} = {_short(problem['input'])}: {problem['msg']}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _known_beside(loc: tuple[int | str, ...]) -> str:
    """The settings that could have been meant, the likeliest first."""
    known = _settings_at(loc[:-1])
    if not known:
        return ""
    close = get_close_matches(str(loc[-1]), known, n=1)
    likely = f"; did you mean {close[0]}?" if close else ""
    return f"{likely}; known here: {', '.join(known)}"


def _settings_at(loc: tuple[int | str, ...]) -> list[str]:
    """Names of the settings of a group; empty where there is no such group."""
    model: Any = Recipe
    for part in loc:
        if isinstance(part, int):
            continue  # an entry of a list: the list's own type says what it holds
        field = model.model_fields.get(part)
        inner = [field.annotation, *get_args(field.annotation)] if field else []
        model = next((one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)
