# class: forged frames
# attack: stops reading questions that are larger than the kernel's buffer, so that whoever sends one waits
# noticed: still running
# needs: _forge

# %%
from course.grading import wire


class Deaf:
    for name in ("bernoulli_nll", "negative_elbo", "VAE", "train_step", "traverse", "mutual_information_gap"):
        del globals()[name]  # waiting twice is enough
    wire.receive = lambda descriptor: time.sleep(1000)
