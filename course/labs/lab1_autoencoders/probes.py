"""What is done with a student's object in lab 1. Runs where the object lives; knows no right answer.

A network of the student's own begins at random, so nothing is told of its values: only shapes, and whether it does a thing.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.exercise import probe

FAR = 30.0  # out of reach for a tanh, ten times a tanh, a norm, a clamp; a ReLU does not come below 0
MOST_STEPS = 80  # each a tenth longer than the last: a LeakyReLU that lets a hundredth through gets beyond FAR as well
ATTEMPTS = 3
NEAR = 0.1  # mean squared error of a channel: ½ everywhere costs 0.25, a blurred edge 0.02
HUGE = 20.0


def fake_squared_error(x_hat: Tensor, x: Tensor) -> Tensor:
    """Stand in for squared_error: (B,)."""
    return (7 * x_hat.square() - 3 * x_hat * x + 2 * x).flatten(start_dim=1).sum(dim=1)


def _gradient(output: Any, value: Tensor) -> Tensor:
    """Return the gradient of the output's weighted sum for a value; zeros where none arrives."""
    if not isinstance(output, Tensor) or not output.requires_grad:
        return torch.zeros_like(value)
    weighted = (output * torch.arange(1.0, len(output) + 1).to(output).reshape(-1, *[1] * (output.ndim - 1))).sum()
    (found,) = torch.autograd.grad(weighted, [value], allow_unused=True)
    return torch.zeros_like(value) if found is None else found


@probe()
def error(candidate: Any, x_hat: Tensor, x: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"squared_error": candidate(x_hat, x)}


@probe()
def error_gradient(candidate: Any, x_hat: Tensor, x: Tensor) -> dict[str, Any]:
    """Call it, and send a gradient back."""
    x_hat = x_hat.requires_grad_()
    values = candidate(x_hat, x)
    return {"squared_error": values, "gradient_of_x_hat": _gradient(values, x_hat)}


# ------------------------------------------------------------------------------------------- networks of any architecture


def _built(make: Callable[[], Any], like: Tensor) -> nn.Module:
    """Build a network and let it see one batch, which fixes the sizes of lazy layers."""
    network = make()
    if not isinstance(network, nn.Module):
        raise TypeError(
            f"it must return a network, an nn.Module; it returned a {type(network).__name__} (is there a `return`?)"
        )
    another = make()
    if {id(parameter) for parameter in network.parameters()} & {id(parameter) for parameter in another.parameters()}:
        raise TypeError("two calls returned the same weights, so two models would train each other's; make new layers")
    network = network.to(like.device)
    for parameter in network.parameters():
        if parameter.dtype != like.dtype:
            raise TypeError(
                f"its weights are {parameter.dtype}, but what it gets is {like.dtype}; leave the weights so, too"
            )
    _called(network.train(), like)
    return network


def _called(network: nn.Module, value: Tensor) -> Tensor:
    """Call a network. What goes wrong is told in the same words whatever its layers are called."""
    try:
        result = network(value)
    except NotImplementedError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as problem:
        text = f"the network cannot take a tensor of shape {tuple(value.shape)}:\n{type(problem).__name__}: {problem}"
        raise TypeError(text) from problem
    if not isinstance(result, Tensor):
        raise TypeError(f"the network must give one tensor; it gave a {type(result).__name__}")
    return result


def _trained(network: nn.Module, value: Tensor, steps: int) -> tuple[int, int]:
    """Train towards random numbers for a few steps; return how many weights in use are not among the network's
    parameters, and how many of its parameters no gradient ever reached."""
    listed = {id(parameter) for parameter in network.parameters()}
    reached: set[int] = set()
    unlisted = 0
    network.train()
    for _ in range(steps):
        output = _called(network, value)
        used = _leaves(output)
        unlisted = max(unlisted, sum(id(leaf) not in listed for leaf in used))
        if not used:
            break
        loss = (output - torch.randn_like(output)).square().mean()
        gradients = torch.autograd.grad(loss, used, allow_unused=True)
        with torch.no_grad():
            for leaf, gradient in zip(used, gradients, strict=True):
                if gradient is not None and bool(gradient.ne(0).any()):
                    reached.add(id(leaf))
                    leaf -= 0.01 * gradient.sign()
    return unlisted, len(listed - reached)


