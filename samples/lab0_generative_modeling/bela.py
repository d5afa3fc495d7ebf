# start: solution
# Everything right, with loops and masks.

# %% exercise: fit_gaussian
def fit_gaussian(x):
    mean = x.sum(0) / x.shape[0]
    cov = torch.zeros(x.shape[1], x.shape[1], device=x.device)
    for row in x:
        d = row - mean
        cov = cov + torch.outer(d, d)
    return mean, cov / x.shape[0]

# %% exercise: inverse_cdf_sample
def inverse_cdf_sample(u, edges, density):
    mass = density * (edges[1:] - edges[:-1])
    total = mass.sum()
    x = torch.empty_like(u)
    left = torch.zeros((), device=u.device)
    for i in range(len(mass)):
        share = mass[i] / total
        if share == 0:
            continue
        here = u >= left
        x[here] = edges[i] + ((u[here] - left) / share).clamp(max=1) * (edges[i + 1] - edges[i])
        left = left + share
    return x

# %% exercise: ancestral_sample
def ancestral_sample(n, weights, means, covs):
    component = torch.multinomial(weights, n, replacement=True)
    x = torch.zeros(n, means.shape[1], device=means.device)
    for k in range(len(weights)):
        L = torch.linalg.cholesky(covs[k])
        mask = component == k
        x[mask] = means[k] + torch.randn(int(mask.sum()), means.shape[1], device=means.device) @ L.T
    return x, component
