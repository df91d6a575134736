"""A foreach over generators and iterators, from the step that opens it to the join."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.driving import Place

FLOW = """
class RowsFlow(FlowSpec):
    @step
    def start(self):
        self.rows = {rows}
        self.next(self.work, foreach="rows")

    @step
    def work(self):
        self.row = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        print("rows", [i.row for i in inputs], hasattr(self, "rows"), hasattr(inputs[0], "rows"))
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    RowsFlow()
"""


@pytest.mark.parametrize(
    ("rows", "is_kept"),
    [
        ("(n * n for n in range(3))", False),
        ("iter([0, 1, 4])", False),
        ("map(abs, [0, -1, -4])", False),
        ("[0, 1, 4]", True),
    ],
)
def test_items_of_an_iterator_are_stored_and_the_iterator_is_not(
    tmp_path: Path, rows: str, is_kept: bool
) -> None:
    place = Place(tmp_path)

    ended = place.run(place.script(FLOW.format(rows=rows)), "run")

    assert ended.code == 0, ended.text
    assert f"rows [0, 1, 4] False {is_kept}" in ended.text
