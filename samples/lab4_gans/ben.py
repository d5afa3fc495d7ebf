# start: solution
# Everything right, with D frozen while G learns, and loops.

# %% exercise: generator_step
def generator_step(G, D, z, optimizer):
    for p in D.parameters():
        p.requires_grad = False
    loss = generator_loss_nonsaturating(D(G(z)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    for p in D.parameters():
        p.requires_grad = True
    return loss.item()

# %% exercise: interpolate
def interpolate(z0, z1, steps, spherical=False):
    rows = []
    cosine = torch.dot(z0, z1) / (z0.norm() * z1.norm())
    for i in range(steps):
        t = i / (steps - 1)
        if spherical and abs(cosine) < 0.9999:
            omega = torch.acos(cosine)
            rows.append((torch.sin((1 - t) * omega) * z0 + torch.sin(t * omega) * z1) / torch.sin(omega))
        else:
            rows.append((1 - t) * z0 + t * z1)
    return torch.stack(rows)
