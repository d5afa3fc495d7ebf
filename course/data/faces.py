"""Faces: schematic drawn heads, and things that only look like heads, rendered from factors that are therefore known.

Read it from top to bottom: colours, where the features sit, one soft ellipse, a whole head, then what to draw at random.
Dimensions: B images of 3 x H x W pixels, H = W = size. The frame runs from −1 to 1 in x (rightwards) and in y (upwards).
These are drawings: they carry one axis of skin tone, and no race, gender, age or person.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Generator, Tensor

from course.data.factors import check_factors
from course.data.sprites import uniform

FACTORS = (
    "kind", "tone", "yaw", "light", "strength", "smile", "mouth", "hair", "length", "glasses",
    "background", "clutter", "x", "y", "scale", "noise", "variant",
)  # fmt: skip
KINDS = ("face", "scrambled", "inverted", "half", "blank", "oval", "object", "texture")
# What render_faces accepts, and what sample_faces draws from by default.
LIMITS = {
    "kind": (0, len(KINDS) - 1),
    "tone": (0, 1),  # dark to light
    "yaw": (-1, 1),  # the head turns by up to 50 degrees, to the left and to the right
    "light": (-10, 10),  # where light comes from: 0 the right, π/2 above; radians
    "strength": (0, 1),  # how much brighter the lit side is
    "smile": (-1, 1),  # the mouth's corners: down, straight, up
    "mouth": (0, 1),  # shut to open
    "hair": (0, 5),  # black, dark brown, brown, copper, blond, grey; between two: a mixture
    "length": (0, 1),  # of the hair: cropped to shoulder-long
    "glasses": (0, 1),  # the rims' opacity
    "background": (0, 4),  # blue, green, sand, violet, grey; between two: a mixture
    "clutter": (0, 1),  # the contrast of a pattern behind the head
    "x": (-1, 1),
    "y": (-1, 1),
    "scale": (0.3, 2),  # 1: the head is 0.6 of the frame high
    "noise": (0, 0.5),  # the standard deviation of each pixel's noise
    "variant": (0, 1),  # which pattern, which scrambling, which object: a number that picks one of many
}
RANGES: dict[str, Sequence[float]] = {
    "tone": (0.0, 1.0),
    "yaw": (-0.3, 0.3),
    "light": (-math.pi, math.pi),
    "strength": (0.0, 0.3),
    "smile": (-0.5, 1.0),
    "mouth": (0.0, 0.5),
    "hair": (0.0, 5.0),
    "length": (0.0, 1.0),
    "glasses": (0.0, 1.0),  # drawn as a share: see sample_faces
    "background": (0.0, 4.0),
    "clutter": (0.0, 0.25),
    "x": (-0.08, 0.08),
    "y": (-0.08, 0.08),
    "scale": (0.9, 1.1),
    "noise": (0.02, 0.02),
    "variant": (0.0, 1.0),
}
# Two ends of a factor: what a biased set has much of, and what it has little of. A turned head turns to either side.
COMMON = {"tone": (0.65, 1.0), "yaw": (0.0, 0.3), "strength": (0.0, 0.3), "clutter": (0.0, 0.25)}
RARE = {"tone": (0.0, 0.35), "yaw": (0.6, 1.0), "strength": (0.6, 0.9), "clutter": (0.7, 1.0)}
ENDS = {"tone": ("light", "dark"), "yaw": ("frontal", "turned"), "strength": ("soft light", "side light"),
        "clutter": ("plain", "busy")}  # fmt: skip
# How often each hard negative occurs by default.
NON_FACES = {"scrambled": 0.3, "inverted": 0.22, "half": 0.18, "blank": 0.1, "oval": 0.05, "object": 0.1, "texture": 0.05}

TONES = ((0.27, 0.17, 0.12), (0.44, 0.28, 0.20), (0.63, 0.44, 0.32), (0.81, 0.62, 0.48), (0.95, 0.81, 0.70))
HAIRS = (
    (0.10, 0.09, 0.10),
    (0.24, 0.15, 0.10),
    (0.42, 0.27, 0.16),
    (0.66, 0.33, 0.16),
    (0.86, 0.71, 0.42),
    (0.72, 0.72, 0.74),
)
# The smile and the opening of the mouths of aligned faces.
MOUTHS = {"shut, frowns": (-1.0, 0.0), "shut, smiles": (1.0, 0.0), "open, frowns": (-0.6, 1.0), "open, smiles": (1.0, 1.0)}
BACKGROUNDS = ((0.53, 0.65, 0.78), (0.58, 0.72, 0.60), (0.80, 0.74, 0.60), (0.68, 0.60, 0.74), (0.66, 0.66, 0.66))
WHITE, IRIS, LIP, OPENING = (0.95, 0.95, 0.93), (0.13, 0.10, 0.10), (0.70, 0.24, 0.26), (0.36, 0.12, 0.13)
RIM, CLOTHES = (0.16, 0.17, 0.22), (0.30, 0.36, 0.46)

HEAD = (0.46, 0.6)  # half-axes
MOST = 0.87  # radians that a head turns at yaw 1
CHUNK = 2**17  # pixels that are drawn at once
# Angle round the head and height on it, of the features: left eye, right eye, nose, mouth.
SLOTS = ((-0.44, 0.08), (0.44, 0.08), (0.0, -0.12), (0.0, -0.34))
# What sits where in a scrambled head: never two eyes above a mouth.
SCRAMBLES = ((0, 3, 2, 1), (3, 1, 2, 0), (2, 3, 0, 1), (0, 2, 3, 1), (3, 2, 1, 0), (2, 1, 3, 0))


def palette(anchors: Sequence[Sequence[float]], position: Tensor) -> Tensor:
    """Mix neighbouring colours: position (B, 1) from 0 (the first) to len(anchors) − 1; returns (B, 3, 1, 1)."""
    colours = position.new_tensor(anchors)
    low = position[:, 0].long().clamp(0, len(anchors) - 2)
    return torch.lerp(colours[low], colours[low + 1], position - low[:, None])[:, :, None, None]


class Canvas:
    """Images (B, 3, H, W) that are drawn upon, with the factors f, each (B, 1), and coordinates seen from the head."""

    def __init__(self, factors: Tensor, size: int) -> None:
        self.f = dict(zip(FACTORS, factors[:, :, None].unbind(1), strict=True))
        self.image = torch.empty(len(factors), 3, size, size, device=factors.device)
        self.centres = (2 * torch.arange(size, device=factors.device) + 1) / size - 1  # of the pixels
        self.right = (self.centres - self.f["x"]) / self.f["scale"]  # (B, W)
        self.up = (-self.centres - self.f["y"]) / self.f["scale"]  # (B, H)
        self.pixel = 2 / size / self.f["scale"]
        self.turn = MOST * self.f["yaw"]  # radians
        self.skin = palette(TONES, 4 * self.f["tone"])
        self.hair = palette(HAIRS, self.f["hair"])

    def __getitem__(self, name: str) -> Tensor:
        return self.f[name]

    def has(self, *kinds: str) -> Tensor:
        """Say which images are of one of the kinds: (B, 1)."""
        return torch.stack([self.f["kind"] == KINDS.index(kind) for kind in kinds]).any(dim=0)

    def ellipse(self, x: Tensor | float, y: Tensor | float, a: Tensor | float, b: Tensor | float) -> Tensor:
        """Cover an upright ellipse with centre x, y and half-axes a, b: 1 inside, 0 outside, an edge one pixel wide."""
        a, b = torch.as_tensor(a, device=self.pixel.device), torch.as_tensor(b, device=self.pixel.device)
        sharpness = (a * b).sqrt() / (2 * self.pixel)  # 1 − q² falls by 2 / radius for each unit of length at the edge
        across = ((self.right - x) / a).square_().mul_(-sharpness)
        along = ((self.up - y) / b).square_().sub_(1).mul_(-sharpness).add_(0.5)
        return (across[:, None, :] + along[:, :, None]).clamp_(0, 1)

    def box(self, a: Tensor | float, b: Tensor | float) -> Tensor:
        """Cover an upright box round the middle, with the half-sides a and b."""
        across, along = (a - self.right.abs()) / self.pixel + 0.5, (b - self.up.abs()) / self.pixel + 0.5
        return across.clamp_(0, 1)[:, None, :] * along.clamp_(0, 1)[:, :, None]

    def paint(self, colour: Tensor | Sequence[float], mask: Tensor, where: Tensor) -> Tensor:
        """Lay a colour, (B, 3, 1, 1) or three numbers, over what the mask (B, H, W) covers of those images; return that."""
        if not isinstance(colour, Tensor):
            colour = self.image.new_tensor(colour)[:, None, None]
        mask = mask.mul_(where[:, :, None])
        self.image.lerp_(colour, mask[:, None])
        return mask


def draw_background(canvas: Canvas) -> None:
    """Paint one colour, a little darker at the bottom, with a chequered wave of the given contrast."""
    shaded = palette(BACKGROUNDS, canvas["background"]) * (1 - 0.1 * canvas.centres)[:, None]
    canvas.image.copy_(shaded)
    if canvas["clutter"].any():
        waves = 5 + 11 * digits(canvas["variant"], (1, 2, 3))[:, :, None]  # (B, 3, 1), a frequency for each channel
        phases = 2 * math.pi * digits(canvas["variant"], (2, 3, 4))[:, :, None]
        rows, columns = torch.sin(waves * canvas.centres + phases), torch.cos(0.8 * waves * canvas.centres - 2 * phases)
        rows.mul_(0.28 * canvas["clutter"][:, :, None])
        canvas.image.addcmul_(rows[:, :, :, None], columns[:, :, None, :])


def draw_head(canvas: Canvas) -> None:
    """Draw hair, shoulders, neck, ears and head, features and all, then let the light fall on it."""
    turn, (a, b) = canvas.turn, HEAD
    is_head, is_clothed = ~canvas.has("object", "texture"), ~canvas.has("object", "texture", "oval")
    long = canvas["length"]
    behind = canvas.ellipse(-0.06 * turn, 0.08 - 0.3 * long, 0.5 + 0.04 * long, 0.6 + 0.16 * long)
    figure = canvas.paint(canvas.hair, behind, is_clothed)
    canvas.paint(CLOTHES, canvas.ellipse(0.0, -1.2, 0.85, 0.5), is_clothed)
    canvas.paint(0.86 * canvas.skin, canvas.ellipse(0.0, -0.62, 0.2, 0.3), is_clothed)
    for side in (-1.0, 1.0):  # of the ears a turned head hides one
        seen = (1.2 + side * torch.sin(turn)).clamp(0, 1) * (1 - 0.7 * long)
        ear = canvas.ellipse(side * a * torch.cos(turn) - 0.05 * turn, -0.03, 0.09 * seen + 0.01, 0.13)
        canvas.paint(0.92 * canvas.skin, ear, is_clothed)
    figure = torch.maximum(figure, canvas.paint(canvas.skin, canvas.ellipse(0.0, 0.0, a, b), is_head))
    # Hair on top: what lies in a slightly larger ellipse and above a hairline, a parabola that moves with the turn.
    hairline = ((canvas.up - 0.3) / canvas.pixel)[:, :, None] + (0.9 * (canvas.right - 0.45 * turn).square() / canvas.pixel)[
        :, None, :
    ]
    canvas.paint(canvas.hair, canvas.ellipse(-0.04 * turn, 0.08, 0.5, 0.6).mul_(hairline.clamp_(0, 1)), is_clothed)
    draw_features(canvas)
    # The side of the head that faces the light is brighter, the other one darker.
    across = canvas["light"].cos() * (canvas.right / a).clamp(-1.2, 1.2)
    along = canvas["light"].sin() * (canvas.up / b).clamp(-1.2, 1.2)
    lit = (across[:, None, :] + along[:, :, None]).mul_(0.75 * canvas["strength"][:, :, None])
    canvas.image.mul_(1 + figure.mul_(lit)[:, None])


def draw_features(canvas: Canvas) -> None:
    """Draw eyes, brows, nose, mouth and glasses where they belong, or where a kind of non-face has them."""
    upside_down, top_gone = canvas.has("inverted"), canvas["variant"] < 0.5
    is_drawn = canvas.has("face", "scrambled", "inverted", "half")
    shows_eyes = is_drawn & ~(canvas.has("half") & top_gone)
    shows_mouth = is_drawn & ~(canvas.has("half") & ~top_gone)
    flip = torch.where(upside_down, -1.0, 1.0)
    orders = torch.tensor(SCRAMBLES, device=flip.device)[(canvas["variant"][:, 0] * 0.999 * len(SCRAMBLES)).long()]
    orders = torch.where(canvas.has("scrambled"), orders, torch.arange(4, device=flip.device))  # (B, 4)
    angles, heights = flip.new_tensor(SLOTS)[orders].unbind(2)
    heights = torch.where(upside_down, -0.26 - heights, heights)
    places = HEAD[0] * torch.sin(angles + canvas.turn)  # features lie on the head, and turn with it
    narrows = torch.cos(angles + canvas.turn)
    spots = zip(places.split(1, 1), heights.split(1, 1), narrows.split(1, 1), strict=True)
    left, right, nose, mouth = spots
    wears_glasses = bool(canvas["glasses"].any())

    def both(of_eye: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        """Cover the same for both eyes; given the eye's place, and how narrow a turned head makes it."""
        return of_eye(*left).add_(of_eye(*right)).clamp_(0, 1)

    def rim(x: Tensor, y: Tensor, narrow: Tensor) -> Tensor:
        return canvas.ellipse(x, y, 0.19 * narrow, 0.15).sub_(canvas.ellipse(x, y, 0.145 * narrow, 0.112))

    canvas.paint(WHITE, both(lambda x, y, narrow: canvas.ellipse(x, y, 0.11 * narrow, 0.064)), shows_eyes)
    canvas.paint(IRIS, both(lambda x, y, narrow: canvas.ellipse(x + 0.03 * canvas.turn, y, 0.06 * narrow, 0.06)), shows_eyes)
    canvas.paint(
        0.8 * canvas.hair, both(lambda x, y, narrow: canvas.ellipse(x, y + flip * 0.15, 0.13 * narrow, 0.03)), shows_eyes
    )
    # The nose, a shadow with a lit ridge, stands out of the head, and so moves further than the rest.
    x, y, narrow = nose
    canvas.paint(0.78 * canvas.skin, canvas.ellipse(x + 0.1 * canvas.turn, y - flip * 0.05, 0.07, 0.055), shows_mouth)
    canvas.paint(
        (1.08 * canvas.skin).clamp(max=1), canvas.ellipse(x + 0.07 * canvas.turn, y + flip * 0.05, 0.032, 0.12), shows_mouth
    )
    # The mouth: lips along a parabola, whose ends rise with the smile, and between them an opening.
    x, y, narrow = mouth
    sideways = (canvas.right - x) / (0.2 * narrow)
    bend = flip * canvas["smile"] * 0.1 * (sideways.square() - 0.4)
    thick = (1 - sideways.square()).clamp_(min=0).sqrt_()[:, None, :]
    distance = ((canvas.up - y)[:, :, None] - bend[:, None, :]).abs_()
    opening = (0.09 * canvas["mouth"])[:, :, None] * thick
    within, pixel = 0.5 * (thick > 0), canvas.pixel[:, :, None]
    lips = ((0.045 * thick + opening - distance) / pixel).add_(within).clamp_(0, 1)
    gap = ((opening - 0.015 - distance) / pixel).add_(within).clamp_(0, 1)
    canvas.paint(torch.lerp(canvas.skin, canvas.skin.new_tensor(LIP)[:, None, None], 0.5), lips, shows_mouth)
    canvas.paint(OPENING, gap, shows_mouth & (canvas["mouth"] > 0.15))
    if wears_glasses:
        bridge = canvas.ellipse((left[0] + right[0]) / 2, (left[1] + right[1]) / 2, 0.08, 0.02)
        rims = torch.maximum(both(rim), bridge).mul_(canvas["glasses"][:, :, None])
        canvas.paint(RIM, rims, shows_eyes)


