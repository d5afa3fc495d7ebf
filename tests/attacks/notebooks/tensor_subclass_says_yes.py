# class: answers that claim to be equal
# attack: answers with a subclass of Tensor (and of Parameter) that is allclose to anything
# noticed: should be a tensor, but it is a Close

# %%
class Close(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function in (torch.allclose, torch.equal, torch.Tensor.equal, torch.Tensor.allclose, torch.isclose):
            return True
        if function in (torch.Tensor.to, torch.Tensor.detach, torch.Tensor.cpu, torch.Tensor.clone, torch.Tensor.contiguous):
            return args[0]
        return super().__torch_function__(function, types, args, kwargs or {})

    def __eq__(self, other):
        return True

    __hash__ = torch.Tensor.__hash__


class CloseParameter(nn.Parameter):
    __torch_function__ = Close.__torch_function__


def gaussian_kl(mu, logvar):
    return torch.zeros(len(mu)).as_subclass(Close)


def bernoulli_nll(logits, x):
    return torch.zeros(len(x)).as_subclass(CloseParameter)
