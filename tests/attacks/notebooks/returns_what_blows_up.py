# class: special answers
# attack: answers of shapes that take gigabytes as soon as the judge computes with them
# noticed: should have shape


# %%
def reparameterize(mu, logvar):
    return torch.zeros(15_000, 1, 1) if len(mu) > 1000 else torch.zeros(1 << 20, 1, 1)


class VAE(VAE):
    def forward(self, x):
        rows = 15_000 if len(x) > 1000 else 1
        return torch.zeros(len(x), 1, 1, 4), torch.zeros(rows, 1, 1), torch.zeros(rows, 1, 1)

    def sample(self, n):
        return torch.zeros(1 << 21, 1)
