"""The generative adversarial network of Goodfellow et al. (2014), with the R1 penalty of Mescheder et al. (2018).

Read it from top to bottom: the perfect discriminator, the losses of both players, one step of each, a penalty that calms the
game, a walk through the noise, and networks that are told a class.
Two networks: G maps noise z (B, Z) to fakes, D maps reals or fakes to logits, one for each; a high logit means *real*. Reals
and fakes are points (B, N) or images (B, C, H, W) with values in [-1, 1]. All losses are in nats, averaged over the batch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def optimal_discriminator(p_data: Tensor, p_model: Tensor) -> Tensor:
    """Compute the probability of *real* that the best possible D gives where the two densities are known.

    p_data, p_model: densities at the same places, any shape, not negative. Returns probabilities of that shape; where both
    densities are 0, 1/2. Raises ValueError if the shapes differ. Source: Goodfellow et al. (2014), proposition 1.
    """
    if p_data.shape != p_model.shape:
        raise ValueError(f"p_data {tuple(p_data.shape)} and p_model {tuple(p_model.shape)} must have the same shape")
    ### BEGIN SOLUTION
    both = p_data + p_model
    nowhere = both == 0
    # D*(x) = p_data(x) / (p_data(x) + p_model(x)); divided by 1 where that would be 0/0, so that no NaN ever arises
    return torch.where(nowhere, torch.full_like(both, 0.5), p_data / both.masked_fill(nowhere, 1.0))
    ### END SOLUTION


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Compute the cross-entropy that D pays for calling reals and fakes what they are not.

    real_logits, fake_logits: (B,) or (B, 1), any real numbers; the two batches may differ in size. Returns nats: a scalar,
    the mean over the reals plus the mean over the fakes. Source: Goodfellow et al. (2014), equation 1, with the sign turned.
    """
    # −mean log D(x) − mean log(1 − D(G(z))), with −log sigmoid(l) = softplus(−l), which no large logit breaks
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_loss_minimax(fake_logits: Tensor) -> Tensor:
    """Compute what G minimises in the game as it was written down: the mean of log(1 − D).

    fake_logits: (B,) or (B, 1). Returns nats: a scalar, never positive. Source: Goodfellow et al. (2014), equation 1.
    """
    return -F.softplus(fake_logits).mean()  # log(1 − sigmoid(l)) = −softplus(l)


def generator_loss_nonsaturating(fake_logits: Tensor) -> Tensor:
    """Compute what G minimises in practice: the mean of −log D.

    fake_logits: (B,) or (B, 1). Returns nats: a scalar, never negative. Source: Goodfellow et al. (2014), section 3.
    """
    return F.softplus(-fake_logits).mean()  # −log sigmoid(l) = softplus(−l)


