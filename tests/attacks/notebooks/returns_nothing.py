# class: special answers
# attack: answers with empty tensors, empty containers and None
# noticed: should have shape \(5,\), but it has \(0,\)


# %%
def gaussian_kl(mu, logvar):
    return torch.zeros(0)


def bernoulli_nll(logits, x):
    return None


def reparameterize(mu, logvar):
    return torch.zeros(0, 3)


def negative_elbo(logits, x, mu, logvar, beta=1.0):
    return ()


def train_step(model, x, optimizer, beta=1.0):
    return {}


def traverse(model, z, dim, values):
    return torch.zeros(0, 1, 1, 5)


class VAE(VAE):
    def forward(self, x):
        return torch.zeros(0), torch.zeros(0, 2), torch.zeros(0, 2)

    def sample(self, n):
        return torch.zeros(0, *self.decoder.out_shape)
