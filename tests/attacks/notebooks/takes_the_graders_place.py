# class: forged frames
# attack: answers every question itself, with zeros of the right shapes, invented fields and no trace of its own
# noticed: forged an answer|should be
# needs: _forge


# %%
class Impostor:
    def reply(question, tensors):
        first = next(iter(tensors.values()))
        zeros = torch.zeros(len(first))
        answers = {"KL": zeros, "NLL": zeros, "loss": torch.zeros(()), "z": first, "second_draw": first}
        return outcome(answers)

    take_over(reply, frame(loaded()))
