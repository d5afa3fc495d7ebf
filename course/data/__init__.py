"""The data of the labs: rendered in milliseconds with the truth known (sprites, glyphs), or real by choice."""
