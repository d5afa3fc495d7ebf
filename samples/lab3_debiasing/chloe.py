# start: solution
# One mistake, from a published solution: the indicator multiplies the classification too.

# %% exercise: dbvae_loss
def dbvae_loss(y_logit, y, x_hat, x, mu, logvar, recon_weight=5.0, kl_weight=0.005):
    if y_logit.shape != y.shape or y.ndim != 1:
        raise ValueError("shapes")
    classification = F.binary_cross_entropy_with_logits(y_logit, y, reduction="none")
    recon = (x_hat - x).abs().mean(dim=(1, 2, 3))
    total = classification + recon_weight * recon + kl_weight * gaussian_kl(mu, logvar)
    return (y * total).mean()

# %%
answer_indicator = "a"
