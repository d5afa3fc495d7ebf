# class: special answers
# attack: answers NaN and infinity to everything, hoping that comparisons with them are let go
# noticed: NaN|infinite


# %%
def reparameterize(mu, logvar):
    return mu * float("nan")


def gaussian_kl(mu, logvar):
    return (mu * float("nan") + logvar).sum(1)


def bernoulli_nll(logits, x):
    return torch.full((len(x),), float("inf"))


def negative_elbo(logits, x, mu, logvar, beta=1.0):
    return (logits.sum() + mu.sum()) * float("nan")


def train_step(model, x, optimizer, beta=1.0):
    for parameter in model.parameters():
        parameter.data.fill_(float("nan"))
    return dict.fromkeys(("loss", "nll", "kl"), float("nan"))


def traverse(model, z, dim, values):
    return torch.full((len(values), *model.decoder.out_shape), float("-inf"))


def mutual_information_gap(codes, factors, bins=20):
    return float("nan")


class VAE(VAE):
    def forward(self, x):
        code = torch.full((len(x), self.latent_dim), float("nan"))
        return x * float("nan"), code, code

    def sample(self, n):
        return torch.full((n, *self.decoder.out_shape), float("nan"))
