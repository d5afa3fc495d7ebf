# class: answers that claim to be equal
# attack: a metaclass whose classes are equal to Tensor, so that `type(answer) in (Tensor, …)` holds
# noticed: its process ended|forged an answer|should be a tensor

# %%
class Meta(type):
    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return hash(torch.Tensor)

    def __instancecheck__(cls, instance):
        return True

    def __subclasscheck__(cls, subclass):
        return True


class Impostor(metaclass=Meta):
    layout, dtype, shape, requires_grad = torch.strided, torch.float32, (5,), False

    def detach(self):
        return self

    def to(self, *args, **kwargs):
        return self

    contiguous = clone = detach

    def numel(self):
        return 1

    def element_size(self):
        return 1


def gaussian_kl(mu, logvar):
    return Impostor()
