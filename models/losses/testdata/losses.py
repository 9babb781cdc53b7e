"""Writes losses/<case>.json beside this file: values and gradients of losses.

They come from implementations that share nothing with the package, in float64:
pytorch-metric-learning where it defines a loss as the package does, else the
formula of the loss's source, written out here. A Go test reads the files.

    pip install torch==2.15.0 pytorch-metric-learning==2.9.0
    python losses.py

A case is a function of (batch, constants) that returns the loss, a scalar;
decorate it with @case. Autograd gives the gradient. batch.embeddings [N, d] and
batch.proxies [classes * each, d], one class after the other, are as they leave
the network: not of unit length.
"""

import json
import pathlib
import types

import numpy as np
import pytorch_metric_learning
import torch
import torch.nn.functional as F
from pytorch_metric_learning import distances, losses, miners, reducers

PML = f"pytorch-metric-learning {pytorch_metric_learning.__version__}"
CASES = []

# Counts differ between classes, and one image is alone in its class.
LABELS = [2, 0, 2, 1, 0, 1, 2, 3, 1, 2]


def case(name, loss, source, constants, seed, width=6, labels=LABELS, proxies=0, pos_count="with_diagonal"):
    """Makes a case of a function. proxies is how many a class has, 0 for none."""

    def add(value):
        CASES.append((name, loss, source, constants, seed, width, labels, proxies, pos_count, value))
        return value

    return add


def write(folder, name, loss, source, constants, seed, width, labels, proxies, pos_count, value):
    random = np.random.default_rng(seed)
    # Images of a class lie about a centre, so positives and negatives are of all difficulties.
    centres = random.normal(size=(max(labels) + 1, width))
    embeddings = torch.tensor(centres[labels] + 1.5 * random.normal(size=(len(labels), width)), requires_grad=True)
    batch = types.SimpleNamespace(embeddings=embeddings, labels=torch.tensor(labels), proxies=None, pos_count=pos_count, source=source)
    inputs = {"embeddings": embeddings}
    if proxies:
        batch.proxies = torch.tensor(random.normal(size=((max(labels) + 1) * proxies, width)), requires_grad=True)
        inputs["proxies"] = batch.proxies
    total = value(batch, constants)
    gradients = torch.autograd.grad(total, list(inputs.values()))
    record = {
        "source": source, "loss": loss, "constants": constants, "pos_count": pos_count, "labels": labels,
        "inputs": {key: x.tolist() for key, x in inputs.items()},
        "value": total.item(),
        "gradients": {key: x.tolist() for key, x in zip(inputs, gradients)},
    }
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")


def cosine(batch):
    unit = F.normalize(batch.embeddings)
    return unit @ unit.T


def kinds(batch):
    """Masks of the ordered positive and negative pairs."""
    same = batch.labels[:, None] == batch.labels[None, :]
    return same & ~torch.eye(len(batch.labels), dtype=bool), ~same


def counts(batch):
    positive, negative = kinds(batch)
    extra = len(batch.labels) if batch.pos_count == "with_diagonal" else 0
    return positive.sum() + extra, negative.sum()


def mean(kind, **options):
    """A pytorch-metric-learning loss or miner on cosines; losses averaged over all terms."""
    if issubclass(kind, losses.BaseMetricLossFunction):
        options["reducer"] = reducers.MeanReducer()
    return kind(distance=distances.CosineSimilarity(), **options)


@case("binomial_deviance", "binomial_deviance", "the formula", {"alpha": 2, "beta": 0.5, "C": 25}, seed=1)
def _(batch, c):
    s = cosine(batch)
    positive, negative = kinds(batch)
    npos, nneg = counts(batch)
    return (torch.log1p(torch.exp(-c["alpha"] * (s - c["beta"])))[positive].sum() / npos
            + torch.log1p(torch.exp(c["alpha"] * c["C"] * (s - c["beta"])))[negative].sum() / nneg)


@case("contrastive", "contrastive", f"{PML}: ContrastiveLoss", {"margin": 0.5, "pos_target": 1, "power": 1}, seed=2, pos_count="without")
@case("contrastive_targets", "contrastive", f"{PML}: ContrastiveLoss", {"margin": 0.1, "pos_target": 0.6, "power": 1}, seed=3, pos_count="without")
def _(batch, c):
    return mean(losses.ContrastiveLoss, pos_margin=c["pos_target"], neg_margin=c["margin"])(batch.embeddings, batch.labels)


@case("contrastive_squared", "contrastive", "the formula", {"margin": 0.2, "pos_target": 0.9, "power": 2}, seed=4)
def _(batch, c):
    s = cosine(batch)
    positive, negative = kinds(batch)
    npos, nneg = counts(batch)
    return ((c["pos_target"] - s)[positive].clamp(min=0) ** 2).sum() / npos + ((s - c["margin"])[negative].clamp(min=0) ** 2).sum() / nneg


