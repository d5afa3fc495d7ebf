"""translation.py and its networks: against torch's own losses, the papers' parameter counts, and a plain simulation."""

import random
from collections import Counter

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course.networks import ResNetBlock, UNet, patch_discriminator, resnet_generator
from course.translation import (
    ImageBuffer,
    UNetBlock,
    conditional_pair,
    cycle_consistency_loss,
    cyclegan_discriminator_loss,
    cyclegan_generator_loss,
    identity_loss,
    lsgan_loss,
    pix2pix_discriminator_loss,
    pix2pix_generator_loss,
)


def images(seed: int, b: int = 3, c: int = 2, size: int = 8) -> torch.Tensor:
    return torch.rand(b, c, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_a_pair_has_the_condition_first() -> None:
    condition, image = images(0, c=3), images(1, c=2)
    pair = conditional_pair(condition, image)
    assert torch.equal(pair[:, :3], condition)
    assert torch.equal(pair[:, 3:], image)
    for other in (images(1, b=1), images(1, size=4), image[0]):
        with pytest.raises(ValueError, match="may differ in channels alone"):
            conditional_pair(condition, other)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_pix2pix_losses_are_cross_entropies(scale: float) -> None:
    condition, real, fake = images(0), images(1), images(2).requires_grad_()
    torch.manual_seed(0)
    network = nn.Conv2d(4, 1, 3).double()

    def judge(pair: torch.Tensor) -> torch.Tensor:
        return scale * network(pair.double())

    loss = pix2pix_discriminator_loss(judge, condition, real, fake)
    bce = nn.BCEWithLogitsLoss()
    real_logits, fake_logits = (judge(torch.cat([condition, picture], dim=1)) for picture in (real, fake))
    wanted = (bce(real_logits, torch.ones_like(real_logits)) + bce(fake_logits, torch.zeros_like(fake_logits))) / 2
    torch.testing.assert_close(loss, wanted)
    loss.backward()
    assert fake.grad is None
    assert network.weight.grad is not None

    target = images(3)
    loss = pix2pix_generator_loss(fake_logits.detach(), fake, target, l1_weight=7.0)
    wanted = bce(fake_logits, torch.ones_like(fake_logits)) + 7 * F.l1_loss(fake, target)
    torch.testing.assert_close(loss, wanted.detach().double(), check_dtype=False, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="must have the same shape"):
        pix2pix_generator_loss(fake_logits, fake, target[:1])


def test_one_number_losses_are_torchs() -> None:
    one, other = images(0), images(1)
    torch.testing.assert_close(lsgan_loss(one, True), F.mse_loss(one, torch.ones_like(one)))
    torch.testing.assert_close(lsgan_loss(one, False), F.mse_loss(one, torch.zeros_like(one)))
    for loss in (cycle_consistency_loss, identity_loss):
        torch.testing.assert_close(loss(one, other), F.l1_loss(one, other))
        with pytest.raises(ValueError, match="must have the same shape"):
            loss(one, other[:1])


def test_the_generators_loss_by_hand() -> None:
    """Functions of odd constants: a crossed wire would change the sum."""
    a, b = torch.full((2, 1, 4, 4), 0.3), torch.full((5, 1, 4, 4), -0.2)
    loss, parts = cyclegan_generator_loss(
        lambda x: 2 * x + 1,
        lambda x: 3 * x - 1,
        lambda x: 5 * x,
        lambda x: 7 * x,
        a,
        b,
        cycle_weight=11.0,
        identity_weight=13.0,
    )
    fake_b, fake_a = 2 * 0.3 + 1, 3 * -0.2 - 1
    wanted = {
        "adversarial": (7 * fake_b - 1) ** 2 + (5 * fake_a - 1) ** 2,
        "cycle": abs(3 * fake_b - 1 - 0.3) + abs(2 * fake_a + 1 + 0.2),
        "identity": abs(2 * -0.2 + 1 + 0.2) + abs(3 * 0.3 - 1 - 0.3),
    }
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(wanted, rel=1e-5)
    total = wanted["adversarial"] + 11 * wanted["cycle"] + 13 * wanted["identity"]
    assert loss.item() == pytest.approx(total, rel=1e-5)
    assert not any(part.requires_grad for part in parts.values())


def test_the_generators_loss_reaches_both_generators_through_both_critics() -> None:
    torch.manual_seed(0)
    there, back, judge_a, judge_b = (nn.Conv2d(1, 1, 3, padding=1) for _ in range(4))
    loss, _ = cyclegan_generator_loss(there, back, judge_a, judge_b, images(0, c=1), images(1, c=1))
    loss.backward()
    assert all(weight.grad.abs().sum() > 0 for network in (there, back) for weight in network.parameters())


def test_the_discriminators_loss_spares_the_generator() -> None:
    real, fake = images(0), images(1, b=5).requires_grad_()
    torch.testing.assert_close(
        cyclegan_discriminator_loss(lambda x: x, real, fake), ((real - 1).square().mean() + fake.square().mean()) / 2
    )
    network = nn.Conv2d(2, 1, 3)
    cyclegan_discriminator_loss(network, real, fake).backward()
    assert fake.grad is None


# ------------------------------------------------------------------------------------------------------------ the buffer


def test_a_buffer_fills_first_and_keeps_copies() -> None:
    buffer, batch = ImageBuffer(4), images(0, b=3).requires_grad_()
    given = buffer.exchange(batch)
    assert torch.equal(given, batch)
    assert not given.requires_grad
    kept = [image.clone() for image in buffer.images]
    with torch.no_grad():
        batch.zero_()
        given.zero_()
    assert all(torch.equal(image, before) for image, before in zip(buffer.images, kept, strict=True))
    with pytest.raises(ValueError, match="at least 1"):
        ImageBuffer(0)


def test_a_buffer_loses_no_image_and_invents_none() -> None:
    torch.manual_seed(0)
    buffer, came, went = ImageBuffer(5), [], []
    for number in range(40):
        batch = torch.full((3, 1, 2, 2), 0.0) + torch.arange(3 * number, 3 * number + 3).reshape(3, 1, 1, 1)
        came += range(3 * number, 3 * number + 3)
        went += [int(image[0, 0, 0]) for image in buffer.exchange(batch)]
    inside = [int(image[0, 0, 0]) for image in buffer.images]
    assert len(inside) == 5
    first = Counter(came[:5])  # these were handed out and kept
    assert Counter(went) + Counter(inside) == Counter(came) + first


def test_a_buffer_is_as_likely_to_swap_as_a_plain_simulation() -> None:
    """How long an image stays: the share of old images that come back, against the same rule in plain Python."""
    torch.manual_seed(0)
    buffer, old = ImageBuffer(3), 0
    for number in range(3000):
        old += int(buffer.exchange(torch.full((1, 1, 1, 1), float(number)))) != number
    chance, kept, simulated = random.Random(0), [], 0
    for number in range(3000):
        if len(kept) < 3:
            kept.append(number)
        elif chance.random() >= 0.5:
            kept[chance.randrange(3)] = number
            simulated += 1
    # Both are binomial(2997, ½): standard deviation 27; six of them for each.
    assert abs(old - 1498.5) < 6 * 27.4
    assert abs(simulated - 1498.5) < 6 * 27.4


# ----------------------------------------------------------------------------------------------------------- the networks


def test_networks_have_the_papers_numbers_of_parameters() -> None:
    assert parameters(UNet(3, 3, UNetBlock)) == 54_413_955
    assert parameters(resnet_generator(3, 3)) == 11_378_179
    assert parameters(patch_discriminator(3)) == 2_764_737
    assert parameters(patch_discriminator(6, norm=nn.BatchNorm2d)) == 2_768_705


def test_networks_keep_the_size_and_the_range() -> None:
    for network in (UNet(3, 2, UNetBlock, width=4, downs=5), resnet_generator(3, 2, width=4, blocks=1)):
        out = network(3 * images(0, b=2, c=3, size=32))
        assert out.shape == (2, 2, 32, 32)
        assert out.abs().max() <= 1
    with pytest.raises(ValueError, match="at least 2"):
        UNet(3, 3, UNetBlock, downs=1)


def test_a_score_sees_its_patch_and_no_more() -> None:
    """The receptive field, by gradients: 70 pixels with three layers of stride 2, 34 with two."""
    for layers, wanted in ((3, 70), (2, 34)):
        network = patch_discriminator(1, width=4, layers=layers, norm=nn.Identity)
        x = torch.rand(1, 1, 160, 160, requires_grad=True)
        scores = network(x)
        middle = scores.shape[-1] // 2
        (gradient,) = torch.autograd.grad(scores[0, 0, middle, middle], x)
        assert int((gradient[0, 0].abs().sum(dim=0) > 0).sum()) == wanted


def test_a_block_lays_what_came_up_beside_what_it_was_given() -> None:
    torch.manual_seed(0)
    inside = UNetBlock(6, 8)
    block = UNetBlock(4, 6, inside).eval()
    x = images(0, b=2, c=4, size=16)
    joined = block(x)
    assert joined.shape == (2, 8, 16, 16)
    assert torch.equal(joined[:, :4], x)
    torch.testing.assert_close(joined[:, 4:], block.enlarge(inside.eval()(block.shrink(x))))


def test_a_residual_block_begins_near_the_identity_when_its_correction_is_silent() -> None:
    block = ResNetBlock(4)
    nn.init.zeros_(block.correction[5].weight)
    x = images(0, c=4)
    torch.testing.assert_close(block(x), x)
