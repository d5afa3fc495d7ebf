# class: forged frames
# attack: headers nested a million deep, with a million keys, with keys twice
# noticed: forged an answer
# needs: _forge


# %%
def gaussian_kl(mu, logvar):
    say(frame(b"[" * 1_000_000))


def bernoulli_nll(logits, x):
    say(frame(b'{"a":' * 500_000 + b"1" + b"}" * 500_000))


def mutual_information_gap(codes, factors, bins=20):
    names = ",".join(f'"{i}": ["a", "b"]' for i in range(150_000))
    one = f'{{"answers": {{{names}}}, "failure": null, "used": []}}'
    say(frame(f'{{"outcomes": [{one}, {one}], "noticed": []}}'.encode()))


def traverse(model, z, dim, values):
    one = b'{"answers": {}, "answers": {}, "failure": null, "used": [], "failure": []}'
    say(frame(b'{"outcomes": [], "outcomes": [' + one + b'], "noticed": [], "noticed": []}'))


def train_step(model, x, optimizer, beta=1.0):
    say(frame(b'{"outcomes": [' + b"{}," * 300_000 + b'{}], "noticed": []}'))
