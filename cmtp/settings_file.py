"""Settings as users write them: YAML files and ``--set``. The one loader, of recipes and of training runs.

Unknown names and impossible values are refused before any work starts, and the message says what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from types import UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, RootModel, ValidationError

from cmtp.errors import UsageError
from cmtp.registry import did_you_mean

M = TypeVar("M", bound=BaseModel)

_SHOWN_CHARS: Final = 80
"""Characters shown of a value that is refused."""


class _Loader(yaml.SafeLoader):
    """YAML 1.1 with two differences.

    A name given twice is an error, because the first value would be lost silently. Only true and false are
    booleans, as in YAML 1.2: ``near: off`` is the text "off".
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See yaml.SafeLoader."""
        names = [key.value for key, _ in node.value]
        twice = next((key for key, _ in node.value if names.count(key.value) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{twice.value} is given twice", twice.start_mark)
        return super().construct_mapping(node, deep)


_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))


def load_settings(
    model: type[M],
    path: Path | None = None,
    overrides: Sequence[str] | None = None,
    base: dict[str, Any] | None = None,
    *,
    what: str = "recipe",
    example: str = "similarity.threshold=0.43",
) -> M:
    """Settings from `base`, changed by a file, changed by ``--set``.

    Args:
        model: the class of the settings.
        path: YAML file, or None. What it does not name stays as it is in `base`.
        overrides: strings such as ``similarity.threshold=0.43``; the value is read as YAML.
        base: settings to start from, as a manifest or a preset holds them; None: the defaults of the class.
        what: what the settings are called in messages.
        example: of an override, for messages.

    Raises:
        UsageError: unreadable file, unknown setting, impossible value.
    """
    values: dict[str, Any] = deepcopy(base) if base else {}
    if path is not None:
        _merge(model, values, read_yaml(path, what))
    for override in overrides or []:
        _apply(model, values, override, example)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(_explain(model, error, path, overrides or [])) from error


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """The mapping in a YAML file; a group whose lines are all commented out is left out.

    Raises:
        UsageError: unreadable, or no mapping.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}  # a SafeLoader
    except OSError as error:
        raise UsageError(f"{path}: cannot read the {what}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a YAML file: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path}: a {what} is a YAML mapping of settings, not {type(values).__name__}")
    return {name: value for name, value in values.items() if value is not None}


def set_groups(overrides: Sequence[str] | None) -> list[str]:
    """The groups that ``--set`` names, in order: ``mine`` of ``mine.negatives=3``."""
    return list(dict.fromkeys(override.partition("=")[0].strip().partition(".")[0] for override in overrides or []))


def _merge(kind: Any, values: dict[str, Any], change: dict[str, Any]) -> None:
    """Change the settings of a group. Groups in it keep what the change does not name; any other value is replaced."""
    for name, value in change.items():
        inner = _kind_of(kind, name)
        if _is_group(inner) and isinstance(value, dict) and isinstance(values.get(name), dict):
            _merge(inner, values[name], value)
        else:
            values[name] = value


def _apply(model: type[BaseModel], values: dict[str, Any], override: str, example: str) -> None:
    name, equals, text = override.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set {override}: write it as STAGE.SETTING=VALUE, for example {example}")
    try:
        value = yaml.load(text, _Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise UsageError(f"--set {override}: the value is not YAML: {error}") from error
    *parents, leaf = _split_name(model, name.strip())
    kind: Any = model
    for parent in parents:
        kind = _kind_of(kind, parent)
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise UsageError(f"--set {override}: {parent} is a value, not a group of settings")
    _merge(kind, values, {leaf: value})


def _split_name(model: type[BaseModel], name: str) -> list[str]:
    """The parts of a dotted name. A key of a mapping may hold dots: ``filter.thresholds.too_short.passage``."""
    parts = name.split(".")
    kind: Any = model
    for index, part in enumerate(parts):
        if _is_mapping(kind) and not _is_mapping(get_args(kind)[1]):
            return [*parts[:index], ".".join(parts[index:])]
        kind = _kind_of(kind, part)
    return parts


def _kind_of(kind: Any, part: int | str) -> Any:
    """The type of an entry of a group, a list or a mapping; None where there is none."""
    if isinstance(kind, type) and issubclass(kind, RootModel):
        kind = kind.model_fields["root"].annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(part))
        return _plain(field.annotation) if field else None
    if _is_mapping(kind):
        return _plain(get_args(kind)[1])
    if get_origin(kind) is list:
        return _plain(get_args(kind)[0])
    return None


def _plain(kind: Any) -> Any:
    """A type without ``| None``."""
    if get_origin(kind) in (Union, UnionType):
        return next((one for one in get_args(kind) if one is not type(None)), None)
    return kind


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel) and not issubclass(kind, RootModel)


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) is dict


def _explain(model: type[BaseModel], error: ValidationError, path: Path | None, overrides: Sequence[str]) -> str:
    """One line per problem: where it was set, the setting's full name, what is wrong, and what would be right."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        # overrides replace what the file says, so a value that an override names comes from the override
        overridden = any(name.startswith(override.partition("=")[0].strip()) for override in overrides)
        where = "--set" if overridden or path is None else str(path)
        if problem["type"] == "extra_forbidden":
            lines.append(f"{where}: there is no setting {name}{_known_beside(model, problem['loc'])}")
        elif problem["type"] == "value_error":  # raised by a validator of a group, about several of its settings
            lines.append(f"{where}: {name}: {problem['ctx']['error']}")
        elif problem["type"] in ("model_type", "model_attributes_type"):
            group = _settings_at(model, problem["loc"])
            lines.append(f"{where}: {name} is a group of settings, not a value: {', '.join(group)}")
        else:
            lines.append(f"{where}: {name} = {_short(problem['input'])}: {problem['msg']}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _known_beside(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """The settings that may have been meant: the most similar one, then all of the group."""
    known = _settings_at(model, loc[:-1])
    return f"{did_you_mean(str(loc[-1]), known)}; known here: {', '.join(known)}" if known else ""


def _settings_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Names of the settings of a group; empty where there is no such group."""
    kind: Any = model
    for part in loc:
        kind = _kind_of(kind, part)
    return list(kind.model_fields) if _is_group(kind) else []
