# class: forged frames
# attack: closes the descriptor on which it is asked, or puts another file in its place
# noticed: gaussian_kl: its process ended

# %%
import os


def gaussian_kl(mu, logvar):
    os.dup2(0, 3)
    return torch.zeros(len(mu))


def bernoulli_nll(logits, x):
    os.closerange(0, 1000)
    return torch.zeros(len(x))