def _leaves(output: Tensor) -> list[Tensor]:
    """List the tensors that a gradient sent back from the output can end in."""
    queue, seen, found = [output.grad_fn], set(), {}
    while queue:
        node = queue.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found[id(node.variable)] = node.variable
        queue.extend(following for following, _ in node.next_functions)
    return list(found.values())


def _evaluated(network: nn.Module, value: Tensor) -> Tensor:
    """Call a network in eval mode, with the same random numbers each time; the next network is built with others."""
    with torch.no_grad(), torch.random.fork_rng([value.device] if value.is_cuda else []):
        torch.manual_seed(0)
        return _called(network.eval(), value).detach()  # a view of a parameter asks for gradients even here


def _differ(one: Tensor, other: Tensor) -> bool:
    """Say whether two outputs differ by more than rounding."""
    scale = max(float(one.detach().abs().max()), float(other.detach().abs().max()), 1e-12)
    return bool((one - other).detach().abs().max() > 1e-4 * scale)


def _shapes(network: nn.Module, value: Tensor, name: str) -> dict[str, Any]:
    """Say which shapes come out in both modes, for a batch and for one alone; all numbers are 0, so only shapes count."""
    return {
        f"the_{name}_in_training_mode": torch.zeros_like(_called(network.train(), value)),
        f"the_{name}_in_eval_mode": torch.zeros_like(_evaluated(network, value)),
        f"the_{name}_of_one_alone": torch.zeros_like(_evaluated(network, value[:1])),
    }


def _learning(make: Callable[[], Any], value: Tensor) -> dict[str, Any]:
    """See where gradients arrive; a network that was unlucky, all its ReLUs asleep, may try again."""
    for _ in range(ATTEMPTS):
        network = _built(make, value)
        unlisted, unreached = _trained(network, value, steps=4)
        if not unlisted and not unreached:
            break
    return {
        "it_has_parameters_(1_means_yes)": any(True for _ in network.parameters()),
        "it_uses_weights_that_are_not_among_its_parameters_(1_means_yes)": bool(unlisted),
        "a_gradient_reaches_each_of_its_parameters_(1_means_yes)": not unreached,
    }


def _in_eval_mode(make: Callable[[], Any], value: Tensor) -> dict[str, Any]:
    """Train a little, so that nothing is at its start; then call again, and call with another last row."""
    network = _built(make, value)
    _trained(network, value, steps=4)
    first = _evaluated(network, value)
    with torch.no_grad():
        again = _called(network, value)  # other random numbers than the first time
    replaced = torch.cat([value[:-1], 5 + 10 * torch.rand_like(value[-1:])])
    beside_another = _evaluated(network, replaced)[:-1]
    return {
        "the_same_input_gives_the_same_output_twice_in_eval_mode_(1_means_yes)": not _differ(first, again),
        "an_output_changes_in_eval_mode_when_another_input_of_the_batch_does_(1_means_yes)": _differ(
            first[:-1], beside_another
        ),
    }


def _reaches(make: Callable[[], Any], value: Tensor, sign: int) -> bool:
    """Push all outputs up (sign 1) or down (−1) by training; say whether one came beyond FAR."""
    network = _built(make, value).eval()
    parameters = list(network.parameters())
    optimizer = torch.optim.Adam(parameters, lr=0.05) if parameters else None
    for step in range(MOST_STEPS):
        output = sign * _called(network, value)
        if not bool(output.amax() <= FAR):  # NaN went beyond all bounds as well
            return True
        if optimizer is None or not output.requires_grad:
            return False
        optimizer.param_groups[0]["lr"] = 0.05 * 1.1**step
        optimizer.zero_grad()
        (-output.sum() / len(output)).backward()
        optimizer.step()
    return False


def _directions(codes: Tensor) -> int:
    """Count the directions in which codes differ."""
    return int(torch.linalg.matrix_rank(codes - codes.mean(dim=0), rtol=1e-3, atol=1e-4 * float(codes.abs().max())))


