"""profile."""

import pytest

from swell.helpers.profile import profile


def test_it_prints_the_label_and_milliseconds(capsys):
    with profile("load"):
        pass
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "load: started"
    assert lines[1].startswith("load: took ")
    assert lines[1].endswith(" ms")


def test_a_dictionary_sums_up_and_nothing_is_printed(capsys):
    stats = {"load": 5}
    with profile("load", stats):
        pass
    with profile("save", stats):
        pass
    assert stats["load"] >= 5
    assert set(stats) == {"load", "save"}
    assert capsys.readouterr().out == ""


def test_a_block_that_raises_is_timed_too():
    stats: dict[str, int] = {}
    with pytest.raises(ValueError), profile("load", stats):
        raise ValueError
    assert "load" in stats