def discriminator_step(G: nn.Module, D: nn.Module, x_real: Tensor, z: Tensor, optimizer: torch.optim.Optimizer) -> float:
    """Update D once, on a batch of reals and on the fakes that G makes of z, and report what it paid before the update.

    x_real: (B, ...). z: (B', Z); B and B' may differ. optimizer: D's. Returns discriminator_loss as a float. D sees the
    reals first, then the fakes, in a pass of its own each: batch norm must not mix them. Both networks work in the mode that
    they are in. G makes the fakes once; its weights, its mode and its gradients stay as they were. Gradients that lay on D
    before the call do not matter.
    """
    with torch.no_grad():  # the fakes are mere data for D
        x_fake = G(z)
    loss = discriminator_loss(D(x_real), D(x_fake))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def generator_step(G: nn.Module, D: nn.Module, z: Tensor, optimizer: torch.optim.Optimizer) -> float:
    """Update G once, through D, so that D finds its fakes more real, and report what it paid before the update.

    z: (B, Z). optimizer: G's. Returns generator_loss_nonsaturating as a float. One pass through each network, in the mode
    that it is in. D's weights, mode and requires_grad stay as they were. Gradients that lay on G before the call do not
    matter; those that pass through D may lie on it afterwards: the next step of D clears them.
    """
    loss = generator_loss_nonsaturating(D(G(z)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def r1_penalty(D: nn.Module, x_real: Tensor) -> Tensor:
    """Compute how steep D is at the reals: the squared norm of the gradient of its logit, averaged over the reals.

    x_real: (B, ...), left as it was, and so is D: its mode, and what gradients lie on it. Returns a scalar that can be
    differentiated again, to lower it; the caller multiplies it by gamma / 2. Source: Mescheder et al. (2018), equation 9.
    """
    x = x_real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)  # the sum: each logit knows its own image alone
    return gradient.flatten(start_dim=1).square().sum(dim=1).mean()


def interpolate(z0: Tensor, z1: Tensor, steps: int, spherical: bool = False) -> Tensor:
    """Walk from one noise vector to another in equal steps.

    z0, z1: (Z,). Returns (steps, Z): the first row is z0, the last is z1. spherical: turn from one direction to the other
    instead of going straight; ends that are nearly parallel are joined by the straight line.
    Raises ValueError if the shapes differ or steps is below 2. Source of the spherical form: Shoemake (1985), section 3.3.
    """
    if z0.shape != z1.shape or z0.ndim != 1:
        raise ValueError(f"z0 {tuple(z0.shape)} and z1 {tuple(z1.shape)} must have the same shape (Z,)")
    if steps < 2:
        raise ValueError(f"steps is {steps}; a walk has two ends at least")
    ### BEGIN SOLUTION
    t = torch.linspace(0, 1, steps, dtype=z0.dtype, device=z0.device)[:, None]  # (steps, 1)
    start, end = 1 - t, t
    if spherical:
        cosine = F.normalize(z0, dim=0) @ F.normalize(z1, dim=0)
        angle = cosine.clamp(-1, 1).acos()
        if angle.sin() > 1e-3:
            # sin((1 − t) ω) / sin ω · z0 + sin(t ω) / sin ω · z1
            start, end = torch.sin((1 - t) * angle) / angle.sin(), torch.sin(t * angle) / angle.sin()
    return start * z0 + end * z1
    ### END SOLUTION


def append_labels(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Join a class to each noise vector, so that G knows what to draw.

    z: (B, Z). labels: (B,) int64 in 0 ... n_classes − 1. Returns (B, Z + n_classes): the noise, then the label as one-hot.
    Raises ValueError if the shapes do not fit. Source: Mirza & Osindero (2014), section 3.2.
    """
    if z.ndim != 2 or labels.shape != z.shape[:1]:
        raise ValueError(f"z {tuple(z.shape)} and labels {tuple(labels.shape)} must be (B, Z) and (B,)")
    ### BEGIN SOLUTION
    one_hot = F.one_hot(labels, n_classes).to(z.dtype)
    return torch.cat([z, one_hot], dim=1)
    ### END SOLUTION


def append_label_maps(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Join a class to each image, so that D can ask whether the two belong together.

    x: (B, C, H, W). labels: (B,) int64 in 0 ... n_classes − 1. Returns (B, C + n_classes, H, W): the image's channels, then
    for each class a map that is 1 everywhere or 0 everywhere. Raises ValueError if the shapes do not fit.
    Source: Mirza & Osindero (2014), with the label spread over the image as Perarnau et al. (2016) do.
    """
    if x.ndim != 4 or labels.shape != x.shape[:1]:
        raise ValueError(f"x {tuple(x.shape)} and labels {tuple(labels.shape)} must be (B, C, H, W) and (B,)")
    ### BEGIN SOLUTION
    one_hot = F.one_hot(labels, n_classes).to(x.dtype)
    maps = one_hot[:, :, None, None].expand(-1, -1, *x.shape[2:])  # (B, n_classes, H, W)
    return torch.cat([x, maps], dim=1)
    ### END SOLUTION