def _sees(make: Callable[[], Any], x: Tensor) -> dict[str, Any]:
    """Train a little and see whether the codes tell images apart, by each channel; the unlucky may try again."""
    for _ in range(2 * ATTEMPTS):
        network = _built(make, x)
        _trained(network, x, steps=4)
        codes = _evaluated(network, x)
        changed = []
        for channel in range(x.shape[1]):
            other = x.clone()
            other[:, channel] = torch.rand_like(other[:, channel])
            changed.append(_differ(codes, _evaluated(network, other)))
        directions = _directions(codes)
        if all(changed) and directions == codes.shape[1]:
            break
    return {
        "directions_in_which_the_codes_of_different_images_differ": directions,
        "channels_that_a_code_depends_on": sum(changed),
    }


@probe()
def encoder_shapes(candidate: Any, x: Tensor, latent_dim: int) -> dict[str, Any]:
    """Build it for these images, and call it."""
    return _shapes(_built(lambda: candidate(tuple(x.shape[1:]), latent_dim), x), x, "codes")


@probe()
def encoder_learns(candidate: Any, x: Tensor, latent_dim: int) -> dict[str, Any]:
    """Build it, and see where gradients arrive."""
    return _learning(lambda: candidate(tuple(x.shape[1:]), latent_dim), x)


@probe()
def encoder_in_eval_mode(candidate: Any, x: Tensor, latent_dim: int) -> dict[str, Any]:
    """Build it, and change one image of a batch, and one channel of all."""

    def make() -> Any:
        return candidate(tuple(x.shape[1:]), latent_dim)

    return _in_eval_mode(make, x) | _sees(make, x)


@probe()
def encoder_reach(candidate: Any, x: Tensor, latent_dim: int) -> dict[str, Any]:
    """Build it, and see how far training can push its codes."""

    def make() -> Any:
        return candidate(tuple(x.shape[1:]), latent_dim)

    return {
        f"training_can_push_codes_above_{FAR:.0f}_(1_means_yes)": _reaches(make, x, 1),
        f"training_can_push_codes_below_−{FAR:.0f}_(1_means_yes)": _reaches(make, x, -1),
    }


@probe()
def decoder_shapes(candidate: Any, z: Tensor, out_shape: Any) -> dict[str, Any]:
    """Build it for codes of this length, and call it."""
    return _shapes(_built(lambda: candidate(z.shape[1], tuple(out_shape)), z), z, "images")


@probe()
def decoder_learns(candidate: Any, z: Tensor, out_shape: Any) -> dict[str, Any]:
    """Build it, and see where gradients arrive: at its parameters, and at the code."""
    seen = _learning(lambda: candidate(z.shape[1], tuple(out_shape)), z)
    network = _built(lambda: candidate(z.shape[1], tuple(out_shape)), z)
    _trained(network, z, steps=4)
    z = z.requires_grad_()
    gradient = _gradient(_called(network, 1 * z), z)  # no leaf: who writes into it shall hear of that, not of leaves
    return seen | {"a_gradient_reaches_each_number_of_the_code_(1_means_yes)": bool((gradient != 0).any(dim=0).all())}


@probe()
def decoder_in_eval_mode(candidate: Any, z: Tensor, out_shape: Any) -> dict[str, Any]:
    """Build it, and change one code of a batch."""
    return _in_eval_mode(lambda: candidate(z.shape[1], tuple(out_shape)), z)


def _practised(network: nn.Module, z: Tensor, image: Tensor) -> Tensor:
    """Train towards one image, until it is near or patience ends; return the worst mean squared error of each channel."""
    network.eval()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        errors = (_called(network, z) - image).square().mean(dim=(0, 2, 3))
        if not errors.requires_grad or bool((errors < NEAR).all()):
            break
        optimizer.zero_grad()
        errors.sum().backward()
        optimizer.step()
    return errors.detach()


