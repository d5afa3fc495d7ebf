# class: patched torch
# attack: replaces autograd.grad, backward and no_grad, so that gradients are what it likes
# noticed: gradient of

# %%
class Patch:
    torch.autograd.grad = lambda outputs, inputs, **options: [torch.full_like(value, 0.5) for value in inputs]
    torch.Tensor.backward = lambda self, *args, **kwargs: None
    torch.Tensor.requires_grad = property(lambda self: True, lambda self, value: None)
    torch.no_grad = torch.enable_grad


def gaussian_kl(mu, logvar):
    return (mu * 0 + logvar * 0).sum(1)
