"""How lab 1 judges: for each exercise its cases and parts, the mistakes that people make, other right ways, hints.

The networks that students build may be of any kind. They are judged by what every good one does, and what is compared is
shapes, yes and no.
"""

from math import prod
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from course.autoencoder import (
    Autoencoder,
    build_decoder,
    build_encoder,
    nearest_codes,
    pca_reconstruct,
    squared_error,
    train_epoch,
)
from course.checks.exercise import Case, Exercise, Part, Question
from course.labs.lab1_autoencoders import probes

Shape = tuple[int, int, int]


def _normal(generator: Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=generator)


def _uniform(generator: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator)


# ---------------------------------------------------------------------------------------------------- squared_error


def _images_and_copies(generator: Generator) -> list[Case]:
    shapes = ((5, 1, 3, 2), (3, 3, 3, 3), (1, 2, 4, 3), (4, 1, 1, 1))
    return [{"x_hat": _normal(generator, *shape, scale=2), "x": _uniform(generator, *shape)} for shape in shapes]


def _perfect_copies(generator: Generator) -> list[Case]:
    x = _uniform(generator, 4, 1, 3, 2)
    close = x + torch.tensor([0.0, 1e-3, 0.1, 3.0]).reshape(4, 1, 1, 1) * _normal(generator, 4, 1, 3, 2).sign()
    return [{"x_hat": close, "x": x}]


error_exercise = Exercise(
    squared_error,
    parts=[
        Part("value", "one value for each image", probes.error, _images_and_copies, weight=2),
        Part("gradient", "the gradient, also of a copy that is perfect", probes.error_gradient, _perfect_copies,
             tolerance=(1e-3, 1e-6)),
    ],
    hints=[
        "The difference of two images is an image again. Square it pixel by pixel.",
        "Sum over channels, height and width. Which dimensions of (B, C, H, W) are these?",
        "(x_hat - x).square(), then .sum(dim=(1, 2, 3)), or .flatten(1).sum(1).",
    ],
)  # fmt: skip


@error_exercise.mistake("You averaged over the pixels. Sum over them: ‖x_hat − x‖² grows with the size of the image.")
def averages_pixels(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).square().mean(dim=(1, 2, 3))


@error_exercise.mistake("You took the mean over everything (F.mse_loss does). Return one value for each image, (B,).")
def averages_everything(x_hat: Tensor, x: Tensor) -> Tensor:
    return F.mse_loss(x_hat, x)


@error_exercise.mistake("You summed over the batch too. Return one value for each image, (B,).")
def sums_everything(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).square().sum()


@error_exercise.mistake(
    "You averaged over the batch as well. Return one value for each image, (B,); the average comes later."
)
def averages_the_batch(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).square().sum(dim=(1, 2, 3)).mean()


@error_exercise.mistake("You summed over one or two of the dimensions only. Channels, height and width all go; B stays.")
def keeps_the_channels(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).square().sum(dim=(2, 3))


@error_exercise.mistake(
    "The shape is (B, 1), not (B,): it would broadcast against other losses to (B, B). Leave keepdim out."
)
def keeps_a_dimension(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).square().flatten(1).sum(dim=1, keepdim=True)


@error_exercise.mistake("You averaged over the channels. Sum over channels, height and width alike.")
def averages_the_channels(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).square().mean(dim=1).sum(dim=(1, 2))


@error_exercise.mistake("Only the first channel counts. Sum over all of them: colour images have three.")
def first_channel_only(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x)[:, 0].square().sum(dim=(1, 2))


@error_exercise.mistake("You summed over the batch, dim=0. It is the one dimension that stays: sum over 1, 2 and 3.")
def sums_the_wrong_dimension(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).square().sum(dim=0)


@error_exercise.mistake("All dimensions are still there, (B, 1, 1, 1). Leave keepdim out: the result is (B,).")
def keeps_all_dimensions(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).square().sum(dim=(1, 2, 3), keepdim=True)


@error_exercise.mistake("A size is written into it, 784. Images may be of any size: .flatten(1).")
def reshapes_to_784(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).reshape(-1, 784).square().sum(dim=1)


@error_exercise.mistake("You clamp x_hat. A pixel beyond 0 or 1 is as wrong as any, and needs its gradient to come back.")
def clamps_the_copy(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat.clamp(0, 1) - x).square().sum(dim=(1, 2, 3))


@error_exercise.mistake("No gradient gets out: leave .detach(), .item(), .data and no_grad out. Training needs it.")
def detaches_the_error(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat.detach() - x).square().sum(dim=(1, 2, 3))


@error_exercise.mistake("You took the absolute difference. The loss is the square of it.")
def absolute_error(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).abs().sum(dim=(1, 2, 3))


@error_exercise.mistake("You did not square at all: too bright and too dark pixels cancel. Square the difference first.")
def plain_difference(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).sum(dim=(1, 2, 3))


@error_exercise.mistake(
    "You summed first and squared after: too bright and too dark pixels cancel. Square each pixel first."
)
def squares_the_sum(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).sum(dim=(1, 2, 3)).square()


@error_exercise.mistake("You took the root: this is the distance. The loss is the squared distance.")
def takes_the_root(x_hat: Tensor, x: Tensor) -> Tensor:
    return torch.linalg.vector_norm((x_hat - x).flatten(1), dim=1)


@error_exercise.mistake("There is a factor ½ too many. ‖x_hat − x‖² has none.")
def halves(x_hat: Tensor, x: Tensor) -> Tensor:
    return 0.5 * (x_hat - x).square().sum(dim=(1, 2, 3))


@error_exercise.mistake(
    "Right in value, but a root and a square cancel badly: the root's slope at 0 is infinite, so a perfect copy gets the "
    "gradient NaN. Square, sum, and stop."
)
def root_and_square(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).square().sum(dim=(1, 2, 3)).sqrt().square()


@error_exercise.style
def error_by_mse_loss(x_hat: Tensor, x: Tensor) -> Tensor:
    return F.mse_loss(x_hat, x, reduction="none").flatten(start_dim=1).sum(dim=1)


@error_exercise.style
def error_by_einsum(x_hat: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("bchw,bchw->b", x_hat - x, x_hat - x)


@error_exercise.style
def error_image_by_image(x_hat: Tensor, x: Tensor) -> Tensor:
    return torch.stack([((a - b) ** 2).sum() for a, b in zip(x_hat, x, strict=True)])


@error_exercise.style
def error_by_norm(x_hat: Tensor, x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x_hat - x, dim=(1, 2, 3)) ** 2


# ---------------------------------------------------------------------------------------------------- build_encoder


def _patches(generator: Generator, *shape: int) -> Tensor:
    """Draw images (B, C, H, W) of noise in a box each: as different from one another as real ones."""
    b, _, h, w = shape
    ends = _uniform(generator, 2, 2, b).sort(dim=0).values * torch.tensor([h, w])[:, None]  # (first and last, y and x, B)
    rows, columns = (torch.arange(n)[None] for n in (h, w))
    inside_y = (rows >= ends[0, 0, :, None].floor()) & (rows <= ends[1, 0, :, None])
    inside_x = (columns >= ends[0, 1, :, None].floor()) & (columns <= ends[1, 1, :, None])
    return _uniform(generator, *shape) * (inside_y[:, None, :, None] & inside_x[:, None, None, :])


def _images_of_many_sizes(generator: Generator) -> list[Case]:
    return [
        {"x": _patches(generator, *shape), "latent_dim": d}
        for shape, d in (((5, 1, 28, 28), 2), ((4, 1, 32, 32), 5), ((3, 3, 16, 16), 1), ((2, 1, 16, 24), 2))
    ]


def _batch_of_images(generator: Generator) -> list[Case]:
    return [{"x": _patches(generator, 32, 1, 28, 28), "latent_dim": 3}]


def _batches_of_images(generator: Generator) -> list[Case]:
    return [*_batch_of_images(generator), {"x": _patches(generator, 16, 3, 16, 16), "latent_dim": 2}]


encoder_exercise = Exercise(
    build_encoder,
    parts=[
        Part("shapes", "codes (B, D) for images of several sizes and channels", probes.encoder_shapes,
             _images_of_many_sizes, weight=3),
        Part("learning", "a gradient for every weight", probes.encoder_learns, _batch_of_images),
        Part("eval mode", "in eval mode a code for each image, by itself, the same each time", probes.encoder_in_eval_mode,
             _batches_of_images),
        Part("range", "codes that may be any number, above 30 and below −30", probes.encoder_reach, _batch_of_images),
    ],
    hints=[
        "Three moves are enough: nn.Flatten(), a hidden layer with a ReLU, and an nn.Linear to latent_dim numbers.",
        "The first Linear needs the number of values in an image: math.prod(in_shape), whatever in_shape is.",
        "nn.Sequential(nn.Flatten(), nn.Linear(prod(in_shape), 256), nn.ReLU(), ...). Nothing after the last Linear.",
    ],
)  # fmt: skip


class _Net(nn.Module):
    """A network with a forward of its own, made of given layers."""

    def __init__(self, body: nn.Module, forward: Any) -> None:
        super().__init__()
        self.body, self.way = body, forward

    def forward(self, x: Tensor) -> Any:
        return self.way(self.body, x)


def _encoder(in_shape: Shape, latent_dim: int, *end: nn.Module) -> nn.Sequential:
    """Make a small encoder, and put something at its end."""
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(in_shape), 64), nn.ReLU(), nn.Linear(64, latent_dim), *end)


