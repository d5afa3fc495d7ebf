"""fit: resumed equals uninterrupted, stops between steps, and says what is wrong with a checkpoint."""

import os
import signal
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course.training import fit, minibatches


def learner(seed: int = 0):
    """A model with dropout, so that a resumed run must also restore torch's own generator, trained with Adam."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def step(x):
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item()}

    return step, {"model": model, "optimizer": optimizer}


DATA = minibatches(torch.randn(100, 4, generator=torch.Generator().manual_seed(9)), batch_size=10)
CPU = torch.device("cpu")


def weights(state):
    return torch.cat([parameter.detach().flatten() for parameter in state["model"].parameters()])


def stop_after(step, calls):
    """Wrap a step so that Ctrl-C arrives in the middle of the given call."""
    count = 0

    def wrapped(x):
        nonlocal count
        count += 1
        if count == calls:
            os.kill(os.getpid(), signal.SIGINT)
        return step(x)

    return wrapped


def test_it_learns_and_reports_every_step():
    step, state = learner()
    history = fit(step, DATA, 300, state=state, device=CPU, progress=False)
    assert len(history["loss"]) == 300
    assert sum(history["loss"][-30:]) < 0.3 * sum(history["loss"][:30])


@pytest.mark.parametrize("stop", [1, 37, 99])
def test_resumed_equals_uninterrupted_bit_for_bit(tmp_path, capsys, stop):
    step, state = learner()
    whole = fit(step, DATA, 100, state=state, device=CPU, decay=True, seed=3, progress=False)
    kept = weights(state)

    file = tmp_path / "run.safetensors"
    step, state = learner()
    fit(stop_after(step, stop), DATA, 100, state=state, checkpoint=file, device=CPU, decay=True, seed=3, progress=False)
    assert f"after {stop} of 100" in capsys.readouterr().out
    step, state = learner(seed=77)  # another start: everything must come from the file
    resumed = fit(step, DATA, 100, state=state, checkpoint=file, device=CPU, decay=True, seed=3, progress=False)
    assert torch.equal(weights(state), kept)
    assert resumed == whole


def test_a_finished_run_is_not_run_again(tmp_path):
    step, state = learner()
    first = fit(step, DATA, 20, state=state, checkpoint=tmp_path / "run", device=CPU, progress=False)

    def never(x):
        raise AssertionError("called")

    assert fit(never, DATA, 20, state=state, checkpoint=tmp_path / "run", device=CPU, progress=False) == first


def test_a_kill_between_saves_loses_only_the_steps_since_the_last_save(tmp_path):
    step, state = learner()
    whole = fit(step, DATA, 60, state=state, device=CPU, progress=False)
    kept = weights(state)
    step, state = learner()

    def dies(x, calls=[0]):  # noqa: B006 - the list counts the calls
        calls[0] += 1
        if calls[0] == 45:
            raise MemoryError
        return step(x)

    with pytest.raises(MemoryError):
        fit(dies, DATA, 60, state=state, checkpoint=tmp_path / "run", save_every=20, device=CPU, progress=False)
    step, state = learner(seed=5)
    called = []
    resumed = fit(
        lambda x: called.append(1) or step(x),
        DATA, 60, state=state, checkpoint=tmp_path / "run", device=CPU, progress=False,
    )  # fmt: skip
    assert len(called) == 20
    assert resumed == whole
    assert torch.equal(weights(state), kept)


def test_a_second_ctrl_c_interrupts_at_once():
    def stuck(x):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second Ctrl-C did not interrupt")

    previous = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(stuck, DATA, 5, device=CPU, progress=False)
    assert signal.getsignal(signal.SIGINT) is previous


def test_it_runs_in_a_thread_that_may_not_handle_signals():
    step, state = learner()
    done = []
    thread = threading.Thread(target=lambda: done.append(fit(step, DATA, 5, state=state, device=CPU, progress=False)))
    thread.start()
    thread.join()
    assert len(done[0]["loss"]) == 5


def test_learning_rate_falls_linearly():
    step, state = learner()
    rates = []

    def watched(x):
        rates.append(state["optimizer"].param_groups[0]["lr"])
        return step(x)

    fit(watched, DATA, 4, state=state, decay=True, device=CPU, progress=False)
    assert rates == pytest.approx([0.01, 0.0075, 0.005, 0.0025])


@settings(deadline=None, max_examples=60)
@given(data=st.binary(max_size=400))
def test_a_damaged_checkpoint_is_named(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("damaged") / "run"
    file.write_bytes(data)
    step, state = learner()
    with pytest.raises(ValueError, match="damaged"):
        fit(step, DATA, 5, state=state, checkpoint=file, device=CPU, progress=False)


def test_every_truncation_of_a_checkpoint_is_named(tmp_path):
    step, state = learner()
    fit(step, DATA, 5, state=state, checkpoint=tmp_path / "run", device=CPU, progress=False)
    whole = (tmp_path / "run").read_bytes()
    for length in range(0, len(whole), 997):
        (tmp_path / "run").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="damaged"):
            fit(step, DATA, 5, state=state, checkpoint=tmp_path / "run", device=CPU, progress=False)


def test_a_checkpoint_of_another_run_or_model_is_refused(tmp_path):
    step, state = learner()
    fit(step, DATA, 5, state=state, checkpoint=tmp_path / "run", device=CPU, progress=False)
    with pytest.raises(ValueError, match="another run"):
        fit(step, DATA, 6, state=state, checkpoint=tmp_path / "run", device=CPU, progress=False)
    other = {"model": nn.Linear(3, 3), "optimizer": state["optimizer"]}
    with pytest.raises(ValueError, match="does not fit this model"):
        fit(step, DATA, 5, state=other, checkpoint=tmp_path / "run", device=CPU, progress=False)


@pytest.mark.parametrize("option", [{"checkpoint": "run"}, {"decay": True}])
def test_what_needs_a_state_says_so(option):
    with pytest.raises(ValueError, match="state="):
        fit(lambda x: {}, DATA, 5, device=CPU, progress=False, **option)
