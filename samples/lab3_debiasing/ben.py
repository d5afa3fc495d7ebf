# start: solution
# Right, with loops where others use tensors.

# %% exercise: temper
def temper(probabilities, effective_fraction):
    wanted = effective_fraction * len(probabilities)
    best = 0.0
    step = 0.5
    t = 1.0
    if effective_sample_size(probabilities) >= wanted:
        return probabilities.clone()
    while step > 1e-9:
        q = probabilities.double() ** (best + step)
        if effective_sample_size(q / q.sum()) >= wanted:
            best += step
        step /= 2
    q = probabilities.double() ** best
    return (q / q.sum()).float()

# %% exercise: latent_kl
def latent_kl(mu, logvar):
    return torch.stack([gaussian_kl(mu[:, [j]], logvar[:, [j]]).mean() for j in range(mu.shape[1])])
