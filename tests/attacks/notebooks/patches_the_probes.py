# class: patched grader code
# attack: replaces the probes themselves, so that the exercise is never called
# noticed: - (the grader compares what comes with what the reference answers to its own probe)

# %%
from course.labs.lab2_vae import probes


class Patch:
    def see(candidate, mu, logvar):
        return {"KL": torch.zeros(len(mu)), "gradient_of_mu": mu * 0, "gradient_of_logvar": logvar * 0, "points": 3.0}

    probes.kl.__dict__["see"] = probes.kl_gradients.__dict__["see"] = see
    probes.gradients = lambda output, *inputs: [value * 0 for value in inputs]
    probes._statistics = lambda *args: {}
