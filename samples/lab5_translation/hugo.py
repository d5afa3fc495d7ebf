# start: solution
# Slips in the small prices: squares for absolute values, a sum for a mean, real and fake swapped.

# %% exercise: cycle_consistency_loss
def cycle_consistency_loss(real, reconstructed):
    return ((real - reconstructed) ** 2).mean()

# %% exercise: identity_loss
def identity_loss(real, mapped):
    return (real - mapped).abs().sum()

# %% exercise: lsgan_loss
def lsgan_loss(scores, is_real):
    return ((scores - (0.0 if is_real else 1.0)) ** 2).mean()

# %%
answer_permuted = "a"
