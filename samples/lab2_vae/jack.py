# start: solution
# A loop that never ends, in one exercise.

# %% exercise: mutual_information_gap
def mutual_information_gap(codes, factors, bins=20):
    while True:
        gap = 1.0
    return gap
