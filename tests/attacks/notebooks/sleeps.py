# class: time
# attack: sleeps in an exercise, and almost as long as it may in the others
# noticed: gaussian_kl: still running
# seconds: 90

# %%
import time


def gaussian_kl(mu, logvar):
    time.sleep(1e6)


def bernoulli_nll(logits, x):
    time.sleep(0.3)
    return torch.zeros(len(x))


def traverse(model, z, dim, values):
    time.sleep(0.5)
    return torch.zeros(len(values), *model.decoder.out_shape)
