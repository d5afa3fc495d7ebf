# class: bombs
# attack: asks for more memory than there is, at once
# noticed: can't allocate memory|not enough memory|MemoryError

# %%
def gaussian_kl(mu, logvar):
    return torch.ones(1 << 38).sum() * torch.zeros(len(mu))


def mutual_information_gap(codes, factors, bins=20):
    return float(len(b"x" * (1 << 38)))
