# Every exercise and question of lab 2, honestly wrong: zeros of the right shape, the wrong letter. It scores nothing.

# %%
import torch
from torch import Tensor, nn

from course import check, progress, start

start("lab2_vae")


# %%
def reparameterize(mu, logvar):
    return torch.zeros_like(mu)


def gaussian_kl(mu, logvar):
    return torch.zeros(len(mu))


def bernoulli_nll(logits, x):
    return torch.zeros(len(x))


def negative_elbo(logits, x, mu, logvar, beta=1.0):
    return torch.zeros(())


class VAE(nn.Module):
    def __init__(self, encoder, decoder, latent_dim):
        super().__init__()
        self.encoder, self.decoder, self.latent_dim = encoder, decoder, latent_dim

    def encode(self, x):
        return self.encoder(x).chunk(2, dim=1)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        code = torch.zeros(len(x), self.latent_dim)
        return torch.zeros_like(x), code, code

    def sample(self, n):
        return torch.zeros(n, *self.decoder.out_shape)


def train_step(model, x, optimizer, beta=1.0):
    return {"loss": 0.0, "nll": 0.0, "kl": 0.0}


def traverse(model, z, dim, values):
    return torch.zeros(len(values), *model.decoder.out_shape)


def mutual_information_gap(codes, factors, bins=20):
    return 0.0


# %%
answer_kl_sign = answer_logvar = answer_holes = answer_equal_ranges = "a"
