"""Schedules: where they start and end, and when masks are made anew."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sparsefit.core.errors import OptionError
from sparsefit.nn import (
    SCHEDULES,
    Constant,
    Cosine,
    Cubic,
    Linear,
    Pruner,
    Ramp,
    Stepwise,
)

RAMPS = {name: cls for name, cls in SCHEDULES.items() if issubclass(cls, Ramp)}
STEPS = st.integers(0, 60)


@st.composite
def schedules(draw):
    start, more, period, tail = draw(STEPS), draw(STEPS), draw(st.integers(1, 20)), draw(STEPS)
    options = {
        "start": start, "end": start + more, "period": period,
        "initial": draw(st.floats(0, 0.999)),
        "stop": draw(st.sampled_from([None, start + more + tail])),
    }  # fmt: skip
    cls = draw(st.sampled_from([*SCHEDULES.values()]))
    if cls is Stepwise:
        options["jumps"] = draw(st.integers(1, 12))
    fields = {field.name for field in dataclasses.fields(cls)}
    return cls(**{name: value for name, value in options.items() if name in fields})


@given(schedules())
def test_left_falls_from_1_to_0(schedule):
    course = [schedule.left(step) for step in range(130)]
    assert all(0 <= left <= 1 for left in course)
    assert all(one >= two for one, two in itertools.pairwise(course))
    start, end = getattr(schedule, "start", 0), getattr(schedule, "end", 0)
    assert all(left == 1 for left in course[: start + 1 if start < end else start])
    assert all(left == 0 for left in course[end:])


@given(schedules(), st.integers(1, 500), st.integers(0, 500))
def test_counts_fall_from_the_initial_sparsity_to_the_exact_target(schedule, final, more):
    size = final + more
    counts = [schedule.count(step, final, size) for step in range(130)]
    assert all(one >= two >= final for one, two in itertools.pairwise(counts))
    end = getattr(schedule, "end", 0)
    assert counts[end] == final
    if end > 0:
        assert counts[0] == max(final, round((1 - schedule.initial) * size))


@given(schedules())
def test_masks_are_made_every_period_at_the_end_and_at_the_stop(schedule):
    due = {step for step in range(1, 200) if schedule.is_due(step)}
    marks = {getattr(schedule, "end", None), schedule.stop} - {None, 0}
    every = {step for step in range(1, 200) if step % schedule.period == 0}
    assert due == {step for step in every | marks if schedule.stop is None or step <= schedule.stop}


@pytest.mark.parametrize(
    ("cls", "course"),
    [
        (Linear, [1, 0.75, 0.5, 0.25, 0]),
        (Cubic, [1, 27 / 64, 1 / 8, 1 / 64, 0]),
        (Cosine, [1, (2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4, 0]),
        (Stepwise, [1, 0.75, 0.5, 0.25, 0]),
    ],
)
def test_courses_against_the_formulas(cls, course):
    schedule = cls(start=20, end=100, **({"jumps": 4} if cls is Stepwise else {}))
    assert [schedule.left(step) for step in range(20, 101, 20)] == pytest.approx(course)
    assert schedule.left(5) == 1
    assert schedule.left(1000) == 0


@pytest.mark.parametrize("jumps", [1, 3, 7, 100])
def test_jumps_are_equal_and_none_comes_late(jumps):
    schedule = Stepwise(end=jumps, jumps=jumps)
    for step in range(jumps + 1):
        assert schedule.left(step) == pytest.approx(1 - step / jumps)


@pytest.mark.parametrize("cls", RAMPS.values())
@pytest.mark.parametrize(("sparsity", "first"), [(0.9, 0.5), (0.25, 0.25)])
def test_the_initial_sparsity_is_that_of_the_model_before_the_start(cls, sparsity, first):
    layer = nn.Linear(20, 10)
    schedule = cls(start=2, end=6, period=1, initial=0.5)
    pruner = Pruner(layer, sparsity=sparsity, schedule=schedule)
    for _ in range(3):
        assert pruner.sparsity == pytest.approx(first)
        pruner.step()
    for _ in range(5):
        pruner.step()
    assert pruner.sparsity == pytest.approx(sparsity)


@pytest.mark.parametrize("name", RAMPS)
def test_zero_steps_reach_the_end_at_once(name):
    schedule = RAMPS[name](start=5, end=5)
    assert [schedule.left(step) for step in (0, 4, 5, 6)] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"period": 0}, "period must be an integer >= 1, got 0"),
        ({"period": 2.5}, "period must be an integer >= 1, got 2.5"),
        ({"start": -1}, "start must be an integer >= 0, got -1"),
        ({"start": 9, "end": 8}, "end must be at least start, which is 9, got 8"),
        ({"end": 9, "stop": 8}, "stop must be at least end, which is 9, got 8"),
        ({"stop": -1}, "stop must be an integer >= 0, got -1"),
        ({"initial": 1.0}, "initial must be a number >= 0 and < 1, got 1.0"),
        ({"initial": -0.1}, "initial must be a number >= 0 and < 1, got -0.1"),
    ],
)
@pytest.mark.parametrize("cls", RAMPS.values())
def test_impossible_times_are_refused(cls, options, words):
    with pytest.raises(OptionError) as caught:
        cls(**options)
    assert str(caught.value) == words


def test_jumps_and_unknown_names_are_refused():
    with pytest.raises(OptionError, match="jumps must be an integer >= 1, got 0"):
        Stepwise(jumps=0)
    with pytest.raises(TypeError):
        Constant(end=3)
