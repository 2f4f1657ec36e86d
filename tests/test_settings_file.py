from pathlib import Path

import pytest
import yaml

from cmtp.errors import UsageError
from cmtp.recipe import Recipe, load_recipe


def test_defaults_survive_yaml(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(Recipe().to_yaml(), encoding="utf-8")
    assert load_recipe(path) == Recipe()


def test_overrides_win_over_the_file(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("similarity: {threshold: 0.3}\nseed: 7\n", encoding="utf-8")
    recipe = load_recipe(path, ["similarity.threshold=0.43", "dedup.source_priority=[laws, lctt]"])
    assert recipe.similarity.threshold == 0.43
    assert recipe.dedup.source_priority == ["laws", "lctt"]
    assert recipe.seed == 7


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("similarity.treshold=0.43", r"no setting similarity\.treshold; did you mean threshold\?; known here: encoder"),
        ("simlarity.threshold=0.43", r"--set: there is no setting simlarity; did you mean similarity\?"),
        ("similarity=0.43", r"similarity is a group of settings, not a value: encoder, second_encoder, threshold"),
        ("sources=[{files: x, nam: y}]", r"no setting sources\.0\.nam; did you mean name\?"),
        ("similarity.threshold=high", r"similarity\.threshold = 'high'"),
        ("dedup.threshold=1.5", r"dedup\.threshold = 1\.5.*less than or equal to 1"),
        ("mine.last_rank=1", r"^--set: mine: last_rank 1 is above first_rank 2$"),
        ("similarity.threshold", r"STAGE\.SETTING=VALUE"),
        ("seed.x.y=1", r"no setting|seed"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(override, said):
    with pytest.raises(UsageError, match=said):
        load_recipe(None, [override])


def test_a_group_keeps_what_is_not_named_and_a_mapping_is_replaced(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("filter: {thresholds: {symbols: 0.5}, private: drop}\n", encoding="utf-8")
    base = {"filter": {"malicious": False, "thresholds": {"digits": 0.3}}, "seed": 7}
    recipe = load_recipe(path, ["filter={private: keep}"], base)
    assert (recipe.seed, recipe.filter.malicious, recipe.filter.private) == (7, False, "keep")
    assert recipe.filter.thresholds == {"symbols": 0.5}
    assert base["filter"]["thresholds"] == {"digits": 0.3}


def test_a_key_of_a_mapping_may_hold_dots():
    recipe = load_recipe(None, ["filter.thresholds.too_short.passage@wiki=10", "filter.lexicons.gambling.a.b=2"])
    assert recipe.filter.thresholds == {"too_short.passage@wiki": 10}
    assert recipe.filter.lexicons == {"gambling": {"a.b": 2}}


def test_off_is_a_text_where_a_text_is_asked_for_and_false_where_a_truth_is(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("dedup: {near: off}\n", encoding="utf-8")
    assert load_recipe(path).dedup.near == "off"
    recipe = load_recipe(
        None, ["dedup.near=off", "mine.curated=off", "filter.malicious=no", "dedup.same_subject=false"]
    )
    assert recipe.dedup.near == "off"
    assert not recipe.mine.curated
    assert not recipe.filter.malicious


def test_a_mapping_needs_relation_query_and_passage_together(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("sources:\n- {files: 'x/*.jsonl', query: q}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"sources\.0.*go together"):
        load_recipe(path)
    path.write_text("sources:\n- {files: x, relation: titel, query: q, passage: p}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="'titel' is not one of title_body"):
        load_recipe(path)


def test_a_group_whose_lines_are_commented_out_is_the_default(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("similarity:\n  # threshold: 0.3\nseed: 7\n", encoding="utf-8")
    assert load_recipe(path) == Recipe(seed=7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "a mapping|YAML mapping"),
        ("a: [", "not a YAML file"),
        ("similarity: {threshold: 0.1}\nseed: 7\nsimilarity: {sample: 100}\n", "similarity is given twice"),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path, text, said):
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        load_recipe(path)
    with pytest.raises(UsageError, match="cannot read"):
        load_recipe(tmp_path / "missing.yaml")


def test_the_sample_recipe_spells_out_every_setting_at_its_default():
    path = Path(__file__).parent.parent / "pipelines" / "sample.yaml"
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert written["similarity"]["second_encoder"] == "auto"  # what is installed decides
    default = Recipe().model_dump(mode="json")
    written["similarity"]["second_encoder"] = default["similarity"]["second_encoder"]
    assert written == default
