# start: solution
# The same as mona, with other names.

# %% exercise: traverse
def traverse(model, z, dim, values):
    model.eval()
    frames = []
    for value in values:
        z[dim] = value
        with torch.no_grad():
            frames.append(torch.sigmoid(model.decode(z[None]))[0])
    model.train()
    return torch.stack(frames)

# %% exercise: mutual_information_gap
def mutual_information_gap(codes, factors, bins=20):
    def binned(column):
        low, high = column.min(), column.max()
        if low == high:
            return torch.zeros(len(column), dtype=torch.long)
        return ((column - low) / (high - low) * bins).long().clamp(max=bins - 1)

    def h_of(counts):
        p = counts[counts > 0] / counts.sum()
        return float(-(p * p.log()).sum())

    per_factor = []
    for k in range(factors.shape[1]):
        factor = factors[:, k]
        classes = factor.long() - int(factor.min()) if bool((factor == factor.round()).all()) else binned(factor)
        scores = [0.0]
        for j in range(codes.shape[1]):
            counts = torch.zeros(bins, int(classes.max()) + 1)
            for row, column in zip(binned(codes[:, j]).tolist(), classes.tolist()):
                counts[row, column] += 1
            scores.append(h_of(counts.sum(0)) + h_of(counts.sum(1)) - h_of(counts))
        scores.sort()
        whole = h_of(torch.bincount(classes).float())
        per_factor.append((scores[-1] - scores[-2]) / whole if whole > 0 else 0.0)
    return sum(per_factor) / len(per_factor)
