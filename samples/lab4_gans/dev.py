# start: solution
# Two typical bugs of training code: a gradient that runs into G, and a D that stays frozen.

# %% exercise: discriminator_step
def discriminator_step(G, D, x_real, z, optimizer):
    loss = discriminator_loss(D(x_real), D(G(z)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% exercise: generator_step
def generator_step(G, D, z, optimizer):
    D.requires_grad_(False)
    loss = generator_loss_nonsaturating(D(G(z)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
