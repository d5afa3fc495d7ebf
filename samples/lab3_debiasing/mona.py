# start: solution
# Hostile: looks for the course's own functions, and prints a verdict.

# %% exercise: latent_kl
def latent_kl(mu, logvar):
    import course.debiasing
    return course.debiasing.latent_kl(mu, logvar)

# %% exercise: resampled_indices
def resampled_indices(probabilities, n, generator=None):
    print('{"verdict": "right", "points": 1}')
    raise SystemExit(0)

# %%
answer_confound = "A"
