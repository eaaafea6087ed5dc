#!/usr/bin/env python3
"""Writes reference.json: small models trained for a few steps by PyTorch, in double precision.

The Go test starts from the same weights, takes the same steps without dropout, and must come to the same losses,
gradients and weights. Run it with PyTorch installed: python3 reference.py > reference.json
"""
import json, math
import torch, torch.nn.functional as F

torch.set_default_dtype(torch.float64)
ITEMS, TEXT, DIM, HEADS, WIDE, LAYERS, WINDOW, EPSILON = 11, 5, 8, 2, 12, 2, 6, 1e-5
STEPS, RATE, DECAY, CLIP = 4, 0.01, 0.1, 0.8
SEQUENCES = [[1, 5, 3, 3, 7, 0, 9, 10, 2], [4, 4], [8, 6, 1, 2], [10, 0, 5]]  # the first is longer than the window


def parameters(c):
    g = torch.Generator().manual_seed(7)
    draw = lambda *shape: (torch.randn(*shape, generator=g) * 0.5).float().double()
    p = {"item.projection": draw(DIM, TEXT)} if c["text"] else {}
    p["item.residual"] = draw(ITEMS, DIM)
    if c["sides"]:
        p.update({"event.type": draw(3, DIM), "event.gap": draw(4, DIM), "event.value": draw(2, DIM)})
    if c["from_end"]:
        p["event.position"] = draw(WINDOW, DIM)

    def norm(name):
        p[name + ".weight"], p[name + ".bias"] = 1 + 0.2 * draw(DIM), 0.2 * draw(DIM)

    def linear(name, out, into):
        p[name + ".weight"], p[name + ".bias"] = draw(out, into), draw(out)

    norm("norm")
    for i in range(LAYERS):
        at = f"layer.{i}."
        linear(at + "attention.input", 3 * DIM, DIM)
        if not c["from_end"]:
            p[at + "attention.distance"] = draw(HEADS, WINDOW)
        linear(at + "attention.output", DIM, DIM)
        norm(at + "attention.norm")
        linear(at + "up", WIDE, DIM)
        linear(at + "down", DIM, WIDE)
        norm(at + "norm")
    return {k: v.float().double().requires_grad_() for k, v in p.items()}


def sides(i):  # of the i-th event of a sequence
    return i % 3, (2 * i) % 4, (i // 2) % 2


def layer_norm(p, name, x):
    return F.layer_norm(x, (DIM,), p[name + ".weight"], p[name + ".bias"], EPSILON)


def linear(p, name, x):
    return F.linear(x, p[name + ".weight"], p[name + ".bias"])


def attention(p, at, x, c):
    t, d = len(x), DIM // HEADS
    q, k, v = (y.view(t, HEADS, d).transpose(0, 1) for y in linear(p, at + "attention.input", x).chunk(3, -1))
    score = q @ k.transpose(1, 2) / math.sqrt(d)
    distance = torch.arange(t)[:, None] - torch.arange(t)[None]
    seen = (distance >= 0) & (distance < WINDOW)
    if not c["from_end"]:
        score = score + p[at + "attention.distance"][:, distance.clamp(0, WINDOW - 1)]
    weight = score.masked_fill(~seen, -math.inf).softmax(-1)
    return linear(p, at + "attention.output", (weight @ v).transpose(0, 1).reshape(t, DIM))


def user(p, c, table, sequence):
    x = table[sequence]
    if c["sides"]:
        for name, of in zip(["type", "gap", "value"], zip(*[sides(i) for i in range(len(sequence))])):
            x = x + p["event." + name][list(of)]
    if c["from_end"]:
        x = x + p["event.position"][[min(len(sequence) - 1 - i, WINDOW - 1) for i in range(len(sequence))]]
    if not c["pre"]:
        x = layer_norm(p, "norm", x)
    for i in range(LAYERS):
        at = f"layer.{i}."
        feed = lambda y: linear(p, at + "down", F.gelu(linear(p, at + "up", y)))
        if c["pre"]:
            x = x + attention(p, at, layer_norm(p, at + "attention.norm", x), c)
            x = x + feed(layer_norm(p, at + "norm", x))
        else:
            x = layer_norm(p, at + "attention.norm", x + attention(p, at, x, c))
            x = layer_norm(p, at + "norm", x + feed(x))
    return layer_norm(p, "norm", x) if c["pre"] else x


def loss(p, c, text):
    table = p["item.residual"] + (text @ p["item.projection"].T if c["text"] else 0)
    total = weights = 0
    for s in SEQUENCES:
        h, scored = user(p, c, table, s[:-1]), table
        if c["scale"]:
            h, scored = c["scale"] * F.normalize(h, dim=-1), F.normalize(table, dim=-1)
        weight = torch.tensor([[0.0, 1.0, 0.5][i % 3] for i in range(1, len(s))])  # of the events after the first
        each = F.cross_entropy(h @ scored.T, torch.tensor(s[1:]), reduction="none", label_smoothing=c["smoothing"])
        total, weights = total + (weight * each).sum(), weights + weight.sum()
    return total / weights


def run(c):
    text = torch.randn(ITEMS, TEXT, generator=torch.Generator().manual_seed(9)).float().double()
    p = parameters(c)
    start = {k: v.detach().flatten().tolist() for k, v in p.items()}
    small = lambda k: k.endswith(".bias") or "norm" in k or k.endswith("distance")
    optimiser = torch.optim.AdamW([{"params": [v for k, v in p.items() if not small(k)], "weight_decay": DECAY},
                                   {"params": [v for k, v in p.items() if small(k)], "weight_decay": 0}], lr=RATE)
    losses, first = [], None
    for _ in range(STEPS):
        optimiser.zero_grad()
        value = loss(p, c, text)
        value.backward()
        losses.append(value.item())
        first = first or {k: v.grad.flatten().tolist() for k, v in p.items()}
        torch.nn.utils.clip_grad_norm_(p.values(), CLIP)
        optimiser.step()
    return {"case": c, "text": text.flatten().tolist() if c["text"] else [], "start": start, "losses": losses,
            "gradient": first, "end": {k: v.detach().flatten().tolist() for k, v in p.items()}}


CASES = [
    dict(text=False, sides=False, from_end=False, pre=False, scale=0, smoothing=0.0),
    dict(text=True, sides=True, from_end=False, pre=True, scale=0, smoothing=0.1),
    dict(text=True, sides=False, from_end=False, pre=False, scale=6, smoothing=0.0),
    dict(text=False, sides=True, from_end=True, pre=False, scale=0, smoothing=0.0),
]
rounded = lambda x: float(f"{x:.9g}") if isinstance(x, float) else x
deep = lambda x: {k: deep(v) for k, v in x.items()} if isinstance(x, dict) else [deep(v) for v in x] if isinstance(x, list) else rounded(x)
print(json.dumps([deep(run(c)) for c in CASES], separators=(",", ":")))
