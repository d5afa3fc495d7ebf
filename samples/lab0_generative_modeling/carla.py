# start: solution
# The formulas as they stand on paper: right for small numbers, and no further.

# %% exercise: gaussian_log_prob
def gaussian_log_prob(x, mean, cov):
    d = x - mean
    quadratic = ((d @ torch.inverse(cov)) * d).sum(1)
    return -0.5 * quadratic - 0.5 * torch.log(torch.det(cov)) - len(mean) / 2 * math.log(2 * math.pi)

# %% exercise: kernel_log_density
def kernel_log_density(query, data, bandwidth):
    squares = ((query[:, None] - data[None]) ** 2).sum(-1)
    kernels = torch.exp(-squares / (2 * bandwidth**2)) / (bandwidth * math.sqrt(2 * math.pi)) ** query.shape[1]
    return torch.log(kernels.mean(1))

# %% exercise: fit_gaussian
def fit_gaussian(x):
    mean = x.mean(0)
    return mean, (x.T @ x) / len(x) - torch.outer(mean, mean)
