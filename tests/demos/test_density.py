"""The density demo's numbers, against scikit-learn's kernel estimate and scipy's normal distributions."""

import re

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.neighbors import KernelDensity

from course.demos.demo import Session
from course.demos.density import BANDWIDTHS, DENSITY, LINE, LOWEST, SIZES


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(DENSITY)


@pytest.mark.parametrize(("points", "bandwidth"), [(10, 0.06), (200, 0.3), (500, 1.2)])
def test_the_estimate_and_its_score(session: Session, points: int, bandwidth: float) -> None:
    session.reset()
    session.values.update(points=points, bandwidth=bandwidth)
    text = session.picture().text
    data = session.state.points[:points, None].numpy()
    estimate = KernelDensity(bandwidth=bandwidth).fit(data)
    on_unseen = estimate.score_samples(session.prepared.unseen[:, None].numpy()).mean()
    on_themselves = estimate.score_samples(data).mean()
    assert f"{on_unseen:.2f} nats a point on unseen points, {on_themselves:.2f} on the points themselves" in text
    drawn = session.prepared.model.get_xy()[: len(LINE), 1]
    assert np.allclose(drawn, np.exp(estimate.score_samples(LINE[:, None].numpy())), atol=1e-4)
    assert session.prepared.here.get_ydata()[0] == pytest.approx(max(on_unseen, LOWEST + 0.1), abs=1e-3)


def test_the_whole_curve(session: Session) -> None:
    session.reset()
    session.values["points"] = 100
    session.picture()
    data = session.state.points[:100, None].numpy()
    for column in (0, 9, 30, 59):
        estimate = KernelDensity(bandwidth=BANDWIDTHS[column].item()).fit(data)
        expected = estimate.score_samples(session.prepared.unseen[:, None].numpy()).mean()
        assert session.prepared.on_unseen.get_ydata()[column] == pytest.approx(expected, abs=2e-3)


def test_the_truth_and_its_points(session: Session) -> None:
    def density(x: np.ndarray) -> np.ndarray:
        return 0.45 * norm.pdf(x, -2, 0.35) + 0.35 * norm.pdf(x, 0.5, 1) + 0.2 * norm.pdf(x, 3, 0.25)

    unseen = session.prepared.unseen.numpy()
    assert session.prepared.ceiling == pytest.approx(np.log(density(unseen)).mean(), abs=1e-4)
    assert unseen.mean() == pytest.approx(0.45 * -2 + 0.35 * 0.5 + 0.2 * 3, abs=5 * 2 / 20)  # five standard errors


def test_more_points_want_a_narrower_bandwidth(session: Session) -> None:
    session.reset()
    best = [BANDWIDTHS[session.state.on_unseen[SIZES.index(n)].argmax()].item() for n in (20, 500)]
    assert best[1] < best[0]


@pytest.mark.slow
def test_the_truth_is_never_beaten(session: Session) -> None:
    """The best of 60 bandwidths is chosen by the unseen points themselves: too few of them would flatter it."""
    session.reset()
    for _ in range(5):
        assert session.state.on_unseen[SIZES.index(500)].max() < session.prepared.ceiling
        session.act("other")


def test_a_dot_that_would_leave_the_axes_points_down(session: Session) -> None:
    session.reset()
    session.values.update(points=10, bandwidth=0.02)
    assert re.search(r"bandwidth 0.02: -\d{3}", session.picture().text)
    here, (bottom, _) = session.prepared.here, session.prepared.here.axes.get_ylim()
    assert (here.get_marker(), here.get_ydata()[0] > bottom) == ("v", True)
    session.values["bandwidth"] = 1.0
    session.picture()
    assert here.get_marker() == "o"


def test_other_points_are_others(session: Session) -> None:
    session.reset()
    first = session.state.points
    session.act("other")
    assert not torch.equal(session.state.points, first)
