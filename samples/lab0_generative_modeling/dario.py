# start: student
# Half filled, with the typical slips: N − 1, equal widths, heights for masses, eps @ L.

# %%
answer_riddle = "c"
answer_star = "a"

# %% exercise: histogram_density
def histogram_density(x, edges):
    counts = torch.histc(x, bins=len(edges) - 1, min=edges[0].item(), max=edges[-1].item())
    return counts / counts.sum() / edges.diff()

# %% exercise: fit_gaussian
def fit_gaussian(x):
    return x.mean(dim=0), torch.cov(x.T)

# %% exercise: inverse_cdf_sample
def inverse_cdf_sample(u, edges, density):
    cdf = torch.cat([torch.zeros(1), density.cumsum(0)])
    cdf = cdf / cdf[-1]
    i = (torch.searchsorted(cdf, u, right=True) - 1).clamp(0, len(density) - 1)
    return edges[i] + (u - cdf[i]) / (cdf[i + 1] - cdf[i]) * (edges[i + 1] - edges[i])

# %% exercise: ancestral_sample
def ancestral_sample(n, weights, means, covs):
    component = torch.multinomial(weights, n, replacement=True)
    eps = torch.randn(n, 1, means.shape[1])
    L = torch.linalg.cholesky(covs)[component]
    return means[component] + (eps @ L).squeeze(1), component
