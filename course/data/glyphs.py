"""Glyphs: small grey images of characters, set in matplotlib's own fonts and bent a little at random.

A stand-in for MNIST that needs no download and whose truth is known: character, font, and the affine map applied.
Dimensions: n images of size x size pixels; F fonts; K characters. The frame runs from −1 to 1 in x (rightwards) and in
y (upwards).
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import torch
from matplotlib.font_manager import get_font
from PIL import Image, ImageDraw, ImageFont
from torch import Generator, Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import pil_to_tensor

from course.data.sprites import uniform

GLYPHS = "0123456789"
FACTORS = ("font", "rotation", "x", "y", "scale", "shear")
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "cmr10",
    "cmss10",
)
SUPERSAMPLING = 5  # template pixels along one image pixel; odd, so that an image pixel has a middle
INK = 20 / 28  # the largest character's longest side, as a share of the frame: MNIST's


def draw_character(character: str, font: str, points: int) -> Image.Image:
    """Set one character, cropped to its ink.

    Raises ValueError if the font is not one of matplotlib's or has no such character.
    """
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    path = folder / f"{font}.ttf"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.ttf"))
        raise ValueError(f"no font is called {font!r}; choose from {', '.join(known)}")
    type_face = ImageFont.truetype(path, points, layout_engine=ImageFont.Layout.BASIC)  # the same on every machine
    image = Image.new("L", (3 * points, 3 * points))
    ImageDraw.Draw(image).text((points, points), character, fill=255, font=type_face)
    ink = image.getbbox()
    if ink is None or ord(character) not in get_font(path).get_charmap():
        raise ValueError(f"the font {font} draws nothing for {character!r}; leave the character out, or the font")
    return image.crop(ink)


@lru_cache(maxsize=16)
def render_templates(characters: str = GLYPHS, size: int = 28, fonts: tuple[str, ...] = FONTS) -> Tensor:
    """Draw every character in every font, upright and centred, in fine pixels to sample images from.

    A fine pixel holds the mean over one image pixel around it, so that reading one value for each image pixel does not
    alias. In each font the largest of the characters is INK of the frame; the others keep their proportion to it.
    Returns (F, K, SUPERSAMPLING · size, SUPERSAMPLING · size), float32 in [0, 1]; kept for the next call, so copy it
    before writing to it. Raises ValueError for unknown fonts and for characters that a font does not draw.
    """
    if not characters or not fonts or size < 8:
        raise ValueError(f"{characters=}, {fonts=}, {size=}: give at least one of each, and at least 8 pixels")
    fine = SUPERSAMPLING * size
    templates = torch.zeros(len(fonts), len(characters), fine, fine)
    for row, font in zip(templates, fonts, strict=True):
        largest = max(max(draw_character(c, font, fine).size) for c in characters)
        for template, character in zip(row, characters, strict=True):
            ink = pil_to_tensor(draw_character(character, font, round(INK * fine * fine / largest)))[0] / 255
            height, width = ink.shape
            top, left = (fine - height) // 2, (fine - width) // 2
            template[top : top + height, left : left + width] = ink
    return F.avg_pool2d(templates, SUPERSAMPLING, stride=1, padding=SUPERSAMPLING // 2)


def to_source(rotation: Tensor, x: Tensor, y: Tensor, scale: Tensor, shear: Tensor) -> Tensor:
    """Say where in the template each point of the image comes from, as affine_grid wants it: (n, 2, 3).

    The inverse of p -> R(rotation) · [[1, shear], [0, 1]] · scale · p + (x, y). affine_grid has y downwards, which turns
    round the signs of rotation, shear and y.
    """
    cos, sin = rotation.cos() / scale, -rotation.sin() / scale
    unshear = torch.stack([torch.ones_like(shear), shear, torch.zeros_like(shear), torch.ones_like(shear)], dim=1)
    unturn = torch.stack([cos, sin, -sin, cos], dim=1)
    inverse = unshear.view(-1, 2, 2) @ unturn.view(-1, 2, 2)
    centre = torch.stack([x, -y], dim=1)[:, :, None]
    return torch.cat([inverse, -inverse @ centre], dim=2)


def sample_glyphs(
    n: int,
    generator: Generator | None = None,
    size: int = 28,
    characters: str = GLYPHS,
    fonts: Sequence[str] = FONTS,
    rotation: Sequence[float] = (-0.2, 0.2),
    shift: Sequence[float] = (-0.1, 0.1),
    scale: Sequence[float] = (0.8, 1.0),
    shear: Sequence[float] = (-0.15, 0.15),
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw n random characters in random fonts, each under a random affine map; everything uniform and independent.

    rotation: radians, counter-clockwise. shift: of the centre, in x and in y; the frame is 2 wide. scale: 1 is MNIST's
    size. shear: the tangent of the slant to the right. With the default ranges no glyph is cut by the frame.
    Returns images (n, 1, size, size), float32 in [0, 1]; labels (n,), int64, indices into characters; and factors
    (n, 6), columns as in FACTORS, font an index into fonts. All on the generator's device.
    Raises ValueError for an impossible range, unknown fonts, and characters that a font does not draw.
    """
    if not min(scale) > 0:
        raise ValueError(f"scale={tuple(scale)} must be above 0; 1 is the usual size")
    ranges = {"label": (0, len(characters)), "font": (0, len(fonts)), "rotation": rotation, "x": shift, "y": shift}
    drawn = uniform(n, {**ranges, "scale": scale, "shear": shear}, generator)
    labels, font = drawn[:, :2].long().T
    drawn[:, 1] = font
    templates = render_templates(characters, size, tuple(fonts)).to(drawn.device)
    theta = to_source(*drawn[:, 2:].T)
    images = [
        F.grid_sample(templates[f, k][:, None], F.affine_grid(t, [len(t), 1, size, size], False), align_corners=False)
        for f, k, t in zip(font.split(256), labels.split(256), theta.split(256), strict=True)
    ]
    return torch.cat(images).clamp_(0, 1), labels, drawn[:, 1:]