@case("triplet", "triplet", f"{PML}: TripletMarginLoss", {"margin": 0.01, "power": 1}, seed=5)
@case("triplet_margin", "triplet", f"{PML}: TripletMarginLoss", {"margin": 0.3, "power": 1}, seed=6)
def _(batch, c):
    return mean(losses.TripletMarginLoss, margin=c["margin"])(batch.embeddings, batch.labels)


@case("triplet_squared", "triplet", "the formula", {"margin": 0.1, "power": 2}, seed=7)
def _(batch, c):
    s, (positive, negative) = cosine(batch), kinds(batch)
    terms = [(s[a, n] - s[a, p] + c["margin"]).clamp(min=0) ** 2
             for a in range(len(s)) for p in positive[a].nonzero() for n in negative[a].nonzero()]
    return torch.cat(terms).mean()


@case("triplet_semihard", "triplet_semihard", f"{PML}: TripletMarginMiner, semihard, TripletMarginLoss", {"margin": 0.2}, seed=8)
@case("triplet_semihard_margin", "triplet_semihard", f"{PML}: TripletMarginMiner, semihard, TripletMarginLoss", {"margin": 0.5}, seed=9)
def _(batch, c):
    mined = mean(miners.TripletMarginMiner, margin=c["margin"], type_of_triplets="semihard")(batch.embeddings, batch.labels)
    return mean(losses.TripletMarginLoss, margin=c["margin"])(batch.embeddings, batch.labels, mined)


def margin(batch, c, draws):
    """The margin loss; draws is [N, N], the probability that an anchor draws a negative."""
    s, (positive, negative) = cosine(batch), kinds(batch)
    top, count = 0, 0
    for a in range(len(s)):
        for p in positive[a].nonzero()[:, 0]:
            far = torch.sqrt(2 - 2 * s[a, p]) - c["beta"] + c["alpha"]
            top, count = top + far.clamp(min=0), count + (far > 0)
            for n in negative[a].nonzero()[:, 0]:
                near = c["beta"] - torch.sqrt(2 - 2 * s[a, n]) + c["alpha"]
                top, count = top + draws[a, n] * near.clamp(min=0), count + draws[a, n] * (near > 0)
    return top / count


def draws(batch, c):
    d, distance = batch.embeddings.shape[1], torch.sqrt((2 - 2 * cosine(batch)).clamp(min=0)).detach()
    q = torch.zeros_like(distance)
    _, negative = kinds(batch)
    for a in range(len(q)):
        weights = []
        for n in range(len(q)):
            x = max(distance[a, n].item(), c["cutoff"])
            allowed = negative[a, n] and x < c["nonzero_loss_cutoff"]
            weights.append(x ** (2.0 - d) * (1 - x * x / 4) ** ((3.0 - d) / 2) if allowed else 0.0)
        if sum(weights) == 0:
            weights = negative[a].double().tolist()
        q[a] = torch.tensor(weights) / sum(weights)
    return q


@case("margin", "margin", "the formula", {"alpha": 0.2, "beta": 1.2, "cutoff": 0.5, "nonzero_loss_cutoff": 1.4}, seed=10)
@case("margin_narrow", "margin", "the formula", {"alpha": 0.4, "beta": 1.1, "cutoff": 0.9, "nonzero_loss_cutoff": 1.05}, seed=11, width=9)
@case("margin_plane", "margin", "the formula", {"alpha": 0.2, "beta": 1.2, "cutoff": 0.5, "nonzero_loss_cutoff": 1.4}, seed=12, width=2)
def _(batch, c):
    return margin(batch, c, draws(batch, c))


@case("margin_one_negative", "margin", f"{PML}: MarginLoss", {"alpha": 0.2, "beta": 1.2, "cutoff": 0.5, "nonzero_loss_cutoff": 1.4},
      seed=13, labels=[0, 0, 1])
def _(batch, c):
    # Every anchor with a positive has one negative: nothing is drawn.
    return losses.MarginLoss(margin=c["alpha"], beta=c["beta"])(batch.embeddings, batch.labels)


@case("multi_similarity", "multi_similarity", f"{PML}: MultiSimilarityMiner, MultiSimilarityLoss",
      {"alpha": 2, "beta": 50, "lambda": 0.5, "epsilon": 0.1}, seed=14)
@case("multi_similarity_soft", "multi_similarity", f"{PML}: MultiSimilarityMiner, MultiSimilarityLoss",
      {"alpha": 1, "beta": 5, "lambda": 1, "epsilon": 0}, seed=15)
def _(batch, c):
    mined = mean(miners.MultiSimilarityMiner, epsilon=c["epsilon"])(batch.embeddings, batch.labels)
    loss = mean(losses.MultiSimilarityLoss, alpha=c["alpha"], beta=c["beta"], base=c["lambda"])
    return loss(batch.embeddings, batch.labels, mined)


