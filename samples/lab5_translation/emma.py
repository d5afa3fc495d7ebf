# start: solution
# A buffer that keeps views and exchanges every image; a U-Net block that forgets the level below.

# %% exercise: ImageBuffer
class ImageBuffer:
    def __init__(self, size):
        self.size = size
        self.images = []

    def exchange(self, images):
        out = []
        for image in images.detach():
            if len(self.images) < self.size:
                self.images.append(image)
            else:
                place = int(torch.randint(self.size, ()))
                image, self.images[place] = self.images[place], image
            out.append(image)
        return torch.stack(out)

# %% exercise: UNetBlock
class UNetBlock(nn.Module):
    def __init__(self, outer, inner, below=None, dropout=0.0):
        super().__init__()
        norm = [] if below is None else [nn.BatchNorm2d(inner)]
        self.shrink = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=False), *norm)
        self.below = below
        from_below = inner if below is None else 2 * inner
        self.enlarge = nn.Sequential(
            nn.ReLU(), nn.ConvTranspose2d(from_below, outer, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(outer)
        )

    def forward(self, x):
        return torch.cat([self.enlarge(self.shrink(x)), x], dim=1)
