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
    say(frame(f'{{"answers": {{{names}}}, "failure": null, "used": [], "noticed": []}}'.encode()))


def traverse(model, z, dim, values):
    say(frame(b'{"answers": {}, "answers": {}, "failure": null, "used": [], "noticed": [], "failure": []}'))
