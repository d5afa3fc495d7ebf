# start: student
# Got as far as the model; wrote the sizes of the first data set into the networks.

# %% exercise: squared_error
def squared_error(x_hat, x):
    return (x_hat - x).square().sum(dim=(1, 2, 3))

# %% exercise: build_encoder
def build_encoder(in_shape, latent_dim):
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 64), nn.ReLU(), nn.Linear(64, latent_dim))

# %% exercise: build_decoder
def build_decoder(latent_dim, out_shape):
    return nn.Sequential(nn.Linear(latent_dim, 64), nn.ReLU(), nn.Linear(64, 28 * 28), nn.Unflatten(1, (1, 28, 28)))

# %% exercise: Autoencoder
class Autoencoder(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        z = self.encode(x)
        return self.decode(z), z

# %%
answer_wide = "b"
