# class: forged frames
# attack: headers with NaN, Infinity, 1e999, numbers of ten thousand digits, and true for 1
# noticed: forged an answer
# needs: _forge


# %%
def gaussian_kl(mu, logvar):
    say(frame(b'{"outcomes": [{"answers": {"KL": NaN}, "failure": null, "used": []}], "noticed": []}'))


def bernoulli_nll(logits, x):
    say(frame(b'{"outcomes": [{"answers": {}, "failure": 1e999, "used": []}], "noticed": []}'))


def mutual_information_gap(codes, factors, bins=20):
    number = b"9" * 10_000
    say(frame(b'{"outcomes": [{"answers": {"MIG": ' + number + b'}, "failure": null, "used": []}], "noticed": []}'))


def traverse(model, z, dim, values):
    say(frame(b'{"outcomes": [{"answers": true, "failure": false, "used": {}}], "noticed": 1}'))
