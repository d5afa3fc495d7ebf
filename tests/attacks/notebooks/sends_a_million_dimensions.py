# class: answers of odd forms
# attack: tensors with a million dimensions, with dimensions of 2^40 and no element, and of dtypes that no reference has
# noticed: forged an answer|should have shape
# needs: _forge


# %%
def gaussian_kl(mu, logvar):
    header = {"0 answer KL": {"dtype": "F32", "shape": [1] * 1_000_000, "data_offsets": [0, 4]}}
    head = json.dumps(header).encode()
    body = struct.pack("<Q", len(head)) + head + bytes(4)
    answers = [{"KL": torch.zeros(5)}] * 5
    take_over(lambda question, tensors: frame(outcomes(*answers), body))


def bernoulli_nll(logits, x):
    return torch.zeros(2**40, 0)


def traverse(model, z, dim, values):
    return torch.zeros([1] * 5000)


def mutual_information_gap(codes, factors, bins=20):
    take_over(lambda question, tensors: outcome(*[{"MIG": torch.zeros(()).to(torch.float8_e5m2)}] * 2))
