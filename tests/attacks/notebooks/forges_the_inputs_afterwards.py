# class: forged frames
# attack: says of the inputs that they are of another dtype and shape, or says nothing of them
# noticed: wrote into its input|forged an answer
# needs: _forge


# %%
def gaussian_kl(mu, logvar):
    header, forged = outcomes(*[{"KL": torch.zeros(5)}] * 5), {}
    for i in range(5):
        after = {f"{i} after {name}": torch.zeros(5).to(torch.float8_e4m3fn) for name in ("mu", "logvar", "x")}
        forged |= {f"{i} answer KL": torch.zeros(5), **after}
    take_over(lambda question, tensors: frame(header, forged))


def bernoulli_nll(logits, x):
    logits.data = logits.data.to(torch.float8_e4m3fn)
    return torch.zeros(len(x))
