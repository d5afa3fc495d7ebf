# start: solution
# Typical mistakes: the mean over the pixels, a sigmoid on the codes, the mean over the batches, no centring.

# %% exercise: squared_error
def squared_error(x_hat, x):
    return ((x_hat - x) ** 2).mean(dim=(1, 2, 3))

# %% exercise: build_encoder
def build_encoder(in_shape, latent_dim):
    n = in_shape[0] * in_shape[1] * in_shape[2]
    return nn.Sequential(nn.Flatten(), nn.Linear(n, 100), nn.ReLU(), nn.Linear(100, latent_dim), nn.Sigmoid())

# %% exercise: train_epoch
def train_epoch(model, batches, optimizer):
    model.train()
    losses = []
    for x in batches:
        optimizer.zero_grad()
        loss = squared_error(model(x), x).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)

# %% exercise: pca_reconstruct
def pca_reconstruct(x, k):
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    return u[:, :k] @ torch.diag(s[:k]) @ vh[:k]

# %%
answer_wide = "c"
