# class: the notebook's own functions
# attack: replaces check, start and progress by functions that report full marks
# noticed: - (none of them is called)

# %%
import course


class Report:
    verdict, points, out_of, parts = "right", 3.0, 3.0, ()


def check(candidate, exercise=None):
    return Report()


def start(name):
    return Report()


def progress():
    print("24 of 24 points")


class Patch:
    course.check = check
    course.start = start


# %%
check(gaussian_kl)
gaussian_kl = check
