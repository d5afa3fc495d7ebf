# start: solution
# Slips in the later exercises: one row short, labels first, no square root of the matrix.

# %% exercise: interpolate
def interpolate(z0, z1, steps, spherical=False):
    t = torch.arange(steps)[:, None] / steps
    return (1 - t) * z0 + t * z1

# %% exercise: append_labels
def append_labels(z, labels, n_classes):
    return torch.cat([torch.nn.functional.one_hot(labels, n_classes), z], dim=1)

# %% exercise: append_label_maps
def append_label_maps(x, labels, n_classes):
    maps = torch.zeros(len(x), n_classes, x.shape[2], x.shape[3])
    maps[:, labels] = 1
    return torch.cat([x, maps], dim=1)

# %% exercise: frechet_distance
def frechet_distance(mu1, cov1, mu2, cov2):
    return float(((mu1 - mu2) ** 2).sum() + torch.trace(cov1 + cov2 - 2 * torch.sqrt((cov1 @ cov2).abs())))
