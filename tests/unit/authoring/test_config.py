"""Configs: where their values come from, what they are, and where they may stand."""

import copy
import json
import pickle

import pytest

from swell.authoring.config import Config, ConfigValue
from swell.authoring.config_expr import config_expr, evaluate
from swell.authoring.config_values import GivenConfigs, resolve_configs
from swell.authoring.parameter import ParameterContext
from swell.decorators.environment import environment
from swell.decorators.resources import resources
from swell.decorators.retry import retry
from swell.errors import FlowError, InvalidDecoratorAttribute, UsageError

CONTEXT = ParameterContext("F", "ann", "", print, "local", {})
FACTOR = 3


def resolved(config, **given):
    (value,) = resolve_configs({"cfg": config}, GivenConfigs(**given), CONTEXT).values()
    return value


def upper_words(text):
    return {"words": text.upper().split()}


# --- where a value comes from ----------------------------------------------------


def test_the_command_line_beats_the_environment_which_beats_the_default():
    config = Config("cfg", default_value={"from": "default"})
    environment = {"environment_values": '{"cfg": {"from": "environment"}}'}
    line = {"values": (("cfg", '{"from": "line"}'),)}
    assert resolved(config) == {"from": "default"}
    assert resolved(config, **environment) == {"from": "environment"}
    assert resolved(config, **environment, **line) == {"from": "line"}


def test_a_config_is_read_from_a_file(tmp_path):
    path = tmp_path / "cfg.json"
    path.write_text('{"a": {"b": [1, {"c": 2}]}}')
    for given in (
        {"files": (("CFG", str(path)),)},
        {"environment_files": json.dumps({"cfg": str(path)})},
    ):
        assert resolved(Config("cfg"), **given).a.b[1].c == 2
    assert resolved(Config("cfg", default=str(path))).a.b[0] == 1
    assert resolved(Config("cfg", default=lambda context: path)).a.b[0] == 1


def test_nothing_given_is_none():
    assert resolved(Config("cfg")) is None


def test_a_function_gives_the_default_value_and_is_told_the_name():
    config = Config("cfg", default_value=lambda context: {"name": context.parameter_name})
    assert resolved(config) == {"name": "cfg"}


def test_a_parser_reads_the_text_by_function_or_dotted_name():
    assert resolved(Config("cfg", default_value="a b", parser=upper_words)).words == ["A", "B"]
    by_name = Config("cfg", default_value='{"a": 1}', parser="json.loads")
    assert resolved(by_name).a == 1


def test_a_plain_config_may_be_any_object():
    assert resolved(Config("cfg", default_value="[1, 2]", plain=True)) == [1, 2]
    value = resolved(Config("cfg", default_value='{"a": 1}', plain=True))
    assert type(value) is dict


BAD_GIVEN = [
    ({"values": (("other", "{}"),)}, "does not have"),
    ({"files": (("cfg", "no/such/file"),)}, "no/such/file"),
    ({"files": (("cfg", "a"),), "values": (("cfg", "{}"),)}, "both a file and a value"),
    ({"values": (("cfg", "{"),)}, "cannot be read as JSON"),
    ({"values": (("cfg", "[1]"),)}, "not a mapping"),
    ({"environment_files": "{"}, "SWELL_FLOW_CONFIG is not JSON"),
    ({"environment_values": "[]"}, "SWELL_FLOW_CONFIG_VALUE is no JSON object"),
    ({"environment_files": '{"cfg": 3}'}, "is not a path"),
    ({"environment_values": '{"other": {}}'}, "does not have"),
]


@pytest.mark.parametrize(("given", "told"), BAD_GIVEN)
def test_what_is_given_wrongly_is_a_usage_error_with_a_remedy(given, told):
    with pytest.raises(UsageError) as refused:
        resolved(Config("cfg"), **given)
    assert told in refused.value.message
    assert refused.value.remedy


def test_a_default_file_that_is_missing_is_an_error():
    with pytest.raises(UsageError, match=r"missing\.json"):
        resolved(Config("cfg", default="missing.json"))


def test_a_required_config_must_be_given():
    with pytest.raises(UsageError, match="'cfg' is required"):
        resolved(Config("cfg", required=True))


def test_a_parser_that_raises_is_told_with_its_words():
    def parse(text):
        raise ValueError("line 3 is odd")

    with pytest.raises(UsageError, match="line 3 is odd"):
        resolved(Config("cfg", default_value="x", parser=parse))


@pytest.mark.parametrize("parser", ["loads", "json.no_such_name", "no_such_module_here.loads"])
def test_a_parser_that_cannot_be_found_is_named(parser):
    with pytest.raises(FlowError, match=parser):
        resolved(Config("cfg", default_value="x", parser=parser))


def test_a_default_function_that_raises_is_told():
    with pytest.raises(FlowError, match=r"'cfg' raised ZeroDivisionError"):
        resolved(Config("cfg", default_value=lambda context: 1 / 0))


def test_two_configs_of_one_name_are_refused():
    with pytest.raises(FlowError, match="used twice"):
        resolve_configs({"a": Config("cfg"), "b": Config("CFG")}, GivenConfigs(), CONTEXT)


