# class: crashes
# attack: aborts, and writes to address 0
# noticed: killed by SIG

# %%
import ctypes
import os


def gaussian_kl(mu, logvar):
    os.abort()


def bernoulli_nll(logits, x):
    ctypes.memset(0, 1, 1)
