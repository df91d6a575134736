"""Parameters and included files: from text, objects and defaults to values."""

import re

import click
import pytest
from click.testing import CliRunner

from swell.authoring.config import Config, ConfigValue
from swell.authoring.declared import parameters_of
from swell.authoring.flow import Flow
from swell.authoring.include_file import IncludeFile
from swell.authoring.parameter import (
    RESERVED_NAMES,
    JSONType,
    Parameter,
    ParameterContext,
    refuse_duplicate_names,
)
from swell.authoring.parameter_option import click_option, given_values
from swell.authoring.parameter_values import resolve_values
from swell.errors import (
    FlowError,
    ParameterFieldFailed,
    ParameterFieldTypeMismatch,
    ParserValueError,
    UsageError,
)

CONTEXT = ParameterContext("F", "ann", "", print, "local", {})


def value_of(parameter, *given):
    values = {parameter.name: given[0]} if given else {}
    return resolve_values({"attribute": parameter}, values, CONTEXT)["attribute"]


def from_command_line(parameter, *arguments, env=None):
    """Value, or the usage error's text."""
    found = []
    option = click_option(parameter)

    @click.command(params=[option])
    def command(**values):
        found.append(given_values({"attribute": parameter}, values))

    result = CliRunner().invoke(command, list(arguments), env=env or {})
    if result.exit_code:
        assert result.exit_code == 2
        return result.output
    return resolve_values({"attribute": parameter}, found[0], CONTEXT)["attribute"]


@pytest.mark.parametrize(
    ("parameter", "given", "value"),
    [
        (Parameter("x"), "5", "5"),
        (Parameter("x", type=int), "5", 5),
        (Parameter("x", default=1), "5", 5),
        (Parameter("x", default=1.5), "5", 5.0),
        (Parameter("x", default="a"), "5", "5"),
        (Parameter("x", default=True), "no", False),
        (Parameter("x", type=bool), "T", True),
        (Parameter("x", type=bool), "0", False),
        (Parameter("x", type=JSONType), '{"a": [1]}', {"a": [1]}),
        (Parameter("x", default={"a": 1}), "[2]", [2]),
        (Parameter("x", separator=","), "a,b", ["a", "b"]),
        (Parameter("x", type=click.Choice(["a", "b"])), "b", "b"),
        (Parameter("x", type=click.IntRange(1, 9)), "7", 7),
        (Parameter("x-y", type=int), "3", 3),
    ],
)
def test_text_of_the_command_line_becomes_a_value_of_the_parameters_type(parameter, given, value):
    found = from_command_line(parameter, f"--{parameter.name}", given)
    assert (type(found), found) == (type(value), value)
    assert value_of(parameter, given) == value


@pytest.mark.parametrize(
    ("parameter", "given", "told"),
    [
        (Parameter("x", type=int), "many", "an integer"),
        (Parameter("x", type=int), "1.5", "an integer"),
        (Parameter("x", type=float), "many", "a number"),
        (Parameter("x", type=bool), "maybe", "yes/no"),
        (Parameter("x", type=JSONType), '{"a": }', "line 1, column 7"),
        (Parameter("x", type=click.Choice(["a", "b"])), "c", "'a', 'b'"),
    ],
)
def test_text_of_the_wrong_type_is_a_usage_error_that_says_what_is_wanted(parameter, given, told):
    assert told in re.sub(r"\s+", " ", from_command_line(parameter, "--x", given))
    with pytest.raises(UsageError, match="Parameter 'x'"):
        value_of(parameter, given)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (Parameter("x"), None),
        (Parameter("x", type=int), None),
        (Parameter("x", is_flag=True), False),
        (Parameter("x", multiple=True), ()),
        (Parameter("x", nargs=2), None),
        (Parameter("x", default=3), 3),
        (Parameter("x", default="3", type=int), 3),
        (Parameter("x", default=2, type=float), 2.0),
        (Parameter("x", default="a,b", separator=","), ["a", "b"]),
        (Parameter("x", default=["a"], separator=","), ["a"]),
        (Parameter("x", default='{"a": 1}', type=JSONType), {"a": 1}),
        (Parameter("x", default={"a": 1}, type=JSONType), {"a": 1}),
        (Parameter("x", default=[1, 2], multiple=True), (1, 2)),
        (Parameter("x", default=3, required=True), 3),
        (Parameter("x", default=lambda context: context.parameter_name), "x"),
        (Parameter("x", default=lambda context: 4, type=int), 4),
        (Parameter("x", default=lambda context: None, type=int), None),
        (Parameter("x", default=lambda context: {"a": 1}, type=JSONType), {"a": 1}),
    ],
)
def test_nothing_given_means_the_default_in_the_parameters_type(parameter, value):
    assert from_command_line(parameter) == value
    assert value_of(parameter) == value


