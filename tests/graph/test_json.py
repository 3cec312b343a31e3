"""The text form: nothing in a stranger's file is trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import CycleError, GraphError, UnreachableOutputError
from nas.graph import DAG

GOOD: dict[str, Any] = json.loads(
    DAG(2, 1, 1, [(0, 2), (1, 2), (2, 3)], ids=[4, 3, 2, 1], names=list("abcd")).to_json()
)


def text(**changes: Any) -> str:
    return json.dumps(GOOD | changes)


def test_names_and_permission_survive() -> None:
    dag = DAG(1, 1, 1, [(0, 1)], ids=[2**62, 5, 0], names=["é", "b", "c"], allow_unreachable=True)
    back = DAG.from_json(dag.to_json())
    assert back == dag
    assert back.names == dag.names
    assert back.allow_unreachable
    assert DAG.from_json(dag.to_json().encode()) == dag


def test_the_format_of_version_1_is_fixed() -> None:
    written = (
        '{"format":"nas.dag","version":1,"n_inputs":1,"n_computational":1,"n_outputs":1,'
        '"sources":[0,1],"targets":[1,2],"ids":[0,7,2]}'
    )
    dag = DAG(1, 1, 1, [(0, 1), (1, 2)], ids=[0, 7, 2])
    assert dag.to_json() == written  # files written today must be readable by every later version
    assert DAG.from_json(written) == dag


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("", GraphError, "holds JSON, but this one does not"),
        ("{", GraphError, "holds JSON, but this one does not"),
        (b"\xff\xfe\x00", GraphError, "holds JSON, but this one does not"),
        ("[" * 100_000, GraphError, "holds JSON, but this one does not"),
        ('{"sources": [' + "9" * 10_000 + "]}", GraphError, "graph file"),
        ("[]", GraphError, '"format": "nas.dag"'),
        ("null", GraphError, '"format": "nas.dag"'),
        (text(format="gexf"), GraphError, '"format": "nas.dag"'),
        (text(version=3), GraphError, "reads graph format 1…2, but the file is version 3; update"),
        (text(version="1"), GraphError, "version must be a whole number from 1, but is '1'"),
        (text(version=True), GraphError, "version must be a whole number"),
        (text(version=0), GraphError, "version must be a whole number from 1, but is 0"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "targets"}), GraphError, "but lacks targets"),
        (text(weights=[1]), GraphError, "unknown key 'weights'"),
        (text(n_inputs="2"), GraphError, "n_inputs must be a whole number, but is '2'"),
        (text(n_inputs=2.0), GraphError, "n_inputs must be a whole number, but is 2.0"),
        (text(n_inputs=None), GraphError, "n_inputs must be a whole number, but is None"),
        (text(n_computational=10**15), GraphError, "n_computational must lie in"),
        (text(n_computational=10**2000), GraphError, "n_computational must lie in"),
        (text(sources="012"), GraphError, "sources must be a list of whole numbers, but is '012'"),
        (text(sources=[0, 1, 1.5]), GraphError, r"sources\[2\] must be a whole number, but is 1.5"),
        (text(sources=[0, 1, True]), GraphError, r"sources\[2\] must be a whole number, but is True"),
        (text(sources=[0, 1, [2]]), GraphError, r"sources\[2\] must be a whole number"),
        (text(sources=[0, 1, 10**400]), GraphError, r"sources\[2\] must lie in .* is a number of 1329 bits"),
        (text(sources=[0, 1, -1]), GraphError, r"sources\[2\] must lie in .* is -1"),
        (text(sources=[0, 1]), GraphError, "equally long, but hold 2 and 3"),
        (text(targets=[2, 2, 99]), GraphError, "unknown neuron"),
        (text(sources=[0, 1, 3], targets=[2, 3, 2]), GraphError, "leave an output"),
        (text(sources=[0, 2, 2], targets=[2, 2, 3]), CycleError, r"neuron 2 \('c'\) has an edge to itself"),
        (text(sources=[0, 1], targets=[2, 2]), UnreachableOutputError, r"3 \('d'\) has none"),
        (text(ids=[1, 1, 2, 3]), GraphError, "both have id 1"),
        (text(ids=[1, 2, 3]), GraphError, "ids must have shape"),
        (text(ids={"a": 1}), GraphError, "ids must be a list"),
        (text(ids=[1, 2, 3, 2**70]), GraphError, r"ids\[3\] must lie in"),
        (text(names="abcd"), GraphError, "names must be a list of strings"),
        (text(names=[1, 2, 3, 4]), GraphError, "the name of neuron 0 must be a string"),
        (text(allow_unreachable="yes"), GraphError, "allow_unreachable must be true or false, but is 'yes'"),
    ],
)
def test_malformed_text_is_refused(content: str | bytes, error: type[GraphError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        DAG.from_json(content)
    assert len(str(caught.value)) < 400


def test_something_else_than_text_is_refused() -> None:
    with pytest.raises(GraphError, match="read from text, but this is a dict"):
        DAG.from_json({})  # type: ignore[arg-type]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(GOOD)), values)
def test_no_value_under_any_key_gets_past_as_anything_but_a_graph_or_a_graph_error(key: str, value: Any) -> None:
    try:
        dag = DAG.from_json(json.dumps(GOOD | {key: value}))
    except GraphError:
        return
    assert DAG.from_json(dag.to_json()) == dag
