# What the forgers share: frames as the grader reads them, and the descriptor on which it listens.

# %%
import json
import os
import struct
import time

import safetensors.torch
import torch


def frame(header, tensors=None):
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = tensors if isinstance(tensors, bytes) else safetensors.torch.save(tensors) if tensors else b""
    return struct.pack("<II", len(head), len(body)) + head + body


def say(content, descriptor=3):
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def hear(descriptor=3):
    def read(size):
        parts = b""
        while len(parts) < size:
            part = os.read(descriptor, size - len(parts))
            if not part:
                os._exit(0)
            parts += part
        return parts

    sizes = struct.unpack("<II", read(8))
    head, body = map(read, sizes)
    return json.loads(head), safetensors.torch.load(body) if body else {}


def loaded(**other):
    names = "reparameterize gaussian_kl bernoulli_nll negative_elbo train_step traverse mutual_information_gap".split()
    described = {name: ["function", "function", False, False] for name in names}
    described["VAE"] = ["class", "type", False, False]
    return {"failures": {}, "described": described, "answers": {}, "fingerprints": {}, "noticed": [], **other}


def outcomes(*answers, noticed=(), **other):
    """Make the header for the answers to so many cases."""
    said = [{"answers": dict.fromkeys(each, "tensor"), "failure": None, "used": [], **other} for each in answers]
    return {"outcomes": said, "noticed": list(noticed)}


def outcome(*answers, **other):
    """Make the frame for the answers to so many cases; to one, without any answer, if none is given."""
    answers = answers or ({},)
    tensors = {f"{i} answer {name}": value.clone() for i, each in enumerate(answers) for name, value in each.items()}
    return frame(outcomes(*answers, **other), tensors)


def take_over(reply, first=None):
    """Answer the question that is open, and every one after it, in the place of the grader's own code."""
    say(first or reply({}, {}))
    while True:
        say(reply(*hear()))
