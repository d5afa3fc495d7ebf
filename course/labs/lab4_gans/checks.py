"""How lab 4 judges: for each exercise its cases and parts, the mistakes that people make, other right ways, hints."""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from course.checks.exercise import Case, Exercise, Part, Question
from course.gan import (
    append_label_maps,
    append_labels,
    discriminator_loss,
    discriminator_step,
    generator_loss_minimax,
    generator_loss_nonsaturating,
    generator_step,
    interpolate,
    optimal_discriminator,
    r1_penalty,
)
from course.labs.lab4_gans import probes
from course.metrics import frechet_distance

Net = nn.Module
Optimizer = torch.optim.Optimizer


def _normal(generator: Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=generator)


def _uniform(generator: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator)


# --------------------------------------------------------------------------------------------- optimal_discriminator


def _two_densities(generator: Generator) -> list[Case]:
    return [{"p_data": 2 * _uniform(generator, *shape), "p_model": _uniform(generator, *shape)} for shape in ((7,), (3, 4))]


def _densities_with_zeros(generator: Generator) -> list[Case]:
    p_data, p_model = _uniform(generator, 8) + 0.1, _uniform(generator, 8) + 0.1
    p_data[[0, 3, 4]] = 0
    p_model[[1, 3, 4]] = 0
    tiny = {"p_data": 1e-25 * (_uniform(generator, 6) + 0.1), "p_model": 1e-25 * (_uniform(generator, 6) + 2)}
    return [{"p_data": p_data, "p_model": p_model}, tiny]


optimal_exercise = Exercise(
    optimal_discriminator,
    parts=[
        Part("value", "the probability of real at each place", probes.densities, _two_densities, weight=2),
        Part("nowhere", "places where densities are tiny, or 0", probes.densities, _densities_with_zeros),
    ],
    hints=[
        "Of all the points that ever fall at this place, reals and fakes, which share is real?",
        "p_data / (p_data + p_model). Where both are 0 that is 0/0: say 1/2 there.",
        "torch.where(both == 0, torch.full_like(both, 0.5), p_data / both) with both = p_data + p_model.",
    ],
)


@optimal_exercise.mistake("This is the probability of fake. Here D says how likely it is *real*: p_data goes on top.")
def probability_of_fake(p_data: Tensor, p_model: Tensor) -> Tensor:
    return 1 - optimal_discriminator(p_data, p_model)


@optimal_exercise.mistake("This is a ratio of the densities, which can be any size. A probability divides by their sum.")
def ratio_of_densities(p_data: Tensor, p_model: Tensor) -> Tensor:
    return torch.nan_to_num(p_data / p_model, nan=0.5)


@optimal_exercise.mistake("Where both densities are 0 you get NaN (0/0). Say 1/2 there: nothing ever falls at such a place.")
def leaves_nan(p_data: Tensor, p_model: Tensor) -> Tensor:
    return p_data / (p_data + p_model)


@optimal_exercise.mistake(
    "Where both densities are tiny you say 1/2: a small number added to both, or a threshold, drowns them. Far out they are "
    "tiny, and yet one can be twice the other. Say 1/2 only where both are exactly 0."
)
def adds_tiny_to_both(p_data: Tensor, p_model: Tensor) -> Tensor:
    return (p_data + 1e-6) / (p_data + p_model + 2e-6)


@optimal_exercise.mistake(
    "A tiny number added below the line avoids the NaN, but says 0 where both densities are 0 or tiny: that is certainty "
    "that all is fake. Without any evidence it must be 1/2."
)
def adds_tiny_below(p_data: Tensor, p_model: Tensor) -> Tensor:
    return p_data / (p_data + p_model + 1e-8)


@optimal_exercise.mistake(
    "You normalised over all places: softmax and division by .sum() compare places with each other. Compare the two "
    "densities at one place."
)
def normalises_over_places(p_data: Tensor, p_model: Tensor) -> Tensor:
    return p_data / (p_data + p_model).sum()


@optimal_exercise.mistake("You return a yes or no. D is not asked for a verdict, but for a probability.")
def a_verdict(p_data: Tensor, p_model: Tensor) -> Tensor:
    return (p_data > p_model).to(p_data.dtype)


@optimal_exercise.mistake("The densities are no logits: sigmoid(p_data − p_model) is not the share of reals.")
def sigmoid_of_the_difference(p_data: Tensor, p_model: Tensor) -> Tensor:
    return torch.sigmoid(p_data - p_model)


@optimal_exercise.style
def nan_to_a_half(p_data: Tensor, p_model: Tensor) -> Tensor:
    return torch.nan_to_num(p_data / (p_data + p_model), nan=0.5)


@optimal_exercise.style
def place_by_place(p_data: Tensor, p_model: Tensor) -> Tensor:
    pairs = zip(p_data.flatten().tolist(), p_model.flatten().tolist(), strict=True)
    shares = [a / (a + b) if a + b > 0 else 0.5 for a, b in pairs]
    return torch.tensor(shares, dtype=p_data.dtype, device=p_data.device).reshape(p_data.shape)


@optimal_exercise.style
def sigmoid_of_the_log_ratio(p_data: Tensor, p_model: Tensor) -> Tensor:
    share = torch.sigmoid(p_data.log() - p_model.log())
    share[(p_data == 0) & (p_model == 0)] = 0.5
    return share


# ------------------------------------------------------------------------------------------------ discriminator_loss


def _moderate(generator: Generator, *shape: int) -> Tensor:
    """Draw logits at which even an unstable form is right."""
    return _normal(generator, *shape, scale=3).clamp(-4, 4)


def _two_batches_of_logits(generator: Generator) -> list[Case]:
    return [
        {"real_logits": _moderate(generator, *real), "fake_logits": _moderate(generator, *fake)}
        for real, fake in (((5, 1), (5, 1)), ((6,), (4,)), ((2, 1), (7, 1)))
    ]


def _large(generator: Generator, *shape: int) -> Tensor:
    """Draw logits near ±120, of both signs."""
    signs = torch.tensor([1.0, -1.0]).repeat(shape[0])[: shape[0]].reshape(-1, *(1,) * (len(shape) - 1))
    return signs * (110 + 20 * _uniform(generator, *shape))


def _large_logits_of_both(generator: Generator) -> list[Case]:
    return [{"real_logits": _large(generator, 4, 1), "fake_logits": _large(generator, 3, 1)}]


def _all_logits_of_both(generator: Generator) -> list[Case]:
    return _two_batches_of_logits(generator) + _large_logits_of_both(generator)


discriminator_loss_exercise = Exercise(
    discriminator_loss,
    parts=[
        Part("value", "one number in nats: the mean over the reals plus the mean over the fakes", probes.discriminator_cost,
             _two_batches_of_logits, weight=2),
        Part("stability", "logits beyond ±100", probes.discriminator_cost, _large_logits_of_both),
        Part("gradient", "the gradients of both batches' logits, also beyond ±100", probes.discriminator_cost_gradients,
             _all_logits_of_both),
    ],
    hints=[
        "It is the cross-entropy of two kinds of guesses: reals should be called 1, fakes should be called 0.",
        "−log sigmoid(l) is F.softplus(−l), and −log(1 − sigmoid(l)) is F.softplus(l). Both are stable.",
        "F.softplus(-real_logits).mean() for the reals; the same with another sign for the fakes; add the two.",
    ],
)  # fmt: skip


