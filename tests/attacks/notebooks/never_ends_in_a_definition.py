# class: time
# attack: an endless loop while a definition is run
# noticed: still running


# %%
class Endless:
    while True:
        pass
