# start: student
# Averages where she should sum, and a beta that is never used.

# %% exercise: reparameterize
def reparameterize(mu, logvar):
    return mu + torch.exp(0.5 * logvar) * torch.randn_like(logvar)

# %% exercise: gaussian_kl
def gaussian_kl(mu, logvar):
    return 0.5 * (logvar.exp() + mu ** 2 - 1 - logvar).sum(dim=0)

# %% exercise: bernoulli_nll
def bernoulli_nll(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x)

# %% exercise: negative_elbo
def negative_elbo(logits, x, mu, logvar, beta=1.0):
    return (bernoulli_nll(logits, x) + gaussian_kl(mu, logvar)).mean()

# %%
answer_kl_sign = "c"
answer_logvar = "b"
