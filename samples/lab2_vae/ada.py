# start: solution
# Everything right, in a style of her own.

# %% exercise: reparameterize
def reparameterize(mu, logvar):
    return torch.distributions.Normal(mu, torch.exp(logvar / 2)).rsample()

# %% exercise: gaussian_kl
def gaussian_kl(mu, logvar):
    terms = -0.5 * (1 + logvar - mu.square() - logvar.exp())
    return torch.einsum("bd->b", terms)

# %% exercise: traverse
@torch.no_grad()
def traverse(model, z, dim, values):
    mode = model.training
    model.eval()
    codes = torch.stack([torch.cat([z[:dim], value[None], z[dim + 1:]]) for value in values])
    images = model.decode(codes).sigmoid()
    model.train(mode)
    return images
