# class: forged frames
# attack: says of the inputs that they are of another dtype and shape, or says nothing of them
# noticed: wrote into its input|forged an answer
# needs: _forge


# %%
def gaussian_kl(mu, logvar):
    after = {f"after {name}": torch.zeros(5).to(torch.float8_e4m3fn) for name in ("mu", "logvar", "x")}
    header = {"answers": {"KL": "tensor"}, "failure": None, "used": [], "noticed": []}
    take_over(lambda question, tensors: frame(header, {"answer KL": torch.zeros(5), **after}))


def bernoulli_nll(logits, x):
    logits.data = logits.data.to(torch.float8_e4m3fn)
    return torch.zeros(len(x))
