"""The picture of a flow's graph."""

from swell.cards.graph_picture import draw, layout
from swell.model.graph import Graph, Node, NodeType


def graph(**targets):
    nodes = {
        name: Node(name=name, type=NodeType.LINEAR, targets=tuple(goes_to))
        for name, goes_to in targets.items()
    }
    return Graph("F", nodes, "start", "end")


DIAMOND = graph(start=["a", "b"], a=["join"], b=["join"], join=["end"], end=[])
ORDER = ["start", "a", "b", "join", "end"]


def test_a_step_stands_right_of_all_that_lead_to_it_and_branches_share_a_column():
    boxes = layout(DIAMOND, ORDER)
    assert boxes["start"].x < boxes["a"].x == boxes["b"].x < boxes["join"].x < boxes["end"].x
    assert boxes["a"].y < boxes["start"].y < boxes["b"].y


def test_every_step_and_edge_is_drawn_and_the_running_step_is_marked(read):
    page = read(draw(DIAMOND, ORDER, "join"))
    classes = [attributes.get("class") for _, attributes in page.tags]
    assert classes.count("edge") == 5
    assert classes.count("node") == 4
    assert classes.count("node here") == 1


def test_a_step_that_goes_back_to_itself_is_drawn(read):
    loop = graph(start=["start", "end"], end=[])
    read(draw(loop, ["start", "end"], "start"))


def test_long_and_odd_names_are_shortened_and_escaped(read):
    name = "<step>" * 20
    page = read(draw(graph(**{name: []}), [name], ""))
    assert name in page.text
    assert "…" in page.text


def test_an_empty_graph_gives_no_picture():
    assert draw(graph(), [], "x") == ""


def test_a_long_chain_is_laid_out_without_recursion():
    names = [f"s{number}" for number in range(3000)]
    chain = graph(**{name: names[i + 1 : i + 2] for i, name in enumerate(names)})
    assert len(layout(chain, names)) == 3000
