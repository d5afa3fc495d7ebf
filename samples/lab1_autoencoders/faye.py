# start: solution
# A name misspelled in one cell, an endless loop in another; the rest counts.

# %% exercise: squared_error
def squared_error(x_hat, x):
    return (xhat - x).square().sum(dim=(1, 2, 3))

# %% exercise: nearest_codes
def nearest_codes(z, codes, k):
    found = []
    while len(found) < k:
        best = torch.cdist(z, codes).argmin(dim=1)
    return torch.stack(found, dim=1)
