"""Cards of a finished task, as get_cards gives them."""

import pytest

from swell.cards.collection import CardAccess, CardContainer, TaskCards, get_cards
from swell.cards.render import Content, render_blank
from swell.cards.subject import Subject
from swell.errors import InternalError
from swell.model.record import CardRef

REFS = (
    CardRef("default", None, "aa11", "k1", 5),
    CardRef("default", "errors", "aa22", "k2", 5),
    CardRef("blank", None, "bb33", "k3", 5),
)


class Store:
    """Counts what is read."""

    def __init__(self, html=b"<p>hi</p>"):
        self.read = []
        self.html = html

    def load(self, ref):
        self.read.append(ref.key)
        return self.html


def task_cards(store, origin=None):
    return TaskCards("F/1/start/1", REFS, store.load, origin)


def test_cards_are_listed_without_being_read_and_read_once():
    store = Store()
    cards = CardContainer(task_cards(store))
    assert [card.hash for card in cards] == ["aa11", "aa22", "bb33"]
    assert store.read == []
    assert cards[1].get() == cards[1].get() == "<p>hi</p>"
    assert store.read == ["k2"]


def test_a_card_knows_type_id_and_path():
    card = CardContainer(task_cards(Store()))[1]
    assert (card.type, card.id) == ("default", "errors")
    assert card.path == "F/1/start/1/default-errors-aa22.html"
    assert str(card) == "<Card at 'F/1/start/1/default-errors-aa22.html'>"


def test_cards_are_selected_by_type_id_and_first_digits_of_the_hash():
    cards = CardContainer(task_cards(Store()))
    assert len(cards.select()) == 3
    assert len(cards.select(type="default")) == 2
    assert [card.hash for card in cards.select(id="errors")] == ["aa22"]
    assert [card.hash for card in cards.select(hash="bb")] == ["bb33"]
    assert list(cards.select(type="blank", id="errors")) == []


def test_cards_of_an_origin_say_so():
    cards = CardContainer(task_cards(Store(), origin="F/0/start/1"))
    assert cards[0].from_resumed
    assert cards.origin_pathspec == "F/0/start/1"


def test_the_data_of_the_last_refresh_comes_back():
    subject = Subject("F", "1", "start", "1")
    data = {"loss": [0.5, None], "text": "</script>"}
    with_data = Store(render_blank(subject, Content(data=data)).encode())
    assert CardContainer(task_cards(with_data))[0].get_data() == data
    assert CardContainer(task_cards(Store()))[0].get_data() is None


def test_a_notebook_shows_the_page_in_a_frame_of_its_own():
    shown = CardContainer(task_cards(Store(b'<p class="x">')))._repr_html_()
    assert shown.count("<iframe") == 3
    assert "&lt;p class=&quot;x&quot;&gt;" in shown


def test_without_an_installed_way_cards_cannot_be_read():
    with pytest.raises(InternalError):
        CardAccess().open("F/1/start/1", follow_resumed=True)


def test_the_installed_way_gets_the_task_and_whether_to_follow():
    access, asked = CardAccess(), []

    def opener(task, follow_resumed):
        asked.append((task, follow_resumed))
        return task_cards(Store())

    access.install_opener(opener)
    assert access.open("F/1/start/1", follow_resumed=False).refs == REFS
    assert asked == [("F/1/start/1", False)]


def test_get_cards_takes_the_names_scripts_use():
    import inspect

    names = list(inspect.signature(get_cards).parameters)
    assert names == ["task", "id", "type", "follow_resumed"]
