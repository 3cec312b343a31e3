"""Graphs in files: what is written is read back, and what is wrong is named."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from nas.errors import CycleError, GraphError, UnreachableOutputError
from nas.graph import (
    DAG,
    random_dag,
    read_edge_list,
    read_graphml,
    to_dot,
    write_dot,
    write_edge_list,
    write_graphml,
)


@pytest.fixture
def dag() -> DAG:
    return random_dag(4, 12, 3, density=0.4, rng=np.random.default_rng(3))


def csv(folder: Path, text: str) -> Path:
    path = folder / "edges.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_edge_list_is_read_back(tmp_path: Path, dag: DAG) -> None:
    path = tmp_path / "edges.csv"
    write_edge_list(path, dag, np.arange(dag.n_edges) / 7)
    assert path.read_text().splitlines()[0] == "source,target,weight"
    inputs, outputs = range(4), range(dag.first_output, dag.n)
    found = read_edge_list(path, inputs, outputs)
    assert nx.utils.graphs_equal(nx.DiGraph(found.edges.tolist()), nx.DiGraph(dag.edges.tolist()))
    assert found.sizes == dag.sizes


def test_edge_list_with_labels_extra_columns_and_roles_by_degree(tmp_path: Path) -> None:
    path = csv(tmp_path, "weight;target;source\n1;h;b\n2;h;a\n\n3;y;h\n4;y;a\n")
    dag = read_edge_list(path, delimiter=";")
    assert dag.names == ("b", "a", "h", "y")
    assert dag.sizes == (2, 1, 1)
    assert read_edge_list(path, ["a", "b"], ["y"], delimiter=";").names == ("a", "b", "h", "y")


def test_numbers_are_put_in_their_order(tmp_path: Path) -> None:
    dag = read_edge_list(csv(tmp_path, "10,11\n9,10\n8,10\n8,12\n"))
    assert dag.names == ("8", "9", "10", "11", "12")


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("a,b\nb,c\nc,b\nc,d\n", CycleError, r"edges\.csv: .*cycle.*b->c->b"),
        ("a,b\nb,\n", GraphError, r"edges\.csv, line 2: .*'b,'"),
        ("source,target\n", GraphError, "holds no edge"),
        ("a,b\na,b\n", GraphError, r"given once.*'a'.*'b'.* twice"),
    ],
)
def test_bad_edge_lists_are_refused(tmp_path: Path, text: str, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        read_edge_list(csv(tmp_path, text))


def test_roles_of_edge_lists_are_checked(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,h\nh,y\nb,z\n")
    with pytest.raises(GraphError, match="input 'q' is an unknown neuron"):
        read_edge_list(path, ["q"])
    with pytest.raises(UnreachableOutputError, match="'z'"):
        read_edge_list(path, ["a"], ["y", "z"])
    with pytest.raises(GraphError, match="'h'->'y'"):
        read_edge_list(path, ["a", "b"], ["h", "z"])


def test_binary_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xff\xfe\x00a,\x81")
    with pytest.raises(GraphError, match="no table in UTF-8"):
        read_edge_list(path)
    with pytest.raises(GraphError, match="no GraphML"):
        read_graphml(path)


def test_graphml_is_read_back_whole(tmp_path: Path, dag: DAG) -> None:
    named = DAG(*dag.sizes, dag.edges, np.arange(dag.n) * 3 + 5, [f"n {k}" for k in range(dag.n)])
    path = tmp_path / "dag.graphml"
    write_graphml(path, named, np.linspace(-1, 1, dag.n_edges))
    found = read_graphml(path)
    assert found == named
    assert found.names == named.names
    weights = [value for *_, value in nx.read_graphml(path).edges(data="weight")]
    assert min(weights) == -1
    assert max(weights) == 1


def test_graphml_of_others_has_roles_by_degree(tmp_path: Path) -> None:
    path = tmp_path / "other.graphml"
    nx.write_graphml(nx.DiGraph([("p", "q"), ("q", "r"), ("p", "r")]), path)
    assert read_graphml(path).names == ("p", "q", "r")
    nx.write_graphml(nx.Graph([("p", "q")]), path)
    with pytest.raises(GraphError, match=r"other\.graphml: .*undirected"):
        read_graphml(path)
    nx.write_graphml(nx.MultiDiGraph([("p", "q"), ("p", "q")]), path)
    with pytest.raises(GraphError, match="p->q is given twice"):
        read_graphml(path)


def test_dot_has_every_neuron_and_edge(tmp_path: Path) -> None:
    dag = DAG.from_edges([("a", 'h "1"'), ('h "1"', "y"), ("a", "y")], ["a"], ["y"])
    text = to_dot(dag, [0.5, -2, 0])
    assert '1 [label="h \\"1\\""];' in text
    assert text.count(" -> ") == 3
    assert '0 -> 1 [label="0.5", weight=1, color=blue];' in text
    assert text.count("color=orange") == text.count("color=gray") == 1
    write_dot(tmp_path / "x.dot", dag)
    assert (tmp_path / "x.dot").read_text() == to_dot(dag)
    with pytest.raises(GraphError, match=r"shape \(3,\), one an edge, but has shape \(2,\)"):
        to_dot(dag, [1, 2])


def test_an_unknown_encoding_is_no_graphml(tmp_path):
    (tmp_path / "g.graphml").write_bytes(b"<?xml version='1.0' encoding='utf-88'?><graphml/>")
    with pytest.raises(GraphError, match="no GraphML file that can be read: unknown encoding"):
        read_graphml(tmp_path / "g.graphml")


GRAPHML = """<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed">
<node id="a"/><node id="h"/><node id="y"/><edge source="a" target="h"/><edge source="h" target="y"/>
</graph></graphml>"""


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('target="y"', 'target="Y"', "edge h->Y names the node 'Y', which the file does not have"),
        ('source="a"', 'source="A"', "edge A->h names the node 'A'"),
        ('<node id="y"/>', '<node id="y"/><node id="y"/>', "'y' is given twice"),
        (
            '<node id="y"/>',
            '<node id="y"><graph edgedefault="directed"><node id="inner"/></graph></node>',
            "a graph inside of a node",
        ),
    ],
)
def test_graphml_makes_no_neuron_and_loses_none(tmp_path: Path, old: str, new: str, match: str) -> None:
    path = tmp_path / "graph.graphml"
    path.write_text(GRAPHML)
    assert read_graphml(path).names == ("a", "h", "y")
    path.write_text(GRAPHML.replace(old, new))
    with pytest.raises(GraphError, match=rf"graph\.graphml: .*{match}"):
        read_graphml(path)