def test_flags_and_repeated_options():
    assert from_command_line(Parameter("x", is_flag=True), "--x") is True
    assert from_command_line(Parameter("x", multiple=True, type=int), "--x", "1", "--x", "2") == (
        1,
        2,
    )
    assert from_command_line(Parameter("x", nargs=2, type=float), "--x", "1", "2") == (1.0, 2.0)


def test_a_value_may_come_from_the_environment_and_the_command_line_beats_it():
    env = {"SWELL_RUN_MY_SIZE": "5"}
    parameter = Parameter("my-size", default=1)
    assert from_command_line(parameter, env=env) == 5
    assert from_command_line(parameter, "--my-size", "7", env=env) == 7


def test_objects_may_be_given_by_programs_under_either_spelling():
    parameters = {"size": Parameter("my-size", type=int), "d": Parameter("d", type=JSONType)}
    values = resolve_values(parameters, {"my_size": 3, "d": {"a": 1}}, CONTEXT)
    assert values == {"size": 3, "d": {"a": 1}}


def test_a_default_function_is_called_once_and_only_if_nothing_was_given():
    calls = []
    parameter = Parameter("x", default=lambda context: calls.append(context) or "made")
    assert value_of(parameter, "given") == "given"
    assert calls == []
    assert value_of(parameter) == "made"
    (context,) = calls
    assert (context.flow_name, context.user_name, context.ds_type) == ("F", "ann", "local")


def test_a_default_function_that_raises_is_told_with_the_users_traceback():
    def broken(context):
        return 1 / 0

    with pytest.raises(ParameterFieldFailed) as failed:
        value_of(Parameter("x", default=broken))
    assert "'x'" in failed.value.message
    assert "in broken" in failed.value.message
    assert "parameter_values" not in failed.value.message


@pytest.mark.parametrize(
    "parameter",
    [
        Parameter("x", type=int, default="many"),
        Parameter("x", type=float, default=[1]),
        Parameter("x", type=bool, default="maybe"),
        Parameter("x", type=JSONType, default="{"),
        Parameter("x", default=lambda context: 5),
        Parameter("x", type=int, default=lambda context: "many"),
        Parameter("x", type=int, default=True),
        Parameter("x", separator=",", default=[1]),
    ],
)
def test_a_default_of_the_wrong_type_is_told_with_its_place(parameter):
    with pytest.raises(ParameterFieldTypeMismatch, match="'x'") as wrong:
        value_of(parameter)
    assert wrong.value.source_file == __file__


def test_a_required_parameter_that_is_missing_is_a_usage_error():
    with pytest.raises(UsageError, match="'x' is required"):
        value_of(Parameter("x", required=True))


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UsageError) as unknown:
        resolve_values({"a": Parameter("x")}, {"y": 1}, CONTEXT)
    assert "x" in unknown.value.remedy


@pytest.mark.parametrize("name", [*sorted(RESERVED_NAMES), "run_id", "MAX-WORKERS", "Tag"])
def test_a_reserved_name_is_refused_by_name(name):
    with pytest.raises(FlowError, match=f"'{name}' is reserved") as refused:
        Parameter(name)
    assert refused.value.source_file == __file__


