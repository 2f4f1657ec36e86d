"""A sentence-transformers model from a folder: a tiny BERT with random weights, made here."""

import numpy as np
import pyarrow as pa
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from benchmarks import encoders_gpu
from cmtp.encoders.base import Encoder
from cmtp.encoders.hub import hub_revision
from cmtp.encoders.registry import check_encoder, encoder_card, load_encoder
from cmtp.encoders.sentence import PROMPTS, SentenceModel, find_prompts
from cmtp.engine.code import package_versions
from cmtp.engine.figures import plain_values
from cmtp.engine.store import Store
from cmtp.engine.task import Job
from cmtp.errors import UsageError
from cmtp.similarity.encode import Encoded, EncodeStage, encode_work
from cmtp.similarity.settings import EncodeWork

torch = pytest.importorskip("torch")
models = pytest.importorskip("sentence_transformers")
modules = pytest.importorskip("sentence_transformers.models")
transformers = pytest.importorskip("transformers")

TEXTS = ["绿萝怎么浇水", "盆土表面干了就浇透，冬天少浇一些。" * 6, "", "感冒了要不要吃药", " \n", "水", "多喝水" * 9]
PROMPT = PROMPTS[0][1]


def write_model(folder, prompts=None, seed=1):
    """A BERT of 2 layers and 32 dimensions over the characters of the test texts, with mean pooling."""
    folder.mkdir(parents=True)
    characters = sorted(set("".join(TEXTS) + PROMPT + "字") - set(" \n"))
    words = folder / "vocab.txt"
    words.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]), encoding="utf-8")
    tokenizer = transformers.BertTokenizer(str(words))
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=5 + len(characters),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    transformers.BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    read = modules.Transformer(str(folder / "bert"), max_seq_length=64)
    pooling = modules.Pooling(read.get_embedding_dimension(), pooling_mode="mean")
    model = models.SentenceTransformer(modules=[read, pooling], prompts=prompts, device="cpu")
    model.save(str(folder / "model"))
    return str(folder / "model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "plain")


@pytest.fixture(scope="module")
def encoder(folder):
    return SentenceModel(folder)


def test_same_vectors_as_sentence_transformers(folder, encoder):
    assert isinstance(encoder, Encoder)
    found = encoder.encode(pa.array(TEXTS, pa.large_string()), "passage")
    assert found.shape == (len(TEXTS), encoder.dim) == (len(TEXTS), 32)
    expected = models.SentenceTransformer(folder, device="cpu").encode(TEXTS, normalize_embeddings=True)
    for row, text in enumerate(TEXTS):
        want = expected[row] if text.strip() else np.zeros(32)
        np.testing.assert_allclose(found[row], want, atol=1e-5)


def test_a_row_does_not_depend_on_the_others(encoder):
    together = encoder.encode(pa.array(TEXTS), "query")
    for row, text in enumerate(TEXTS):
        alone = encoder.encode(pa.array([text]), "query")
        np.testing.assert_allclose(together[row], alone[0], atol=1e-6)
    again = encoder.encode(pa.array(TEXTS), "query")
    assert np.array_equal(together, again)
    assert encoder.encode(pa.array([], pa.string()), "query").shape == (0, 32)


def test_blocks_do_not_matter(encoder, monkeypatch):
    whole = encoder.encode(pa.array(TEXTS), "query")
    monkeypatch.setattr("cmtp.encoders.sentence.TEXTS_PER_BLOCK", 2)
    np.testing.assert_allclose(encoder.encode(pa.array(TEXTS), "query"), whole, atol=1e-6)


def test_prompts_of_the_model_go_before_each_side(tmp_path, encoder):
    prompted = SentenceModel(write_model(tmp_path / "prompted", {"query": PROMPT, "document": ""}))
    texts = pa.array(["感冒了要不要吃药"])
    with_prompt = pa.array([PROMPT + "感冒了要不要吃药"])
    np.testing.assert_allclose(prompted.encode(texts, "query"), encoder.encode(with_prompt, "query"), atol=1e-6)
    np.testing.assert_allclose(prompted.encode(texts, "passage"), encoder.encode(texts, "passage"), atol=1e-6)
    assert prompted.weights_hash != encoder.weights_hash


def test_prompts_of_model_cards():
    assert find_prompts("BAAI/bge-large-zh-v1.5", {}) == {"query": PROMPT, "passage": ""}
    assert find_prompts("BAAI/bge-small-zh", {"query": "", "document": ""})["query"] == PROMPT
    assert find_prompts("BAAI/bge-m3", {}) == {"query": "", "passage": ""}
    assert find_prompts("BAAI/bge-base-zh", {"query": "问：", "passage": "答："}) == {
        "query": "问：",
        "passage": "答：",
    }
    assert find_prompts("intfloat/multilingual-e5-base", {})["passage"] == "passage: "


def test_other_weights_have_another_hash(tmp_path, encoder, folder):
    assert SentenceModel(folder).weights_hash == encoder.weights_hash
    assert SentenceModel(write_model(tmp_path / "other", seed=2)).weights_hash != encoder.weights_hash


def test_out_of_memory_halves_the_batch_and_goes_on(folder, encoder, monkeypatch):
    small = SentenceModel(folder)
    sizes = []
    embed = small._embed

    def poor(ids):
        sizes.append(len(ids))
        if len(ids) > 2:
            raise torch.OutOfMemoryError("too much")
        return embed(ids)

    monkeypatch.setattr(small, "_embed", poor)
    texts = pa.array(TEXTS * 2)
    np.testing.assert_allclose(small.encode(texts, "query"), encoder.encode(texts, "query"), atol=1e-6)
    assert sizes[:3] == [10, 5, 2]  # 14 texts, of which 4 are blank
    monkeypatch.setattr(small, "_embed", lambda ids: (_ for _ in ()).throw(torch.OutOfMemoryError("none at all")))
    with pytest.raises(torch.OutOfMemoryError):
        small.encode(pa.array(["水"]), "query")


def test_batches_hold_the_token_budget(encoder, monkeypatch):
    shapes = []
    embed = encoder._embed
    monkeypatch.setattr(encoder, "_embed", lambda ids: shapes.append((len(ids), max(map(len, ids)))) or embed(ids))
    monkeypatch.setattr(encoder, "_budget", 128)
    encoder.encode(pa.array(TEXTS * 10), "query")
    assert sum(rows for rows, _ in shapes) == 50
    assert all(rows * longest <= 128 for rows, longest in shapes)
    assert len(shapes) < 25


def test_bf16_gives_nearly_the_same_vectors_and_another_hash(folder, encoder):
    """A stand-in for what a GPU does."""
    half = SentenceModel(folder, bf16=True)
    found, exact = half.encode(pa.array(TEXTS), "query"), encoder.encode(pa.array(TEXTS), "query")
    assert found.dtype == np.float32
    assert not np.array_equal(found, exact)
    filled = [row for row, text in enumerate(TEXTS) if text.strip()]
    assert ((found * exact).sum(axis=1)[filled] > 0.999).all()
    np.testing.assert_allclose(np.linalg.norm(found[filled], axis=1), 1, atol=1e-5)
    assert half.weights_hash != encoder.weights_hash


@pytest.mark.parametrize(
    ("name", "gpus", "processes"),
    [
        ("static-zh", 2, None),
        ("e5-small", 2, None),
        ("BAAI/bge-small-zh-v1.5", 2, 2),
        ("BAAI/bge-small-zh-v1.5", 0, None),
    ],
)
def test_a_stage_on_gpus_gets_one_process_for_each(monkeypatch, name, gpus, processes):
    monkeypatch.setattr("cmtp.similarity.encode.gpus", lambda: gpus)
    assert EncodeStage().processes(EncodeWork(encoder=name, identity="")) == processes


def test_the_gpu_benchmark_at_a_small_size(capsys):
    arguments = ["--layers", "2", "--hidden", "32", "--heads", "2", "--max-tokens", "64", "--texts", "40"]
    encoders_gpu.main([*arguments, "--mean-chars", "30"])
    out = capsys.readouterr().out
    assert "agree to a cosine of 1.0000 or more" in out
    assert "| cmtp | " in out
    texts = ["字" * 8, "字" * 100]
    assert encoders_gpu.multiplications(texts, 2, 32, 64) == 2 * (24 * 32**2 * (10 + 64) + 4 * 32 * (100 + 64**2))


def test_loaded_once_in_a_process(folder):
    assert load_encoder(folder) is load_encoder(folder)


def test_retrained_weights_in_the_same_folder_are_other_settings(tmp_path):
    """Stage folders are keyed by settings: a folder's name alone would find the vectors of the old model."""
    (tmp_path / "model").mkdir()
    file = tmp_path / "model" / "model.safetensors"
    file.write_bytes(b"old")
    before = encode_work(str(tmp_path / "model"))
    file.write_bytes(b"new")
    after = encode_work(str(tmp_path / "model"))
    assert before.encoder == after.encoder
    assert before != after
    assert encode_work("static-zh").identity not in (before.identity, after.identity)


def hub_of(monkeypatch, answer):
    monkeypatch.setattr("huggingface_hub.hf_hub_download", answer)
    hub_revision.cache_clear()


def test_a_model_of_the_hub_is_known_by_its_commit(monkeypatch):
    """The hub's cache holds every file under its repository's commit; vectors of another commit are not taken over."""
    libraries = package_versions(["sentence_transformers", "tokenizers", "torch", "transformers"])
    for commit in ("1f2e", "9ab0"):
        hub_of(monkeypatch, lambda name, file, commit=commit: f"/hub/models--{name}/snapshots/{commit}/{file}")
        identity = f"revision {commit}, {libraries}"
        assert encode_work("text2vec-base") == EncodeWork(encoder="text2vec-base", identity=identity)
    hub_revision.cache_clear()


def test_a_model_that_cannot_be_fetched_is_refused_before_any_work(monkeypatch):
    def nothing(name, file):
        raise LocalEntryNotFoundError("no connection\nand no copy")

    hub_of(monkeypatch, nothing)
    with pytest.raises(
        UsageError, match=r"similarity\.encoder = 'a/b': the model cannot .*: no connection\n.*folder of a copy"
    ):
        check_encoder("similarity.encoder", "a/b")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("static-zh", True),
        ("text2vec-large", True),
        ("BAAI/bge-m3", True),
        ("nobody", False),
        ("./nowhere", False),
        ("/no/such/folder", False),
        ("a/b/c", False),
    ],
)
def test_names(name, known, tmp_path):
    if known:
        assert encoder_card(name).name == name
    else:
        with pytest.raises(UsageError, match="known encoders are static-zh"):
            encoder_card(name)
    assert encoder_card(str(tmp_path)).on_gpu


def test_the_encode_stage_takes_a_folder(folder, tmp_path, encoder):
    store = Store(str(tmp_path))
    store.write_table("in.parquet", pa.table({"pair_id": ["a", "b"], "query": TEXTS[:2], "passage": TEXTS[3:4] * 2}))
    ((task,),) = EncodeStage().steps(Job(store, "encode", encode_work(folder)), ["in.parquet"])
    assert plain_values(task.run().figures) == {"encoder": folder, "weights": encoder.weights_hash, "dim": "32"}
    scores = Encoded("encode", 0).scores(store)
    assert scores["passage_row"].to_pylist() == [0, 0]
    passage = encoder.encode(pa.array(TEXTS[3:4]), "passage")[0]
    expected = encoder.encode(pa.array(TEXTS[:2]), "query") @ passage
    np.testing.assert_allclose(scores["similarity"].to_numpy(), expected, atol=1e-4)


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    load_encoder.cache_clear()
    with pytest.raises(ImportError, match=r"cmtp\[gpu\]"):
        load_encoder("BAAI/bge-small-zh-v1.5")
