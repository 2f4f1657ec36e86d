"""Encoders by name: the built-in ones, those that installed packages add, and any sentence-transformers model.

A package adds one by an entry point of the group ``cmtp.encoders`` that leads to an `EncoderCard`; the entry point's
name is the encoder's::

    [project.entry-points."cmtp.encoders"]
    my-encoder = "my_package.encoder:CARD"
"""

from __future__ import annotations

import functools
from typing import Final

from cmtp.encoders import e5, sentence, static_zh
from cmtp.encoders.base import Encoder, EncoderCard
from cmtp.encoders.hub import is_model_name
from cmtp.errors import UsageError
from cmtp.registry import Registry, did_you_mean

ENCODERS: Final = Registry[EncoderCard](
    "encoder",
    "cmtp.encoders",
    {card.name: card for card in (static_zh.CARD, e5.CARD, *sentence.CARDS)},
)
"""The encoders that have a short name."""


def encoder_card(name: str) -> EncoderCard:
    """The card of an encoder.

    Args:
        name: of a registered encoder, or the hub name (``owner/model``) or folder of a sentence-transformers model.

    Raises:
        UsageError: the name is none of these.
    """
    if name in ENCODERS:
        return ENCODERS.get(name)
    if is_model_name(name):
        return sentence.model_card(name)
    known = ENCODERS.names()
    raise UsageError(
        f"there is no encoder {name!r}{did_you_mean(name, known)}; known encoders are {', '.join(known)}, "
        "and any sentence-transformers model by its hub name (owner/model) or its folder"
    )


def encoder_identity(name: str) -> str:
    """Identifies the vectors of an encoder: `EncoderCard.identity`, and the package of a card from outside.

    Raises:
        UsageError: the name is unknown, or the weights cannot be fetched.
    """
    origin = ENCODERS.origins().get(name)
    identity = encoder_card(name).identity()
    return identity if origin is None else f"{identity}, {origin}"


def check_encoder(setting: str, name: str) -> EncoderCard:
    """The card of an encoder that can be loaded: it is known, its package is installed, its weights are available.

    Args:
        setting: the setting that names it, for the message: ``similarity.encoder``.
        name: as for `encoder_card`.

    Raises:
        UsageError: it cannot be loaded. The message says why, and the remedy.
    """
    try:
        card = encoder_card(name)
        if card.missing is None:
            card.identity()
    except UsageError as error:
        raise UsageError(f"{setting} = {name!r}: {error}") from error
    if card.missing is not None:
        raise UsageError(f"{setting} = {name!r} {card.missing}")
    return card


@functools.cache
def load_encoder(name: str) -> Encoder:
    """The encoder called `name`, loaded once in a process: a model takes a second or more, and memory.

    Args:
        name: as for `encoder_card`.

    Raises:
        UsageError: the name is unknown.
        ImportError: its package is missing; says what installs it.
    """
    card = encoder_card(name)
    if card.missing is not None:
        raise ImportError(f"the encoder {name} {card.missing}")
    return card.load()
