# start: solution
# Two typical bugs of training code.

# %% exercise: VAE
class VAE(nn.Module):
    def __init__(self, encoder, decoder, latent_dim):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim

    def encode(self, x):
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(reparameterize(mu, logvar)), mu, logvar

    def sample(self, n):
        self.eval()
        with torch.no_grad():
            z = torch.randn(n, self.latent_dim, device=next(self.parameters()).device)
            return torch.sigmoid(self.decode(z))

# %% exercise: train_step
def train_step(model, x, optimizer, beta=1.0):
    logits, mu, logvar = model(x)
    loss = negative_elbo(logits, x, mu, logvar, beta)
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "nll": bernoulli_nll(logits, x).mean().item(), "kl": gaussian_kl(mu, logvar).mean().item()}