@pytest.mark.parametrize("name", ["two words", "", "1a", None])
def test_a_name_that_cannot_be_an_option_is_refused(name):
    with pytest.raises(FlowError, match="Config name"):
        Config(name)


def test_default_and_default_value_exclude_each_other():
    with pytest.raises(FlowError, match="both default"):
        Config("cfg", default="a.json", default_value={})


# --- the value -------------------------------------------------------------------


def test_a_config_value_is_read_by_attribute_and_by_key():
    value = ConfigValue({"a": {"b": 1}, "xs": [{"c": 2}]})
    assert value.a.b == value["a"]["b"] == 1
    assert value.xs[0].c == 2
    assert isinstance(value, dict)
    assert json.loads(json.dumps(value)) == {"a": {"b": 1}, "xs": [{"c": 2}]}


def test_a_missing_key_names_those_that_are_there():
    with pytest.raises(AttributeError, match=r"'b'.*Keys there: a"):
        _ = ConfigValue({"a": 1}).b


def test_to_dict_is_plain_all_through_and_apart():
    value = ConfigValue({"a": {"b": [{"c": 1}]}})
    plain = value.to_dict()
    plain["a"]["b"][0]["c"] = 5
    assert type(plain["a"]["b"][0]) is dict
    assert value.a.b[0].c == 1


def change_key(value):
    value["a"] = 2


def change_attribute(value):
    value.a = 2


def delete_key(value):
    del value["a"]


@pytest.mark.parametrize(
    "change",
    [
        change_key,
        change_attribute,
        delete_key,
        lambda value: value.update(a=2),
        lambda value: value.pop("a"),
        lambda value: value.clear(),
        lambda value: value.setdefault("b", 1),
        lambda value: value.__ior__({"b": 1}),
    ],
)
def test_a_config_value_cannot_be_changed(change):
    value = ConfigValue({"a": 1})
    with pytest.raises(TypeError, match="to_dict"):
        change(value)
    assert value == {"a": 1}


def test_a_config_value_survives_pickling_and_copying():
    value = ConfigValue({"a": {"b": 1}})
    for other in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value), copy.copy(value)):
        assert other == value
        assert other.a.b == 1


# --- late values -----------------------------------------------------------------


def test_a_config_stands_for_its_value_wherever_the_class_says_something():
    cfg = Config("cfg")
    known = {"cfg": ConfigValue({"mb": 100, "sub": {"n": 2}, "env": {"A": "1", "B": "2"}})}
    assert resources(memory=cfg.mb).resolve(known).given == {"memory": 100}
    assert retry(times=cfg["sub"].n).resolve(known).given == {"times": 2}
    late = environment(vars={**cfg.env, "C": cfg.sub["n"]}).resolve(known)
    assert late.given == {"vars": {"A": "1", "B": "2", "C": 2}}


def test_a_config_spread_into_arguments_is_checked_once_known():
    cfg = Config("cfg")
    use = retry(**cfg.retry)
    assert use.resolve({"cfg": ConfigValue({"retry": {"times": 1}})}).given == {"times": 1}
    with pytest.raises(InvalidDecoratorAttribute, match="'tmies'"):
        use.resolve({"cfg": ConfigValue({"retry": {"tmies": 1}})})


def test_an_expression_sees_config_names_and_the_globals_of_its_module():
    known = {"cfg": ConfigValue({"n": 2})}
    assert evaluate(config_expr("cfg.n * FACTOR"), known) == 6
    assert evaluate([{"x": (config_expr("cfg.n"),)}], known) == [{"x": (2,)}]


def test_an_expression_that_fails_is_told_with_the_configs_there_are():
    with pytest.raises(FlowError) as failed:
        evaluate(config_expr("cgf.n"), {"cfg": ConfigValue({})})
    assert "cgf.n" in failed.value.message
    assert "cfg" in failed.value.remedy


def test_a_key_that_is_missing_is_told_with_those_there_are():
    with pytest.raises(FlowError) as failed:
        evaluate(Config("cfg").sub.n, {"cfg": ConfigValue({"sub": {"m": 1}})})
    assert "cfg.sub.n" in failed.value.message
    assert "m" in failed.value.remedy


def test_every_key_can_be_reached_by_attribute_also_those_a_declaration_has():
    known = {"cfg": ConfigValue({"name": "x", "default": "y"})}
    cfg = Config("cfg")
    assert evaluate([cfg.name, cfg.default], known) == ["x", "y"]


def test_a_late_value_can_neither_be_tested_nor_iterated_before_the_run():
    with pytest.raises(TypeError, match="before the run starts"):
        bool(Config("cfg").flag)
    with pytest.raises(TypeError, match="before the run starts"):
        list(Config("cfg").items_to_do)


def test_spreading_what_is_no_mapping_is_told():
    with pytest.raises(FlowError, match="not a mapping"):
        retry(**Config("cfg").n).resolve({"cfg": ConfigValue({"n": 3})})
