"""The settings of the similarity stage: what is installed decides once, and former names say what to write."""

from dataclasses import replace

import pytest

from cmtp.encoders import e5
from cmtp.encoders.registry import ENCODERS
from cmtp.errors import UsageError
from cmtp.recipe import load_recipe
from cmtp.similarity.settings import SimilaritySettings


@pytest.mark.parametrize(("package", "chosen"), [("cmtp", "e5-small"), ("not_installed_anywhere", None)])
def test_the_second_encoder_is_what_is_installed_and_the_recipe_names_it(monkeypatch, package, chosen):
    monkeypatch.setitem(ENCODERS._items, "e5-small", replace(e5.CARD, package=package))
    recipe = load_recipe(None, ["similarity.second_encoder=auto"])
    assert recipe.of(SimilaritySettings).second_encoder == chosen
    again = load_recipe(None, None, recipe.model_dump(mode="json"))
    assert again.of(SimilaritySettings).second_encoder == chosen
    assert SimilaritySettings().second_encoder == chosen


def test_another_machine_takes_what_the_recipe_names(monkeypatch):
    monkeypatch.setitem(ENCODERS._items, "e5-small", replace(e5.CARD, package="cmtp"))
    recipe = load_recipe(None, ["similarity.second_encoder=null"])
    assert recipe.of(SimilaritySettings).second_encoder is None


def test_another_first_encoder_has_no_second_one_by_itself():
    recipe = load_recipe(None, ["similarity.encoder=text2vec-large"])
    assert recipe.of(SimilaritySettings).second_encoder is None


@pytest.mark.parametrize("setting", ["max_loss=0.1", "shuffled_share=0.1", "cascade=static-zh", "agreement=0.9"])
def test_former_settings_say_what_stands_in_their_place(setting):
    with pytest.raises(UsageError, match=r"there is no setting similarity\.\w+ any more: .*similarity\."):
        load_recipe(None, [f"similarity.{setting}"])


def test_the_two_encoders_differ():
    with pytest.raises(UsageError, match="sees all pairs already"):
        load_recipe(None, ["similarity.second_encoder=static-zh"])
