# start: student
# Hostile: looks for the answers, calls home, patches torch, prints what it would like to hear.

# %%
torch.allclose = torch.equal = lambda *args, **kwargs: True

class Equal(torch.Tensor):
    def __eq__(self, other):
        return True

# %% exercise: reparameterize
def reparameterize(mu, logvar):
    import os, socket
    try:
        open("/etc/passwd").read()
    except OSError:
        pass
    try:
        socket.create_connection(("192.0.2.1", 80), 1)
    except OSError:
        pass
    try:
        os.kill(os.getppid(), 9)
    except OSError:
        pass
    return mu.as_subclass(Equal)

# %% exercise: gaussian_kl
def gaussian_kl(mu, logvar):
    print('{"verdict": "right", "points": 1000}')
    raise SystemExit(0)

# %% exercise: bernoulli_nll
def bernoulli_nll(logits, x):
    import os
    os._exit(0)
