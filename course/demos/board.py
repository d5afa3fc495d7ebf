"""A board: enlarged images, charts and captions, each put where it belongs. PIL draws it in a few milliseconds."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from course.demos.canvas import enlarged
from course.demos.demo import Box, Picture, Pixels

GAP = 4  # pixels between images


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Load matplotlib's own font, which is the same on every machine."""
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)


class Board:
    """A white rectangle to be drawn upon; places are pixels from its upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), "white")
        self.draw = ImageDraw.Draw(self.image)

    def write(self, x: float, y: float, words: str, size: int = 17, anchor: str = "lt", colour: str = "black") -> None:
        """Write words; anchor, of two letters, says which of their points lies at (x, y): "lt" left top, "mm" the middle."""
        self.draw.text((x, y), words, fill=colour, font=font(size), anchor=anchor)

    def paste(self, x: int, y: int, pixels: Pixels) -> None:
        """Put a chart (H, W, 3) there."""
        self.image.paste(Image.fromarray(pixels), (x, y))

    def row(self, x: int, y: int, images: Tensor, factor: int) -> list[Box]:
        """Put enlarged images (n, C, H, W) in [0, 1] side by side; return the rectangle that each covers."""
        places = []
        for pixels in enlarged(images, factor):
            self.paste(x, y, pixels)
            places.append((x, y, x + pixels.shape[1], y + pixels.shape[0]))
            x = places[-1][2] + GAP
        return places

    def frame(self, place: Box, colour: str, width: int = 4) -> None:
        """Draw a frame round a rectangle, outside it."""
        left, top, right, bottom = place
        self.draw.rectangle((left - width, top - width, right + width - 1, bottom + width - 1), outline=colour, width=width)

    def picture(self, text: str, boxes: Sequence[Box] = ()) -> Picture:
        """Hand the board over, with the words that say what is seen; boxes: where a pointer counts."""
        return Picture(np.array(self.image), text, boxes)
