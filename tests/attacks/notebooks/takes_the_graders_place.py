# class: forged frames
# attack: answers every question itself, with zeros of the right shapes, invented fields and no trace of its own
# noticed: forged an answer|should be
# needs: _forge


# %%
class Impostor:
    def reply(question, tensors):
        answers = []
        for i in range(len(question["cases"])):
            first = next(value for name, value in tensors.items() if name.startswith(f"{i} "))
            zeros = torch.zeros(len(first))
            answers.append({"KL": zeros, "NLL": zeros, "loss": torch.zeros(()), "z": first, "second_draw": first})
        return outcome(*answers)

    take_over(reply, frame(loaded()))
