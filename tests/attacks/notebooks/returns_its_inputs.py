# class: special answers
# attack: answers that share memory with the inputs, with each other, or overlap in themselves
# noticed: should


# %%
def reparameterize(mu, logvar):
    return mu.detach()


def gaussian_kl(mu, logvar):
    return mu[:, 0]


def bernoulli_nll(logits, x):
    return logits.detach().as_strided((len(x),), (0,))


def traverse(model, z, dim, values):
    return z.new_zeros(1).as_strided((len(values), *model.decoder.out_shape), (0, 0, 0, 0))


def negative_elbo(logits, x, mu, logvar, beta=1.0):
    return logits.flatten()[0]


class VAE(VAE):
    def forward(self, x):
        return x, x.flatten(1)[:, : self.latent_dim], x.flatten(1)[:, : self.latent_dim]
