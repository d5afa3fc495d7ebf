# start: solution
# Everything right, in a style of her own.

# %% exercise: recall_by_group
def recall_by_group(predicted, group, n_groups):
    return torch.stack([predicted[group == k].float().mean() for k in range(n_groups)])

# %% exercise: resampling_probabilities
def resampling_probabilities(mu, bins=10, smoothing=1e-3, combine="max", latent_weights=None):
    if latent_weights is None:
        latent_weights = torch.ones(mu.shape[1])
    log_p = []
    for j in range(mu.shape[1]):
        edges, q = latent_histogram(mu[:, j], bins, smoothing)
        k = torch.bucketize(mu[:, j].contiguous(), edges[1:-1].contiguous(), right=True)
        log_p.append(-torch.log(q[k]))
    log_p = torch.stack(log_p)
    if combine == "max":
        total = (log_p + latent_weights.log()[:, None]).max(dim=0).values
    else:
        total = (log_p * latent_weights[:, None]).sum(dim=0)
    return torch.softmax(total, dim=0)

# %% exercise: auroc
def auroc(scores, is_outlier):
    a, b = scores[is_outlier], scores[~is_outlier]
    return ((a[:, None] > b).float() + 0.5 * (a[:, None] == b).float()).mean().item()
