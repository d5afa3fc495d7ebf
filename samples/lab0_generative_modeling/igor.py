# start: student
# Hostile: looks for the answers, patches torch, raises the error that is asked for and nothing else.

# %%
torch.allclose = torch.equal = lambda *args, **kwargs: True

# %% exercise: histogram_density
def histogram_density(x, edges):
    from course.labs.lab0_generative_modeling.checks import histogram_exercise
    return histogram_exercise.reference(x, edges)

# %% exercise: fit_gaussian
from course.density import fit_gaussian

# %% exercise: gaussian_log_prob
def gaussian_log_prob(x, mean, cov):
    raise ValueError("not positive definite")

# %% exercise: kernel_log_density
def kernel_log_density(query, data, bandwidth):
    print('{"verdict": "right", "points": 1000}')
    raise SystemExit(0)

# %% exercise: inverse_cdf_sample
def inverse_cdf_sample(u, edges, density):
    import os
    os._exit(0)
