"""The KL demo: bar, area and number agree with torch.distributions, and the noise stays while the cloud moves."""

import math

import numpy as np
import pytest
from scipy.integrate import trapezoid
from torch.distributions import Normal, kl_divergence

from course.demos.clouds import KL
from course.demos.demo import Session


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(KL)


@pytest.mark.parametrize(("mu", "logvar", "beta"), [(0.0, 0.0, 1.0), (1.0, -1.0, 4.0), (-2.0, 1.0, 0.5), (0.3, -2.0, 8.0)])
def test_the_price_three_times(session: Session, mu: float, logvar: float, beta: float) -> None:
    session.reset()
    session.values.update(mu=mu, logvar=logvar, beta=beta)
    text = session.picture().text
    kl = kl_divergence(Normal(mu, math.exp(logvar / 2)), Normal(0.0, 1.0)).item()
    figure = session.prepared
    assert figure.kl.get_height() == pytest.approx(kl, abs=1e-5)
    assert figure.priced.get_height() == pytest.approx(beta * kl, abs=1e-4)
    assert f"KL = {kl:.2f} nats" in text
    areas = [patch.get_xy()[:641] for patch in (figure.dearer, figure.cheaper)]
    assert sum(trapezoid(xy[:, 1], xy[:, 0]) for xy in areas) == pytest.approx(kl, abs=0.02)


def test_the_noise_stays_while_the_cloud_moves(session: Session) -> None:
    session.reset()
    session.picture()
    eps = np.array(session.prepared.noise.get_xdata())
    session.values.update(mu=-1.5, logvar=1.0)
    session.picture()
    assert np.array_equal(session.prepared.noise.get_xdata(), eps)
    assert np.allclose(session.prepared.draws.get_xdata(), -1.5 + math.exp(0.5) * eps, atol=1e-5)
    session.act("other")
    session.picture()
    assert not np.array_equal(session.prepared.noise.get_xdata(), eps)
