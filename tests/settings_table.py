"""The tables of docs/settings.md, made from the settings classes: ``python -m tests.settings_table`` writes them."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from cmtp.recipe import Recipe
from cmtp.sources.mapping import SourceMapping

PAGE = Path(__file__).parent.parent / "docs/settings.md"
BEGIN, END = "<!-- made by python -m tests.settings_table -->\n", "<!-- end -->\n"


def rows(model: type[BaseModel], prefix: str = "") -> list[str]:
    """A line of a table for each setting of a class, those of classes in it included."""
    lines = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            lines += rows(kind, f"{prefix}{name}.")
            continue
        default = "" if field.is_required() else json.dumps(field.default, ensure_ascii=False)
        meaning = " ".join((field.description or "").split()).replace("``", "`").replace("|", r"\|")
        meaning = meaning.replace("None:", "null:")
        lines.append(f"| `{prefix}{name}` | {f'`{default}`' if default else ''} | {meaning} |")
    return lines


def tables() -> str:
    """The tables of all groups of the recipe."""
    head = ["| setting | default | meaning |", "|---|---|---|"]
    made = []
    for name, field in Recipe.model_fields.items():
        kind = SourceMapping if name == "sources" else field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            made.append(f"### {name}\n\n" + "\n".join([*head, *rows(kind)]) + "\n")
    return "\n".join(made)


def renewed(page: str) -> str:
    """The page with the tables of today."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