@pytest.mark.parametrize("name", ["", "two words", "1st", "a.b", None])
def test_a_name_that_cannot_be_an_option_is_refused(name):
    with pytest.raises(FlowError, match="cannot be an option"):
        Parameter(name)


@pytest.mark.parametrize("field", ["required", "show_default", "separator"])
def test_only_the_default_may_be_a_function(field):
    with pytest.raises(FlowError, match=f"{field} of Parameter 'x' is a function"):
        Parameter("x", **{field: lambda context: None})


def test_a_separator_wants_text():
    with pytest.raises(FlowError, match="separator"):
        Parameter("x", type=int, separator=",")


def test_names_that_differ_in_case_or_dashes_only_are_refused():
    class Twice(Flow):
        one = Parameter("my-size")
        two = Parameter("MY_SIZE")

    with pytest.raises(FlowError, match="used twice"):
        refuse_duplicate_names(parameters_of(Twice))


def test_a_default_may_come_from_a_config():
    cfg = Config("cfg")
    parameter = Parameter("x", default=cfg.n).resolve({"cfg": ConfigValue({"n": 3})})
    assert value_of(parameter) == 3
    assert value_of(parameter, "5") == 5


def test_help_shows_type_and_default_unless_told_otherwise():
    def help_of(parameter):
        command = click.Command("run", params=[click_option(parameter)])
        return CliRunner().invoke(command, ["--help"]).output

    shown = help_of(Parameter("x", default=3, help="how many"))
    assert "INTEGER" in shown
    assert "how many" in shown
    assert "default: 3" in shown
    assert "default" not in help_of(Parameter("x", default=3, show_default=False))
    assert "computed when the run starts" in help_of(Parameter("x", default=lambda c: 1))


# --- IncludeFile -----------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.txt"
    path.write_bytes("grün\n".encode())
    return str(path)


def shout(text):
    return text.strip().upper()


def test_a_file_is_read_as_text_bytes_or_by_a_parser(file):
    assert value_of(IncludeFile("f"), file) == "grün\n"
    assert value_of(IncludeFile("f", default=file)) == "grün\n"
    assert value_of(IncludeFile("f", is_text=False), file) == "grün\n".encode()
    assert value_of(IncludeFile("f", encoding="latin-1"), file) == "grÃ¼n\n"
    assert value_of(IncludeFile("f", parser=shout), file) == "GRÜN"
    assert value_of(IncludeFile("f", parser="textwrap.dedent"), file) == "grün\n"
    assert from_command_line(IncludeFile("f"), "--f", file) == "grün\n"


def test_a_default_function_may_give_the_path(file):
    assert value_of(IncludeFile("f", default=lambda context: file)) == "grün\n"


def test_a_tilde_means_home(file, monkeypatch):
    monkeypatch.setenv("HOME", file.rpartition("/")[0])
    assert value_of(IncludeFile("f"), "~/data.txt") == "grün\n"


def test_no_file_is_none():
    assert value_of(IncludeFile("f")) is None


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("s3://bucket/data", "a URL"),
        ("https://host/data", "a URL"),
        ("/no/such/file", "/no/such/file"),
        ("/", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_usage_error_with_the_path(path, told):
    with pytest.raises(UsageError, match=told) as refused:
        value_of(IncludeFile("f"), path)
    assert path in refused.value.message


@pytest.mark.parametrize("encoding", ["ascii", "no-such-encoding"])
def test_a_file_that_is_not_in_the_encoding_is_a_usage_error(file, encoding):
    with pytest.raises(UsageError, match=encoding):
        value_of(IncludeFile("f", encoding=encoding), file)


def test_a_parser_that_raises_is_told_with_file_and_words(file):
    def parse(text):
        raise ValueError("line 3 is odd")

    with pytest.raises(ParserValueError, match=r"data\.txt.*line 3 is odd"):
        value_of(IncludeFile("f", parser=parse), file)
