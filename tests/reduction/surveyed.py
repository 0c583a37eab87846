"""A small scene after pass 1, and the pieces to go on from there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.plan import Position, ReductionPlan
from reduction.scan import Scan, scan
from reduction.segment import measure_segment, segments_of
from reduction.stack import SourceInfo
from reduction.survey import Survey, survey
from reduction.synthetic import Scene, SceneSource
from reduction.timing import TimeSolution
from reduction.view import View


@dataclass(eq=False)
class Altered:
    """A scene held in memory, so that single frames can be changed."""

    source: SceneSource
    pixels: NDArray[Any]
    shard_size: int = 64

    @property
    def info(self) -> SourceInfo:
        return self.source.info

    @property
    def times(self) -> TimeSolution:
        return self.source.times

    @property
    def known_digests(self) -> NDArray[np.uint8] | None:
        return None

    def read(self, start: int, stop: int) -> NDArray[Any]:
        return self.pixels[start:stop]

    def close(self) -> None:
        pass


def held(scene: Scene) -> Altered:
    """The scene in memory."""
    source = SceneSource(scene)
    return Altered(source, source.read(0, scene.frames))


def plan_of(scene: Scene, **fields: Any) -> ReductionPlan:
    """A plan with the true target, as a person would click it."""
    star = scene.target_star
    return ReductionPlan(target=Position(x=round(star.x), y=round(star.y)), **fields)


def to_curve(plan: ReductionPlan) -> ReductionPlan:
    """The plan that ends with the light curve: no event is searched for."""
    return plan.model_copy(update={"event": plan.event.model_copy(update={"search": False})})


def survey_of(stack: Altered, plan: ReductionPlan) -> tuple[Survey, View, Scan]:
    """Pass 1."""
    view = View(stack)
    seen = scan(stack, 64)
    return survey(view, seen, plan), view, seen


def star_tables(found: Survey, view: View, folder: Path, length: int = 1024) -> list[Path]:
    """Pass 2, written as `reduce` does."""
    paths = []
    for number, (start, stop) in enumerate(segments_of(view.frames, length)):
        path = folder / f"stars-{number:06d}.npy"
        np.save(path, measure_segment(found, view, start, stop, 32).rows)
        paths.append(path)
    return paths


def alike(one: NDArray[Any], other: NDArray[Any]) -> None:
    """The same within a fiftieth of an error bar: a fit starts elsewhere where another frame went before."""
    for name in ("frame", "star", "flags"):
        np.testing.assert_array_equal(one[name], other[name])
    assert (np.abs(one["flux"] - other["flux"]) <= 0.02 * other["sigma"]).all()
    assert np.hypot(one["x"] - other["x"], one["y"] - other["y"]).max() < 3e-3