def draw_things(canvas: Canvas) -> None:
    """Draw what is no head, in the colours of skin and hair and in the same light: a box, a ball or a cross; or stripes."""
    which, half, direction = digits(canvas["variant"], (1, 2, 3)).split(1, 1)
    half, is_stripes = 0.3 + 0.25 * half, canvas.has("texture")[:, :, None]
    cross = torch.maximum(canvas.box(0.16, half + 0.1), canvas.box(half + 0.1, 0.16))
    round_or_cross = torch.where((which < 0.67)[:, :, None], canvas.ellipse(0.0, 0.0, half, half), cross)
    shape = torch.where((which < 0.33)[:, :, None], canvas.box(half, 0.9 - half), round_or_cross)
    shape = torch.where(is_stripes, torch.ones_like(shape), shape)
    across, along = canvas.right * torch.cos(6 * direction), canvas.up * torch.sin(6 * direction)
    stripes = torch.sin((6 + 20 * half)[:, :, None] * (across[:, None, :] + along[:, :, None]))
    covered = canvas.paint(canvas.skin, shape, canvas.has("object", "texture"))
    painted = torch.where(is_stripes, 0.5 + 0.5 * stripes, (stripes > 0.7) * 0.6)
    canvas.paint(canvas.hair, painted * covered, canvas.has("object", "texture"))
    lit = canvas["strength"] * canvas["light"].cos() * canvas.right.clamp(-1, 1)
    canvas.image.mul_(1 + 0.6 * (covered * lit[:, None, :])[:, None])