@case("supervised_contrastive", "supervised_contrastive", f"{PML}: SupConLoss", {"temperature": 0.1}, seed=16)
@case("supervised_contrastive_two", "supervised_contrastive", f"{PML}: NTXentLoss", {"temperature": 0.5}, seed=17, labels=[0, 0, 1, 1, 2, 2])
def _(batch, c):
    kind = losses.NTXentLoss if "NTXent" in batch.source else losses.SupConLoss
    return kind(temperature=c["temperature"], distance=distances.CosineSimilarity())(batch.embeddings, batch.labels)


@case("histogram", "histogram", f"{PML}: HistogramLoss", {"bins": 150}, seed=18)
@case("histogram_coarse", "histogram", f"{PML}: HistogramLoss", {"bins": 8}, seed=19)
def _(batch, c):
    # There a bin is what lies between two nodes.
    return losses.HistogramLoss(n_bins=c["bins"] - 1)(batch.embeddings, batch.labels)


# Class 2 has no image in the batch.
GAP = [4, 0, 4, 1, 0, 1, 4, 3, 1, 4]


def with_proxies(loss, name, proxies):
    """A loss whose parameter of that name is batch.proxies, which gets the gradient."""
    delattr(loss, name)
    setattr(loss, name, proxies)
    return loss


@case("normalised_softmax", "normalised_softmax", f"{PML}: NormalizedSoftmaxLoss", {"temperature": 0.05}, seed=20, proxies=1, labels=GAP)
@case("normalised_softmax_warm", "normalised_softmax", f"{PML}: NormalizedSoftmaxLoss", {"temperature": 1}, seed=21, proxies=1)
def _(batch, c):
    classes, d = batch.proxies.shape
    loss = losses.NormalizedSoftmaxLoss(classes, d, temperature=c["temperature"])
    return with_proxies(loss, "W", batch.proxies.T)(batch.embeddings, batch.labels)


@case("proxy_nca_plus_plus", "proxy_nca_plus_plus", f"{PML}: ProxyNCALoss", {"temperature": 1 / 9}, seed=22, proxies=1, labels=GAP)
@case("proxy_nca_plus_plus_warm", "proxy_nca_plus_plus", f"{PML}: ProxyNCALoss", {"temperature": 1}, seed=23, proxies=1)
def _(batch, c):
    classes, d = batch.proxies.shape
    loss = losses.ProxyNCALoss(classes, d, softmax_scale=1 / c["temperature"])
    return with_proxies(loss, "proxies", batch.proxies)(batch.embeddings, batch.labels)


@case("proxy_anchor", "proxy_anchor", f"{PML}: ProxyAnchorLoss", {"alpha": 32, "delta": 0.1}, seed=24, proxies=1, labels=GAP)
@case("proxy_anchor_flat", "proxy_anchor", f"{PML}: ProxyAnchorLoss", {"alpha": 4, "delta": 0.3}, seed=25, proxies=1)
def _(batch, c):
    classes, d = batch.proxies.shape
    loss = losses.ProxyAnchorLoss(classes, d, margin=c["delta"], alpha=c["alpha"])
    return with_proxies(loss, "proxies", batch.proxies)(batch.embeddings, batch.labels)


@case("soft_triple_no_penalty", "soft_triple", f"{PML}: SoftTripleLoss",
      {"centres": 10, "gamma": 0.1, "lambda": 20, "delta": 0.01, "tau": 0}, seed=26, proxies=10, labels=GAP)
@case("soft_triple_one_centre", "soft_triple", f"{PML}: SoftTripleLoss",
      {"centres": 1, "gamma": 0.1, "lambda": 5, "delta": 0.2, "tau": 0.2}, seed=27, proxies=1)
@case("soft_triple", "soft_triple", f"{PML}: SoftTripleLoss, the formula of its authors' penalty",
      {"centres": 3, "gamma": 0.2, "lambda": 20, "delta": 0.01, "tau": 0.2}, seed=28, proxies=3, labels=GAP)
def _(batch, c):
    k, d = int(c["centres"]), batch.proxies.shape[1]
    classes = len(batch.proxies) // k
    loss = losses.SoftTripleLoss(classes, d, centers_per_class=k, la=c["lambda"], gamma=c["gamma"], margin=c["delta"])
    value = with_proxies(loss, "fc", batch.proxies.T)(batch.embeddings, batch.labels)
    if k == 1 or c["tau"] == 0:
        return value
    unit = F.normalize(batch.proxies)
    distances_of_centres = [torch.sqrt(2 + 1e-5 - 2 * unit[y * k + i] @ unit[y * k + j])
                            for y in range(classes) for i in range(k) for j in range(i + 1, k)]
    return value + c["tau"] * torch.stack(distances_of_centres).sum() / (classes * k * (k - 1))


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)  # the histogram loss multiplies whole numbers by fractions in it
    folder = pathlib.Path(__file__).with_name("losses")
    folder.mkdir(exist_ok=True)
    for each in CASES:
        write(folder, *each)
