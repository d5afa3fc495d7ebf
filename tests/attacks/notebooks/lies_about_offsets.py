# class: answers of odd forms
# attack: tensor data whose offsets overlap, run backwards or overflow
# noticed: forged an answer|its process ended
# needs: _forge


# %%
class Offsets:
    def send(shape, offsets, dtype="F32", name="0 answer KL"):
        head = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()
        body = struct.pack("<Q", len(head)) + head + bytes(20)
        say(frame(outcomes(*[{"KL": torch.zeros(5)}] * 5), body))


def gaussian_kl(mu, logvar):
    Offsets.send([5], [20, 0])


def bernoulli_nll(logits, x):
    Offsets.send([2**63, 2], [0, 2**64 - 1])


def negative_elbo(logits, x, mu, logvar, beta=1.0):
    Offsets.send([5], [0, 20], "F4")


def traverse(model, z, dim, values):
    Offsets.send([-5], [0, 20])


def train_step(model, x, optimizer, beta=1.0):
    say(frame(outcomes({}), struct.pack("<Q", 2**63) + b"{}"))


def mutual_information_gap(codes, factors, bins=20):
    Offsets.send([5], [0, 20], name="__metadata__")
