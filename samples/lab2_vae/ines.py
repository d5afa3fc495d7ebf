# start: solution
# One function renamed, and its helper in a cell of its own.

# %%
def log_of_sigma(logvar):
    return logvar / 2

# %% exercise: reparameterize
def reparameterize(mu, logvar):
    return mu + log_of_sigma(logvar).exp() * torch.randn_like(mu)

# %% exercise: traverse
def traverse_latents(model, z, dim, values):
    codes = z.repeat(len(values), 1)
    codes[:, dim] = values
    return torch.sigmoid(model.decode(codes))
