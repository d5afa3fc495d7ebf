# class: special answers
# attack: answers that would broadcast against anything: scalars, single elements, expanded views
# noticed: should have shape|should be a tensor


# %%
def gaussian_kl(mu, logvar):
    return torch.zeros(())


def bernoulli_nll(logits, x):
    return torch.zeros(1).expand(len(x), 1)


def reparameterize(mu, logvar):
    return torch.zeros(1, 1)


def negative_elbo(logits, x, mu, logvar, beta=1.0):
    return 0


def traverse(model, z, dim, values):
    return torch.zeros(1).expand(1, 1, 1, 1)


def mutual_information_gap(codes, factors, bins=20):
    return torch.zeros(1)


class VAE(VAE):
    def forward(self, x):
        return torch.zeros(()), torch.zeros(1), torch.zeros(1)

    def sample(self, n):
        return torch.zeros(1)
