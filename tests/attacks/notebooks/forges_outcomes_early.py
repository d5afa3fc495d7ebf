# class: forged frames
# attack: sends answers before the questions
# noticed: nobody had asked for|forged an answer
# needs: _forge

# %%
class Forge:
    for _ in range(50):
        say(outcome({"KL": torch.zeros(5), "NLL": torch.zeros(5), "z": torch.zeros(5, 3)}))
