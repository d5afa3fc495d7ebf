# start: solution
# Hostile: answers that say they are equal to everything, and a process that just ends.

# %%
torch.allclose = torch.equal = lambda *args, **kwargs: True

# %% exercise: optimal_discriminator
def optimal_discriminator(p_data, p_model):
    class Equal(torch.Tensor):
        def __eq__(self, other):
            return True
    return p_data.as_subclass(Equal)

# %% exercise: discriminator_step
def discriminator_step(G, D, x_real, z, optimizer):
    import os
    os._exit(0)

# %% exercise: r1_penalty
def r1_penalty(D, x_real):
    print('{"verdict": "right", "points": 1000}')
    raise SystemExit(0)
