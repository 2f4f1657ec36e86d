"""File formats: one file each, which ends in its `FORMAT`. `FORMATS` is the registry of all of them.

To add a format, write a file like `csv.py` and add it to the list below. From outside, a package offers its `Format`
under the entry point group ``cmtp.formats``::

    [project.entry-points."cmtp.formats"]
    ini = "my_package.ini:FORMAT"

A format turns bytes into records, documents or members of an archive. Which format a file is in is decided in
`sources.recognise`; what the fields of a record mean, in `sources.layouts`.
"""

from __future__ import annotations

from typing import Final

from cmtp.registry import Registry
from cmtp.sources.formats import csv, html, json, jsonl, markdown, mediawiki, parquet, tar, text, warc, zip
from cmtp.sources.formats.format import Format

FORMATS: Final[Registry[Format]] = Registry(
    "format",
    "cmtp.formats",
    {
        module.FORMAT.name: module.FORMAT
        for module in (markdown, text, html, json, jsonl, csv, parquet, warc, mediawiki, tar, zip)
    },
)
"""All formats by name, in the order in which lists name them and equally sure beginnings are asked."""
