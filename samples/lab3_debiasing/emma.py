# start: solution
# Ties counted as wins, and a model that stays in eval mode.

# %% exercise: outlier_scores
def outlier_scores(model, x):
    model.eval()
    with torch.no_grad():
        mu, logvar = model.encode(x)
        return bernoulli_nll(model.decode(mu), x) + gaussian_kl(mu, logvar)

# %% exercise: auroc
def auroc(scores, is_outlier):
    odd, ordinary = scores[is_outlier], scores[~is_outlier]
    return (odd[:, None] >= ordinary[None, :]).double().mean().item()
