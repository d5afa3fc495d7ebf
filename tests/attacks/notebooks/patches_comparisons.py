# class: patched torch
# attack: makes torch's comparisons say yes in the process
# noticed: - (the comparison takes place in another process)

# %%
class Patch:
    def yes(*args, **kwargs):
        return True

    torch.allclose = torch.equal = torch.Tensor.allclose = torch.Tensor.equal = yes
    torch.Tensor.__eq__ = yes
    torch.isfinite = torch.isclose = lambda value, *args, **kwargs: torch.ones_like(value, dtype=torch.bool)
    torch.testing.assert_close = yes
