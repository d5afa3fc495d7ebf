# start: solution
# Two gradients that run where they should not, and a loss that is not halved.

# %% exercise: pix2pix_discriminator_loss
def pix2pix_discriminator_loss(D, condition, real, fake):
    on_real, on_fake = D(conditional_pair(condition, real)), D(conditional_pair(condition, fake))
    return 0.5 * (F.softplus(-on_real).mean() + F.softplus(on_fake).mean())

# %% exercise: cyclegan_discriminator_loss
def cyclegan_discriminator_loss(D, real, fake):
    return lsgan_loss(D(real), True) + lsgan_loss(D(fake.detach()), False)