@encoder_exercise.mistake(
    "Linear works on the last dimension, and here that is the width: you get a code for each row of pixels. Begin with "
    "nn.Flatten(), and give the first Linear all C · H · W values of an image."
)
def forgets_to_flatten(in_shape: Shape, latent_dim: int) -> nn.Module:
    return nn.Sequential(nn.Linear(in_shape[2], 64), nn.ReLU(), nn.Linear(64, latent_dim))


@encoder_exercise.mistake(
    "The network cannot take images (B, C, H, W) at all. Flatten them before the first Linear, nn.Flatten(), and give that "
    "layer prod(in_shape) inputs; after convolutions, as many as they leave."
)
def never_flattens(in_shape: Shape, latent_dim: int) -> nn.Module:
    return nn.Sequential(nn.Linear(prod(in_shape), 64), nn.ReLU(), nn.Linear(64, latent_dim))


@encoder_exercise.mistake(
    "It works for images of 28 x 28, and for no others: a size is written into it. Compute it from in_shape."
)
def hard_codes_the_size(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _encoder((in_shape[0], 28, 28), latent_dim)


@encoder_exercise.mistake("It works for one channel only. The number of channels is in_shape[0]: colour images have three.")
def hard_codes_the_channels(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _encoder((1, *in_shape[1:]), latent_dim)


@encoder_exercise.mistake("It works for square images only. Height is in_shape[1] and width is in_shape[2]; use both.")
def assumes_squares(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _encoder((in_shape[0], in_shape[1], in_shape[1]), latent_dim)


@encoder_exercise.mistake("Only the first channel is used. A code depends on all the in_shape[0] channels.")
def sees_one_channel(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _Net(_encoder((1, *in_shape[1:]), latent_dim), lambda body, x: body(x[:, :1]))


@encoder_exercise.mistake(
    "There is a norm over the numbers of the code at the end. It throws a part of the code away, and of two numbers leaves "
    "hardly more than which is larger. End with the Linear."
)
def normalises_the_code(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _encoder(in_shape, latent_dim, nn.LayerNorm(latent_dim))


@encoder_exercise.mistake("All images get the same code: x is not used. The code has to be computed from the image.")
def ignores_the_image(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _Net(nn.Linear(1, latent_dim), lambda body, x: body(torch.ones(len(x), 1, device=x.device)))


@encoder_exercise.mistake("latent_dim is not used: the codes always have two numbers.")
def ignores_latent_dim(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _encoder(in_shape, 2)


@encoder_exercise.mistake(
    "The codes are fenced in: a tanh, sigmoid, softmax or clamp at the end lets no number out. End with the Linear."
)
def bounds_the_codes(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _encoder(in_shape, latent_dim, nn.Tanh())


@encoder_exercise.mistake(
    "No code is ever negative (or hardly): there is a ReLU or something like it at the end. End with the Linear."
)
def codes_never_negative(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _encoder(in_shape, latent_dim, nn.Softplus())


@encoder_exercise.mistake(
    "The network has no parameters: its layers lie in a plain list, where PyTorch does not look. The optimizer would train "
    "nothing. Use nn.Sequential or nn.ModuleList."
)
def hides_the_layers(in_shape: Shape, latent_dim: int) -> nn.Module:
    layers = [*_encoder(in_shape, latent_dim)]

    def forward(_: nn.Module, x: Tensor) -> Tensor:
        for layer in layers:
            x = layer(x)
        return x

    return _Net(nn.Identity(), forward)


@encoder_exercise.mistake(
    "A layer is made inside forward: it starts anew at each call, and no optimizer ever sees it. Make all layers once, in "
    "__init__ or in nn.Sequential."
)
def makes_layers_in_forward(in_shape: Shape, latent_dim: int) -> nn.Module:
    body = nn.Sequential(nn.Flatten(), nn.Linear(prod(in_shape), 64), nn.ReLU())
    return _Net(body, lambda body, x: nn.Linear(64, latent_dim).to(x.device)(body(x)))


@encoder_exercise.mistake(
    "Some of its layers lie in a plain list or dict, where PyTorch does not look, so the optimizer would not train them. "
    "Use nn.Sequential or nn.ModuleList."
)
def hides_some_layers(in_shape: Shape, latent_dim: int) -> nn.Module:
    hidden = {"last": nn.Linear(64, latent_dim)}
    body = nn.Sequential(nn.Flatten(), nn.Linear(prod(in_shape), 64), nn.ReLU())
    return _Net(body, lambda body, x: hidden["last"].to(x.device)(body(x)))


@encoder_exercise.mistake(
    "Some weights never get a gradient: a layer is not used in forward, or a .detach(), a .data or a no_grad cuts it off."
)
def cuts_the_gradient(in_shape: Shape, latent_dim: int) -> nn.Module:
    body = nn.ModuleList([nn.Sequential(nn.Flatten(), nn.Linear(prod(in_shape), 64)), nn.Linear(64, latent_dim)])
    return _Net(body, lambda body, x: body[1](torch.relu(body[0](x)).detach()))


@encoder_exercise.mistake(
    "No gradient gets out of the network: it works under no_grad, or its weights are frozen (requires_grad = False)."
)
def encodes_without_gradients(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _encoder(in_shape, latent_dim).requires_grad_(False)


@encoder_exercise.mistake(
    "There are no weights in it, so there is nothing to train. It needs an nn.Linear or a convolution."
)
def has_no_weights(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _Net(nn.Flatten(), lambda body, x: body(x)[:, -latent_dim:])


@encoder_exercise.mistake(
    "Images of a batch influence one another in eval mode: batch norm works with the batch's own statistics there. Use "
    "nn.BatchNorm as a layer (or F.batch_norm with training=self.training), and normalise nothing over dim=0."
)
def normalises_over_the_batch(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _Net(
        nn.Sequential(nn.Flatten(), nn.Linear(prod(in_shape), 64), nn.ReLU(), nn.Linear(64, latent_dim)),
        lambda body, x: body[3](F.batch_norm(body[2](body[1](body[0](x))), None, None, training=len(x) > 1)),
    )


@encoder_exercise.mistake(
    "In eval mode the same image gives another code each time: F.dropout does not know the mode. Use nn.Dropout, or pass "
    "training=self.training; and add no noise."
)
def drops_out_in_eval_mode(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _Net(_encoder(in_shape, latent_dim), lambda body, x: body(F.dropout(x, 0.3)))


@encoder_exercise.mistake("A batch of one image loses its batch dimension: .squeeze() takes every dimension of size 1.")
def squeezes(in_shape: Shape, latent_dim: int) -> nn.Module:
    return _Net(_encoder(in_shape, latent_dim), lambda body, x: body(x).squeeze())


@encoder_exercise.style
def convolutions(in_shape: Shape, latent_dim: int) -> nn.Module:
    c, h, w = in_shape
    return nn.Sequential(
        nn.Conv2d(c, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(inplace=True),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(32 * (h // 4) * (w // 4), latent_dim),
    )


@encoder_exercise.style
def one_linear_layer(in_shape: Shape, latent_dim: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(in_shape), latent_dim, bias=False))


@encoder_exercise.style
def saturating_hidden_layers(in_shape: Shape, latent_dim: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(prod(in_shape), 32), nn.Tanh(), nn.Linear(32, 16), nn.Sigmoid(), nn.Linear(16, latent_dim)
    )


@encoder_exercise.style
def leaks_at_the_end(in_shape: Shape, latent_dim: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(in_shape), latent_dim), nn.LeakyReLU(0.01))


@encoder_exercise.style
def lazy_layers(in_shape: Shape, latent_dim: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(64), nn.LayerNorm(64), nn.GELU(), nn.LazyLinear(latent_dim))


class PooledEncoder(nn.Module):
    def __init__(self, in_shape: Shape, latent_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(in_shape[0], 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)])
        self.dropout = nn.Dropout(0.5)
        self.hidden = nn.Linear(16 * 4 * 4, 32)
        self.norm = nn.BatchNorm1d(32)
        self.out = nn.Linear(32, latent_dim)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Any:
        for layer in self.layers:
            x = F.max_pool2d(torch.relu(layer(2 * x - 1)), 2)
        x = F.adaptive_avg_pool2d(x, 4).reshape(len(x), -1)
        return self.out(torch.relu(self.norm(self.hidden(self.dropout(x)))))


@encoder_exercise.style
def a_class_with_pooling(in_shape: Shape, latent_dim: int) -> nn.Module:
    return PooledEncoder(in_shape, latent_dim)


# ---------------------------------------------------------------------------------------------------- build_decoder


def _codes_for_many_sizes(generator: Generator) -> list[Case]:
    return [
        {"z": _normal(generator, b, d, scale=2), "out_shape": list(shape)}
        for b, d, shape in ((5, 2, (1, 28, 28)), (4, 6, (1, 32, 32)), (3, 1, (3, 16, 16)), (2, 2, (1, 16, 24)))
    ]


def _batch_of_codes(generator: Generator) -> list[Case]:
    return [{"z": _normal(generator, 32, 3, scale=2), "out_shape": [1, 28, 28]}]


def _pictures(generator: Generator) -> list[Case]:
    white = torch.ones(1, 16, 16)
    edge = (torch.arange(16) < 8).expand(1, 16, 16).float()
    return [{"z": _normal(generator, 32, 3), "white": white, "black": 0 * white, "edge": edge}]


decoder_exercise = Exercise(
    build_decoder,
    parts=[
        Part("shapes", "images (B, C, H, W) of several sizes and channels", probes.decoder_shapes,
             _codes_for_many_sizes, weight=3),
        Part("learning", "a gradient for every weight, and for every number of the code", probes.decoder_learns,
             _batch_of_codes),
        Part("eval mode", "each code by itself in eval mode, the same image each time", probes.decoder_in_eval_mode,
             _batch_of_codes),
        Part("pixels", "pixels that training can make black and white", probes.decoder_pixels, _pictures, weight=2),
    ],
    hints=[
        "Walk back the way the encoder came: a Linear from latent_dim, a ReLU, a Linear to all pixels.",
        "As many outputs as an image has values: math.prod(out_shape). Then back to (C, H, W).",
        "nn.Unflatten(1, out_shape) at the end turns (B, C · H · W) into (B, C, H, W).",
    ],
)  # fmt: skip


def _decoder(latent_dim: int, out_shape: Shape, *end: nn.Module) -> nn.Sequential:
    """Make a small decoder, and put something at its end."""
    return nn.Sequential(nn.Linear(latent_dim, 64), nn.ReLU(), nn.Linear(64, prod(out_shape)), *end)


@decoder_exercise.mistake("The pixels come in one long row. Give them their shape back: nn.Unflatten(1, out_shape).")
def forgets_to_unflatten(latent_dim: int, out_shape: Shape) -> nn.Module:
    return _decoder(latent_dim, out_shape)


@decoder_exercise.mistake("All images come out as 28 x 28, whatever is asked for. Take the size from out_shape.")
def always_draws_28(latent_dim: int, out_shape: Shape) -> nn.Module:
    shape = (out_shape[0], 28, 28)
    return _decoder(latent_dim, shape, nn.Unflatten(1, shape))


@decoder_exercise.mistake("All images come out with one channel. The number of channels is out_shape[0].")
def draws_one_channel(latent_dim: int, out_shape: Shape) -> nn.Module:
    shape = (1, *out_shape[1:])
    return _decoder(latent_dim, shape, nn.Unflatten(1, shape))


@decoder_exercise.mistake("The channels are missing: images are (B, C, H, W), also when C is 1.")
def drops_the_channels(latent_dim: int, out_shape: Shape) -> nn.Module:
    return _decoder(latent_dim, out_shape[1:], nn.Unflatten(1, out_shape[1:]))  # type: ignore[arg-type]


@decoder_exercise.mistake("Height and width are swapped. The shape is (C, H, W): height first.")
def swaps_height_and_width(latent_dim: int, out_shape: Shape) -> nn.Module:
    c, h, w = out_shape
    return _decoder(latent_dim, out_shape, nn.Unflatten(1, (c, w, h)))


@decoder_exercise.mistake("The channels come last. PyTorch's images are (B, C, H, W): channels first.")
def puts_channels_last(latent_dim: int, out_shape: Shape) -> nn.Module:
    c, h, w = out_shape
    return _decoder(latent_dim, out_shape, nn.Unflatten(1, (h, w, c)))


@decoder_exercise.mistake(
    "The size of the batch is written into it, so another one does not fit. Write -1 or len(z) there, or use nn.Unflatten."
)
def hard_codes_the_batch(latent_dim: int, out_shape: Shape) -> nn.Module:
    return _Net(_decoder(latent_dim, out_shape), lambda body, z: body(z).view(64, *out_shape))


@decoder_exercise.mistake(
    "The decoder takes codes of two numbers only, whatever latent_dim is. Give its first layer latent_dim inputs."
)
def takes_two_numbers(latent_dim: int, out_shape: Shape) -> nn.Module:
    return _decoder(2, out_shape, nn.Unflatten(1, out_shape))


@decoder_exercise.mistake(
    "The network has no parameters: its layers lie in a plain list, where PyTorch does not look. The optimizer would train "
    "nothing. Use nn.Sequential or nn.ModuleList."
)
def hides_the_decoder(latent_dim: int, out_shape: Shape) -> nn.Module:
    layers = [*_decoder(latent_dim, out_shape, nn.Unflatten(1, out_shape))]

    def forward(_: nn.Module, z: Tensor) -> Tensor:
        for layer in layers:
            z = layer(z)
        return z

    return _Net(nn.Identity(), forward)


@decoder_exercise.mistake(
    "No gradient reaches the code, or not all of it is used, so the encoder would never learn. Give the whole z to the "
    "first layer; do not .detach() it or take its .data."
)
def detaches_the_code(latent_dim: int, out_shape: Shape) -> nn.Module:
    return _Net(_decoder(latent_dim, out_shape, nn.Unflatten(1, out_shape)), lambda body, z: body(z.detach()))


@decoder_exercise.mistake(
    "No gradient gets out of the network: it works under no_grad, or its weights are frozen (requires_grad = False)."
)
def decodes_without_gradients(latent_dim: int, out_shape: Shape) -> nn.Module:
    return _Net(_decoder(latent_dim, out_shape, nn.Unflatten(1, out_shape)), torch.no_grad()(lambda body, z: body(z)))


@decoder_exercise.mistake(
    "It draws images of 28 x 28 and no others: a size is written into its last layers. Compute it from out_shape."
)
def unflattens_to_28(latent_dim: int, out_shape: Shape) -> nn.Module:
    return _decoder(latent_dim, out_shape, nn.Unflatten(1, (out_shape[0], 28, 28)))


@decoder_exercise.mistake(
    "Its pixels cannot all be white. A softmax shares out one unit of ink; tanh / 2 and sigmoid − ½ end at ½. Each pixel "
    "must get to 0 and to 1, whatever the others do: end with the Linear, or with a sigmoid."
)
def shares_the_ink(latent_dim: int, out_shape: Shape) -> nn.Module:
    return _decoder(latent_dim, out_shape, nn.Softmax(dim=1), nn.Unflatten(1, out_shape))


@decoder_exercise.mistake("The pixels are on a scale of 0 to 255. Here black is 0 and white is 1: leave the factor out.")
def paints_to_255(latent_dim: int, out_shape: Shape) -> nn.Module:
    body = _decoder(latent_dim, out_shape, nn.Sigmoid(), nn.Unflatten(1, out_shape))
    return _Net(body, lambda body, z: 255 * body(z))


@decoder_exercise.mistake(
    "The pixels are not free: one channel is copied to all, or a norm at the end fixes each channel's mean. Draw all "
    "C · H · W values, and put no norm behind them."
)
def copies_one_channel(latent_dim: int, out_shape: Shape) -> nn.Module:
    body = _decoder(latent_dim, (1, *out_shape[1:]), nn.Unflatten(1, (1, *out_shape[1:])))
    return _Net(body, lambda body, z: body(z).expand(-1, *out_shape))


@decoder_exercise.mistake("Some weights never get a gradient: a layer is not used in forward, or something cuts it off.")
def leaves_a_layer_unused(latent_dim: int, out_shape: Shape) -> nn.Module:
    body = nn.ModuleList([_decoder(latent_dim, out_shape, nn.Unflatten(1, out_shape)), nn.Linear(64, 64)])
    return _Net(body, lambda body, z: body[0](z))


@decoder_exercise.mistake(
    "Codes of a batch influence one another in eval mode: batch norm works with the batch's own statistics there. Use "
    "nn.BatchNorm as a layer (or F.batch_norm with training=self.training), and normalise nothing over dim=0."
)
def normalises_over_the_codes(latent_dim: int, out_shape: Shape) -> nn.Module:
    return _Net(
        nn.Sequential(nn.Linear(latent_dim, 64), nn.Linear(64, prod(out_shape)), nn.Unflatten(1, out_shape)),
        lambda body, z: body[2](body[1](torch.relu(F.batch_norm(body[0](z), None, None, training=len(z) > 1)))),
    )


@decoder_exercise.mistake(
    "In eval mode the same code gives another image each time: F.dropout does not know the mode. Use nn.Dropout, or pass "
    "training=self.training."
)
def drops_out_codes(latent_dim: int, out_shape: Shape) -> nn.Module:
    body = _decoder(latent_dim, out_shape, nn.Unflatten(1, out_shape))
    return _Net(body, lambda body, z: body[3](body[2](F.dropout(body[1](body[0](z)), 0.3))))


@decoder_exercise.style
def transposed_convolutions(latent_dim: int, out_shape: Shape) -> nn.Module:
    c, h, w = out_shape
    return nn.Sequential(
        nn.Linear(latent_dim, 32 * (h // 4) * (w // 4)),
        nn.Unflatten(1, (32, h // 4, w // 4)),
        nn.BatchNorm2d(32),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(16, c, 4, stride=2, padding=1),
        nn.Sigmoid(),
    )


@decoder_exercise.style
def one_linear_layer_back(latent_dim: int, out_shape: Shape) -> nn.Module:
    return nn.Sequential(nn.Linear(latent_dim, prod(out_shape)), nn.Unflatten(-1, out_shape))


class UpsamplingDecoder(nn.Module):
    def __init__(self, latent_dim: int, out_shape: Shape) -> None:
        super().__init__()
        self.out_shape = out_shape
        self.hidden = nn.Sequential(nn.Linear(latent_dim, 64), nn.Dropout(0.3), nn.ReLU(), nn.Linear(64, 16 * 4 * 4))
        self.last = nn.Conv2d(16, out_shape[0], 3, padding=1)

    def forward(self, z: Tensor) -> Any:
        x = self.hidden(z).view(-1, 16, 4, 4)
        return self.last(F.interpolate(F.leaky_relu(x), self.out_shape[1:], mode="bilinear"))


@decoder_exercise.style
def a_class_that_upsamples(latent_dim: int, out_shape: Shape) -> nn.Module:
    return UpsamplingDecoder(latent_dim, out_shape)


@decoder_exercise.style
def relu_at_the_end(latent_dim: int, out_shape: Shape) -> nn.Module:
    return _decoder(latent_dim, out_shape, nn.ReLU(), nn.Unflatten(1, out_shape))


@decoder_exercise.style
def lazy_and_squashed(latent_dim: int, out_shape: Shape) -> nn.Module:
    body = nn.Sequential(nn.LazyLinear(48), nn.Tanh(), nn.LazyLinear(prod(out_shape)))
    return _Net(body, lambda body, z: torch.sigmoid(body(z)).reshape(z.shape[0], *out_shape))


# ------------------------------------------------------------------------------------------------------ Autoencoder


def _linear_model(generator: Generator, pixels: int, latent: int) -> Case:
    """Make the weights of an autoencoder of two linear layers."""
    return {
        "encoder_weight": _normal(generator, latent, pixels, scale=0.7),
        "encoder_bias": _normal(generator, latent),
        "weight": _normal(generator, pixels, latent, scale=0.7),
        "bias": _normal(generator, pixels, scale=0.5),
        "shape": [1, 1, pixels],
    }


def _images_to_rebuild(generator: Generator) -> list[Case]:
    return [
        {"x": _uniform(generator, b, 1, 1, p), "training": training, **_linear_model(generator, p, d)}
        for b, p, d, training in ((5, 4, 2, True), (1, 6, 3, False), (4, 3, 3, True))
    ]


def _images_to_learn_from(generator: Generator) -> list[Case]:
    return [{"x": _uniform(generator, b, 1, 1, p), **_linear_model(generator, p, d)} for b, p, d in ((5, 4, 2), (3, 3, 3))]


autoencoder_exercise = Exercise(
    Autoencoder,
    methods=("forward",),
    parts=[
        Part("value", "forward: x_hat, what the decoder makes of the code", probes.rebuild, _images_to_rebuild, weight=2),
        Part("gradient", "gradients for the decoder and, through the code, for the encoder", probes.rebuild_gradient,
             _images_to_learn_from),
    ],
    hints=[
        "Follow an image: the encoder makes a code of it, the decoder an image of the code.",
        "The class has a method for each: self.encode and self.decode.",
        "return self.decode(self.encode(x))",
    ],
)  # fmt: skip


@autoencoder_exercise.mistake("forward returns the code. Decode it: what comes out is an image again.")
class ReturnsTheCode(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        return self.encode(x)


@autoencoder_exercise.mistake("forward returns x itself. It must go through the code, or nothing is learned.")
class ReturnsTheImage(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        return x


@autoencoder_exercise.mistake("forward returns nothing: a `return` is missing.")
class ForgetsToReturn(Autoencoder):
    def forward(self, x: Tensor) -> Any:
        self.decode(self.encode(x))


@autoencoder_exercise.mistake(
    "Give the encoder the image as it is, (B, C, H, W): if it wants a row of pixels, it flattens itself."
)
class FlattensTheImage(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x.flatten(start_dim=1)))


@autoencoder_exercise.mistake("forward returns the code beside the image. Return x_hat alone; encode(x) gives the code.")
class ReturnsBoth(Autoencoder):
    def forward(self, x: Tensor) -> Any:
        z = self.encode(x)
        return self.decode(z), z


@autoencoder_exercise.mistake(
    "There is a sigmoid at the end. The decoder's output is the image already: return it as it is."
)
class AddsASigmoid(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.decode(self.encode(x)))


@autoencoder_exercise.mistake(
    "You cut x_hat off at 0 and 1. Pixels beyond get no gradient then; clamp for showing, not here."
)
class ClampsTheImage(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)).clamp(0, 1)


@autoencoder_exercise.mistake(
    "There is a function between encoder and decoder (a sigmoid, a ReLU, a tanh). Leave the code be."
)
class SquashesTheCode(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        return self.decode(torch.tanh(self.encode(x)))


@autoencoder_exercise.mistake("forward cuts the gradient between decoder and encoder. Do not .detach() the code.")
class DetachesTheCode(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x).detach())


@autoencoder_exercise.mistake("No gradient gets out of forward: do not work under no_grad there. Training needs them.")
class ForgetsGradients(Autoencoder):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


@autoencoder_exercise.mistake("forward changes the model's mode. Leave train() and eval() to the caller.")
class SetsEvalMode(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        self.eval()
        return self.decode(self.encode(x))


@autoencoder_exercise.mistake("There is noise on the code. That is on the way to lab 2; an autoencoder has none.")
class AddsNoise(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        z = self.encode(x)
        return self.decode(z + torch.randn_like(z))


@autoencoder_exercise.style
class CallsTheNetworks(nn.Module):
    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def encode(self, x: Tensor) -> Any:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Any:
        return self.decoder(z)

    def forward(self, x: Tensor) -> Any:
        z = self.encoder(x)
        x_hat = self.decoder(z)
        return x_hat


@autoencoder_exercise.style
class AsASequence(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        for step in (self.encode, self.decode):
            x = step(x)
        return x


# ------------------------------------------------------------------------------------------------------ train_epoch


def _epochs(generator: Generator) -> list[Case]:
    return [
        {
            "x": _uniform(generator, sum(sizes), 1, 1, p),
            "sizes": list(sizes),
            "learning_rate": 0.004,
            "training": training,
            "stale": 3.0,
            **_linear_model(generator, p, d),
        }
        for sizes, p, d, training in (((4, 4, 1), 4, 2, False), ((3,), 3, 2, True), ((2, 5, 2, 3), 5, 3, False))
    ]


epoch_exercise = Exercise(
    train_epoch,
    parts=[
        Part("updates", "the model after the epoch, and its mode", probes.epoch, _epochs, weight=2,
             view=lambda answers, **_: {n: v for n, v in answers.items() if n != "the_mean_loss"}),
        Part("loss", "the mean loss per image, a float", probes.epoch, _epochs,
             view=lambda answers, **_: {"the_mean_loss": answers["the_mean_loss"]}),
    ],
    hints=[
        "Before the loop: model.train(). In it, for each x: the loss, zero_grad, backward, step.",
        "The loss of a batch is squared_error(model(x), x).mean(). Add up loss.item() · len(x), and count images.",
        "Divide by the number of images at the end, not by the number of batches: the last batch may be smaller.",
    ],
)  # fmt: skip


@epoch_exercise.mistake(
    "You average over the batches, so an image of a small last batch counts more than the others. Weigh each batch's loss "
    "by len(x), and divide by the number of images."
)
def averages_batches(model: Any, batches: Any, optimizer: Any) -> float:
    model.train()
    losses = []
    for x in batches:
        loss = squared_error(model(x), x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def _epoch(
    model: Any,
    batches: Any,
    optimizer: Any,
    clear: Any = None,
    mode: Any = None,
    reduce: Any = Tensor.mean,
    moves: bool = True,
) -> tuple[float, int, float, int]:
    """Train for an epoch with something odd; return the total loss, the images, the last loss and the batches."""
    (mode or model.train)()
    total, images, number, last = 0.0, 0, 0, 0.0
    for x in batches:
        loss = reduce(squared_error(model(x), x))
        (clear or optimizer.zero_grad)()
        loss.backward()
        if moves:
            optimizer.step()
        last = loss.item()
        total, images, number = total + last * len(x), images + len(x), number + 1
    return total, images, last, number


@epoch_exercise.mistake(
    "The gradients of earlier batches are still there and add up. Call optimizer.zero_grad() for each batch, before "
    "loss.backward()."
)
def never_clears(model: Any, batches: Any, optimizer: Any) -> float:
    total, images, _, _ = _epoch(model, batches, optimizer, clear=lambda: None)
    return total / images


@epoch_exercise.mistake(
    "You clear the gradients once, before the loop: from the second batch on they add up. Call optimizer.zero_grad() for "
    "each batch."
)
def clears_once(model: Any, batches: Any, optimizer: Any) -> float:
    optimizer.zero_grad()
    return never_clears(model, batches, optimizer)


@epoch_exercise.mistake(
    "You clear after the step, so the first batch adds to gradients that somebody left behind. Clear before backward()."
)
def clears_after_the_step(model: Any, batches: Any, optimizer: Any) -> float:
    optimizer.register_step_post_hook(lambda *_: optimizer.zero_grad())
    return never_clears(model, batches, optimizer)


@epoch_exercise.mistake(
    "There is one step for the whole epoch: optimizer.step() stands after the loop. Step once for each batch."
)
def steps_after_the_loop(model: Any, batches: Any, optimizer: Any) -> float:
    total, images, _, _ = _epoch(model, batches, optimizer, moves=False)
    optimizer.step()
    return total / images


@epoch_exercise.mistake("There is one step for the whole epoch, on the sum of its gradients. Clear and step for each batch.")
def steps_on_the_sum(model: Any, batches: Any, optimizer: Any) -> float:
    optimizer.zero_grad()
    total, images, _, _ = _epoch(model, batches, optimizer, clear=lambda: None, moves=False)
    optimizer.step()
    return total / images


@epoch_exercise.mistake("The parameters move, but not by the optimizer. Call optimizer.step() on the one you were given.")
def moves_by_hand(model: Any, batches: Any, optimizer: Any) -> float:
    own = torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"])
    total, images, _, _ = _epoch(model, batches, own)
    return total / images


@epoch_exercise.mistake("This uses an Adam of its own. Call optimizer.step() on the one you were given.")
def makes_an_adam(model: Any, batches: Any, optimizer: Any) -> float:
    total, images, _, _ = _epoch(model, batches, torch.optim.Adam(model.parameters(), lr=1e-3))
    return total / images


@epoch_exercise.mistake("It ends after the first batch: the return stands inside the loop. Move it to the left.")
def returns_in_the_loop(model: Any, batches: Any, optimizer: Any) -> float:
    return _epoch(model, [next(iter(batches))], optimizer)[2]


@epoch_exercise.mistake("You leave out a small last batch. It counts as well; only weigh it by len(x).")
def skips_the_small_batch(model: Any, batches: Any, optimizer: Any) -> float:
    whole = list(batches)
    total, images, _, _ = _epoch(model, [x for x in whole if len(x) == len(whole[0])], optimizer)
    return total / images


@epoch_exercise.mistake(
    "You walk through the batches a second time, and a generator has no second time. Count in the same loop."
)
def walks_twice(model: Any, batches: Any, optimizer: Any) -> float:
    total, _, _, _ = _epoch(model, batches, optimizer)
    return total / sum(len(x) for x in batches)


@epoch_exercise.mistake(
    "model.train() comes after the loop: the training itself is done in whatever mode there was. Call it before."
)
def switches_too_late(model: Any, batches: Any, optimizer: Any) -> float:
    total, images, _, _ = _epoch(model, batches, optimizer, mode=lambda: None)
    model.train()
    return total / images


@epoch_exercise.mistake(
    "You give the model the mode back that it had before. It must end in training mode, whatever it was."
)
def restores_the_mode(model: Any, batches: Any, optimizer: Any) -> float:
    before = model.training
    total, images, _, _ = _epoch(model, batches, optimizer)
    model.train(before)
    return total / images


@epoch_exercise.mistake("The parameters do not move: optimizer.step() is missing, or zero_grad() stands before it.")
def never_moves(model: Any, batches: Any, optimizer: Any) -> float:
    total, images, _, _ = _epoch(model, batches, optimizer, moves=False)
    return total / images


@epoch_exercise.mistake(
    "The model keeps the mode it had. Call model.train() before the loop: training needs its dropout on."
)
def keeps_the_mode(model: Any, batches: Any, optimizer: Any) -> float:
    total, images, _, _ = _epoch(model, batches, optimizer, mode=lambda: None)
    return total / images


@epoch_exercise.mistake("You leave the model in eval mode. It must end in training mode; whoever tests it calls eval().")
def ends_in_eval_mode(model: Any, batches: Any, optimizer: Any) -> float:
    total, images, _, _ = _epoch(model, batches, optimizer)
    model.eval()
    return total / images


@epoch_exercise.mistake(
    "The loss of a batch is a sum over its images, so a larger batch takes larger steps. Use the mean: "
    "squared_error(...).mean()."
)
def sums_the_batch(model: Any, batches: Any, optimizer: Any) -> float:
    model.train()
    total, images = 0.0, 0
    for x in batches:
        loss = squared_error(model(x), x).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, images = total + loss.item(), images + len(x)
    return total / images


@epoch_exercise.mistake("You return the total of the epoch. Divide by the number of images.")
def returns_the_total(model: Any, batches: Any, optimizer: Any) -> float:
    return _epoch(model, batches, optimizer)[0]


@epoch_exercise.mistake("You return the loss of the last batch. Average over all the images of the epoch.")
def returns_the_last(model: Any, batches: Any, optimizer: Any) -> float:
    return _epoch(model, batches, optimizer)[2]


@epoch_exercise.mistake(
    "You weigh by the images, but divide by the number of batches. Divide by the number of images: count += len(x)."
)
def divides_by_batches(model: Any, batches: Any, optimizer: Any) -> float:
    total, _, _, number = _epoch(model, batches, optimizer)
    return total / number


@epoch_exercise.mistake("You return a tensor, which keeps its graph in memory. Return a Python float: .item().")
def returns_a_tensor(model: Any, batches: Any, optimizer: Any) -> Tensor:
    total, images, _, _ = _epoch(model, batches, optimizer)
    return torch.tensor(total / images)


@epoch_exercise.mistake(
    "You ask for len(batches), but a generator has no length, and can be walked through only once. Count as you go."
)
def asks_for_the_length(model: Any, batches: Any, optimizer: Any) -> float:
    return _epoch(model, batches, optimizer)[0] / len(batches)


@epoch_exercise.mistake(
    "You report the losses after the updates. Add up the losses that you computed for them: it is free, and it is what the "
    "docstring asks for."
)
def reports_after_the_update(model: Any, batches: Any, optimizer: Any) -> float:
    model.train()
    total, images = 0.0, 0
    for x in batches:
        _epoch(model, [x], optimizer)
        with torch.no_grad():
            total, images = total + squared_error(model(x), x).sum().item(), images + len(x)
    return total / images


@epoch_exercise.mistake("This trains on the mean over the pixels (F.mse_loss). Use squared_error: summed over an image.")
def trains_on_mse_loss(model: Any, batches: Any, optimizer: Any) -> float:
    model.train()
    total, images = 0.0, 0
    for x in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, images = total + loss.item() * len(x), images + len(x)
    return total / images


@epoch_exercise.style
def sums_and_divides(model: Any, batches: Any, optimizer: Any) -> float:
    model.train()
    total, images = 0.0, 0
    for x in batches:
        optimizer.zero_grad()
        errors = squared_error(model(x), x)
        (errors.sum() / x.shape[0]).backward()
        optimizer.step()
        total += float(errors.detach().sum())
        images += x.shape[0]
    return total / images


@epoch_exercise.style
def collects_all_errors(model: Any, batches: Any, optimizer: Any) -> float:
    collected = []
    for x in list(batches):
        model.train(True)
        errors = squared_error(x_hat=model.decode(model.encode(x)), x=x)
        model.zero_grad(set_to_none=True)
        errors.mean().backward()
        optimizer.step()
        collected.append(errors.detach())
    return torch.cat(collected).mean().item()


@epoch_exercise.style
def everything_inline(model: Any, batches: Any, optimizer: Any) -> float:
    model.train()
    weighted = []
    for x in batches:
        loss = F.mse_loss(model(x), x, reduction="sum") / len(x)
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
        weighted.append((loss.item(), len(x)))
    return sum(loss * n for loss, n in weighted) / sum(n for _, n in weighted)


# -------------------------------------------------------------------------------------------------- pca_reconstruct


def _cloud(generator: Generator, n: int, d: int) -> Tensor:
    """Draw N points round a mean far from 0, whose spread falls by a third from one direction to the next: the best
    directions are then plain to see, by any right method."""
    rank = min(n - 1, d)
    columns = torch.cat([torch.ones(n, 1), _normal(generator, n, rank)], dim=1)
    left = torch.linalg.qr(columns).Q[:, 1:]  # orthonormal, each of mean 0
    right = torch.linalg.qr(_normal(generator, d, d)).Q[:, :rank]
    spread = 6 * (2 / 3) ** torch.arange(rank)
    return left * spread @ right.T + 2 * _normal(generator, d)


def _clouds(generator: Generator) -> list[Case]:
    return [{"x": _cloud(generator, n, d), "k": k} for n, d, k in ((12, 5, 2), (9, 4, 1), (6, 6, 3), (20, 3, 2))]


def _edges(generator: Generator) -> list[Case]:
    return [{"x": _cloud(generator, n, d), "k": k} for n, d, k in ((7, 4, 0), (4, 9, 2), (7, 3, 3), (4, 9, 6))]


pca_exercise = Exercise(
    pca_reconstruct,
    parts=[
        Part("value", "the best reconstruction of rank k round the mean", probes.components, _clouds, weight=2),
        Part("edges", "k = 0, k = D, and fewer images than pixels", probes.components, _edges),
    ],
    hints=[
        "Subtract the mean of the rows first, and add it again at the very end.",
        "torch.linalg.svd(centred, full_matrices=False) gives U, S, Vh: the rows of Vh are directions, widest spread first.",
        "With directions = Vh[:k], (k, D): codes = centred @ directions.T, and back: codes @ directions + mean.",
    ],
)


def _project(centred: Tensor, k: int) -> Tensor:
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[:k]
    return centred @ directions.T @ directions


@pca_exercise.mistake(
    "You did not centre: the first direction then only points at the mean. Subtract x.mean(dim=0) first, and "
    "add it at the end."
)
def does_not_centre(x: Tensor, k: int) -> Tensor:
    return _project(x, k)


@pca_exercise.mistake("The mean is missing at the end: you subtracted it, so add it again.")
def forgets_to_add_the_mean(x: Tensor, k: int) -> Tensor:
    return _project(x - x.mean(dim=0), k)


@pca_exercise.mistake("You subtract the mean of each row, dim=1. Centre every pixel over the images: x.mean(dim=0).")
def centres_each_row(x: Tensor, k: int) -> Tensor:
    mean = x.mean(dim=1, keepdim=True)
    return mean + _project(x - mean, k)


@pca_exercise.mistake("You subtract one mean for all, x.mean(). Each pixel has a mean of its own: x.mean(dim=0).")
def centres_with_one_number(x: Tensor, k: int) -> Tensor:
    return x.mean() + _project(x - x.mean(), k)


@pca_exercise.mistake(
    "You keep the directions of smallest spread: torch.linalg.eigh sorts upwards. Take the last k columns, [:, -k:], and "
    "mind k = 0."
)
def keeps_the_smallest(x: Tensor, k: int) -> Tensor:
    centred = x - x.mean(dim=0)
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, :k]
    return x.mean(dim=0) + centred @ directions @ directions.T


@pca_exercise.mistake("[:, -k:] takes all columns when k is 0, since −0 is 0. Count from the front: [:, D - k:].")
def takes_all_for_none(x: Tensor, k: int) -> Tensor:
    centred = x - x.mean(dim=0)
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -k:]
    return x.mean(dim=0) + centred @ directions @ directions.T


@pca_exercise.mistake("You keep the directions of smallest spread: svd sorts downwards. Take the first k rows, Vh[:k].")
def keeps_the_last_rows(x: Tensor, k: int) -> Tensor:
    mean = x.mean(dim=0)
    directions = torch.linalg.svd(x - mean, full_matrices=False).Vh[-k:]
    return mean + (x - mean) @ directions.T @ directions


@pca_exercise.mistake("The directions are right, but you project x itself, and add the mean on top. Project x − mean.")
def projects_without_centring(x: Tensor, k: int) -> Tensor:
    mean = x.mean(dim=0)
    directions = torch.linalg.svd(x - mean, full_matrices=False).Vh[:k]
    return mean + x @ directions.T @ directions


@pca_exercise.mistake(
    "The directions are right, but you project x itself. Project x − mean, and add the mean again at the end."
)
def projects_round_zero(x: Tensor, k: int) -> Tensor:
    directions = torch.linalg.svd(x - x.mean(dim=0), full_matrices=False).Vh[:k]
    return x @ directions.T @ directions


@pca_exercise.mistake("You take the directions from x itself: the first then points at the mean. Give svd the centred rows.")
def directions_without_centring(x: Tensor, k: int) -> Tensor:
    mean = x.mean(dim=0)
    directions = torch.linalg.svd(x, full_matrices=False).Vh[:k]
    return mean + (x - mean) @ directions.T @ directions


@pca_exercise.mistake("You return the codes, (N, k). Go back to the pixels: codes @ directions + mean.")
def returns_the_codes(x: Tensor, k: int) -> Tensor:
    centred = x - x.mean(dim=0)
    return centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:k].T


@pca_exercise.mistake(
    "torch.linalg.svd gives Vh, whose ROWS are the directions, and you took columns of it: Vh[:k], not Vh[:, :k]."
)
def takes_columns_of_vh(x: Tensor, k: int) -> Tensor:
    centred = x - x.mean(dim=0)
    directions = torch.linalg.svd(centred).Vh[:, :k]
    return x.mean(dim=0) + centred @ directions @ directions.T


@pca_exercise.mistake("You keep one direction too few.")
def one_too_few(x: Tensor, k: int) -> Tensor:
    return pca_reconstruct(x, max(0, k - 1))


@pca_exercise.mistake("You keep one direction too many: the slice [:k] holds k of them.")
def one_too_many(x: Tensor, k: int) -> Tensor:
    return pca_reconstruct(x, min(x.shape[1], k + 1))


@pca_exercise.mistake(
    "You divided by the standard deviations. That changes what is best: squared error wants pixels as they are."
)
def standardises(x: Tensor, k: int) -> Tensor:
    mean, std = x.mean(dim=0), x.std(dim=0)
    return mean + std * _project((x - mean) / std, k)


@pca_exercise.mistake("Your code wrote into x: `x -= mean` changes the caller's images. Write centred = x - mean.")
def centres_in_place(x: Tensor, k: int) -> Tensor:
    mean = x.mean(dim=0)
    x -= mean
    return mean + _project(x, k)


@pca_exercise.style
def pca_by_eigenvectors(x: Tensor, k: int) -> Tensor:
    mean = x.mean(0, keepdim=True)
    centred = x - mean
    _, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
    basis = vectors[:, x.shape[1] - k :]
    return mean + centred @ (basis @ basis.T)


@pca_exercise.style
def pca_by_truncated_svd(x: Tensor, k: int) -> Tensor:
    mean = x.mean(dim=0)
    u, s, vh = torch.linalg.svd(x - mean, full_matrices=False)
    s = torch.where(torch.arange(len(s), device=x.device) < k, s, torch.zeros_like(s))
    return u @ torch.diag(s) @ vh + mean


@pca_exercise.style
def pca_by_similarities_of_rows(x: Tensor, k: int) -> Tensor:
    mean = x.mean(dim=0)
    centred = x - mean
    vectors = torch.linalg.eigh(centred @ centred.T).eigenvectors.flip(1)[:, :k]
    return vectors @ (vectors.T @ centred) + mean


@pca_exercise.style
def pca_direction_by_direction(x: Tensor, k: int) -> Tensor:
    mean = x.mean(dim=0)
    directions = torch.linalg.svd((x - mean).double(), full_matrices=False)[2][:k]
    x_hat = mean.expand_as(x).clone()
    for direction in directions.to(x.dtype):
        x_hat = x_hat + torch.outer((x - mean) @ direction, direction)
    return x_hat


# ---------------------------------------------------------------------------------------------------- nearest_codes


def _codes_and_queries(generator: Generator) -> list[Case]:
    return [
        {"z": _normal(generator, b, d, scale=2), "codes": _normal(generator, n, d, scale=2), "k": k}
        for b, n, d, k in ((5, 40, 2, 3), (3, 7, 4, 7), (1, 30, 1, 1), (6, 60, 8, 4))
    ]


def _codes_with_equals(generator: Generator) -> list[Case]:
    """Draw codes that come twice, in another order, and queries that are among them."""
    codes = _normal(generator, 9, 3, scale=2)
    codes = torch.cat([codes, codes])[torch.randperm(18, generator=generator)]
    return [{"z": codes[:5].clone(), "codes": codes, "k": 4}]


def _distances(answers: dict[str, Any], z: Tensor, codes: Tensor, k: int) -> dict[str, Any]:
    indices = answers["indices"]
    chosen = codes[indices.clamp(0, len(codes) - 1)].double()  # (B, k, D)
    return {
        "the_indices_are_int64_(1_means_yes)": float(indices.dtype == torch.int64),
        "indices_beyond_the_codes": ((indices < 0) | (indices >= len(codes))).sum(),
        "the_distances_to_the_chosen_codes": (chosen - z[:, None].double()).square().sum(dim=2).sqrt(),
        "codes_chosen_twice": torch.tensor([k - len(set(row)) for row in indices.tolist()]),
    }


nearest_exercise = Exercise(
    nearest_codes,
    parts=[
        Part("neighbours", "the k nearest, nearest first", probes.neighbours, _codes_and_queries, view=_distances,
             tolerance=(1e-3, 2e-3), weight=2),
        Part("equals", "codes that are equal, and a query that is itself among them", probes.neighbours,
             _codes_with_equals, view=_distances, tolerance=(1e-3, 2e-3)),
    ],
    hints=[
        "First all distances, (B, N), from each code in z to each of the codes. torch.cdist(z, codes) gives them.",
        "topk picks the largest by default; you want the smallest: largest=False.",
        "topk returns values and indices; return the indices, (B, k).",
    ],
)  # fmt: skip


@nearest_exercise.mistake("These are the farthest codes: topk takes the largest unless you say largest=False.")
def takes_the_farthest(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return torch.cdist(z, codes).topk(k).indices


@nearest_exercise.mistake("You return the distances. Return the indices of the codes: topk(...).indices.")
def returns_distances(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return torch.cdist(z, codes).topk(k, largest=False).values


@nearest_exercise.mistake("You return the codes themselves, (B, k, D). Return their indices, (B, k).")
def returns_the_codes_found(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return codes[nearest_codes(z, codes, k)]


@nearest_exercise.mistake("The order is the wrong way round: the nearest code comes first.")
def nearest_last(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return nearest_codes(z, codes, k).flip(1)


@nearest_exercise.mistake(
    "You find the nearest z for each of the codes. It is the other way round: for each z, among the codes, cdist(z, codes)."
)
def searches_among_z(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return torch.cdist(z, codes).argsort(dim=0)[:k].T


@nearest_exercise.mistake("topk looks along dim=0, down the columns. Each z has a row of distances: dim=1, or none.")
def looks_down_the_columns(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return torch.cdist(z, codes).topk(min(k, len(z)), dim=0, largest=False).indices


@nearest_exercise.mistake(
    "You return one index for each z, as a column. Return the k nearest: (B, k). argmin finds one only; use topk."
)
def returns_a_column(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return torch.cdist(z, codes).argmin(dim=1, keepdim=True)


@nearest_exercise.mistake("You compare by the largest difference alone. The Euclidean distance adds up the squares of all.")
def by_the_largest_difference(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return torch.cdist(z, codes, p=torch.inf).topk(k, largest=False).indices


@nearest_exercise.mistake("The indices are right, but int32. Leave them as topk gives them, int64.")
def shortens_the_integers(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return nearest_codes(z, codes, k).int()


@nearest_exercise.mistake("You leave out the nearest one. z need not be among the codes, so it does count.")
def skips_the_first(z: Tensor, codes: Tensor, k: int) -> Tensor:
    order = torch.cdist(z, codes).argsort(dim=1)
    return order.roll(-1, dims=1)[:, :k]


@nearest_exercise.mistake("You return one index for each z. Return the k nearest: (B, k).")
def returns_one_only(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return torch.cdist(z, codes).argmin(dim=1)


@nearest_exercise.mistake("You compare by the scalar product: it favours long codes. Near means a small Euclidean distance.")
def by_scalar_product(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return (z @ codes.T).topk(k).indices


@nearest_exercise.mistake("You compare by angle (cosine similarity). Near means a small Euclidean distance.")
def by_angle(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return (F.normalize(z, dim=1) @ F.normalize(codes, dim=1).T).topk(k).indices


@nearest_exercise.mistake("You add up absolute differences. The Euclidean distance adds up squares.")
def by_city_blocks(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return torch.cdist(z, codes, p=1).topk(k, largest=False).indices


@nearest_exercise.mistake(
    "You return the k nearest of all for the first z only, or one row for all: each z has its own, (B, k)."
)
def returns_the_first_row(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return nearest_codes(z, codes, k)[0]


@nearest_exercise.style
def by_argsort(z: Tensor, codes: Tensor, k: int) -> Tensor:
    return torch.cdist(z, codes).argsort(dim=1)[:, :k]


@nearest_exercise.style
def by_products(z: Tensor, codes: Tensor, k: int) -> Tensor:
    squares = (z**2).sum(1, keepdim=True) - 2 * z @ codes.T + (codes**2).sum(1)
    return (-squares).topk(k, dim=1).indices


@nearest_exercise.style
def code_by_code(z: Tensor, codes: Tensor, k: int) -> Tensor:
    found = []
    for one in z:
        distances = ((codes - one) ** 2).sum(dim=1)
        found.append(sorted(range(len(codes)), key=distances.tolist().__getitem__)[:k])
    return torch.tensor(found, device=z.device)


@nearest_exercise.style
def by_broadcasting(z: Tensor, codes: Tensor, k: int) -> Tensor:
    gaps = torch.linalg.vector_norm(z.unsqueeze(1) - codes.unsqueeze(0), dim=-1)
    return torch.sort(gaps, dim=-1, stable=True, descending=False).indices[..., :k]


# -------------------------------------------------------------------------------------------------------- questions

QUESTIONS = [
    Question(
        "answer_wide",
        right="b",
        feedback={
            "a": (
                "A larger waist can do all that a smaller one does, and ignore the rest. Look at your curve: which way does "
                "it go as D grows?"
            ),
            "b": (
                "Yes. With as many numbers as pixels an encoder and a decoder that change nothing have the error 0. A low "
                "error alone is no sign of learning: it is the squeeze that makes the code hold what matters."
            ),
            "c": (
                "Your own curve says otherwise: at D = 32 there still is an error. Every number more can lower it. But "
                "think of what the network could do with 784 of them, with no learning at all."
            ),
        },
        hints=["Which is the simplest encoder from 784 numbers to 784? What is its error?"],
    ),
    Question(
        "answer_linear",
        right="c",
        feedback={
            "a": (
                "Try it with numbers: double the encoder's output and halve the decoder's weights. The codes change. Do the "
                "copies?"
            ),
            "b": (
                "For one and the same number of directions the best sheet is unique, if the spreads differ, and the numbers "
                "above say that the copies are nearly PCA's. So the sheet is the same. What is not fixed is its ruler."
            ),
            "c": (
                "Yes. Mix the five codes by any invertible matrix and let the decoder undo it: the same copies, the same "
                "loss. So training stops at any of these, and the axes of the code mean nothing by themselves."
            ),
        },
        hints=["Two networks: the second one's encoder gives twice the numbers, its decoder halves them first. Compare."],
    ),
    Question(
        "answer_labels",
        right="a",
        feedback={
            "a": (
                "Yes. Nothing but pixels went into training. The map came of itself: hearts that overlap have similar "
                "pixels, and a smooth network gives similar images similar codes."
            ),
            "b": (
                "The places were known to us, and we used them to colour the dots. Look for them in train_epoch: what does "
                "it get?"
            ),
            "c": (
                "No list of neighbours was given. Neighbouring codes came of themselves, since similar images get similar "
                "codes from a smooth network. Look at what train_epoch gets."
            ),
        },
        hints=["What does train_epoch take from `batches`? Is there anything beside x?"],
    ),
    Question(
        "answer_random",
        right="b",
        feedback={
            "a": (
                "The same ten numbers are enough for the copies in the second row. So it is not how many numbers there are, "
                "but which."
            ),
            "b": (
                "Yes. The codes of images fill a crooked part of the space; a normal distribution round them covers the "
                "part and a lot of nothing. What the decoder draws there, no loss has ever looked at."
            ),
            "c": (
                "It rebuilds test images, which it has never seen, so it is more than memory. Ask where the random codes "
                "lie, and where the codes of images do."
            ),
        },
        hints=["Think of the hearts: which codes did the decoder see in training? Where did the torn hearts lie?"],
    ),
]

# Of what the marked cells print: another machine's last digit may differ.
TOLERANCE = (1e-3, 2e-3)

ITEMS = [
    error_exercise,
    encoder_exercise,
    decoder_exercise,
    autoencoder_exercise,
    epoch_exercise,
    pca_exercise,
    nearest_exercise,
    *QUESTIONS,
]
