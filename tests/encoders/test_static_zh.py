"""The bundled encoder: its tokens of a text, and the properties of its vectors."""

import numpy as np
import pyarrow as pa
import pytest

from cmtp.encoders.base import Encoder
from cmtp.encoders.kernel import BLOCKS, ENTRY, word_entries
from cmtp.encoders.registry import load_encoder
from cmtp.encoders.static_zh import DATA, FILES, StaticZh


@pytest.fixture(scope="module")
def encoder() -> StaticZh:
    return StaticZh()


def encode(encoder: StaticZh, *texts: str) -> np.ndarray:
    return encoder.encode(pa.array(texts, pa.string()), "query")


SEGMENTATIONS = [
    ("我来到北京清华大学", ["我", "来到", "北京", "清华大学"]),
    ("高血压患者能吃人参吗？", ["高血压", "患者", "能", "吃", "人参", "吗"]),
    ("中华人民共和国合同法", ["中华人民共和国", "合同法"]),
    ("研究生命起源", ["研究", "生命", "起源"]),  # longest match would say 研究生 命 起源
    ("使用Docker部署Web服务", ["使用", "docker", "部署", "web", "服务"]),
    ("Python3.11与ＵＴＦ－８", ["python", "3", "11", "与", "utf", "8"]),
    ("機器學習，數據庫！", ["机器", "学习", "数据库"]),
    ("naïve Ünïcode", ["naïve", "ünïcode"]),
    ("한국어 사전", ["한국어", "사전"]),
    ("\t\n 　", []),
    ("🙂👍🏽", []),
]


@pytest.mark.parametrize(("text", "words"), SEGMENTATIONS)
def test_segmentation(encoder: StaticZh, text: str, words: list[str]):
    assert encoder.cut(text) == words


def test_unknown_han_is_cut_into_characters(encoder: StaticZh):
    assert encoder.cut("龘𠮷野") == ["龘", "𠮷", "野"]
    assert "龘" not in encoder.words


def test_tokens_cover_every_letter_digit_and_ideograph(encoder: StaticZh):
    text = "在Linux下，第12条《规定》——请用apt-get安装：３个包。"
    assert "".join(encoder.cut(text)) == "在linux下第12条规定请用aptget安装3个包"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("臺灣的網絡與軟體開發", "台湾的网络与软体开发"),
        ("機器學習與資料庫", "机器学习与资料库"),
        ("ＤＯＣＫＥＲ　容器１２３", "docker 容器123"),
        ("Docker DOCKER docker", "docker docker docker"),
        ("，。！《劳动合同法》？", "劳动合同法"),
        ("ｶﾀｶﾅ", "カタカナ"),
    ],
)
def test_spellings_of_the_same_text_are_equal(encoder: StaticZh, left: str, right: str):
    vectors = encode(encoder, left, right)
    assert np.array_equal(vectors[0], vectors[1])
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("text", ["", " ", "\n\t　", "🙂👍🏽", "……！？", "\0"])
def test_text_without_words_is_a_zero_row(encoder: StaticZh, text: str):
    assert not encode(encoder, text).any()


