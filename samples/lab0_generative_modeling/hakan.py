# start: solution
# Right but for what he does to others' data: he writes into his inputs, and sets the seed.

# %% exercise: fit_gaussian
def fit_gaussian(x):
    mean = x.mean(0)
    x -= mean
    return mean, x.T @ x / len(x)

# %% exercise: ancestral_sample
def ancestral_sample(n, weights, means, covs):
    torch.manual_seed(0)
    component = torch.multinomial(weights, n, replacement=True)
    L = torch.linalg.cholesky(covs)
    return means[component] + (L[component] @ torch.randn(n, means.shape[1], 1, device=means.device))[..., 0], component
