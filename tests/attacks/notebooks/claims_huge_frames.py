# class: forged frames
# attack: announces frames of 4 GB, in the header and in the tensors
# noticed: forged an answer \(a frame of
# needs: _forge


# %%
def gaussian_kl(mu, logvar):
    say(struct.pack("<II", 0xFFFFFFFF, 0))


def bernoulli_nll(logits, x):
    say(struct.pack("<II", 2, 0xFFFFFFFF) + b"{}")
    return torch.zeros(len(x))