@probe()
def decoder_pixels(candidate: Any, z: Tensor, white: Tensor, black: Tensor, edge: Tensor) -> dict[str, Any]:
    """Build it, and see whether it learns an image of three channels: for one code or, where ReLUs sleep, for many."""
    image = torch.cat([white, black, edge])
    longest = z[z.norm(dim=1).argmax()][None]  # without biases a code near 0 moves nothing
    for codes in (longest, z, z):
        network = _built(lambda: candidate(z.shape[1], tuple(image.shape)), z)
        start = _evaluated(network, z)
        errors = _practised(network, codes, image) if any(True for _ in network.parameters()) else torch.ones(3)
        if bool((errors < NEAR).all()):
            break
    seen: dict[str, Any] = {f"an_untrained_pixel_is_beyond_{HUGE:.0f}_(1_means_yes)": bool(start.abs().max() > HUGE)}
    for name, error in zip(("white", "black", "half_white_and_half_black"), errors, strict=True):
        seen[f"training_can_make_a_channel_{name}_(1_means_yes)"] = bool(error < NEAR)
    return seen


# ------------------------------------------------------------------------------------------------- the model and training


class _Linear(nn.Module):
    """A linear layer with given weights, that writes down in which state it was called, and with how many dimensions."""

    def __init__(self, weight: Tensor, bias: Tensor, out_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
        self.out_shape = out_shape
        self.modes: list[bool] = []
        self.dimensions = 0

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        self.dimensions = x.ndim
        return (x.flatten(start_dim=1) @ self.weight.T + self.bias).unflatten(1, self.out_shape)


class _Pair(nn.Module):
    """A model with an autoencoder's interface."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def encode(self, x: Tensor) -> Any:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Any:
        return self.decoder(z)

    def forward(self, x: Tensor) -> Any:
        return self.decoder(self.encoder(x))


def _model(candidate: Any, encoder_weight: Tensor, encoder_bias: Tensor, weight: Tensor, bias: Tensor, shape: Any) -> Any:
    encoder = _Linear(encoder_weight, encoder_bias, (len(encoder_bias),))
    return candidate(encoder, _Linear(weight, bias, tuple(shape)))


@probe()
def rebuild(candidate: Any, x: Tensor, training: bool, **weights: Any) -> dict[str, Any]:
    """Build the model of two linear layers, run it, look at the state it leaves behind."""
    model = _model(candidate, **weights)
    model.train(training)
    returned = model(x)
    if isinstance(returned, (tuple, list)):
        raise TypeError(f"forward must return one tensor, x_hat; it returned {len(returned)} values")
    return {
        "dimensions_of_what_the_encoder_gets": model.encoder.dimensions,
        "x_hat": returned,
        "the_model's_training_mode_afterwards": model.training,
        "the_decoder's_training_mode_meanwhile": max(model.decoder.modes, default=not training),
    }


@probe()
def rebuild_gradient(candidate: Any, x: Tensor, **weights: Any) -> dict[str, Any]:
    """Build the model of two linear layers, run it, send a gradient back to both."""
    model = _model(candidate, **weights)
    x_hat = model(x)
    return {
        "gradient_of_the_decoder": _gradient(x_hat, model.decoder.weight),
        "gradient_of_the_encoder": _gradient(model(x), model.encoder.weight),
    }


@probe(squared_error=fake_squared_error)
def epoch(
    candidate: Any, x: Tensor, sizes: Any, learning_rate: float, training: bool, stale: float, **weights: Any
) -> dict[str, Any]:
    """Train for an epoch on batches that can be walked through once, with old gradients lying on the model."""
    model = _model(_Pair, **weights)
    model.train(training)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.5)  # no hand-written step does this
    updates: list[int] = []
    optimizer.register_step_post_hook(lambda *_: updates.append(1))
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, stale)
    seen: dict[str, Any] = {"the_mean_loss": candidate(model, (batch for batch in x.split(list(sizes))), optimizer)}
    seen["steps_of_the_given_optimizer"] = len(updates)
    for name, parameter in model.named_parameters():
        seen[f"{name}_after_the_epoch"] = parameter.detach().clone()
    return seen | {
        "the_model's_training_mode_while_training": min(model.encoder.modes, default=False),
        "the_model's_training_mode_afterwards": model.training,
    }


@probe()
def components(candidate: Any, x: Tensor, k: int) -> dict[str, Any]:
    """Call it."""
    return {"x_hat": candidate(x, k)}


@probe()
def neighbours(candidate: Any, z: Tensor, codes: Tensor, k: int) -> dict[str, Any]:
    """Call it."""
    return {"indices": candidate(z, codes, k)}
