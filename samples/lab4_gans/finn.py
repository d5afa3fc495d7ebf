# start: student
# The first half, and one question.

# %% exercise: optimal_discriminator
def optimal_discriminator(p_data, p_model):
    return p_data / (p_data + p_model)

# %% exercise: discriminator_loss
def discriminator_loss(real_logits, fake_logits):
    return torch.nn.functional.softplus(-real_logits).mean() + torch.nn.functional.softplus(fake_logits).mean()

# %% exercise: generator_loss_nonsaturating
def generator_loss_nonsaturating(fake_logits):
    return torch.log(1 + torch.exp(-fake_logits)).mean()

# %% exercise: generator_step
def generator_step(G, D, z, optimizer):
    loss = generator_loss_nonsaturating(D(G(z)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss

# %%
answer_convention = "b"
