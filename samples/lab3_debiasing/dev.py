# start: student
# Half filled; common faces drawn more, and the bins one too far.

# %% exercise: recall_by_group
def recall_by_group(predicted, group, n_groups):
    hits = torch.zeros(n_groups)
    for k in range(n_groups):
        members = group == k
        hits[k] = predicted[members].sum() / members.sum() if members.any() else 0.0
    return hits

# %% exercise: latent_histogram
def latent_histogram(mu_column, bins=10, smoothing=1e-3):
    counts = torch.histc(mu_column, bins)
    edges = torch.linspace(mu_column.min().item(), mu_column.max().item(), bins + 1)
    q = counts / len(mu_column) + smoothing
    return edges, q / q.sum()

# %% exercise: resampling_probabilities
def resampling_probabilities(mu, bins=10, smoothing=1e-3, combine="max", latent_weights=None):
    p = torch.zeros(len(mu))
    for j in range(mu.shape[1]):
        edges, q = latent_histogram(mu[:, j], bins, smoothing)
        k = torch.bucketize(mu[:, j].contiguous(), edges, right=True).clamp(max=bins - 1)
        p = torch.maximum(p, 1 / q[k])
    return p / p.sum()

# %%
answer_product = "c"
