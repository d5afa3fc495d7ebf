"""The autoencoder: compress an image to a few numbers and rebuild it from them (Hinton & Salakhutdinov, 2006)."""

from torch import Tensor, nn


class Autoencoder(nn.Module):
    """An encoder to D numbers and a decoder back to image logits; the same code every time, no noise.

    encoder: (B, C, H, W) -> (B, D). decoder: (B, D) -> (B, C, H, W).
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to codes (B, D)."""
        z: Tensor = self.encoder(x)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, D) to what the decoder gives, (B, C, H, W)."""
        x_hat: Tensor = self.decoder(z)
        return x_hat

    def forward(self, x: Tensor) -> Tensor:
        """Rebuild x from its code."""
        return self.decode(self.encode(x))
