# start: empty
# A notebook without a cell of the lab, but with the functions, each under its name.

# %%
import torch
from torch import nn

# %%
def squared_error(x_hat, x):
    return torch.einsum("bchw,bchw->b", x_hat - x, x_hat - x)

# %%
def pca_reconstruct(x, k):
    mean = x.mean(0)
    _, vectors = torch.linalg.eigh((x - mean).T @ (x - mean))
    basis = vectors[:, x.shape[1] - k:]
    return mean + (x - mean) @ basis @ basis.T

# %%
answer_random = "B"
