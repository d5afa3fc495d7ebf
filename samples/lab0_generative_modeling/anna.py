# start: solution
# Everything right, with what torch has on offer.

# %% exercise: histogram_density
def histogram_density(x, edges):
    return torch.histogram(x.cpu(), edges.cpu(), density=True).hist.to(x.device)

# %% exercise: gaussian_log_prob
def gaussian_log_prob(x, mean, cov):
    return torch.distributions.MultivariateNormal(mean, scale_tril=torch.linalg.cholesky(cov)).log_prob(x)

# %% exercise: kernel_log_density
def kernel_log_density(query, data, bandwidth):
    each = Normal(data, bandwidth).log_prob(query[:, None]).sum(-1)
    return torch.logsumexp(each, dim=1) - math.log(len(data))

# %% exercise: ancestral_sample
def ancestral_sample(n, weights, means, covs):
    component = Categorical(weights).sample((n,))
    return MultivariateNormal(means[component], covs[component]).sample(), component
