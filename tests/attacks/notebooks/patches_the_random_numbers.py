# class: patched torch
# attack: freezes or steers the random numbers: what is drawn, and the seeding before each question
# noticed: noise

# %%
class Patch:
    torch.manual_seed = lambda seed: None
    torch.randn = torch.rand = lambda *shape, **options: torch.zeros(*shape)
    torch.randn_like = torch.rand_like = lambda value, **options: torch.zeros_like(value)
    torch.Tensor.normal_ = torch.Tensor.uniform_ = lambda self, *args, **kwargs: self.zero_()


def reparameterize(mu, logvar):
    return mu.detach() + (logvar / 2).exp() * torch.randn_like(mu)
