"""A WordPiece vocabulary of a build's own texts: one entry per Chinese character, pieces of words of other scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import BertTokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_vocabulary(texts: Iterable[str], entries: int) -> BertTokenizer:
    """Train a tokenizer like BERT's: lower case, no accents, one token per Chinese character.

    Args:
        texts: the texts to learn from.
        entries: most entries, special tokens included.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.trainers import WordPieceTrainer
    from transformers import BertTokenizer

    model = Tokenizer(WordPiece(unk_token="[UNK]"))
    model.normalizer = BertNormalizer(lowercase=True)
    model.pre_tokenizer = BertPreTokenizer()
    trainer = WordPieceTrainer(vocab_size=entries, min_frequency=2, special_tokens=list(SPECIAL), show_progress=False)
    model.train_from_iterator(texts, trainer)
    # the trainer numbers entries of equal frequency in any order; sorted, the vocabulary is the same in every run
    learned = sorted(set(model.get_vocab()) - set(SPECIAL))
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *learned])}
    return BertTokenizer(vocab=vocabulary, do_lower_case=True)
