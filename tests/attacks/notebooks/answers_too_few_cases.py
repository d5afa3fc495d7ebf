# class: forged frames
# attack: answers the first case alone, and rightly; or more cases than there are, or none at all
# noticed: forged an answer
# needs: _forge


# %%
def gaussian_kl(mu, logvar):
    say(outcome({"KL": 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)}))


def bernoulli_nll(logits, x):
    right = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    say(outcome(*[{"NLL": right}] * 50))


def traverse(model, z, dim, values):
    say(frame(outcomes()))
