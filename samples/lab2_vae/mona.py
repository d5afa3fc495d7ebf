# start: solution
# Right, but the traversal ends in the wrong mode and writes where it should not.

# %% exercise: traverse
def traverse(model, z, dim, values):
    model.eval()
    images = []
    for value in values:
        z[dim] = value
        with torch.no_grad():
            images.append(torch.sigmoid(model.decode(z[None]))[0])
    model.train()
    return torch.stack(images)

# %% exercise: mutual_information_gap
def mutual_information_gap(codes, factors, bins=20):
    def cut(column):
        low, high = column.min(), column.max()
        if low == high:
            return torch.zeros(len(column), dtype=torch.long)
        return ((column - low) / (high - low) * bins).long().clamp(max=bins - 1)

    def entropy_of(table):
        p = table[table > 0] / table.sum()
        return float(-(p * p.log()).sum())

    gaps = []
    for k in range(factors.shape[1]):
        factor = factors[:, k]
        labels = factor.long() - int(factor.min()) if bool((factor == factor.round()).all()) else cut(factor)
        gains = [0.0]
        for j in range(codes.shape[1]):
            table = torch.zeros(bins, int(labels.max()) + 1)
            for row, column in zip(cut(codes[:, j]).tolist(), labels.tolist()):
                table[row, column] += 1
            gains.append(entropy_of(table.sum(0)) + entropy_of(table.sum(1)) - entropy_of(table))
        gains.sort()
        whole = entropy_of(torch.bincount(labels).float())
        gaps.append((gains[-1] - gains[-2]) / whole if whole > 0 else 0.0)
    return sum(gaps) / len(gaps)
