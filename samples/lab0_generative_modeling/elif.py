# start: student
# Only the questions, and a loop that never ends.

# %%
answer_riddle = "b"
answer_star = "a"
answer_bandwidth = "C"
answer_cave = "b"

# %% exercise: histogram_density
def histogram_density(x, edges):
    counts = []
    i = 0
    while i < len(edges) - 1:
        counts.append(((x >= edges[i]) & (x < edges[i + 1])).sum())
    return torch.stack(counts)
