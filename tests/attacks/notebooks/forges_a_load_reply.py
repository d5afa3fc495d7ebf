# class: forged frames
# attack: sends its own description of the notebook before the grader's code does
# noticed: nobody had asked for|forged an answer|still running
# needs: _forge

# %%
class Forge:
    say(frame(loaded(answers={"answer_kl_sign": ["a", "'a'"]})))
