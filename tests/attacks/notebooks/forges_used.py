# class: forged frames
# attack: says of answers that the grader's stand-ins were called, so that it is held against those
# noticed: forged an answer|should be
# needs: _forge

# %%
from course.grading import wire
from course.labs.lab2_vae import probes


class Forge:
    def forge(seen, noticed):
        fakes = ["bernoulli_nll", "gaussian_kl", "negative_elbo", "reparameterize"]
        used = frozenset(fakes[: Forge.turn % 5])
        return Forge.real([(type(one)(one.answers, (), None, used), after) for one, after in seen], noticed)

    turn, real = 0, wire.pack_outcomes
    wire.pack_outcomes = forge


def negative_elbo(logits, x, mu, logvar, beta=1.0):
    Forge.turn += 1
    return probes.fake_negative_elbo(logits, x, mu, logvar, beta)


def gaussian_kl(mu, logvar):
    Forge.turn += 1
    return probes.fake_gaussian_kl(mu, logvar)


def train_step(model, x, optimizer, beta=1.0):
    Forge.turn += 1
    return {"loss": 0.0, "nll": 0.0, "kl": 0.0}
