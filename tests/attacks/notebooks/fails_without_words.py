# class: forged frames
# attack: failures without a message, of kinds and names that mean something to the grader
# noticed: -  (a failure may say what it likes: it earns nothing)
# needs: _forge


# %%
class Forge:
    failures = {
        "train_step": ["error", "RuntimeError", "", ""],
        "gaussian_kl": ["timeout", "", "", ""],
        "bernoulli_nll": ["todo", "gaussian_kl.", "\n", ""],
        "negative_elbo": ["todo", "negative_elbo", "", ""],
        "traverse": ["withheld", "`x` `", "`", "`"],
    }

    def reply(question, tensors):
        return outcome(failure=Forge.failures.get(question["name"], ["error", "", "\n\n", ""]))


# %%
class Go:
    take_over(Forge.reply, frame(loaded()))
