# start: solution
# Crossed wires: the identity is mapped by the wrong generator, and the image comes before its condition.

# %% exercise: cyclegan_generator_loss
def cyclegan_generator_loss(G_ab, G_ba, D_a, D_b, a, b, cycle_weight=10.0, identity_weight=5.0):
    fake_b, fake_a = G_ab(a), G_ba(b)
    parts = {
        "adversarial": lsgan_loss(D_b(fake_b), True) + lsgan_loss(D_a(fake_a), True),
        "cycle": cycle_consistency_loss(a, G_ba(fake_b)) + cycle_consistency_loss(b, G_ab(fake_a)),
        "identity": identity_loss(a, G_ab(a)) + identity_loss(b, G_ba(b)),
    }
    loss = parts["adversarial"] + cycle_weight * parts["cycle"] + identity_weight * parts["identity"]
    return loss, {name: part.detach() for name, part in parts.items()}

# %% exercise: conditional_pair
def conditional_pair(condition, image):
    return torch.cat([image, condition], dim=1)