@discriminator_loss_exercise.mistake("The labels are swapped: you reward D for calling fakes real. A high logit means real.")
def swapped_labels(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return F.softplus(real_logits).mean() + F.softplus(-fake_logits).mean()


@discriminator_loss_exercise.mistake("Both halves carry the label 1. For the fakes D should say 0: −log(1 − D).")
def both_are_real(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return F.softplus(-real_logits).mean() + F.softplus(-fake_logits).mean()


@discriminator_loss_exercise.mistake(
    "You averaged the two halves, which gives half the loss. Add them: at the optimum it is log 4, twice log 2."
)
def averages_the_halves(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return 0.5 * discriminator_loss(real_logits, fake_logits)


@discriminator_loss_exercise.mistake(
    "You put reals and fakes into one heap and averaged over it. Each half has a mean of its own; then add the two. In a "
    "heap the larger batch weighs more."
)
def averages_the_heap(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return torch.cat([F.softplus(-real_logits), F.softplus(fake_logits)]).mean()


@discriminator_loss_exercise.mistake(
    "Right only where both batches have one size. Twice the mean over a heap of reals and fakes lets the larger batch weigh "
    "more: each half has a mean of its own; then add the two."
)
def doubles_the_heap(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return 2 * averages_the_heap(real_logits, fake_logits)


@discriminator_loss_exercise.mistake(
    "You summed over the batches. Take means, so that the loss does not grow with their size."
)
def sums_the_batches(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return F.softplus(-real_logits).sum() + F.softplus(fake_logits).sum()


@discriminator_loss_exercise.mistake(
    "The sign is wrong: this is what D maximises, log D(x) + log(1 − D(G(z))). A loss is minus that, and never negative."
)
def the_value_of_the_game(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return -discriminator_loss(real_logits, fake_logits)


@discriminator_loss_exercise.mistake(
    "This is the misprint log(1 + D) for log(1 − D). It never tells D that fakes are fake: D = 1 costs nothing extra."
)
def the_misprint(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return F.softplus(-real_logits).mean() - torch.log(1 + torch.sigmoid(fake_logits)).mean()


@discriminator_loss_exercise.mistake(
    "Right for small logits, but sigmoid and then log breaks as soon as D is sure (log 0 = −∞), and so does log(1 + exp). "
    "Use F.softplus, F.logsigmoid or F.binary_cross_entropy_with_logits."
)
def sigmoid_then_log(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return -torch.log(torch.sigmoid(real_logits)).mean() - torch.log(1 - torch.sigmoid(fake_logits)).mean()


@discriminator_loss_exercise.mistake(
    "Right for small logits, but log(D + tiny) stops growing, and gives no gradient, as soon as D is sure; so does a D or a "
    "logit that is clamped. Use a form that takes logits: F.softplus, or F.binary_cross_entropy_with_logits."
)
def sigmoid_then_log_plus_tiny(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return -torch.log(real + 1e-8).mean() - torch.log(1 - fake + 1e-8).mean()


CUT_OFF = (
    "Right for small logits, but F.binary_cross_entropy takes probabilities, and ends at 100, without a gradient, as soon "
    "as D is sure. Give the logits themselves to F.binary_cross_entropy_with_logits."
)


@discriminator_loss_exercise.mistake(CUT_OFF)
def cross_entropy_of_probabilities(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return F.binary_cross_entropy(real, torch.ones_like(real)) + F.binary_cross_entropy(fake, torch.zeros_like(fake))


@discriminator_loss_exercise.mistake(
    "You took the sigmoid and then a loss that takes logits, so the sigmoid acts twice. Hand the logits over as they are."
)
def sigmoid_twice(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return discriminator_loss(torch.sigmoid(real_logits), torch.sigmoid(fake_logits))


@discriminator_loss_exercise.style
def by_cross_entropy_with_logits(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    of_real = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    of_fake = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return of_real + of_fake


@discriminator_loss_exercise.style
def by_logsigmoid(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return -(F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean())


@discriminator_loss_exercise.style
def by_a_criterion(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    criterion = nn.BCEWithLogitsLoss(reduction="sum")
    losses = [
        criterion(logits, torch.full_like(logits, target)) / logits.numel()
        for logits, target in ((real_logits, 1.0), (fake_logits, 0.0))
    ]
    return torch.stack(losses).sum()


# -------------------------------------------------------------------------------- generator_loss_minimax, _nonsaturating


def _batches_of_logits(generator: Generator) -> list[Case]:
    return [{"fake_logits": _moderate(generator, *shape)} for shape in ((5, 1), (6,), (1, 1))]


def _large_logits(generator: Generator) -> list[Case]:
    return [{"fake_logits": _large(generator, 4, 1)}]


def _all_logits(generator: Generator) -> list[Case]:
    return _batches_of_logits(generator) + _large_logits(generator)


def _generator_parts() -> list[Part]:
    return [
        Part("value", "one number in nats: the mean over the fakes", probes.generator_cost, _batches_of_logits, weight=2),
        Part("stability", "logits beyond ±100", probes.generator_cost, _large_logits),
        Part("gradient", "the gradient of the logits, also beyond ±100", probes.generator_cost_gradients, _all_logits),
    ]


minimax_exercise = Exercise(
    generator_loss_minimax,
    parts=_generator_parts(),
    hints=[
        "G minimises what D maximises. Only the half with the fakes knows of G: the mean of log(1 − D(G(z))).",
        "log(1 − sigmoid(l)) is minus a softplus. Of l, or of −l?",
        "It is never positive: −F.softplus(fake_logits), and its mean.",
    ],
)


@minimax_exercise.mistake(
    "The sign is wrong: −log(1 − D) is what D pays for the fakes. G wants the opposite: it minimises +log(1 − D)."
)
def what_d_pays(fake_logits: Tensor) -> Tensor:
    return F.softplus(fake_logits).mean()


@minimax_exercise.mistake(
    "This is the other loss, −log D, which the next exercise asks for. The minimax loss is the mean of log(1 − D)."
)
def the_other_loss(fake_logits: Tensor) -> Tensor:
    return F.softplus(-fake_logits).mean()


@minimax_exercise.mistake("This is log D, the mean of log sigmoid(l). G minimises log(1 − D): the fakes' half of the game.")
def log_of_d(fake_logits: Tensor) -> Tensor:
    return F.logsigmoid(fake_logits).mean()


@minimax_exercise.mistake(
    "Right for small logits, but 1 − sigmoid(l) is exactly 0 for a large logit, and its logarithm −∞ (exp overflows, too). "
    "Use −F.softplus(l)."
)
def minimax_sigmoid_then_log(fake_logits: Tensor) -> Tensor:
    return torch.log(1 - torch.sigmoid(fake_logits)).mean()


@minimax_exercise.mistake(
    "Right for small logits, but log(1 − D + tiny) stops falling as soon as D is fooled; so it does with a D or a logit "
    "that is clamped. Use −F.softplus(l), which is exact."
)
def minimax_log_plus_tiny(fake_logits: Tensor) -> Tensor:
    return torch.log(1 - torch.sigmoid(fake_logits) + 1e-8).mean()


@minimax_exercise.mistake(CUT_OFF)
def minimax_of_probabilities(fake_logits: Tensor) -> Tensor:
    return -F.binary_cross_entropy(torch.sigmoid(fake_logits), torch.zeros_like(fake_logits))


@minimax_exercise.mistake("You summed over the batch. Take the mean, so that the loss does not grow with its size.")
def minimax_sum(fake_logits: Tensor) -> Tensor:
    return -F.softplus(fake_logits).sum()


@minimax_exercise.mistake("You return one number for each fake. The optimizer needs one number: take the mean.")
def minimax_for_each(fake_logits: Tensor) -> Tensor:
    return -F.softplus(fake_logits)


@minimax_exercise.mistake("The logarithm is missing: this is the mean of 1 − D.")
def minimax_without_log(fake_logits: Tensor) -> Tensor:
    return torch.sigmoid(-fake_logits).mean()


@minimax_exercise.style
def minimax_by_logsigmoid(fake_logits: Tensor) -> Tensor:
    return F.logsigmoid(-fake_logits).mean()


@minimax_exercise.style
def minimax_by_cross_entropy(fake_logits: Tensor) -> Tensor:
    return -F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))


@minimax_exercise.style
def minimax_by_logaddexp(fake_logits: Tensor) -> Tensor:
    return -torch.logaddexp(fake_logits, torch.zeros_like(fake_logits)).sum() / fake_logits.numel()


nonsaturating_exercise = Exercise(
    generator_loss_nonsaturating,
    parts=_generator_parts(),
    hints=[
        "G wants its fakes called real. It pays −log D for each, as D would if the label were 1.",
        "−log sigmoid(l) is a softplus. Of l, or of −l?",
        "It is never negative, and large where D is sure of a fake (l far below 0): F.softplus(−l), and its mean.",
    ],
)


@nonsaturating_exercise.mistake(
    "This is the minimax loss, log(1 − D), whose gradient fades when D wins. The non-saturating one is the mean of −log D."
)
def the_saturating_loss(fake_logits: Tensor) -> Tensor:
    return -F.softplus(fake_logits).mean()


@nonsaturating_exercise.mistake("The sign is wrong: log D would be raised by G. The loss is minus that, and never negative.")
def log_d_to_be_raised(fake_logits: Tensor) -> Tensor:
    return F.logsigmoid(fake_logits).mean()


@nonsaturating_exercise.mistake(
    "The fakes carry the label 0, so G learns to be caught. For G the label of its fakes is 1: −log D."
)
def wants_to_be_caught(fake_logits: Tensor) -> Tensor:
    return F.softplus(fake_logits).mean()


@nonsaturating_exercise.mistake(
    "Right for small logits, but sigmoid(l) is exactly 0 when D is sure, and its logarithm −∞ (exp overflows, too). Use "
    "F.softplus(−l)."
)
def nonsaturating_sigmoid_then_log(fake_logits: Tensor) -> Tensor:
    return -torch.log(torch.sigmoid(fake_logits)).mean()


@nonsaturating_exercise.mistake(
    "Right for small logits, but log(D + tiny), or of a D that is clamped, saturates after all: where D is sure, no "
    "gradient is left. Use F.softplus(−l)."
)
def nonsaturating_log_plus_tiny(fake_logits: Tensor) -> Tensor:
    return -torch.log(torch.sigmoid(fake_logits) + 1e-8).mean()


@nonsaturating_exercise.mistake(CUT_OFF)
def nonsaturating_of_probabilities(fake_logits: Tensor) -> Tensor:
    return F.binary_cross_entropy(torch.sigmoid(fake_logits), torch.ones_like(fake_logits))


@nonsaturating_exercise.mistake("You summed over the batch. Take the mean, so that the loss does not grow with its size.")
def nonsaturating_sum(fake_logits: Tensor) -> Tensor:
    return F.softplus(-fake_logits).sum()


@nonsaturating_exercise.mistake("You return one number for each fake. The optimizer needs one number: take the mean.")
def nonsaturating_for_each(fake_logits: Tensor) -> Tensor:
    return F.softplus(-fake_logits)


@nonsaturating_exercise.mistake("You averaged D first, and took the logarithm after. Each fake pays −log D; then the mean.")
def log_of_the_mean(fake_logits: Tensor) -> Tensor:
    return -torch.log(torch.sigmoid(fake_logits.double()).mean()).to(fake_logits.dtype)


@nonsaturating_exercise.style
def nonsaturating_by_logsigmoid(fake_logits: Tensor) -> Tensor:
    return -F.logsigmoid(fake_logits).mean()


@nonsaturating_exercise.style
def nonsaturating_by_cross_entropy(fake_logits: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


@nonsaturating_exercise.style
def softplus_minus_the_logit(fake_logits: Tensor) -> Tensor:
    return torch.mean(F.softplus(fake_logits) - fake_logits)


# ------------------------------------------------------------------------------- discriminator_step and generator_step


def _networks(
    generator: Generator, noise: int, shape: list[int], *, batch_norm: bool, hidden: int = 6, logits: float = 8.0
) -> Case:
    """Make the weights of a G and a D that look trained: hidden units of both signs, D's logits near ±logits."""
    size = int(torch.tensor(shape).prod())
    return {
        "g_w1": _normal(generator, hidden, noise),
        "g_b1": _normal(generator, hidden, scale=0.5),
        "g_w2": _normal(generator, size, hidden, scale=0.6),
        "g_b2": _normal(generator, size, scale=0.3),
        "d_w1": _normal(generator, hidden, size),
        "d_b1": _normal(generator, hidden, scale=0.5),
        "d_w2": _normal(generator, 1, hidden, scale=logits / hidden**0.5),
        "d_b2": _normal(generator, 1),
        "batch_norm": batch_norm,
        "shape": shape,
    }


# reals, fakes, shape, batch norm, training mode
SIZES = ((5, 3, [2], True, True), (3, 6, [1, 2, 2], True, False), (4, 4, [2], False, True), (4, 5, [3], True, True))


def _step_with(loss: Tensor, optimizer: Optimizer) -> float:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _steps_of_d(generator: Generator) -> list[Case]:
    return [
        {
            "x_real": 1.5 * _uniform(generator, reals, *shape) - 0.2,
            "z": _normal(generator, fakes, 3),
            "learning_rate": 0.01,
            "stale": 3.0,
            "training": training,
            **_networks(generator, 3, shape, batch_norm=batch_norm),
        }
        for reals, fakes, shape, batch_norm, training in SIZES
    ]


def _steps_beside_g(generator: Generator) -> list[Case]:
    return [
        {
            "x_real": _normal(generator, 5, 2),
            "z": _normal(generator, 4, 3),
            "learning_rate": 0.01,
            "training": training,
            **_networks(generator, 3, [2], batch_norm=True),
        }
        for training in (True, False)
    ]


discriminator_step_exercise = Exercise(
    discriminator_step,
    parts=[
        Part("update", "D's weights after a step and after two, what D is shown, the loss as a float",
             probes.discriminator_update, _steps_of_d, tolerance=(1e-3, 1e-4), weight=2),
        Part("bystander", "G: its weights and its mode stay, and no gradient reaches it", probes.bystanding_generator,
             _steps_beside_g),
    ],
    hints=[
        "Fakes first: G(z), as mere data: under torch.no_grad(), or with .detach(). Then D on the reals, D on the fakes.",
        "The two logits go into discriminator_loss. Then the usual three: zero_grad, backward, step.",
        "The optimizer is D's, so it moves D alone. Return loss.item(), the loss that was computed for the update.",
    ],
)  # fmt: skip


@discriminator_step_exercise.mistake(
    "Gradients run through the fakes into G and stay there, and the whole pass through G is paid for twice. Cut them: "
    "G(z).detach(), or G(z) under torch.no_grad()."
)
def forgets_to_detach(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    return _step_with(discriminator_loss(D(x_real), D(G(z))), optimizer)


@discriminator_step_exercise.mistake(
    "The gradients of the step before are still there and add up. Call optimizer.zero_grad() before loss.backward(): on D "
    "lie also those that G's step sent through it."
)
def never_clears_gradients(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    loss = discriminator_loss(D(x_real), D(G(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.item()


@discriminator_step_exercise.mistake(
    "You clear the gradients only after the step. Between two steps of D the step of G sends gradients through D, and "
    "they are added. Call optimizer.zero_grad() before loss.backward()."
)
def clears_gradients_afterwards(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    loss = never_clears_gradients(G, D, x_real, z, optimizer)
    optimizer.zero_grad()
    return loss


@discriminator_step_exercise.mistake(
    "D does not move: optimizer.step() is missing, or zero_grad() stands between backward() and step()."
)
def d_never_moves(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    loss = discriminator_loss(D(x_real), D(G(z).detach()))
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


SWAPPED = "Reals and fakes are swapped in the loss: D learns to call fakes real. It is discriminator_loss(reals', fakes')."


@discriminator_step_exercise.mistake(SWAPPED)
def swaps_the_passes_too(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    return _step_with(discriminator_loss(D(G(z).detach()), D(x_real)), optimizer)


@discriminator_step_exercise.mistake(SWAPPED)
def swaps_the_logits(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    return _step_with(discriminator_loss(*reversed([D(x_real), D(G(z).detach())])), optimizer)


@discriminator_step_exercise.mistake(
    "You send reals and fakes through D in one batch. Batch norm then mixes the two, and D behaves differently when it sees "
    "fakes alone. Two passes."
)
def one_batch_for_both(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    logits = D(torch.cat([x_real, G(z).detach()]))
    return _step_with(discriminator_loss(logits[: len(x_real)], logits[len(x_real) :]), optimizer)


@discriminator_step_exercise.mistake("D sees the fakes first. The reals come first, then the fakes.")
def fakes_first(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    fake_logits = D(G(z).detach())
    return _step_with(discriminator_loss(D(x_real), fake_logits), optimizer)


@discriminator_step_exercise.mistake("D is shown the noise z itself. Let G make fakes of it first: D(G(z)).")
def shows_the_noise(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    return _step_with(discriminator_loss(D(x_real), D(z)), optimizer)


@discriminator_step_exercise.mistake("D takes two steps, one for each half. Add the two halves up, and step once.")
def a_step_for_each_half(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    of_reals = _step_with(F.softplus(-D(x_real)).mean(), optimizer)
    return of_reals + _step_with(F.softplus(D(G(z).detach())).mean(), optimizer)


@discriminator_step_exercise.mistake("D gives logits, and discriminator_loss takes logits: no sigmoid between the two.")
def a_sigmoid_between(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    return discriminator_step(G, nn.Sequential(D, nn.Sigmoid()), x_real, z, optimizer)


@discriminator_step_exercise.mistake(
    "The loss that you return was computed again, after the update. Report the one that the update was made of: it tells "
    "what D paid, and costs no further pass."
)
def the_loss_afterwards(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    fakes = G(z).detach()
    _step_with(discriminator_loss(D(x_real), D(fakes)), optimizer)
    return discriminator_loss(D(x_real), D(fakes)).item()


BY_HAND = (
    "You move the weights by hand, or with an optimizer of your own. Use the one that you are given: optimizer.step(). It "
    "remembers the steps before (momentum, Adam)."
)


@discriminator_step_exercise.mistake(BY_HAND)
def moves_d_by_hand(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    own = torch.optim.SGD(D.parameters(), lr=optimizer.param_groups[0]["lr"])
    return _step_with(discriminator_loss(D(x_real), D(G(z).detach())), own)


@discriminator_step_exercise.mistake(
    "You switched G to eval mode to make the fakes. Leave its mode alone: G makes its fakes here just as it does when it "
    "learns."
)
def puts_g_in_eval_mode(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    G.eval()
    return discriminator_step(G, D, x_real, z, optimizer)


CALLS_TRAIN = "You call train(). Both networks work in the mode that they are in: leave train() and eval() to the caller."


@discriminator_step_exercise.mistake(CALLS_TRAIN)
def calls_train_in_ds_step(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    return discriminator_step(G.train(), D.train(), x_real, z, optimizer)


@discriminator_step_exercise.mistake(
    "You clear G's gradients. With detached fakes none reaches G, and there is nothing to clear; without, the pass back "
    "through G is paid for in vain, and what lay on G before is lost. Detach, and leave G alone."
)
def clears_gs_gradients(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    loss = forgets_to_detach(G, D, x_real, z, optimizer)
    G.zero_grad()
    return loss


@discriminator_step_exercise.mistake(
    "You switch off the gradients of G's parameters and leave them off, so G can never learn. Detach the fakes instead."
)
def freezes_g_for_ever(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    G.requires_grad_(False)
    return forgets_to_detach(G, D, x_real, z, optimizer)


@discriminator_step_exercise.mistake(
    "You return a tensor, which keeps the graph of every step in memory. Return a Python float: loss.item()."
)
def d_returns_a_tensor(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> Tensor:
    return torch.tensor(discriminator_step(G, D, x_real, z, optimizer))


@discriminator_step_exercise.style
def detached_fakes(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    optimizer.zero_grad()
    real_logits = D(x_real)
    fake_logits = D(G(z).detach())
    loss = discriminator_loss(real_logits, fake_logits)
    loss.backward()
    optimizer.step()
    return loss.item()


@discriminator_step_exercise.style
def a_backward_for_each_half(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    D.zero_grad(set_to_none=False)
    real_logits = D(x_real)
    of_real = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    of_real.backward()
    fake_logits = D(G(z).detach())
    of_fake = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    of_fake.backward()
    optimizer.step()
    return of_real.item() + of_fake.item()


@discriminator_step_exercise.style
def gradients_for_d_alone(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    loss = discriminator_loss(real_logits=D(x_real), fake_logits=D(G(z)))
    # the graph reaches G, but no gradient is asked for there
    parameters = list(D.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@discriminator_step_exercise.style
def freezes_g_and_thaws_it(G: Net, D: Net, x_real: Tensor, z: Tensor, optimizer: Optimizer) -> float:
    for parameter in G.parameters():
        parameter.requires_grad = False
    fakes = G(z)
    for parameter in G.parameters():
        parameter.requires_grad = True
    optimizer.zero_grad()
    loss = discriminator_loss(D(x_real), D(fakes))
    loss.backward()
    optimizer.step()
    return loss.detach().item()


def _steps_of_g(generator: Generator) -> list[Case]:
    return [
        {
            "z": _normal(generator, fakes, 3),
            "learning_rate": 0.01,
            "stale": 3.0,
            "training": training,
            **_networks(generator, 3, shape, batch_norm=batch_norm),
        }
        for _, fakes, shape, batch_norm, training in SIZES
    ]


def _steps_beside_d(generator: Generator) -> list[Case]:
    return [
        {
            "z": _normal(generator, 4, 3),
            "learning_rate": 0.01,
            "training": training,
            **_networks(generator, 3, [2], batch_norm=True),
        }
        for training in (True, False)
    ]


generator_step_exercise = Exercise(
    generator_step,
    parts=[
        Part("update", "G's weights after a step and after two, the loss as a float", probes.generator_update, _steps_of_g,
             tolerance=(1e-3, 1e-4), weight=2),
        Part("bystander", "D: its weights, its mode and its requires_grad stay", probes.bystanding_discriminator,
             _steps_beside_d),
    ],
    hints=[
        "The fakes go through D, and the gradient must come back the same way: D(G(z)), with nothing detached.",
        "Which of your two losses keeps its gradient when D wins? Then the usual three: zero_grad, backward, step.",
        "The optimizer is G's, so D does not move, although gradients pass through it. Return loss.item().",
    ],
)  # fmt: skip


@generator_step_exercise.mistake(
    "You use the minimax loss, whose gradient fades when D wins. The step asks for generator_loss_nonsaturating."
)
def uses_the_minimax_loss(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    return _step_with(generator_loss_minimax(D(G(z))), optimizer)


@generator_step_exercise.mistake(
    "The sign is wrong: G moves so that D catches its fakes more easily. Minimise generator_loss_nonsaturating as it is."
)
def helps_d(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    return _step_with(-generator_loss_nonsaturating(D(G(z))), optimizer)


@generator_step_exercise.mistake(
    "G does not move. No gradient reaches it if the fakes are detached, or made under no_grad: that belongs to D's step. "
    "Or is optimizer.step() missing, or does zero_grad() stand between backward() and step()?"
)
def detaches_the_fakes(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    return _step_with(generator_loss_nonsaturating(D(G(z).detach())), optimizer)


@generator_step_exercise.mistake(
    "The gradients of the step before are still there and add up. Call optimizer.zero_grad() before loss.backward(); "
    "D.zero_grad() clears the wrong network."
)
def g_never_clears_gradients(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    loss = generator_loss_nonsaturating(D(G(z)))
    loss.backward()
    optimizer.step()
    return loss.item()


@generator_step_exercise.mistake(
    "D's parameters stay frozen (requires_grad is False), so D can never learn again. Freeze it if you like, but thaw it "
    "after."
)
def leaves_d_frozen(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    D.requires_grad_(False)
    return generator_step(G, D, z, optimizer)


@generator_step_exercise.mistake(
    "You switched D to eval mode. D judges the fakes in the mode that it is in: leave train() and eval() to the caller."
)
def puts_d_in_eval_mode(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    return generator_step(G, D.eval(), z, optimizer)


@generator_step_exercise.mistake(CALLS_TRAIN)
def calls_train_in_gs_step(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    return generator_step(G.train(), D.train(), z, optimizer)


@generator_step_exercise.mistake(BY_HAND)
def moves_g_by_hand(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    return generator_step(G, D, z, torch.optim.SGD(G.parameters(), lr=optimizer.param_groups[0]["lr"]))


@generator_step_exercise.mistake(
    "D moves as well. In G's step only G learns: the optimizer is G's, and nothing else may write to D's weights."
)
def moves_d_too(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    loss = generator_step(G, D, z, optimizer)
    torch.optim.SGD(D.parameters(), lr=0.01).step()
    return loss


@generator_step_exercise.mistake("G takes two steps in one call.")
def g_steps_twice(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    loss = generator_step(G, D, z, optimizer)
    generator_step(G, D, z, optimizer)
    return loss


@generator_step_exercise.mistake(
    "You return a tensor, which keeps the graph of every step in memory. Return a Python float: loss.item()."
)
def g_returns_a_tensor(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> Tensor:
    return torch.tensor(generator_step(G, D, z, optimizer))


@generator_step_exercise.style
def freezes_d_and_thaws_it(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    for parameter in D.parameters():
        parameter.requires_grad_(False)
    optimizer.zero_grad()
    loss = generator_loss_nonsaturating(D(G(z)))
    loss.backward()
    optimizer.step()
    for parameter in D.parameters():
        parameter.requires_grad_(True)
    return loss.item()


@generator_step_exercise.style
def fakes_labelled_real(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    fake_logits = D(G(z))
    loss = F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    D.zero_grad()
    return loss.item()


@generator_step_exercise.style
def gradients_for_g_alone(G: Net, D: Net, z: Tensor, optimizer: Optimizer) -> float:
    loss = generator_loss_nonsaturating(fake_logits=D(G(z)))
    parameters = list(G.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss.detach().item()


# --------------------------------------------------------------------------------------------------------- r1_penalty


def _steep_networks(generator: Generator) -> list[Case]:
    return [
        {"x_real": _normal(generator, b, *shape), **_networks(generator, 2, shape, batch_norm=False, logits=logits)}
        for b, shape, logits in ((5, [2], 8.0), (3, [2, 2, 3], 4.0), (1, [1, 2, 2], 2.0))
    ]


def _steep_networks_in_both_modes(generator: Generator) -> list[Case]:
    cases = zip(_steep_networks(generator), (True, False), strict=False)
    return [{**case, "training": training} for case, training in cases]


r1_exercise = Exercise(
    r1_penalty,
    parts=[
        Part("value", "one number: the squared gradient norm of D's logit, on average over the reals", probes.steepness,
             _steep_networks, tolerance=(1e-3, 1e-4), weight=2),
        Part("second", "it can be differentiated again, so that D's weights learn from it", probes.steepness_gradients,
             _steep_networks, tolerance=(1e-3, 1e-4)),
        Part("bystander", "D's gradients and mode stay, and so do the reals", probes.steepness_bystanders,
             _steep_networks_in_both_modes),
    ],
    hints=[
        "Make a copy of the reals that wants gradients: x_real.detach().requires_grad_(). Then D on it.",
        "torch.autograd.grad(D(x).sum(), x, create_graph=True) gives one gradient for each real, as a tuple of one.",
        "Square it, sum over everything but the batch (.flatten(1).sum(1)), and take the mean over the batch.",
    ],
)  # fmt: skip


def _gradient(D: Net, x_real: Tensor, create_graph: bool = True) -> Tensor:
    x = x_real.detach().requires_grad_()
    return torch.autograd.grad(D(x).sum(), x, create_graph=create_graph)[0].flatten(1)


@r1_exercise.mistake(
    "The number is right, but nothing can be learned from it: its graph is gone. Ask for it: create_graph=True."
)
def without_a_graph(D: Net, x_real: Tensor) -> Tensor:
    return _gradient(D, x_real, create_graph=False).square().sum(1).mean()


@r1_exercise.mistake(
    "You averaged over pixels (or coordinates) as well. The squared norm is a sum over them; only the batch is averaged."
)
def averages_the_pixels(D: Net, x_real: Tensor) -> Tensor:
    return _gradient(D, x_real).square().mean()


@r1_exercise.mistake("You summed over the batch. Take the mean over the reals.")
def sums_the_reals(D: Net, x_real: Tensor) -> Tensor:
    return _gradient(D, x_real).square().sum()


@r1_exercise.mistake(
    "You summed over one dimension alone, which is right for points (B, N) only. Of images (B, C, H, W) .sum(1) sums the "
    "channels. First flatten all but the batch: .flatten(1).sum(1)."
)
def sums_one_dimension(D: Net, x_real: Tensor) -> Tensor:
    return _gradient(D, x_real).unflatten(1, x_real.shape[1:]).square().sum(1).mean()


@r1_exercise.mistake(
    "You called backward(): now gradients lie on D's weights, and the next step of D goes along with them. Use "
    "torch.autograd.grad, which returns the gradient and leaves nothing behind."
)
def calls_backward(D: Net, x_real: Tensor) -> Tensor:
    x = x_real.detach().requires_grad_()
    of_x, *of_weights = torch.autograd.grad(D(x).sum(), [x, *D.parameters()], create_graph=True)
    for parameter, gradient in zip(D.parameters(), of_weights, strict=True):  # what backward() does, without its warning
        parameter.grad = gradient.detach() + (0 if parameter.grad is None else parameter.grad)
    return of_x.square().flatten(1).sum(1).mean()


@r1_exercise.mistake(
    "You called requires_grad_() on the reals themselves, so every later pass pays for their gradients. Work on a copy: "
    "x_real.detach().requires_grad_()."
)
def marks_the_reals(D: Net, x_real: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(D(x_real.requires_grad_()).sum(), x_real, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


@r1_exercise.mistake("D stays in eval mode. Leave its mode alone.")
def leaves_d_in_eval_mode(D: Net, x_real: Tensor) -> Tensor:
    return r1_penalty(D.eval(), x_real)


@r1_exercise.mistake("This is the norm. The penalty is the norm squared: no square root.")
def norm_without_square(D: Net, x_real: Tensor) -> Tensor:
    return _gradient(D, x_real).norm(dim=1).mean()


@r1_exercise.mistake(
    "This is the penalty of the WGAN-GP, which pulls the norm to 1. R1 pulls it to 0: just the squared norm, without the −1."
)
def pulls_to_one(D: Net, x_real: Tensor) -> Tensor:
    return (_gradient(D, x_real).norm(dim=1) - 1).square().mean()


@r1_exercise.mistake("A factor ½ is in it already. The caller multiplies by gamma / 2; return the bare mean.")
def with_a_half(D: Net, x_real: Tensor) -> Tensor:
    return 0.5 * _gradient(D, x_real).square().sum(1).mean()


@r1_exercise.mistake(
    "You took the gradient of the probability. Take that of the logit: the sigmoid flattens it just where D is sure."
)
def gradient_of_the_probability(D: Net, x_real: Tensor) -> Tensor:
    return r1_penalty(nn.Sequential(D, nn.Sigmoid()), x_real)


@r1_exercise.mistake(
    "You took the gradient of the batch's mean logit: each real's gradient is divided by the batch size. Use the sum, in "
    "which every logit counts once."
)
def gradient_of_the_mean(D: Net, x_real: Tensor) -> Tensor:
    x = x_real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(x).mean(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


@r1_exercise.mistake("This is the squared gradient for D's weights. R1 asks how the logit changes with the real, x.")
def gradient_for_the_weights(D: Net, x_real: Tensor) -> Tensor:
    found = torch.autograd.grad(D(x_real).mean(), list(D.parameters()), create_graph=True)
    return torch.stack([gradient.square().sum() for gradient in found]).sum()


@r1_exercise.mistake("The penalty should be one number: take the mean over the reals.")
def one_for_each_real(D: Net, x_real: Tensor) -> Tensor:
    return _gradient(D, x_real).square().sum(1)


@r1_exercise.style
def norm_then_square(D: Net, x_real: Tensor) -> Tensor:
    x = x_real.clone().requires_grad_(True)
    logits = D(x)
    gradient = torch.autograd.grad(
        outputs=logits, inputs=x, grad_outputs=torch.ones_like(logits), create_graph=True, retain_graph=True
    )[0]
    return (gradient.reshape(len(x), -1).norm(2, dim=1) ** 2).mean()


@r1_exercise.style
def penalty_by_einsum(D: Net, x_real: Tensor) -> Tensor:
    x = torch.autograd.Variable(x_real, requires_grad=True)  # as older code writes it
    (gradient,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    return torch.einsum("b...,b...->", gradient, gradient) / x_real.shape[0]


@r1_exercise.style
def one_real_at_a_time(D: Net, x_real: Tensor) -> Tensor:
    return torch.stack([_gradient(D, x[None]).pow(2).sum() for x in x_real]).mean()


# -------------------------------------------------------------------------------------------------------- interpolate


def _ends(generator: Generator) -> list[Case]:
    return [
        {"z0": _normal(generator, d, scale=a), "z1": _normal(generator, d, scale=b), "steps": steps}
        for d, steps, a, b in ((3, 5, 1.0, 2.0), (6, 2, 1.5, 0.5), (8, 8, 1.0, 1.0))
    ]


def _ends_at_an_angle(generator: Generator) -> list[Case]:
    cases = []
    for d, steps, degrees, stretch in ((3, 5, 90.0, 1.7), (6, 4, 50.0, 0.6), (8, 3, 140.0, 1.3), (5, 4, 12.0, 1.5)):
        # shorter than 1, so that the product of the ends as they are is a cosine, too, though the wrong one
        z0, other = 0.7 * F.normalize(_normal(generator, d), dim=0), _normal(generator, d)
        u = F.normalize(z0, dim=0)
        v = F.normalize(other - (other @ u) * u, dim=0)
        turned = u * torch.tensor(degrees).deg2rad().cos() + v * torch.tensor(degrees).deg2rad().sin()
        cases.append({"z0": z0, "z1": stretch * z0.norm() * turned, "steps": steps})
    return cases


def _parallel_ends(generator: Generator) -> list[Case]:
    """Make ends whose cosine is exactly 1, and ends where rounding lifts it above 1, which no acos takes."""
    for attempt in range(1000):
        z = _normal(generator, 5)
        one, other = F.normalize(z, dim=0), F.normalize(1.5 * z, dim=0)
        cosines = (one @ other, (one * other).sum(), z @ (1.5 * z) / (z.norm() * (1.5 * z).norm()))
        # PyTorch's own goes above 1 as well, unless a later version clamps it
        if min(cosines) > 1 and (attempt > 500 or F.cosine_similarity(z, 1.5 * z, dim=0) > 1):
            break
    axis = torch.zeros(4)
    axis[int(torch.randint(4, (1,), generator=generator))] = 1.0 + float(_uniform(generator, 1))
    return [{"z0": z, "z1": 1.5 * z, "steps": 4}, {"z0": axis, "z1": 2 * axis, "steps": 5}]


interpolate_exercise = Exercise(
    interpolate,
    parts=[
        Part("straight", "the straight line: equal steps, both ends in it", probes.walk, _ends),
        Part("spherical", "along the arc, between ends of different lengths", probes.turn, _ends_at_an_angle,
             tolerance=(1e-3, 1e-4)),
        Part("parallel", "along the arc, between ends in one direction", probes.turn, _parallel_ends,
             tolerance=(1e-3, 1e-3)),
    ],
    hints=[
        "torch.linspace(0, 1, steps)[:, None] is a column of numbers t; (1 − t) · z0 + t · z1 broadcasts to (steps, D).",
        "spherical: ω = acos of the product of the normalised ends. The weights: sin((1 − t) ω) / sin ω and sin(t ω) / "
        "sin ω.",
        "Those weights go on z0 and z1 as they came. Where sin ω is nearly 0, take the straight line's weights instead.",
    ],
)  # fmt: skip


def _times(z: Tensor, steps: int) -> Tensor:
    return torch.linspace(0, 1, steps, device=z.device)[:, None]


def _arc(z0: Tensor, z1: Tensor, steps: int, cosine: Tensor) -> Tensor:
    t, angle = _times(z0, steps), cosine.acos()
    return (torch.sin((1 - t) * angle) * z0 + torch.sin(t * angle) * z1) / torch.sin(angle)


@interpolate_exercise.mistake(
    "The walk never arrives: its last row should be z1. torch.linspace(0, 1, steps) holds both ends."
)
def never_arrives(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    return interpolate(z0, z1, steps + 1, spherical)[:-1]


@interpolate_exercise.mistake("The walk has one row too many: `steps` counts both ends.")
def one_too_many(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    return interpolate(z0, z1, steps + 1, spherical)


@interpolate_exercise.mistake("The walk leaves the ends out. The first row is z0, the last is z1.")
def without_ends(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    return interpolate(z0, z1, steps + 2, spherical)[1:-1]


@interpolate_exercise.mistake("The walk goes backwards, from z1 to z0: the weight of z0 is 1 − t.")
def backwards(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    return interpolate(z1, z0, steps, spherical)


@interpolate_exercise.mistake("spherical makes no difference in your function. With it, the weights come from the angle.")
def always_straight(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    return interpolate(z0, z1, steps)


@interpolate_exercise.mistake("Your default is the arc. Without spherical=True the walk is straight.")
def always_the_arc(z0: Tensor, z1: Tensor, steps: int, spherical: bool = True) -> Tensor:
    return interpolate(z0, z1, steps, spherical=True)


@interpolate_exercise.mistake(
    "You walk between the normalised ends, so the walk does not begin at z0 nor end at z1. Normalise for the angle only."
)
def walks_on_the_unit_sphere(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    if not spherical:
        return interpolate(z0, z1, steps)
    return interpolate(F.normalize(z0, dim=0), F.normalize(z1, dim=0), steps, spherical=True)


@interpolate_exercise.mistake(
    "The angle comes from the ends as they are. Normalise them first: only for unit vectors is z0 · z1 a cosine."
)
def angle_of_the_raw_ends(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    cosine = (z0 @ z1).clamp(-1 + 1e-6, 1 - 1e-6)
    return _arc(z0, z1, steps, cosine) if spherical else interpolate(z0, z1, steps)


@interpolate_exercise.mistake(
    "You go straight between ends that do not point the same way. Only where sin ω is nearly 0, below a thousandth or so, "
    "may the straight line stand in for the arc."
)
def straight_too_soon(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    return interpolate(z0, z1, steps, spherical=spherical and bool(F.cosine_similarity(z0, z1, dim=0) < 0.9))


@interpolate_exercise.mistake(
    "Rounding may lift the cosine just above 1, and acos makes NaN of it. Clamp it to [−1, 1]; and ask whether sin ω is "
    "nearly 0, not whether ω is exactly 0."
)
def acos_without_a_clamp(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    cosine = F.normalize(z0, dim=0) @ F.normalize(z1, dim=0)
    return _arc(z0, z1, steps, cosine) if spherical and cosine != 1 else interpolate(z0, z1, steps)


@interpolate_exercise.mistake(
    "Between ends in one direction you divide 0 by 0 (sin ω = 0). The arc is a straight line there: use its weights. And "
    "clamp the cosine to [−1, 1]: rounding may lift it above 1."
)
def divides_by_zero(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    cosine = F.cosine_similarity(z0, z1, dim=0).clamp(-1, 1)
    return _arc(z0, z1, steps, cosine) if spherical else interpolate(z0, z1, steps)


@interpolate_exercise.mistake(
    "You took the straight walk and stretched each row to a length. The arc turns by equal angles: its weights are sines."
)
def straight_but_stretched(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    straight = interpolate(z0, z1, steps)
    if not spherical:
        return straight
    t = _times(z0, steps)
    return F.normalize(straight, dim=1) * ((1 - t) * z0.norm() + t * z1.norm())


@interpolate_exercise.style
def by_lerp(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    t = _times(z0, steps)
    cosine = (z0 @ z1) / (z0.norm() * z1.norm())
    if not spherical or cosine.abs() > 0.9995:
        return torch.lerp(z0, z1, t)
    angle = cosine.acos()
    return torch.sin((1 - t) * angle) / angle.sin() * z0 + torch.sin(t * angle) / angle.sin() * z1


@interpolate_exercise.style
def row_by_row(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    rows = []
    cosine = float(F.cosine_similarity(z0[None], z1[None]).clamp(-1, 1))
    angle = torch.tensor(cosine, dtype=torch.float64).acos()
    for i in range(steps):
        t = i / (steps - 1)
        a, b = 1 - t, t
        if spherical and angle > 1e-3:
            a, b = float(((1 - t) * angle).sin() / angle.sin()), float((t * angle).sin() / angle.sin())
        rows.append(a * z0 + b * z1)
    return torch.stack(rows)


@interpolate_exercise.style
def from_start_plus_way(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    t = torch.arange(steps, device=z0.device).unsqueeze(1) / (steps - 1)
    if spherical:
        unit0, unit1 = z0 / z0.norm(), z1 / z1.norm()
        # the angle by its half's sine, which is exact for small ones
        angle = 2 * torch.asin(((unit1 - unit0).norm() / 2).clamp(max=1))
        if torch.sin(angle) > 1e-5:
            return (torch.sin(angle - t * angle) * z0 + torch.sin(t * angle) * z1) / torch.sin(angle)
    return z0 + t * (z1 - z0)


# --------------------------------------------------------------------------------- append_labels and append_label_maps


def _labels(generator: Generator, b: int, n: int) -> Tensor:
    """Draw labels of which the last class is never one: what was seen says nothing of how many classes there are."""
    return torch.randint(0, n - 1, (b,), generator=generator)


def _noise_with_labels(generator: Generator) -> list[Case]:
    return [
        {"values": _normal(generator, b, d), "labels": _labels(generator, b, n), "n_classes": n}
        for b, d, n in ((5, 3, 4), (4, 4, 6), (1, 2, 3))
    ]


labels_exercise = Exercise(
    append_labels,
    parts=[Part("joined", "the noise, then one column for each class", probes.labelled, _noise_with_labels)],
    hints=[
        "A one-hot row has a 1 in the column of its class and 0 elsewhere: F.one_hot(labels, n_classes).",
        "It gives whole numbers; make it the noise's type (.to(z.dtype)), or torch.cat mixes types.",
        "torch.cat([z, one_hot], dim=1): the noise first.",
    ],
)


def _one_hot(values: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return F.one_hot(labels, n_classes).to(values.dtype)


@labels_exercise.mistake(
    "You appended the label as a number. Class 4 is not twice class 2: give each class a column of its own (one-hot)."
)
def appends_the_number(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat([z, labels[:, None].to(z.dtype)], dim=1)


@labels_exercise.mistake("The labels stand before the noise. The noise comes first.")
def labels_first(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat([_one_hot(z, labels, n_classes), z], dim=1)


@labels_exercise.mistake(
    "The number of columns depends on the labels in this batch: F.one_hot(labels) guesses. Say F.one_hot(labels, n_classes)."
)
def guesses_the_classes(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat([z, _one_hot(z, labels, int(labels.max()) + 1)], dim=1)


@labels_exercise.mistake("You added the labels to the noise. Join them as columns of their own: torch.cat(..., dim=1).")
def adds_the_label(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return z + labels[:, None].to(z.dtype)


@labels_exercise.mistake("You joined along the batch (dim=0). Each row keeps its place and gets longer: dim=1.")
def joins_the_batch(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat([z, _one_hot(z, labels, n_classes)])


@labels_exercise.mistake("The classes are counted from 1, so each label lands one column too far. They count from 0.")
def counts_from_one(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return append_labels(z, (labels + 1) % n_classes, n_classes)


@labels_exercise.style
def by_rows_of_the_identity(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.hstack([z, torch.eye(n_classes, device=z.device)[labels]])


@labels_exercise.style
def by_scatter(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    joined = torch.zeros(len(z), z.shape[1] + n_classes, device=z.device)
    joined[:, : z.shape[1]] = z
    return joined.scatter_(1, z.shape[1] + labels[:, None], 1.0)


@labels_exercise.style
def by_comparing(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat((z, (labels.unsqueeze(1) == torch.arange(n_classes, device=z.device)).float()), -1)


def _images_with_labels(generator: Generator) -> list[Case]:
    return [
        {"values": 2 * _uniform(generator, *shape) - 1, "labels": _labels(generator, shape[0], n), "n_classes": n}
        for shape, n in (((5, 3, 2, 4), 4), ((3, 1, 3, 3), 3), ((1, 2, 4, 2), 5))
    ]


maps_exercise = Exercise(
    append_label_maps,
    parts=[Part("joined", "the image's channels, then one map for each class", probes.labelled, _images_with_labels)],
    hints=[
        "One-hot as before, (B, n). Then each number becomes a whole map, (B, n, H, W), of that number.",
        "one_hot[:, :, None, None].expand(-1, -1, H, W) copies nothing and reads as maps.",
        "torch.cat([x, maps], dim=1): along the channels, the image first.",
    ],
)


def _maps(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return _one_hot(x, labels, n_classes)[:, :, None, None].expand(-1, -1, *x.shape[2:])


@maps_exercise.mistake("You appended one map that holds the label as a number. Give each class a map of its own, 0 or 1.")
def one_map_of_the_number(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat([x, labels.to(x.dtype)[:, None, None, None].expand(-1, 1, *x.shape[2:])], dim=1)


@maps_exercise.mistake("The maps stand before the image. The image's channels come first.")
def maps_first(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat([_maps(x, labels, n_classes), x], dim=1)


@maps_exercise.mistake(
    "The number of maps depends on the labels in this batch: F.one_hot(labels) guesses. Say F.one_hot(labels, n_classes)."
)
def guesses_the_number_of_maps(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat([x, _maps(x, labels, int(labels.max()) + 1)], dim=1)


@maps_exercise.mistake("You joined along the batch (dim=0). Maps are channels: torch.cat(..., dim=1).")
def joins_along_the_batch(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat([x, _maps(x, labels, n_classes)])


@maps_exercise.mistake(
    "Your maps are one pixel large, and torch.cat stretches nothing. Bring them to the image's size first: "
    ".expand(-1, -1, H, W)."
)
def maps_of_one_pixel(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat([x, _maps(x, labels, n_classes)[:, :, :1, :1]], dim=1)


@maps_exercise.mistake("You joined along the height or the width. Maps are channels: torch.cat(..., dim=1).")
def joins_along_the_height(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return torch.cat([x, _maps(x, labels, n_classes)], dim=2)


@maps_exercise.mistake("Your maps are 1 in one pixel only. Every pixel must know the class: the whole map is 1.")
def marks_one_pixel(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    joined = append_label_maps(x, labels, n_classes)
    joined[:, x.shape[1] :].flatten(2)[..., 1:] = 0
    return joined


@maps_exercise.mistake(
    "The classes are mixed up between the images: reshape and view reorder numbers. Add two dimensions, [:, :, None, None], "
    "and expand."
)
def reshapes_repeated_rows(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    one_hot = _one_hot(x, labels, n_classes)
    maps = one_hot.repeat(1, x.shape[2] * x.shape[3]).reshape(len(x), n_classes, *x.shape[2:])
    return torch.cat([x, maps], dim=1)


@maps_exercise.mistake("You added the maps to the image. Join them as channels of their own: torch.cat(..., dim=1).")
def adds_the_maps(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return x + labels[:, None, None, None].to(x.dtype)


@maps_exercise.style
def ones_times_one_hot(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    b, _, h, w = x.shape
    return torch.cat((x, F.one_hot(labels, n_classes).view(b, n_classes, 1, 1) * torch.ones(b, 1, h, w, device=x.device)), 1)


@maps_exercise.style
def image_by_image(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    joined = []
    for image, label in zip(x, labels.tolist(), strict=True):
        maps = torch.zeros(n_classes, *image.shape[1:], device=x.device)
        maps[label] = 1
        joined.append(torch.cat([image, maps]))
    return torch.stack(joined)


@maps_exercise.style
def maps_by_indexing(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    joined = torch.zeros(len(x), x.shape[1] + n_classes, *x.shape[2:], device=x.device)
    joined[:, : x.shape[1]] = x
    joined[torch.arange(len(x), device=x.device), x.shape[1] + labels] = 1.0
    return joined


# --------------------------------------------------------------------------------------------------- frechet_distance


def _covariance(generator: Generator, d: int, rank: int) -> Tensor:
    factor = _normal(generator, d, rank).double()
    return factor @ factor.T


def _two_normals(generator: Generator) -> list[Case]:
    return [
        {
            "mu1": _normal(generator, d).double(),
            "cov1": _covariance(generator, d, d + 3),
            "mu2": _normal(generator, d).double(),
            "cov2": 0.5 * _covariance(generator, d, d + 3),
        }
        for d in (4, 7, 1)
    ]


def _two_flat_normals(generator: Generator) -> list[Case]:
    cases = []
    for d, rank1, rank2 in ((12, 3, 4), (11, 2, 11), (4, 4, 0)):
        covariances = {"cov1": _covariance(generator, d, rank1), "cov2": _covariance(generator, d, rank2)}
        if rank2 == 4:  # a feature that never moves, as a dead unit's: there every Cholesky stops
            for covariance in covariances.values():
                covariance[1] = covariance[:, 1] = 0
        cases.append({"mu1": _normal(generator, d).double(), "mu2": _normal(generator, d).double(), **covariances})
    return cases


def _two_clouds_of_features(generator: Generator) -> list[Case]:
    """Make normals like those of features: large, flat, and so near to each other that single precision drowns them."""
    one = torch.randint(-40, 41, (32, 12), generator=generator).double()
    other = one + torch.randint(-2, 3, (32, 12), generator=generator)
    one[1] = other[1] = 0
    mu1, mu2 = torch.randint(-4, 5, (2, 32), generator=generator).double()
    return [{"mu1": mu1, "cov1": one @ one.T, "mu2": mu2, "cov2": other @ other.T, "apart": 1e-3}]


frechet_exercise = Exercise(
    frechet_distance,
    parts=[
        Part("value", "the squared distance, a Python float", probes.distance, _two_normals, tolerance=(1e-4, 1e-4),
             weight=4),
        Part("singular", "covariances that are flat in some direction", probes.distance, _two_flat_normals,
             tolerance=(1e-4, 1e-4)),
        Part("precision", "small distances between large covariances, given in single precision",
             probes.distance_in_both_precisions, _two_clouds_of_features, tolerance=(1e-3, 1e-3)),
    ],
    hints=[
        "Three traces and a squared norm. The hard one is Tr (Σ₁ Σ₂)^½: the sum of the square roots of the eigenvalues of "
        "Σ₁ Σ₂.",
        "Σ₁ Σ₂ is not symmetric, but Σ₁^½ Σ₂ Σ₁^½ is, and has the same eigenvalues: torch.linalg.eigh gives Σ₁^½, then "
        "torch.linalg.eigvalsh the rest.",
        "Rounding makes eigenvalues of 0 a little negative: .clamp(min=0) before every square root. Work in .double().",
    ],
)  # fmt: skip


def _overlap(cov1: Tensor, cov2: Tensor) -> Tensor:
    return torch.linalg.eigvals(cov1.double() @ cov2.double()).real.clamp(min=0).sqrt().sum()


def _of(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor, overlap: Tensor) -> float:
    return float((mu1 - mu2).square().sum() + cov1.trace() + cov2.trace() - 2 * overlap)


@frechet_exercise.mistake(
    "You took the square root of the products element by element. A matrix's square root works on it whole."
)
def roots_of_elements(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return _of(mu1, cov1, mu2, cov2, (cov1 @ cov2).abs().sqrt().trace())


@frechet_exercise.mistake(
    "You multiplied the covariances element by element (*). It is a matrix product: @. And the square root is the matrix's."
)
def multiplies_elements(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return _of(mu1, cov1, mu2, cov2, _overlap(cov1 * cov2, torch.eye(len(mu1), dtype=torch.float64)))


@frechet_exercise.mistake("The factor 2 is missing before (Σ₁ Σ₂)^½: two equal normals must have distance 0.")
def misses_the_two(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return _of(mu1, cov1, mu2, cov2, _overlap(cov1, cov2) / 2)


@frechet_exercise.mistake("The distance of the means is not squared: ‖μ₁ − μ₂‖² is a sum of squares, without a square root.")
def means_not_squared(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return float((mu1 - mu2).norm() + cov1.trace() + cov2.trace() - 2 * _overlap(cov1, cov2))


@frechet_exercise.mistake("The means do not enter. Two normals of one shape in different places are not the same.")
def forgets_the_means(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return frechet_distance(mu1, cov1, mu1, cov2)


@frechet_exercise.mistake("You return the square root. What is reported as FID is the squared distance.")
def takes_the_root(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return max(frechet_distance(mu1, cov1, mu2, cov2), 0.0) ** 0.5


@frechet_exercise.mistake("You summed all of the covariances' entries. Only the diagonal counts: the trace.")
def sums_whole_covariances(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return float((mu1 - mu2).square().sum() + cov1.sum() + cov2.sum() - 2 * _overlap(cov1, cov2))


@frechet_exercise.mistake(
    "Only the diagonals are compared, as if features were independent. (Σ₁ Σ₂)^½ needs the whole covariances."
)
def variances_only(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return frechet_distance(mu1, cov1.diag().diag(), mu2, cov2.diag().diag())


@frechet_exercise.mistake(
    "Σ₁^½ times Σ₂^½ is not the square root of Σ₁ Σ₂, unless the two point the same way. Multiply first."
)
def product_of_roots(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    roots = []
    for covariance in (cov1, cov2):
        values, vectors = torch.linalg.eigh(covariance.double())
        roots.append(vectors * values.clamp(min=0).sqrt() @ vectors.T)
    return _of(mu1, cov1, mu2, cov2, (roots[0] @ roots[1]).trace())


@frechet_exercise.mistake(
    "Right for round clouds, but a covariance that is flat in some direction breaks it: Cholesky and inverses need full "
    "rank. Use eigenvalues, clamped at 0."
)
def needs_full_rank(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    factor = torch.linalg.cholesky(cov2.double())
    return _of(mu1, cov1, mu2, cov2, torch.linalg.eigvalsh(factor.T @ cov1.double() @ factor).clamp(min=0).sqrt().sum())


def _by_roots(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor, least: float = 0.0, least_product: float = 0.0) -> float:
    values, vectors = torch.linalg.eigh(cov1)
    root = vectors * values.clamp(min=least).sqrt() @ vectors.T
    return _of(mu1, cov1, mu2, cov2, torch.linalg.eigvalsh(root @ cov2 @ root).clamp(min=least_product).sqrt().sum())


@frechet_exercise.mistake(
    "You compute in the precision of what you are given. In single precision an eigenvalue that should be 0 is off by more "
    "than a small distance: begin with .double()."
)
def in_single_precision(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return _by_roots(mu1, cov1, mu2, cov2)


NO_CLAMP = (
    "NaN comes from the square root of an eigenvalue that should be 0 and that rounding has put just below: .clamp(min=0) "
    "before every square root. (And eigvalsh wants a symmetric matrix, which Σ₁ Σ₂ is not.)"
)


@frechet_exercise.mistake(NO_CLAMP)
def clamps_one_root_only(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return _by_roots(mu1.double(), cov1.double(), mu2.double(), cov2.double(), least_product=-torch.inf)


@frechet_exercise.mistake(NO_CLAMP)
def clamps_no_root(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return _by_roots(mu1.double(), cov1.double(), mu2.double(), cov2.double(), -torch.inf, -torch.inf)


@frechet_exercise.mistake(
    "eigvalsh reads one half of a matrix and takes the other for its mirror image, but Σ₁ Σ₂ is not symmetric. Give it "
    "Σ₁^½ Σ₂ Σ₁^½, or take torch.linalg.eigvals."
)
def takes_the_product_for_symmetric(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    product = cov1.double() @ cov2.double()
    return _of(mu1, cov1, mu2, cov2, torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum())


@frechet_exercise.mistake("You took one square root of the sum. Take the root of each eigenvalue, then the sum.")
def root_of_the_sum(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    return _of(mu1, cov1, mu2, cov2, (cov1.double() @ cov2.double()).trace().sqrt())


@frechet_exercise.mistake("You return a tensor. Return a Python float: .item().")
def distance_as_a_tensor(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> Tensor:
    return torch.tensor(frechet_distance(mu1, cov1, mu2, cov2), dtype=torch.float64)


@frechet_exercise.style
def by_eigenvalues_of_the_product(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    mu1, cov1, mu2, cov2 = (value.double() for value in (mu1, cov1, mu2, cov2))
    eigenvalues = torch.linalg.eigvals(cov1 @ cov2)  # complex: rounding gives some a tiny imaginary part
    difference = mu1 - mu2
    return (difference @ difference + torch.trace(cov1 + cov2) - 2 * eigenvalues.sqrt().real.sum()).item()


@frechet_exercise.style
def by_the_nuclear_norm(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    roots = []
    for covariance in (cov1, cov2):
        u, s, _ = torch.linalg.svd(covariance.double())
        roots.append(u @ s.sqrt().diag() @ u.T)
    overlap = torch.linalg.svdvals(roots[0] @ roots[1]).sum()
    return float(F.mse_loss(mu1, mu2, reduction="sum") + (cov1 + cov2).trace() - 2 * overlap)


@frechet_exercise.style
def in_numpy(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    import numpy as np

    m1, c1, m2, c2 = (value.double().cpu().numpy() for value in (mu1, cov1, mu2, cov2))
    values, vectors = np.linalg.eigh(c2)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ c1 @ root), 0)).sum()
    return float(np.sum((m1 - m2) ** 2) + np.trace(c1) + np.trace(c2) - 2 * overlap)


# -------------------------------------------------------------------------------------------------------- questions
QUESTIONS = [
    Question(
        "answer_convention",
        right="b",
        feedback={
            "a": (
                "Read D on the slides as the probability of fake, and the two terms reward exactly what ours reward. A "
                "formula is only wrong if its letters mean what you think they mean."
            ),
            "b": (
                "Yes. Put 1 − D for D: log(1 − D(G(z))) + log D(x), to be maximised; with the sign turned, our loss. Before "
                "you copy a loss, look which way D points. Here: high is real."
            ),
            "c": (
                "Turning the sign alone gives −log D(G(z)) − log(1 − D(x)): with our D that rewards calling fakes real. "
                "Something else must be turned as well. What does D stand for?"
            ),
        },
        hints=["Take a perfect detective. Which D(x) and D(G(z)) make the slide's sum largest?"],
    ),
    Question(
        "answer_misprint",
        right="c",
        feedback={
            "a": ("What does −log(1 + D) do as D grows for a fake? Put in D = 0, then D = 1. Is D paid for being right?"),
            "b": "It has one: the derivative of −log(1 + D) is −1 / (1 + D), never 0. Which way does it push D?",
            "c": (
                "Yes. −log(1 + D) falls from 0 to −0.69 as D goes from 0 to 1, so D is rewarded for calling fakes real, and "
                "the reals' term wants the same. One sign, and there is no game left."
            ),
        },
        hints=["Compare the second term at D(G(z)) = 0 and at D(G(z)) = 1. Which one is lower?"],
    ),
    Question(
        "answer_adam",
        right="b",
        feedback={
            "a": "Both optimizers get the very same gradient, from the same backward pass. What do they do with its size?",
            "b": (
                "Yes. Adam's step is the gradient divided by the root of its recent mean square: its length cancels. What "
                "is left of saturation is noise and rounding, which do not cancel."
            ),
            "c": "D uses Adam in all four rows of the table. Only G's optimizer was changed.",
        },
        hints=["Multiply a loss by 0.001. What happens to a step of gradient descent? To one of Adam?"],
    ),
    Question(
        "answer_collapse",
        right="c",
        feedback={
            "a": (
                "Nothing asks for diversity, that is true. But in the first table momentum was at work as well. Are you "
                "sure which of the two it was? Print the result and look."
            ),
            "b": (
                "It was to blame in part: look at the seeds that now find 7 or 8. And then look at the others. One cause "
                "removed is not all causes removed."
            ),
            "c": (
                "Yes: it depends, on the optimizer and on luck. Whoever shows you one run that collapsed, or one that did "
                "not, has shown you little. Five seeds of each is the least."
            ),
        },
        hints=["Momentum carries G on when D has turned round already. Does less of it make the chase wilder, or calmer?"],
    ),
    Question(
        "answer_spherical",
        right="a",
        feedback={
            "a": (
                "Yes. The middle of two independent draws is shorter by a factor of √2, and in 64 dimensions no draw is "
                "ever that short. G was never asked what to draw there. In two dimensions, short draws are common: there it "
                "hardly matters."
            ),
            "b": "Both walks end exactly at z0 and z1. Look at what lies between them: how long are those vectors?",
            "c": (
                "The noise of all our generators is normal: each number is drawn by itself. In many dimensions such vectors "
                "have nearly one length, though nobody asked for a sphere. So what is wrong with the middle?"
            ),
        },
        hints=["Look at the picture of lengths. In which dimension does the straight walk leave the grey band?"],
    ),
    Question(
        "answer_frechet",
        right="b",
        feedback={
            "a": (
                "The formula is right, and 0 is the right answer to the question that it asks. Which two properties of a "
                "cloud enter it?"
            ),
            "b": (
                "Yes. It compares means and covariances, and nothing else. That is why one compares features in which "
                "such differences show, and why one looks at the pictures as well."
            ),
            "c": "With a million points it would be nearer to 0 still. The two clouds have the same mean and covariance.",
        },
        hints=["What of a cloud of points enters the formula?"],
    ),
]

# Of what the marked cells print: another machine's last digit may differ.
TOLERANCE = (1e-3, 2e-3)

ITEMS = [
    optimal_exercise,
    discriminator_loss_exercise,
    discriminator_step_exercise,
    minimax_exercise,
    nonsaturating_exercise,
    generator_step_exercise,
    r1_exercise,
    interpolate_exercise,
    labels_exercise,
    maps_exercise,
    frechet_exercise,
    *QUESTIONS,
]
