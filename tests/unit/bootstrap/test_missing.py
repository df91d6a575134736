"""A module that the container does not have: found in the last words, told with its remedy."""

from __future__ import annotations

import pytest

from swell.bootstrap.missing import explain_missing, missing_module


@pytest.mark.parametrize(
    ("module", "package"),
    [("pandas", "pandas"), ("sklearn.svm", "scikit-learn"), ("google.protobuf", "protobuf")],
)
def test_a_module_that_is_missing_is_explained_with_the_package_that_has_it(module, package):
    text = explain_missing(module)
    assert f"'{module.partition('.')[0]}'" in text
    assert f"@pypi(packages={{'{package}': ''}})" in text
    assert "requirements.txt" in text


TRACEBACK = """Traceback (most recent call last):
  File "flow.py", line 1, in <module>
    import sklearn.svm
ModuleNotFoundError: No module named 'sklearn'
"""


@pytest.mark.parametrize(
    ("text", "module"),
    [
        (TRACEBACK, "sklearn"),
        ("ModuleNotFoundError: No module named 'a.b'; 'a' is not a package\n", "a.b"),
        (TRACEBACK + "and went on\n", None),
        ("ImportError: cannot import name 'x' from 'y'\n", None),
        ("", None),
    ],
)
def test_only_the_last_line_says_that_a_module_is_missing(text, module):
    assert missing_module(text) == module
