# start: student
# Half filled; the variance taken for the standard deviation, and the sum over the wrong axis.

# %% exercise: reparameterize
def reparameterize(mu, logvar):
    eps = torch.randn_like(mu)
    return mu + torch.exp(logvar) * eps

# %% exercise: gaussian_kl
def gaussian_kl(mu, logvar):
    return 0.5 * (logvar.exp() + mu ** 2 - 1 - logvar).sum(0)

# %%
answer_kl_sign = "c"

# %% exercise: bernoulli_nll
def bernoulli_nll(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=(1, 2, 3))
