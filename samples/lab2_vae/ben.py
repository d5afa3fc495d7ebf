# start: solution
# Everything right, with loops where others sum.

# %% exercise: gaussian_kl
def gaussian_kl(mu, logvar):
    values = []
    for m, v in zip(mu, logvar):
        total = 0
        for j in range(len(m)):
            total = total + 0.5 * (v[j].exp() + m[j] ** 2 - 1 - v[j])
        values.append(total)
    return torch.stack(values)

# %% exercise: train_step
def train_step(model, x, optimizer, beta=1.0):
    model.zero_grad()
    logits, mu, logvar = model(x)
    nll, kl = bernoulli_nll(logits, x).mean(), gaussian_kl(mu, logvar).mean()
    (nll + beta * kl).backward()
    optimizer.step()
    return {"loss": (nll + beta * kl).item(), "nll": nll.item(), "kl": kl.item()}
