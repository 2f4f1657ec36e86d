"""What `cmtp sources` shows: formats and layouts."""

from __future__ import annotations

from cmtp.sources.collection import COLLECTIONS
from cmtp.sources.formats import FORMATS
from cmtp.sources.formats.format import Format
from cmtp.sources.layouts_data import LAYOUTS, RecordLayout
from cmtp.sources.recognise import compressions


def listing() -> str:
    """The formats that are read, and every known layout: its relation, its fields, the collections that use it."""
    blocks = [
        "\n".join(["Formats, recognised by the endings of names:", *map(_format, FORMATS)]),
        f"Each also with {compressions()}. Where a name has no ending, the first bytes decide.",
        "Layouts, recognised by their fields (of several names any will do; […] may be missing):",
    ]
    blocks += [_layout(layout) for layout in LAYOUTS]
    files = [f"    {name}: {files}" for name, files in COLLECTIONS.items()]
    blocks.append("\n".join(["Collections in several files, joined by their ids  →  query_document", *files]))
    blocks.append("Anything else: name the fields under `sources:` in the recipe; see docs/sources.md.")
    return "\n\n".join(blocks)


def _format(kind: Format) -> str:
    endings = " ".join((*kind.suffixes, *kind.aliases))
    return f"    {endings}: {kind.kind_of + ', ' if kind.kind_of else ''}{kind.about}"


def _layout(layout: RecordLayout) -> str:
    fields = ["|".join(names) for names in layout.required.values()]
    fields += [f"[{'|'.join(names)}]" for names in layout.optional.values()]
    lines = [f"{layout.name}  →  {layout.relation}", f"    fields: {', '.join(fields)}"]
    if layout.sources:
        lines.append(f"    known of: {'; '.join(layout.sources)}")
    return "\n".join(lines)
