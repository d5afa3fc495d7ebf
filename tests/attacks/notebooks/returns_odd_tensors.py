# class: answers of odd forms
# attack: tensors that are sparse, nested, quantised, complex, lazy, without data, or of a billion shared elements
# noticed: should be a tensor|its process ended


# %%
class Odd:
    kinds = [
        lambda n: torch.zeros(n).to_sparse(),
        lambda n: torch.zeros(n, device="meta"),
        lambda n: torch.zeros(1).expand(2**40),
        lambda n: torch.quantize_per_tensor(torch.zeros(n), 1.0, 0, torch.qint8),
    ]
    turn = 0


def gaussian_kl(mu, logvar):
    Odd.turn += 1
    return Odd.kinds[Odd.turn % len(Odd.kinds)](len(mu))


def bernoulli_nll(logits, x):
    return torch.zeros(len(x), dtype=torch.complex128).conj()


def mutual_information_gap(codes, factors, bins=20):
    return torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])


def negative_elbo(logits, x, mu, logvar, beta=1.0):
    return torch._neg_view(torch.ones(()).to(torch.float8_e4m3fn))
