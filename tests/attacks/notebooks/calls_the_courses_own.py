# class: the course's own solutions
# attack: calls, renames, wraps and inherits from the course's own functions instead of writing them
# noticed: left out when work is graded

# %%
from functools import partial

import course.metrics
import course.vae
from course.vae import VAE, bernoulli_nll
from course.vae import gaussian_kl as theirs


def gaussian_kl(mu, logvar):
    return theirs(mu, logvar)


reparameterize = course.vae.reparameterize
negative_elbo = partial(course.vae.negative_elbo)
train_step = lambda *args, **kwargs: course.vae.train_step(*args, **kwargs)  # noqa: E731


# %%
def traverse(model, z, dim, values):
    return course.vae.traverse(model, z, dim, values)


def mutual_information_gap(codes, factors, bins=20):
    return course.metrics.mutual_information_gap(codes, factors, bins)
