"""The variational autoencoder of Kingma & Welling (2014), and the β-VAE of Higgins et al. (2017).

Read it from top to bottom: sample a code, price the code, price the image, add the two up, put it in a network, train it.
Dimensions: B images of C x H x W values in [0, 1]; D latent variables. All losses are in nats, one number per image.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def reparameterize(mu: Tensor, logvar: Tensor) -> Tensor:
    """Draw z ~ N(mu, exp(logvar)) so that gradients reach mu and logvar.

    mu, logvar: (B, D). Returns z: (B, D), with fresh noise for every element and every call.
    Raises ValueError if the shapes differ. Source: Kingma & Welling (2014), section 2.4.
    """
    if mu.shape != logvar.shape:
        raise ValueError(f"mu {tuple(mu.shape)} and logvar {tuple(logvar.shape)} must have the same shape (B, D)")
    ### BEGIN SOLUTION
    std = torch.exp(0.5 * logvar)  # logvar = log σ², so σ = exp(logvar / 2)
    eps = torch.randn_like(std)
    return mu + std * eps
    ### END SOLUTION


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Compute KL(N(mu, exp(logvar)) ‖ N(0, I)), the price of a code.

    mu, logvar: (B, D). Returns nats: (B,), summed over the D latent variables.
    Raises ValueError if the shapes differ. Source: Kingma & Welling (2014), appendix B.
    """
    if mu.shape != logvar.shape:
        raise ValueError(f"mu {tuple(mu.shape)} and logvar {tuple(logvar.shape)} must have the same shape (B, D)")
    ### BEGIN SOLUTION
    # +½ Σ (σ² + μ² − 1 − log σ²)
    return 0.5 * (logvar.exp() + mu.pow(2) - 1 - logvar).sum(dim=1)
    ### END SOLUTION


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """Compute −log p(x | logits) with every pixel a Bernoulli variable, the price of a reconstruction.

    logits: (B, C, H, W), any real number. x: (B, C, H, W), in [0, 1]. Returns nats: (B,), summed over C, H and W.
    Raises ValueError if the shapes differ. For grey x this is the cross-entropy, not a normalised likelihood
    (Loaiza-Ganem & Cunningham, 2019).
    """
    if logits.shape != x.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and x {tuple(x.shape)} must have the same shape (B, C, H, W)")
    ### BEGIN SOLUTION
    # The logits form: sigmoid first and log after gives −inf as soon as a pixel saturates.
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(start_dim=1).sum(dim=1)
    ### END SOLUTION


def negative_elbo(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    """Compute the loss of a β-VAE, reconstruction plus β times KL, averaged over the batch.

    logits, x: (B, C, H, W). mu, logvar: (B, D). Returns nats per image: a scalar. With beta=1 it is minus the
    evidence lower bound. Source: Higgins et al. (2017), equation 4.
    """
    return (bernoulli_nll(logits, x) + beta * gaussian_kl(mu, logvar)).mean()


class VAE(nn.Module):
    """An encoder to 2D numbers (D means, then D log-variances), and a decoder from D latents to image logits.

    encoder: (B, C, H, W) -> (B, 2D). decoder: (B, D) -> (B, C, H, W).
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, C, H, W) to the mean and the log-variance of q(z|x), both (B, D)."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, D) to the logits of p(x|z), (B, C, H, W)."""
        logits: Tensor = self.decoder(z)
        return logits

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode x, draw one code for each image, decode it; return (logits, mu, logvar)."""
        mu, logvar = self.encode(x)
        z = reparameterize(mu, logvar)
        return self.decode(z), mu, logvar

    def sample(self, n: int) -> Tensor:
        """Draw n images (n, C, H, W) in [0, 1] from the prior: the mean image of each p(x|z), z ~ N(0, I).

        Runs in eval mode and restores the mode it found, without gradients, on the device of the parameters.
        """
        was_training = self.training
        self.eval()
        device = next(self.parameters()).device
        with torch.no_grad():
            z = torch.randn(n, self.latent_dim, device=device)
            images = torch.sigmoid(self.decode(z))
        self.train(was_training)
        return images


def train_step(model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer, beta: float = 1.0) -> dict[str, float]:
    """Update the model once on a batch x and report what the batch cost before the update.

    x: (B, C, H, W) in [0, 1]. Returns floats: `loss` (what was minimised), `nll` and `kl` (batch means, without beta).
    Gradients that lay on the model before the call do not matter; the model's mode stays as it was.
    """
    logits, mu, logvar = model(x)
    loss = negative_elbo(logits, x, mu, logvar, beta)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {
        "loss": loss.item(),
        "nll": bernoulli_nll(logits, x).mean().item(),
        "kl": gaussian_kl(mu, logvar).mean().item(),
    }


def traverse(model: VAE, z: Tensor, dim: int, values: Tensor) -> Tensor:
    """Decode copies of one code in which a single latent variable is set to each of the values.

    z: (D,), left as it was. values: (V,). Returns images in [0, 1]: (V, C, H, W), without gradients;
    runs in eval mode and restores the mode it found.
    """
    codes = z.repeat(len(values), 1)  # (V, D), a copy: z itself is not written to
    codes[:, dim] = values
    was_training = model.training
    model.eval()
    with torch.no_grad():
        images = torch.sigmoid(model.decode(codes))
    model.train(was_training)
    return images
