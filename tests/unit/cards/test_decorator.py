"""@card around a step: what it gives the step and what it leaves."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from swell.cards import Markdown, MetaflowCardComponent
from swell.cards.decorator import CardDecorator
from swell.errors import FlowError
from swell.model.job import StepPlan
from swell.model.record import ArtifactRef, Record
from swell.model.wire import encode


class Flow:
    """Stands for a flow object: artifacts are attributes."""

    def train(self):
        self.x = 1


class Context:
    """The part of a TaskContext that cards use."""

    def __init__(self, parent=None):
        self.flow = Flow()
        self.step = "train"
        self.inputs = None
        parameters = encode(Record({"alpha": ArtifactRef(b"", None, 1, "float", "0.05")}))
        records = (encode(Record(parent)),) if parent else ()
        self.launch = SimpleNamespace(
            job=SimpleNamespace(task="37", attempt=0), inputs=SimpleNamespace(records=records)
        )
        self.run = SimpleNamespace(
            flow="FlightsFlow",
            run="15",
            user="ann",
            tags=("t",),
            script="f.py",
            parameters=parameters,
        )
        self.current = {}
        self.actions = []
        self.cards = []

    def set_current(self, name, value):
        self.current[name] = value

    def get_current(self, name):
        return self.current.get(name)

    def after_step(self, action):
        self.actions.append(action)

    def add_card(self, type, id, html):
        self.cards.append((type, id, html.decode()))

    def finish(self):
        for action in self.actions:
            action()


class Hostile(MetaflowCardComponent):
    """Does ``act`` where it should render."""

    def __init__(self, act):
        self.act = act

    def render(self):
        return self.act()


def run(task, *decorators, body=lambda card: None):
    entered = [decorator.resolve({}) for decorator in decorators]

    def enter(rest):
        if not rest:
            return body(task.current["card"])
        with rest[0].around(task):
            return enter(rest[1:])

    enter(entered)
    task.finish()
    return task.cards


def test_a_card_shows_what_the_step_appended_and_what_it_left():
    task = Context(parent={"model": ArtifactRef(None, "k", 9, "Lasso", "Lasso(alpha=0.05)")})
    task.flow.x = 12345

    ((kind, card_id, html),) = run(
        task, CardDecorator(), body=lambda card: card.append(Markdown("# Done"))
    )

    assert (kind, card_id) == ("default", None)
    for text in ("Done", "FlightsFlow", "12345", "Lasso(alpha=0.05)", "alpha"):
        assert text in html


def test_several_cards_are_made_each_with_its_own_components():
    def body(card):
        card.append(Markdown("for the plain one"))
        card["b"].append(Markdown("for b"))

    first, second = run(
        Context(), CardDecorator(type="blank"), CardDecorator(type="blank", id="b"), body=body
    )
    assert first[:2] == ("blank", None)
    assert second[:2] == ("blank", "b")
    assert "for the plain one" in first[2]
    assert "for b" in second[2]
    assert "for b" not in first[2]


def test_warnings_given_in_the_step_stand_on_its_cards(capsys):
    ((_, _, html),) = run(
        Context(), CardDecorator(), body=lambda card: card["x"].append(Markdown("y"))
    )
    assert "has the id &#x27;x&#x27;" in html
    assert "has the id 'x'" in capsys.readouterr().err


def test_a_step_that_fails_still_leaves_its_card_with_the_error():
    task = Context()
    with pytest.raises(ValueError, match="no luck"), CardDecorator().resolve({}).around(task):
        raise ValueError("no luck")
    task.finish()
    assert "The step failed" in task.cards[0][2]
    assert "no luck" in task.cards[0][2]


def test_a_component_that_fails_leaves_the_rest_of_the_card():
    def body(card):
        card.append(Hostile(lambda: 1 / 0))
        card.append(Markdown("still here"))

    ((_, _, html),) = run(Context(), CardDecorator(), body=body)
    assert "ZeroDivisionError" in html
    assert "still here" in html


@pytest.mark.parametrize(
    ("act", "timeout", "told"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), 60, "SIGKILL"),
        (lambda: os._exit(3), 60, "exit code 3"),
        (signal.pause, 0.1, "not done after 0.1 s"),
    ],
)
def test_a_card_that_dies_or_hangs_becomes_an_error_card_and_never_raises(
    act, timeout, told, capsys
):
    ((_, _, html),) = run(
        Context(), CardDecorator(timeout=timeout), body=lambda card: card.append(Hostile(act))
    )
    assert "This card could not be made" in html
    assert told in html
    assert told in capsys.readouterr().err


def test_without_save_errors_a_card_that_fails_is_left_out_and_this_is_said(capsys):
    cards = run(
        Context(),
        CardDecorator(save_errors=False, id="a"),
        body=lambda card: card.append(Hostile(lambda: os._exit(3))),
    )
    assert cards == []
    assert "the default card 'a' could not be made" in capsys.readouterr().err


def test_a_card_that_cannot_be_stored_does_not_raise(capsys):
    task = Context()
    task.add_card = lambda *_: (_ for _ in ()).throw(OSError("disk full"))
    run(task, CardDecorator())
    assert "disk full" in capsys.readouterr().err


def test_the_title_of_a_blank_card_comes_from_its_options():
    ((_, _, html),) = run(Context(), CardDecorator(type="blank", options={"title": "Mine"}))
    assert "<h1>Mine</h1>" in html


def test_an_unknown_type_is_refused_before_the_run_with_the_known_ones():
    with pytest.raises(FlowError) as caught:
        CardDecorator(type="fancy").resolve({})
    assert "fancy" in caught.value.message
    assert "default, blank" in caught.value.remedy


@pytest.mark.parametrize("timeout", [0, -1, "soon", None, True, float("nan")])
def test_a_timeout_that_is_no_time_is_refused(timeout):
    with pytest.raises(FlowError, match="no number of seconds"):
        CardDecorator(timeout=timeout).resolve({})


def test_options_that_are_no_dictionary_are_refused():
    with pytest.raises(FlowError, match="not a dictionary"):
        CardDecorator(options=["x"]).resolve({})


def test_an_unusable_id_is_left_out_with_a_warning():
    decorator = CardDecorator(id="a/b").resolve({})
    (warning,) = decorator.plan(StepPlan(step="train")).warnings
    assert "'a/b'" in warning
    assert decorator.id is None
    assert CardDecorator(id="a_b-1").resolve({}).plan(StepPlan(step="train")).warnings == ()


def test_the_arguments_of_existing_scripts_are_accepted():
    CardDecorator(
        type="default",
        id="x",
        options={},
        timeout=45,
        refresh_interval=5,
        customize=True,
        save_errors=True,
        scope="task",
        rank="high",
    ).resolve({})


def test_what_rendering_needs_is_loaded_by_the_check_before_the_run_and_not_by_the_import():
    code = (
        "import sys; from swell.cards.decorator import CardDecorator\n"
        "print('swell.cards.render' in sys.modules)\n"
        "CardDecorator().check(None, 'start')\n"
        "print('swell.cards.render' in sys.modules, 'inspect' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]


def test_the_flows_name_and_system_tags_are_not_shown_as_the_users_own():
    task = Context()
    task.run.parameters = encode(
        Record({"name": ArtifactRef(b"", None, 1, "str", "'Flow' as kept")})
    )
    task.run.tags = ("python_version:3.11.7", "mine")
    ((_, _, html),) = run(task, CardDecorator())
    assert "as kept" not in html
    assert "python_version" not in html
    assert "mine" in html
