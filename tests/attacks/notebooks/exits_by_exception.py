# class: exit codes and printed results
# attack: leaves by SystemExit(0), KeyboardInterrupt and GeneratorExit, in definitions and in exercises
# noticed: stops with SystemExit

# %%
import sys


def gaussian_kl(mu, logvar, leave=sys.exit(0)):
    return torch.zeros(len(mu))


# %%
def bernoulli_nll(logits, x):
    raise SystemExit(0)


# %%
def negative_elbo(logits, x, mu, logvar, beta=1.0):
    raise GeneratorExit


# %%
def traverse(model, z, dim, values):
    raise KeyboardInterrupt
