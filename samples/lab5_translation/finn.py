# start: student
# The first half, and two questions.

# %% exercise: conditional_pair
def conditional_pair(condition, image):
    return torch.cat((condition, image), 1)

# %% exercise: pix2pix_generator_loss
def pix2pix_generator_loss(fake_logits, fake, target, l1_weight=100.0):
    adversarial = F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))
    return adversarial + l1_weight * F.l1_loss(fake, target)

# %% exercise: lsgan_loss
def lsgan_loss(scores, is_real):
    return ((scores - int(is_real)) ** 2).mean()

# %%
answer_median = "b"
answer_sun = "c"
