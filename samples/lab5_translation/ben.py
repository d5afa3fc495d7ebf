# start: solution
# Everything right, the buffer with Python's random numbers and lists.

# %% exercise: ImageBuffer
class ImageBuffer:
    def __init__(self, size):
        if size < 1:
            raise ValueError("size must be at least 1")
        self.size = size
        self.images = []

    def exchange(self, images):
        import random

        returned = []
        for image in images.detach():
            image = image.clone()
            if len(self.images) < self.size:
                self.images.append(image)
                returned.append(image.clone())
            elif random.random() < 0.5:
                returned.append(image)
            else:
                index = random.randrange(self.size)
                returned.append(self.images[index])
                self.images[index] = image
        return torch.stack(returned)
