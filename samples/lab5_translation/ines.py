# start: student
# Hostile: tries to read what is right, and to answer with objects that agree with everything.

# %% exercise: lsgan_loss
class Agreeable(float):
    def __eq__(self, other):
        return True

def lsgan_loss(scores, is_real):
    return Agreeable(0.0)

# %% exercise: conditional_pair
def conditional_pair(condition, image):
    from course.translation import conditional_pair as given
    return given(condition, image)

# %% exercise: identity_loss
def identity_loss(real, mapped):
    import os
    os._exit(0)
