#!/usr/bin/env python3
"""Writes reference.json: what PyTorch makes of case.json with the model in tiny/.

    python reference.py     # torch and transformers; reads and writes its own folder

All in double precision: losses, gradients by parameter, and three steps of AdamW.
"""
import json, os
import numpy as np, torch, torch.nn.functional as F
from transformers import AutoModel, AutoTokenizer

here = os.path.dirname(os.path.abspath(__file__))
case = json.load(open(f"{here}/case.json"))
torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(f"{here}/tiny")


def load():
    m = AutoModel.from_pretrained(f"{here}/tiny", add_pooling_layer=False).double()
    return m.eval()


def vectors(m, texts):
    x = tokenizer(texts, padding=True, truncation=True, max_length=32, return_tensors="pt")
    h = m(**x).last_hidden_state
    mask = x["attention_mask"][..., None].double()
    return F.normalize((h * mask).sum(1) / mask.sum(1), dim=-1)


def contrastive(m, c):
    texts = case["texts"]
    same = {t: i for i, t in reversed(list(enumerate(texts)))}  # text -> its first item
    first = [same[t] for t in texts]
    v = vectors(m, texts)
    a = [first[p[0]] for p in c["pairs"]]
    b = [first[p[1]] for p in c["pairs"]]
    w = torch.tensor([p[2] for p in c["pairs"]]).double()
    count = np.zeros(len(texts))
    for i, n in enumerate(c["popularity"]): count[first[i]] += n
    expected = count / count.sum() * c["batch"] if c["popularity"] else np.ones(len(texts))
    known = set(zip(a, b))

    def one_way(qs, cs, joined):
        s = v[qs] @ v[cs].T / c["temperature"] - torch.tensor(np.log(expected[cs]))[None]
        for i, q in enumerate(qs):
            for j, x in enumerate(cs):
                if j != i and (x == cs[i] or x == q or joined(q, x)): s[i, j] = -1e9
        return F.cross_entropy(s, torch.arange(len(qs)), reduction="none")

    loss = one_way(a, b, lambda q, x: (q, x) in known)
    if not c["symmetric"]: return (loss * w).sum() / w.sum()
    loss = loss + one_way(b, a, lambda q, x: (x, q) in known)
    return (loss * w).sum() / (2 * w.sum())


def regression(m, c, weight, bias):
    v = vectors(m, c["scored"])
    w = torch.tensor(c["weights"]).double()
    off = v @ weight + bias - torch.tensor(c["scores"]).double()
    return (off ** 2 * w).sum() / w.sum()


def slopes(m):
    return {n: {"norm": p.grad.norm().item(), "first": p.grad.flatten()[:6].tolist()} for n, p in m.named_parameters() if p.grad is not None}


out = {"contrastive": []}
for c in case["contrastive"]:
    m = load()
    loss = contrastive(m, c)
    loss.backward()
    got = {"loss": loss.item(), "slopes": slopes(m), "steps": []}
    m = load()
    plain = lambda n: n.endswith("bias") or "LayerNorm" in n
    o = torch.optim.AdamW([{"params": [p for n, p in m.named_parameters() if not plain(n)], "weight_decay": c["decay"]},
                           {"params": [p for n, p in m.named_parameters() if plain(n)], "weight_decay": 0.0}], lr=1.0)
    for rate in c["rates"]:
        loss = contrastive(m, c)
        o.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(m.parameters(), c["clip"]).item()
        for g in o.param_groups: g["lr"] = rate
        o.step()
        got["steps"].append({"loss": loss.item(), "norm": norm})
    got["after"] = {n: p.detach().flatten()[:6].tolist() for n, p in m.named_parameters()}
    out["contrastive"].append(got)
r = case["regression"]
m = load()
weight = torch.tensor(r["head"]).double().requires_grad_()
bias = torch.tensor(r["bias"]).double().requires_grad_()
loss = regression(m, r, weight, bias)
loss.backward()
out["regression"] = {"loss": loss.item(), "slopes": slopes(m), "head": weight.grad.tolist(), "bias": bias.grad.item()}
json.dump(out, open(f"{here}/reference.json", "w"), indent=1)
