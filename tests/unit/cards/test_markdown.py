"""Markdown on cards, compared with the reference parser where that is installed."""

import re

import pytest

from swell.cards.markdown import markdown

SAMPLES = [
    "# A *b*\n\ntext **bold** and _it_, snake_case_name, 2 * 3, `a*b`",
    "### Third ###\n#no heading",
    "- a\n- b\n  - c\n  - d\n\n    para\n- e",
    "1. x\n2. y\n\n3. z",
    "5) a\n6) b",
    "- a\n\n  b\n- c",
    "text\n- list after\n\n2013. was a year",
    "> q\nlazy\n>\n> - l",
    "a  \nb\\\nc",
    "Title\n===\n\nSub\n---\n***\n",
    "***both*** **a *b* c** *a **b** c* __x__",
    '[l](http://a.b/c_(d) "t") ![p](x.png) <https://e.org> [a [b] c](u)',
    "    code <i>\n\n~~~\nopen",
    "<script>alert(1)</script> &copy; &lt; \\* \\_x\\_",
    "``a ` b`` and `unclosed",
    "* * *\n- - -",
    "**unclosed *x",
    "",
    "   \n\t",
]


def normal(html: str) -> str:
    html = html.replace(" />", ">")
    html = re.sub(r">\s+<", "><", re.sub(r"\s+", " ", html))
    return html.replace(" </code>", "</code>").strip()


@pytest.mark.parametrize("text", SAMPLES)
def test_it_reads_as_commonmark_does(text):
    reference = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": False})
    assert normal(markdown(text)) == normal(reference.render(text))


def test_a_table_has_headers_cells_and_alignment(read):
    html = markdown("| a | b | c |\n|--:|:-:|---|\n| 1 | `x\\|y` | *z* |\n| 2 |\n\nafter")
    page = read(html)
    assert [tag for tag, _ in page.tags].count("td") == 6
    assert '<td class="number">1</td>' in html
    assert '<td class="centre"><code>x|y</code></td>' in html
    assert html.endswith("<p>after</p>")


def test_python_in_a_fence_is_coloured_and_other_code_is_not():
    assert '<span class="k">return</span>' in markdown("```python\nreturn 1\n```")
    assert "span" not in markdown("```sql\nselect 1\n```")


def test_a_bare_address_becomes_a_link_without_the_full_stop():
    assert '<a href="https://a.b/c?d=1">https://a.b/c?d=1</a>.' in markdown(
        "See https://a.b/c?d=1."
    )


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](java&#9;script:alert(1))",
        "[x](<java\tscript:alert(1)>)",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](javascript:alert(1))",
        "[x](vbscript:y)",
        '![x" onerror="alert(1)](a"b)',
        '[x](u "t\\" onclick=1")',
        "<img src=x onerror=alert(1)>",
        "<javascript:alert(1)>",
    ],
)
def test_no_text_becomes_a_program(read, text):
    for tag, attributes in read(markdown(text)).tags:
        assert tag in {"p", "a", "img", "code"}
        assert set(attributes) <= {"href", "title", "src", "alt"}
        address = attributes.get("href") or attributes.get("src") or ""
        assert not address.lower().startswith(("javascript", "vbscript", "data"))
