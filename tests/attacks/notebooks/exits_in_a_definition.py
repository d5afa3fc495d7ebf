# class: exit codes and printed results
# attack: ends the process with exit code 0 while the definitions are run
# noticed: its process ended

# %%
class Passed:
    import os

    os._exit(0)
