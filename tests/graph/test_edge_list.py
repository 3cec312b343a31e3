"""Tables of edges: a header is no neuron, no line is lost, and where a file may mean two things it is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nas.engine import DAGModule
from nas.errors import GraphError
from nas.graph import DAG, draw_activations, random_dag, read_edge_list, read_graphml, write_edge_list, write_graphml

EDGES = {("a", "h"): 3.0, ("b", "h"): 1.0, ("h", "y"): 2.0, ("a", "y"): -0.5}


def table(folder: Path, text: str) -> Path:
    path = folder / "edges.csv"
    path.write_bytes(text.encode())
    return path


def by_name(dag: DAG, weight: np.ndarray) -> dict[tuple[str, str], float]:
    assert dag.names is not None
    return {(dag.names[s], dag.names[t]): w for (s, t), w in zip(dag.edges.tolist(), weight.tolist(), strict=True)}


BODY = "\n".join(f"{s},{t},{w}" for (s, t), w in EDGES.items()) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "source,target,weight\n" + BODY,
        "pre,post,n\n" + BODY,
        "from,to,w\n" + BODY,
        "u,v,capacity\n" + BODY,
        "Pre_ID,Post_ID,syn_count\n" + BODY,
        "begin,finish,strength\n" + BODY,
        "parent;child;x\n" + BODY.replace(",", ";"),
        "FromNodeId\tToNodeId\tn\n" + BODY.replace(",", "\t"),
        "tail|head|n\n" + BODY.replace(",", "|"),
        "source target weight\n" + BODY.replace(",", "  "),
        BODY,
        BODY.replace(",", " "),
        "\ufeff" + BODY,
        BODY.replace("\n", "\r\n"),
        BODY.replace("\n", "\r"),
        "# made by hand\n% and more\n\npre,post,n\n" + BODY.replace("h,y", "# a comment\nh,y"),
        '"pre","post","n"\n' + "".join(f'"{s}" , "{t}" ,{w}\n' for (s, t), w in EDGES.items()),
        "n,post,pre\n" + "".join(f"{w},{t},{s}\n" for (s, t), w in EDGES.items()),
        "to,from,w\n" + "".join(f"{t},{s},{w}\n" for (s, t), w in EDGES.items()),
        ",source,target,weight\n" + "".join(f"{k},{s},{t},{w}\n" for k, ((s, t), w) in enumerate(EDGES.items())),
        "weight,id,source,target\n" + "".join(f"{w},{k},{s},{t}\n" for k, ((s, t), w) in enumerate(EDGES.items())),
        BODY.replace("\n", ",\n"),
    ],
)
def test_every_layout_gives_the_same_graph_and_weights(tmp_path: Path, text: str) -> None:
    dag, weight = read_edge_list(table(tmp_path, text), weights=True)
    assert by_name(dag, weight) == EDGES
    assert dag.sizes == (2, 1, 1)
    assert read_edge_list(table(tmp_path, text)) == dag
    module = DAGModule(dag, weight=weight)
    assert np.array_equal(module.weight.detach().numpy(), weight.astype(np.float32))


@pytest.mark.parametrize("header", ["pre,post", "in,out", "from,to", "u,v"])
def test_headers_over_numbers(tmp_path: Path, header: str) -> None:
    dag = read_edge_list(table(tmp_path, f"{header}\n0,2\n1,2\n2,3\n"))
    assert (dag.sizes, dag.names) == ((2, 1, 1), None)


def test_labels_that_are_words_of_headers_stay_neurons_where_other_lines_have_them(tmp_path: Path) -> None:
    dag = read_edge_list(table(tmp_path, "u,v\nu,w\nv,w\n"))
    assert dag.names == ("u", "v", "w")
    assert read_edge_list(table(tmp_path, "a,h,NA\nh,y,3\n")).names == ("a", "h", "y")


@pytest.mark.parametrize(
    ("text", "arguments", "match"),
    [
        ("x,y\na,h\nh,z\n", {}, "line 1: nothing tells whether 'x,y' is an edge or names the columns; say header="),
        ("a,h,word\nh,y,3\n", {}, "nothing tells"),
        ("a;b;0,5\nb;c;0,25\n", {}, "line 1: ',' and ';' may both separate"),
        ("id,a,b\n0,x,y\n1,y,z\n", {}, "looks like a number of the line"),
        ("a,b\nc,d,e\n", {}, "line 2 holds 3 cells, but the first 2"),
        ("a,#2\n#2,b\n", {}, "label '#2' begins like a comment"),
        ('a,"b\nb,c\n', {}, "line 1: a quotation mark is not closed"),
        ('a,5"b"\nb,c\n', {}, "line 1: a quotation mark stands inside"),
        ("a,b,x\nb,c,1\n", {"header": False, "weights": True}, "line 1: a weight must be a finite number, but is 'x'"),
        ("a,b,1\nb,c,\n", {"weights": True}, "line 2: a weight must be a finite number, but is ''"),
        ("a,b,1\nb,c,inf\n", {"weights": True}, "line 2: .*'inf'"),
        ("a,b\nb,c\n", {"weights": True}, "which column holds them is not plain: none beside"),
        ("a,b,1,2\nb,c,1,2\n", {"weights": True}, "not plain: 2, 3 beside"),
        ("pre,post,n,m\na,b,1,2\n", {"weights": "k"}, "no column 'k'; the first line has 'pre', 'post', 'n', 'm'"),
        ("pre,post,n,n\na,b,1,2\n", {"weights": "n"}, "more than one column 'n'"),
        ("weight,a,b\n5,0,2\n3,1,2\n2,2,3\n", {}, "line 1: 'weight' looks like a weight, not .*columns="),
        ("c,a,b\n1,0,2\n.5,1,2\n2,2,3\n", {}, "line 3: '.5' looks like a weight, not like a neuron"),
        ("0,.25,2\n1,.5,2\n2,1,3\n", {}, "line 1: '.25' looks like a weight"),
        ("a,b\nb,c\n", {"columns": (0, 2)}, "no column 2"),
        ("a,b\nb,c\n", {"columns": (1, 1)}, "must be two"),
        ("pre,post\n", {"header": True}, "holds no edge below its header"),
    ],
)
def test_what_may_mean_two_things_is_refused(tmp_path: Path, text: str, arguments: dict, match: str) -> None:
    with pytest.raises(GraphError, match=r"edges\.csv.*" + match):
        read_edge_list(table(tmp_path, text), **arguments)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a pp h\nh pp y\n", r"line 1: which cells of 'a pp h' are source and target is not plain; .*columns=\(0, 2\)"),
        ("A h y\nh y\n", "line 1: which cells of 'A h y' are source and target"),
        ("1 2 3\n2 3\n", "line 2 holds fewer cells than the first, which may be an adjacency list: '2 3'"),
        ("node,link,weight,partner\na,is,1,h\nh,is,2,y\n", "line 2: which cells of 'a,is,1,h' are source and target"),
        ("Source,Target,Type\na,h,Directed\nh,y,Undirected\n", "line 3: .* the Type of this one is 'Undirected'"),
        ("from,to,directed\na,h,false\n", "line 2: .* the directed of this one is 'false'"),
        (
            "%%MatrixMarket matrix coordinate real general\n5 9 1\n2 1 1\n",
            r"'%%MatrixMarket' begins .*scipy\.io\.mmread",
        ),
        ("*Vertices 2\n1 a\n2 b\n", r"'\*Vertices' begins a file of another format; .*read_pajek"),
    ],
)
def test_files_of_other_formats_are_not_read_as_edges(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(GraphError, match=match):
        read_edge_list(table(tmp_path, text))


def test_columns_say_where_the_edge_of_a_line_is(tmp_path: Path) -> None:
    dag = read_edge_list(table(tmp_path, "a pp h\nh pp y\n"), columns=(0, 2))
    assert dag.names == ("a", "h", "y") and dag.n_edges == 2
    with_facts = read_edge_list(table(tmp_path, "a h {'weight': 1.5}\nh y {}\n"))
    assert with_facts.names == ("a", "h", "y")


def test_arguments_settle_it(tmp_path: Path) -> None:
    path = table(tmp_path, "x,y\na,h\nh,z\n")
    assert read_edge_list(path, header=True).names == ("a", "h", "z")
    assert read_edge_list(path, header=False).n == 5
    path = table(tmp_path, "id,a,b\n0,x,y\n1,y,z\n")
    assert (
        read_edge_list(path, columns=("a", "b")).names == read_edge_list(path, columns=(1, 2)).names == ("x", "y", "z")
    )
    assert read_edge_list(table(tmp_path, "#1,#2\n#2,b\n"), comments="").names == ("#1", "#2", "b")
    _, weight = read_edge_list(table(tmp_path, "pre,post,n,m\na,b,1,2\n"), weights="M")
    assert weight.tolist() == [2.0]


LABEL = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[DAG, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = tuple(draw(st.tuples(st.integers(1, 4), st.integers(0, 5), st.integers(1, 3))))
    dag = random_dag(*sizes, density=draw(st.floats(0, 1)), rng=rng)
    if draw(st.booleans()):  # outputs that nothing reaches, neurons without edges
        dag = dag.with_edges(rng.random(dag.n_edges) < 0.6, allow_unreachable=True)
    if draw(st.booleans()):
        dag = draw_activations(dag, ["sin", "tanh"], rng)
    ids = draw(st.none() | st.lists(st.integers(0, 2**62), min_size=dag.n, max_size=dag.n, unique=True))
    names = draw(st.none() | st.lists(LABEL, min_size=dag.n, max_size=dag.n, unique=True))
    dag = DAG(*dag.sizes, dag.edges, ids, names, dag.allow_unreachable, dag.activations)
    return dag, rng.standard_normal(dag.n_edges)


def same(found: DAG, dag: DAG) -> bool:
    return found == dag and found.names == dag.names and found.allow_unreachable == dag.allow_unreachable


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graphs())
@example((DAG(1, 0, 1, [(0, 1)], names=["0", "1"]), np.array([1e-300])))
@example((DAG(2, 0, 1, [(0, 2)], names=["#a", "\r\n", '"']), np.array([-0.0])))
def test_nothing_is_lost_in_any_format(tmp_path: Path, case: tuple[DAG, np.ndarray]) -> None:
    dag, weight = case
    assert same(DAG.from_json(dag.to_json()), dag)
    found, values = DAG.from_networkx(dag.to_networkx(weight), weights=True)
    assert same(found, dag) and np.array_equal(values, weight)
    write_graphml(tmp_path / "g.graphml", dag, weight)
    found, values = read_graphml(tmp_path / "g.graphml", weights=True)
    assert same(found, dag) and np.array_equal(values, weight)
    if dag.n_edges:
        write_edge_list(tmp_path / "e.csv", dag, weight)
        found, values = read_edge_list(tmp_path / "e.csv", weights=True)
        assert same(found, dag) and np.array_equal(values, weight)
    matrix = dag.to_adjacency(np.where(weight == 0, 1, weight))  # a zero is no edge
    found, values = DAG.from_adjacency(
        matrix, dag.n_inputs, dag.n_outputs, ids=dag.ids, names=dag.names, weights=True, allow_unreachable=True
    )
    assert np.array_equal(found.edges, dag.edges) and np.array_equal(values, np.where(weight == 0, 1, weight))


def test_two_neurons_of_one_name_are_not_written_as_one(tmp_path: Path) -> None:
    dag = DAG(2, 0, 1, [(0, 2), (1, 2)], names=["x", "x", "y"])
    with pytest.raises(GraphError, match="neurons 0 and 1 are both called 'x'"):
        write_edge_list(tmp_path / "e.csv", dag)
    with pytest.raises(GraphError, match="neuron 1 has an empty name"):
        write_edge_list(tmp_path / "e.csv", dag.with_names(["x", "", "y"]))
    write_edge_list(tmp_path / "e.csv", dag.with_names(None))
    assert read_edge_list(tmp_path / "e.csv") == dag
    with pytest.raises(GraphError, match=r"1 and '1' \(int and str\) are different but both written '1'"):
        DAG.from_edges([(1, "y"), ("1", "y")], [1, "1"], ["y"])


def test_the_note_is_only_written_where_it_says_something(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    write_edge_list(path, DAG(1, 1, 1, [(0, 1), (1, 2)]))
    assert path.read_text() == "source,target\n0,1\n1,2\n"
    lonely = DAG(2, 0, 1, [(0, 2)])
    write_edge_list(path, lonely)
    assert path.read_text().splitlines()[-1].startswith("# nas.dag {")
    assert read_edge_list(path) == lonely
    write_edge_list(path, lonely, note=False)
    assert read_edge_list(path).sizes == (1, 0, 1)
    path.write_text("# nas.dag {1}\n0,1\n")
    with pytest.raises(GraphError, match="remove it"):
        read_edge_list(path)


@pytest.mark.parametrize("weight", [[1.0, 2.0], [np.nan], ["a"]])
def test_weights_that_could_not_be_read_back_are_not_written(tmp_path: Path, weight: list) -> None:
    dag = DAG(1, 0, 1, [(0, 1)])
    for write in (write_edge_list, write_graphml):
        with pytest.raises(GraphError, match="weight"):
            write(tmp_path / "x", dag, weight)
        assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "'=", "''@", "'", "\t=", " =", "'\t+", "\uff1d"])
def test_no_cell_is_a_formula_to_a_spreadsheet(sign: str, tmp_path: Path) -> None:
    names = [f"{sign}HYPERLINK(1)", f"{sign}3", "h", f"{sign}cmd|' /C calc'!A0"]
    dag = DAG.from_edges([(names[0], "h"), (names[1], "h"), ("h", names[3])], inputs=names[:2], outputs=names[3:])
    write_edge_list(tmp_path / "x.csv", dag)
    text = (tmp_path / "x.csv").read_text()
    cells = [cell.strip('"') for line in text.splitlines() if line[0] != "#" for cell in line.split(",")]
    assert [cell for cell in cells if cell[:1] in [*"=+-@"] and not cell.lstrip("-").isdigit()] == []
    assert read_edge_list(tmp_path / "x.csv", names[:2], names[3:]).names == dag.names
