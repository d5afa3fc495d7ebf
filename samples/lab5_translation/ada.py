# start: solution
# Everything right, in a style of her own.

# %% exercise: pix2pix_discriminator_loss
def pix2pix_discriminator_loss(D, condition, real, fake):
    criterion = nn.BCEWithLogitsLoss()
    on_real = D(conditional_pair(condition, real))
    on_fake = D(conditional_pair(condition, fake.detach()))
    return (criterion(on_real, torch.ones_like(on_real)) + criterion(on_fake, torch.zeros_like(on_fake))) / 2

# %% exercise: cyclegan_generator_loss
def cyclegan_generator_loss(G_ab, G_ba, D_a, D_b, a, b, cycle_weight=10.0, identity_weight=5.0):
    to_b, to_a = G_ab(a), G_ba(b)
    adversarial = lsgan_loss(D_b(to_b), True) + lsgan_loss(D_a(to_a), True)
    cycle = cycle_consistency_loss(a, G_ba(to_b)) + cycle_consistency_loss(b, G_ab(to_a))
    identity = identity_loss(a, G_ba(a)) + identity_loss(b, G_ab(b))
    loss = adversarial + cycle_weight * cycle + identity_weight * identity
    return loss, dict(adversarial=adversarial.detach(), cycle=cycle.detach(), identity=identity.detach())