def digits(number: Tensor, places: Sequence[int]) -> Tensor:
    """Take further numbers in [0, 1) out of one (B, 1), by its digits; so a row of factors says all of an image."""
    return torch.cat([(number * 7.3**place).frac() for place in places], dim=1)


def render_faces(factors: Tensor, size: int = 32, generator: Generator | None = None) -> Tensor:
    """Draw one image for each row of factors.

    factors: (B, 17), columns as in FACTORS, within LIMITS. generator: makes the pixel noise; the rest is the factors' alone.
    Returns (B, 3, size, size), float32 in [0, 1]. Raises ValueError for another shape and for factors beyond LIMITS.
    """
    check_factors(factors, size, LIMITS, "face", KINDS)
    factors = factors.detach().float()
    images = torch.empty(len(factors), 3, size, size, device=factors.device)
    chunk = max(1, (CHUNK if factors.device.type == "cpu" else 2**24) // size**2)  # a CPU likes to stay in its cache
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # one core draws planes this small faster than several that wait for each other
    try:
        for start in range(0, len(factors), chunk):
            canvas = Canvas(factors[start : start + chunk], size)
            draw_background(canvas)
            if canvas.has("object", "texture").any():
                draw_things(canvas)
            if not canvas.has("object", "texture").all():
                draw_head(canvas)
            images[start : start + chunk] = canvas.image
    finally:
        torch.set_num_threads(threads)
    noise = factors[:, FACTORS.index("noise"), None, None, None]
    if noise.any():
        device = factors.device if generator is None else generator.device
        images.addcmul_(torch.randn(images.shape, generator=generator, device=device).to(factors.device), noise)
    return images.clamp_(0, 1)


def sample_faces(
    n: int,
    generator: Generator | None = None,
    size: int = 32,
    kinds: Mapping[str, float] | None = None,
    rare: Mapping[str, float] | None = None,
    **ranges: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """Draw n random images; every factor is independent of the others.

    kinds: how often each of KINDS occurs, {"face": 1} by default; NON_FACES holds hard negatives. rare: which factors have
    two ends, and what share of the images lies at the rare one, as in {"tone": 0.05}: that share is drawn from RARE, the
    others from COMMON; a turned head turns to either side. ranges: replace those in RANGES. A quarter wears glasses.
    Returns images (n, 3, size, size), float32 in [0, 1], and factors (n, 17), on the generator's device.
    Raises ValueError for an unknown kind or factor and an impossible range or share.
    """
    kinds, rare = dict(kinds or {"face": 1.0}), dict(rare or {})
    for given, known in ((kinds, KINDS), (ranges, FACTORS[1:]), (rare, tuple(RARE))):
        if unknown := sorted(given.keys() - set(known)):
            raise ValueError(f"{', '.join(unknown)}: not known here; there are {', '.join(known)}")
    if min(kinds.values()) < 0 or sum(kinds.values()) <= 0 or any(not 0 <= share <= 1 for share in rare.values()):
        raise ValueError(f"kinds={kinds} must be shares of at least 0, and rare={rare} shares from 0 to 1")
    factors = uniform(n, {"kind": (0.0, 1.0), **RANGES, **ranges}, generator)
    shares = factors.new_tensor(list(kinds.values())).cumsum(0)
    drawn = torch.searchsorted(shares / shares[-1], factors[:, 0].contiguous()).clamp(max=len(kinds) - 1)
    factors[:, 0] = factors.new_tensor([KINDS.index(kind) for kind in kinds])[drawn]
    if "glasses" not in ranges:
        factors[:, FACTORS.index("glasses")] = (factors[:, FACTORS.index("glasses")] < 0.25).float()
    for name, share in rare.items():
        chance = uniform(n, {"end": (0, 1), "side": (0, 1), "common": COMMON[name], "rare": RARE[name]}, generator)
        end, side, common, uncommon = chance.unbind(1)
        value = torch.where(end < share, uncommon, common)
        factors[:, FACTORS.index(name)] = torch.where(side < 0.5, -value, value) if name == "yaw" else value
    return render_faces(factors, size, generator), factors


def aligned_faces(n: int, generator: Generator | None = None, size: int = 32) -> tuple[Tensor, Tensor]:
    """Draw n faces that look at us from the middle of the frame, but for a pixel of 32, and differ in little else than kind.

    A kind is one of HAIRS and one of MOUTHS. All 24 come in turn, so that each is as frequent as the others.
    Returns images (n, 3, size, size), float32 in [0, 1], and labels (n, 2), int64: hair and mouth. On the generator's
    device.
    """
    device = None if generator is None else generator.device
    kind = torch.arange(n, device=device) % (len(HAIRS) * len(MOUTHS))
    hair, mouth = kind // len(MOUTHS), kind % len(MOUTHS)
    x, y, tone, length = torch.rand(4, n, generator=generator, device=device)
    smile, opening = torch.tensor(list(MOUTHS.values()), device=device)[mouth].unbind(1)
    given: dict[str, Tensor | float] = {
        "hair": hair.float(), "smile": smile, "mouth": opening, "tone": 0.6 + 0.4 * tone, "length": 0.3 + 0.4 * length,
        "x": (2 * x - 1) / 16, "y": (2 * y - 1) / 16, "light": 1.0, "strength": 0.1, "scale": 1.25,
    }  # fmt: skip
    factors = torch.zeros(n, len(FACTORS), device=device)
    for name, value in given.items():
        factors[:, FACTORS.index(name)] = value
    return render_faces(factors, size), torch.stack([hair, mouth], dim=1)


def is_rare(factors: Tensor, name: str) -> Tensor:
    """Say which rows of factors (B, 17) lie at the rare end of tone, yaw, strength or clutter: (B,) bool.

    What lies between the two ends counts to the nearer one.
    """
    value = factors[:, FACTORS.index(name)].abs()
    (low, high), (rare_low, rare_high) = COMMON[name], RARE[name]
    middle = (high + rare_low) / 2 if high < rare_low else (low + rare_high) / 2
    return value > middle if high < rare_low else value < middle


def groups_of(factors: Tensor, by: Sequence[str]) -> tuple[Tensor, list[str]]:
    """Number the groups that the two ends of each of the factors make: 0 ... 2^K − 1, (B,) int64, and name them."""
    groups, names = torch.zeros(len(factors), dtype=torch.int64, device=factors.device), [""]
    for factor in by:
        groups = 2 * groups + is_rare(factors, factor)
        names = [f"{name}, {end}".removeprefix(", ") for name in names for end in ENDS[factor]]
    return groups, names


def balanced_faces(
    n: int, generator: Generator | None = None, size: int = 32, by: Sequence[str] = ("tone", "yaw", "strength")
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw n faces of each of the 2^K groups: images, factors and group numbers, as groups_of numbers and names them."""
    images, factors = [], []
    for number in range(2 ** len(by)):
        ends = {name: float(number >> place & 1) for place, name in enumerate(reversed(by))}
        drawn = sample_faces(n, generator, size, rare={name: ends[name] for name in by})
        images.append(drawn[0])
        factors.append(drawn[1])
    return torch.cat(images), torch.cat(factors), groups_of(torch.cat(factors), by)[0]
