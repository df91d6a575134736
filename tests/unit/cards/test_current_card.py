"""current.card: one card, several cards, wrong ids."""

import pytest

from swell.cards import Artifact, Markdown, ProgressBar
from swell.cards.current_card import CardEditor, StepCards
from swell.errors import CardError


def step_cards(*editors):
    cards = StepCards()
    for editor in editors:
        cards.add(editor)
    return cards


def test_the_only_card_takes_components_without_an_id_even_if_it_has_one():
    editor = CardEditor("default", "a")
    cards = step_cards(editor)
    one, two = Markdown("1"), Markdown("2")
    cards.append(one)
    cards.extend([two])
    assert list(editor) == [one, two]
    assert list(cards) == [one, two]
    assert list(cards["a"]) == [one, two]
    cards.clear()
    assert list(editor) == []


def test_among_several_the_one_without_id_is_meant():
    first, second = CardEditor("default", "a"), CardEditor("blank")
    step_cards(first, second).append(Markdown("x"))
    assert (len(first), len(second)) == (0, 1)


def test_among_several_the_customized_one_is_meant():
    first, second = CardEditor("default"), CardEditor("blank", "b", customize=True)
    step_cards(first, second).append(Markdown("x"))
    assert (len(first), len(second)) == (0, 1)


def test_if_no_card_is_meant_this_is_said_once_and_nothing_fails(capsys):
    cards = step_cards(CardEditor("default", "a"), CardEditor("default", "b"))
    cards.append(Markdown("x"))
    cards.append(Markdown("y"))
    said = capsys.readouterr().err
    assert said.count("current.card.append does not know which") == 1
    assert "'a', 'b'" in said
    assert len(cards.notices) == 1


def test_an_unknown_id_is_said_once_and_what_is_put_there_goes_nowhere(capsys):
    cards = step_cards(CardEditor("default", "a"))
    cards["x"].append(Markdown("x"))
    cards["x"].append(Markdown("x"))
    cards["x"] = [Markdown("x")]
    assert capsys.readouterr().err.count("has the id 'x'") == 1
    assert len(cards["a"]) == 0


def test_two_cards_with_one_id_cannot_be_reached_by_it(capsys):
    cards = step_cards(CardEditor("default", "a"), CardEditor("blank", "a"))
    cards["a"].append(Markdown("x"))
    assert "2 cards of this step have the id 'a'" in capsys.readouterr().err


def test_setting_a_card_replaces_its_components(capsys):
    cards = step_cards(CardEditor("default", "a"), CardEditor("default"))
    cards["a"].append(Markdown("old"))
    new = Markdown("new")
    cards["a"] = [new]
    assert list(cards["a"]) == [new]
    cards["a"] = "text"
    assert list(cards["a"]) == [new]
    assert "takes a list" in capsys.readouterr().err


def test_what_is_no_component_is_left_out_and_this_is_said(capsys):
    cards = step_cards(CardEditor("default"))
    cards.append("text")
    assert len(cards.components) == 0
    assert "a str is not a card component" in capsys.readouterr().err


def test_a_component_is_found_again_by_its_id_and_updated():
    cards = step_cards(CardEditor("default"))
    cards.append(ProgressBar(max=10), id="bar")
    cards.components["bar"].update(5)
    assert "5 / 10" in cards.components["bar"].render()
    assert "bar" in cards.components
    del cards.components["bar"]
    assert cards.components.keys() == []


def test_an_unknown_component_takes_updates_without_failing(capsys):
    cards = step_cards(CardEditor("default"))
    cards.components["none"].update(5)
    assert "no component has the id 'none'" in capsys.readouterr().err
    with pytest.raises(KeyError, match="none"):
        del cards.components["none"]


def test_a_component_is_not_overwritten_by_assignment():
    cards = step_cards(CardEditor("default"))
    cards.components["a"] = Markdown("x")
    with pytest.raises(CardError, match="already has"):
        cards.components["a"] = Markdown("y")


def test_many_components_without_ids_all_stay():
    cards = step_cards(CardEditor("default"))
    cards.extend([Markdown(str(number)) for number in range(50)])
    del cards.components["markdown_1"]
    cards.append(Markdown("more"))
    assert len(cards.components) == 50


def test_refresh_keeps_data_that_is_json_and_says_so_if_it_is_not(capsys):
    editor = CardEditor("default")
    cards = step_cards(editor)
    cards.refresh({"loss": 0.1}, force=True)
    assert editor.data == {"loss": 0.1}
    cards.refresh({"loss": object()})
    assert editor.data == {"loss": 0.1}
    assert "not JSON" in capsys.readouterr().err


def test_cards_of_a_type_are_listed():
    component = Artifact(1)
    cards = step_cards(CardEditor("default"), CardEditor("blank", "b"))
    cards["b"].append(component)
    assert cards.get("blank") == [[component]]
    assert cards.get("x") == []
