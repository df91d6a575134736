"""A strict reader of the HTML that cards are made of."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

VOID = {"meta", "img", "br", "hr", "link", "input"}


class StrictReader(HTMLParser):
    """Collects text, tags and attributes; notes every tag that is not closed in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.problems: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-3:]}")
            return
        self.open.pop()

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def read():
    """HTML → StrictReader; fails where the HTML is not well formed."""

    def read(html: str) -> StrictReader:
        reader = StrictReader()
        reader.feed(html)
        reader.close()
        assert reader.problems == []
        assert reader.open == []
        return reader

    return read
