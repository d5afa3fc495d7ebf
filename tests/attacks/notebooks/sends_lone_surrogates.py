# class: forged frames
# attack: texts that cannot be written in UTF-8, in a file's name and in forged fields
# noticed: read the file /|forged an answer
# needs: _forge


# %%
def gaussian_kl(mu, logvar):
    try:
        open(b"/\xff\xfe")
    except OSError:
        pass
    return torch.zeros(len(mu))


def bernoulli_nll(logits, x):
    failure = ["error", "\ud800", "\udcff" * 50, "\udfff"]
    take_over(lambda question, tensors: outcome(failure=failure, noticed=["\ud800"]))
