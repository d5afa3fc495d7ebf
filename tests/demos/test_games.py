"""The two games: what is drawn is what the networks say, fakes reach the reals, R1 helps, and the count counts."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from course.demos.demo import Session
from course.demos.games import LINE, LINE_GAN, MODES, PER_FRAME, RING_GAN, modes_found


def play(session: Session, rounds: int) -> None:
    for _ in range(rounds // PER_FRAME):
        session.act("step")


def test_curves_are_what_they_claim() -> None:
    session = Session(LINE_GAN)
    play(session, 100)
    text = session.picture().text
    game, figure = session.state, session.prepared
    (weight,), bias = game.G.weight[0].tolist(), game.G.bias.item()
    real, fake = norm.pdf(LINE, 2, 0.5), norm.pdf(LINE, bias, abs(weight))
    assert np.allclose(figure.perfect.get_ydata(), real / (real + fake), atol=1e-4)
    assert np.allclose(figure.fakes.get_xy()[: len(LINE), 1], fake, atol=1e-4)
    says = 1 / (1 + np.exp(-game.D(LINE[:, None]).detach().numpy()[:, 0]))
    assert np.allclose(figure.says.get_ydata(), says, atol=1e-5)
    assert np.allclose(figure.fake_dots.get_xdata(), weight * figure.noise[:, 0].numpy() + bias, atol=1e-5)
    assert "Round 100:" in text
    assert f"fakes at {bias:.2f} ± {abs(weight):.2f}" in text


def test_what_d_pays_at_first_is_measured() -> None:
    """A network that has just been drawn is no D that knows nothing: that one would pay log 4."""
    session = Session(LINE_GAN)
    for _ in range(3):
        D, noise = session.state.D, session.prepared.noise.numpy()
        real, fake = (D(torch.tensor(at + 0.5 * noise)).detach().double().numpy() for at in (2.0, -2.0))
        pays = np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean()
        assert session.state.measured == [pytest.approx(pays, abs=1e-5)]
        assert f"D pays {pays:.2f} nats" in session.picture().text
        session.act("other")


def test_fakes_that_leave_the_axes_are_pointed_at() -> None:
    session = Session(LINE_GAN)
    for bias, words in ((-6.0, "◀ fakes"), (0.0, ""), (6.0, "fakes ▶")):
        torch.nn.init.constant_(session.state.G.bias, bias)
        session.picture()
        assert session.prepared.gone.get_text() == words


@pytest.mark.slow
def test_fakes_reach_the_reals() -> None:
    session = Session(LINE_GAN)
    for _ in range(3):
        play(session, 1500)
        assert session.state.G.bias.item() == pytest.approx(2, abs=0.3)
        assert session.state.measured[-1] == pytest.approx(math.log(4), abs=0.05)
        session.act("other")
    assert session.state.seed == 3


def test_a_rate_of_zero_holds_a_player() -> None:
    session = Session(LINE_GAN)
    session.values["rate_g"] = 0.0
    play(session, 30)
    assert (session.state.G.weight.item(), session.state.G.bias.item()) == (0.5, -2.0)
    assert session.state.measured[-1] < math.log(4)


def test_modes_are_counted() -> None:
    points = torch.cat([MODES[:3].repeat(300, 1) + 0.01, MODES[3:4].repeat(9, 1), torch.zeros(91, 2)])
    assert modes_found(points) == (3, pytest.approx(0.909))


@pytest.mark.slow
def test_r1_finds_more_modes() -> None:
    found = {}
    for r1 in (False, True):
        session = Session(RING_GAN)
        session.values["r1"] = r1
        play(session, 2000)
        found[r1] = sum(session.state.measured[-50:]) / 50
        assert f"Round 2000, {'with' if r1 else 'without'} the R1 penalty" in session.picture().text
    assert found[True] > found[False] + 2


def test_the_curve_forgets() -> None:
    session = Session(RING_GAN)
    session.state.measured.extend([3.0] * 500)
    rounds, modes = session.state.curve()
    assert (rounds[0], rounds[-1], len(rounds), len(modes)) == (-2000, 0, 201, 201)
    assert session.state.rounds == 5000
