"""Tables and previews of values."""

import datetime

import pytest

from swell.cards import Artifact, Image, Table, VegaChart


def cells(page, tag="td"):
    return [attributes for name, attributes in page.tags if name == tag]


def test_a_column_of_numbers_is_aligned_right_and_its_header_too():
    html = Table([["a", 1, 2.5], ["b", 1000, None]], headers=["name", "n", "x"]).render()
    assert '<th scope="col">name</th><th scope="col" class="number">n</th>' in html
    assert '<td class="number">1,000</td>' in html
    assert '<td class="number"><span title="2.5">2.5</span></td>' in html


def test_a_column_with_any_text_is_not_aligned_right():
    assert 'class="number"' not in Table([[1], ["x"]]).render()


def test_cells_may_be_components_and_any_objects(read):
    day = datetime.date(2013, 1, 2)
    table = Table([[Artifact({"a": 1}), VegaChart({"mark": "bar"}), day, True, {"k": [1]}]])
    page = read(table.render())
    assert "{'a': 1}" in page.text
    assert "2013-01-02" in page.text
    assert "{'k': [1]}" in page.text
    assert '"width": 220' in table.render()


def test_an_empty_table_and_ragged_rows_are_drawn(read):
    read(Table().render())
    page = read(Table([["a"], ["b", "c"]], headers=["1", "2", "3"]).render())
    assert len(cells(page)) == 3
    assert len(cells(page, "th")) == 3


def test_a_pandas_frame_shows_index_columns_and_five_rows(read):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"n": range(7), "s": list("abcdefg")}, index=list("tuvwxyz"))
    page = read(Table.from_dataframe(frame).render())
    assert len(cells(page)) == 10
    assert "t0a" in page.text
    assert "2 more rows" in page.text
    assert len(cells(read(Table.from_dataframe(frame, truncate=False).render()))) == 14


def test_missing_values_and_numpy_numbers_are_numbers_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [1.5, None], "d": [pandas.NaT, pandas.Timestamp(0)]})
    html = Table.from_dataframe(frame).render()
    assert '<td class="number"><span class="none">nan</span></td>' in html
    assert "NaT" in html
    assert "1970-01-01" in html


def test_what_is_no_data_frame_is_said_in_place_of_the_table():
    assert "list is not a data frame" in Table.from_dataframe([1]).render()


def test_a_numpy_array_is_shown_by_its_corners_with_shape(read):
    numpy = pytest.importorskip("numpy")
    page = read(Artifact(numpy.zeros((100, 3))).render())
    assert "100 × 3, float64" in page.text
    assert "..." in page.text


def test_a_picture_in_bytes_is_shown_as_a_picture(read):
    png = b"\x89PNG\r\n\x1a\n" + b"0" * 20
    page = read(Artifact(png).render())
    (picture,) = [attributes for tag, attributes in page.tags if tag == "img"]
    assert picture["src"].startswith("data:image/png;base64,")
    assert not [tag for tag, _ in read(Artifact(b"plain").render()).tags if tag == "img"]


def test_an_image_of_bytes_or_a_data_url_is_embedded(read):
    jpeg = b"\xff\xd8\xff" + b"0" * 20
    page = read(Image(jpeg, label="A <picture>").render())
    assert "A <picture>" in page.text
    assert "data:image/jpeg;base64," in Image(jpeg).render()
    assert "data:image/png;base64,xx" in Image("data:image/png;base64,xx").render()


@pytest.mark.parametrize("source", [None, b"text", "http://a.b/c.png", 5, 'data:text/html,x"'])
def test_what_is_no_picture_is_said_on_the_card(read, source):
    page = read(Image(source).render())
    assert "cannot be shown" in page.text
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_a_matplotlib_figure_or_its_axes_become_a_picture_and_pyplot_forgets_them():
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(4, 2))
    image = Image.from_matplotlib(axes, label="Axes")
    assert "width:400px" in image.render()
    assert not pyplot.fignum_exists(figure.number)
    assert "data:image/png" in Image.from_matplotlib(figure).render()


def test_a_pil_picture_is_embedded_and_can_be_replaced():
    pil = pytest.importorskip("PIL.Image")
    image = Image.from_pil_image(pil.new("CMYK", (2, 2)))
    before = image.render()
    assert "data:image/png" in before
    image.update(pil.new("RGB", (3, 3)), label="new")
    assert image.render() != before
    assert "new" in image.render()


def test_an_image_with_updates_disabled_stays_and_says_so(capsys):
    image = Image("data:image/png;base64,xx")
    image.update("data:image/png;base64,yy")
    assert "xx" in image.render()
    assert "disable_updates" in capsys.readouterr().err
