"""A WordPiece vocabulary of a build's own texts: Chinese characters one by one, other scripts in pieces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import BertTokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_vocabulary(texts: Iterable[str], entries: int) -> BertTokenizer:
    """Train a tokenizer as BERT's: lower case, accents off, one token per Chinese character."""
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
    # the trainer numbers entries of one frequency in any order; sorted, a vocabulary is the same in every run
    learned = sorted(set(model.get_vocab()) - set(SPECIAL))
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *learned])}
    return BertTokenizer(vocab=vocabulary, do_lower_case=True)