def test_rows_have_length_one_and_the_declared_type(encoder: StaticZh):
    vectors = encode(encoder, "劳动合同", "a", "7", "龘", "的的的的", "很长的文本" * 5000)
    assert vectors.dtype == np.float32
    assert vectors.shape == (6, encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


TEXTS = ["劳动合同的解除", "", "怎么安装 Docker？", "🙂", "宫保鸡丁的做法" * 40, "乾隆", "龘龘"] * 3


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_slices_and_both_string_types_agree(encoder: StaticZh, kind: pa.DataType):
    whole = encoder.encode(pa.array(TEXTS, kind), "passage")
    sliced = pa.array(["前面的", "文本", *TEXTS, "后面的"], kind).slice(2, len(TEXTS))
    assert sliced.offset == 2
    assert np.array_equal(encoder.encode(sliced, "passage"), whole)
    assert np.array_equal(whole, encoder.encode(pa.array(TEXTS), "query"))


def test_a_row_does_not_depend_on_its_batch(encoder: StaticZh):
    whole = encode(encoder, *TEXTS)
    halves = np.concatenate([encode(encoder, *TEXTS[:4]), encode(encoder, *TEXTS[4:])])
    alone = np.concatenate([encode(encoder, text) for text in TEXTS])
    backwards = encode(encoder, *TEXTS[::-1])[::-1]
    assert np.array_equal(whole, halves)
    assert np.array_equal(whole, alone)
    assert np.array_equal(whole, backwards)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_empty_array(encoder: StaticZh, kind: pa.DataType):
    assert encoder.encode(pa.array([], kind), "query").shape == (0, encoder.dim)


def test_unusable_input_is_refused(encoder: StaticZh):
    with pytest.raises(ValueError, match="1 nulls"):
        encoder.encode(pa.array(["a", None]), "query")
    with pytest.raises(ValueError, match="side"):
        encoder.encode(pa.array(["a"]), "document")
    with pytest.raises(TypeError, match="int64"):
        encoder.encode(pa.array([1]), "query")
    with pytest.raises(TypeError, match="string"):
        encoder.encode(pa.chunked_array([["a"]]), "query")
    with pytest.raises(TypeError, match="list"):
        encoder.encode(["a"], "query")


RELATED = [
    ("如何治疗高血压", "血压偏高的患者应当按时服药，并减少食盐摄入"),
    ("西红柿炒鸡蛋怎么做", "番茄切块，鸡蛋打散，先炒蛋再下番茄翻炒"),
    ("用人单位解除劳动合同的条件", "劳动者严重违反规章制度的，公司可以与其解除合同"),
    ("Linux 下怎么安装 Docker", "在终端里执行 apt 命令即可安装 Docker 引擎"),
    ("北京有哪些名胜古迹", "故宫和长城是北京最著名的景点"),
    ("如何学习编程", "初学者可以从 Python 程序设计语言入门"),
    ("股票投资的风险", "证券市场波动剧烈，投资者可能亏损本金"),
    ("猫为什么喜欢睡觉", "家猫每天的睡眠时间可达十六个小时"),
    ("李白的诗歌风格", "这位唐代诗人的诗豪放飘逸，想象丰富"),
    ("手机电池不耐用怎么办", "调低手机屏幕的亮度可以节省电量，延长续航时间"),
    ("怎样提高英语口语", "多用英语和外国人对话，大声朗读英文文章"),
    ("地球为什么会有四季", "由于地球的自转轴倾斜，太阳直射点一年中南北移动，形成春夏秋冬"),
]


def test_related_beats_unrelated(encoder: StaticZh):
    q = encode(encoder, *(query for query, _ in RELATED))
    p = encode(encoder, *(passage for _, passage in RELATED))
    cosines = q @ p.T
    own = np.diag(cosines)
    others = (cosines.sum(axis=1) - own) / (len(RELATED) - 1)
    assert (own > others).all()
    assert own.mean() > others.mean() + 0.15
    assert (cosines.argmax(axis=1) == np.arange(len(RELATED))).sum() >= 10


def test_synonyms_are_near_and_strangers_are_not(encoder: StaticZh):
    v = encode(encoder, "西红柿", "番茄", "宪法", "kubernetes", "terraform")
    assert v[0] @ v[1] > 0.2
    assert abs(v[0] @ v[2]) < 0.15
    assert abs(v[3] @ v[4]) < 0.6  # unknown words are told apart


def word_vectors(neighbours: np.ndarray, closeness: np.ndarray, share: float, dim: int) -> np.ndarray:
    places, values = word_entries(neighbours.astype(np.uint16), closeness.astype(np.uint8), share, dim)
    assert places.shape == values.shape == (len(neighbours), (1 + neighbours.shape[1]) * BLOCKS)
    out = np.zeros((len(places), dim))
    for row, at, value in zip(out, places, values, strict=True):
        np.add.at(row, at, value * ENTRY / 127)
    return out


def test_word_vectors_are_identity_plus_neighbours():
    n, dim = 300, 512
    neighbours = (np.arange(n)[:, None] + [1, 2]) % n
    closeness = np.tile([153, 204], (n, 1))  # 0.6 and 0.8 of 255
    closeness[0] = 0
    own = word_vectors(neighbours, closeness * 0, 0.5, dim)
    vectors = word_vectors(neighbours, closeness, 0.5, dim)
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1)
    np.testing.assert_allclose(vectors[5], own[5] + 0.3 * own[6] + 0.4 * own[7], atol=0.01)
    np.testing.assert_allclose(vectors[0], own[0])
    strangers = (own @ own.T)[~np.eye(n, dtype=bool)]
    assert strangers.std() == pytest.approx(1 / np.sqrt(dim), rel=0.1)
    assert strangers.max() < 1


def test_package_data_is_small_and_complete(encoder: StaticZh):
    assert sum(file.stat().st_size for file in DATA.iterdir()) <= 10_000_000
    assert all((DATA / name).is_file() for name in FILES)
    assert len(set(encoder.words)) == len(encoder.words)


def test_hash_is_that_of_the_files(encoder: StaticZh, tmp_path):
    assert StaticZh().weights_hash == encoder.weights_hash
    for name in FILES:
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    assert StaticZh(tmp_path).weights_hash == encoder.weights_hash
    settings = tmp_path / "settings.json"
    settings.write_text(settings.read_text().replace('"repeat_power": 0.75', '"repeat_power": 0.5'))
    assert StaticZh(tmp_path).weights_hash != encoder.weights_hash


def test_max_chars_cuts_characters(tmp_path):
    for name in FILES:
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    settings = tmp_path / "settings.json"
    settings.write_text(settings.read_text().replace('"max_chars": null', '"max_chars": 4'))
    short = StaticZh(tmp_path)
    assert short.max_chars == 4
    vectors = encode(short, "劳动合同法律责任", "劳动合同")
    assert np.array_equal(vectors[0], vectors[1])


def test_is_an_encoder():
    encoder = load_encoder("static-zh")
    assert isinstance(encoder, Encoder)
    assert encoder.name == "static-zh"
