"""The overview says the facts first, and fits into MLflow's tag."""

from nas.tracking import BaselinePoint, FrontPoint
from nas.tracking.note import overview, search_name


def member(number: int, accuracy: float = 0.978) -> FrontPoint:
    metrics = {"val_accuracy": accuracy, "val_error": 1 - accuracy, "inference_seconds": 2.1e-4, "edges": 3120.0}
    return FrontPoint(number, metrics)


def note(members: list[FrontPoint]) -> str:
    return overview(
        members,
        finished=60,
        failed=2,
        hypervolume=0.51234,
        job_params={"search.strategy": "evolution", "training.steps": "800"},
        hardware={"processor": "abacus"},
        link=lambda number: f"#/run/{number}" if number else None,
        views="[a](b)",
    )


def test_facts_come_first() -> None:
    text = note([member(12)])
    first, second, *_ = text.split("\n\n")
    assert first == "**60 trials finished, 2 failed.** Best 97.8 %, 1 network on the front, hypervolume 0.5123."
    assert second == "Open [a](b)."
    assert "strategy evolution · steps 800" in text and "processor abacus" in text


def test_table_lists_members_best_first_with_links() -> None:
    rows = [line for line in note([member(0, 0.5), member(12)]).splitlines() if line.startswith("| ")][2:]
    assert rows[0].startswith("| [#012](#/run/12) | 97.8 % |  | 210 µs |  | 3,120 |")
    assert rows[1].startswith("| #000 | 50.0 % |")


def test_long_fronts_are_cut() -> None:
    text = note([member(number) for number in range(1, 1000)])
    assert len(text) < 8000 and text.splitlines()[-1].startswith("… and ")
    shown = sum(line.startswith("| [#") for line in text.splitlines())
    assert text.endswith(f"… and {999 - shown} more")


def test_names_of_searches() -> None:
    assert search_name([member(1)], 59, 1) == "search · 60 trials · best 97.8 % · front of 1"
    assert search_name([], 0, 0) == "search · 0 trials"
    assert "best error 0.25" in search_name([FrontPoint(0, {"val_error": 0.25})], 1, 0)


def test_baselines_and_what_they_mean() -> None:
    baselines = [
        BaselinePoint("mlp", "dense MLP", {"val_accuracy": 0.9, "val_error": 0.1}),
        BaselinePoint("linear", "logistic regression", {"val_accuracy": 0.95, "val_error": 0.05, "edges": 640.0}),
        BaselinePoint("boosting", "gradient boosting", reason="no room"),
    ]
    facts = {"finished": 5, "failed": 0, "hypervolume": 0.5, "job_params": {}, "hardware": {}, "link": lambda _: None}
    text = overview([member(1)], **facts, baselines=baselines, verdict="It was worth it.")
    lines = text.splitlines()
    assert "It was worth it." in lines
    assert lines.index("| logistic regression | 95.0 % |  |  | 640 |") + 1 == lines.index(
        "| dense MLP | 90.0 % |  |  |  |"
    )
    assert text.endswith("gradient boosting failed: no room")
    long = overview([member(number) for number in range(1000)], **facts, baselines=baselines, verdict="v")
    assert len(long) < 8000 and "| dense MLP |" in long


def test_members_are_shown_at_what_is_to_be_expected_with_the_interval() -> None:
    metrics = {"val_accuracy": 0.99, "val_error": 0.01, "shown_error": 0.039, "shown_accuracy": 0.961}
    metrics |= {"shown_accuracy_low": 0.94, "shown_accuracy_high": 0.975}
    text = note([FrontPoint(3, metrics)])
    assert "| trial | accuracy (95 % interval) |" in text
    assert "| 96.1 % (94.0–97.5) |" in text and "Best 96.1 %" in text and "99" not in text
