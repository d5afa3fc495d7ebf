# class: time
# attack: hangs inside one operation of torch, and one of Python's integers
# noticed: gaussian_kl: still running
# seconds: 60


# %%
def gaussian_kl(mu, logvar):
    return torch.linalg.svd(torch.rand(4000, 4000)).S[: len(mu)] * 0


def mutual_information_gap(codes, factors, bins=20):
    return float(3 ** (10**9) > 0)
