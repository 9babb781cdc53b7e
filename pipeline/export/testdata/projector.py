"""Reads a projection as the page of TensorBoard's embedding projector does, from a TensorBoard that runs.

Usage: projector.py FOLDER

Prints JSON: runs, the configuration, the tensor, the lines of metadata, and the size of the sprite.
"""

import io
import json
import sys
import urllib.parse
import urllib.request

import numpy as np
from PIL import Image
from tensorboard import program

server = program.TensorBoard()
server.configure(argv=[None, "--logdir", sys.argv[1], "--port", "0"])
url = server.launch().rstrip("/") + "/data/plugin/projector/"


def get(route, **query):
    with urllib.request.urlopen(url + route + "?" + urllib.parse.urlencode(query)) as answer:
        return answer.read()


runs = json.loads(get("runs"))
info = json.loads(get("info", run=runs[0]))
(embedding,) = info["embeddings"]
where = {"run": runs[0], "name": embedding["tensorName"]}
tensor = np.frombuffer(get("tensor", **where), np.float32).reshape(embedding["tensorShape"])
labels = get("metadata", **where).decode().split("\n")
sprite = Image.open(io.BytesIO(get("sprite_image", **where)))
print(json.dumps({
    "runs": runs, "embedding": embedding, "values": tensor.ravel().tolist(),
    "labels": [line.split("\t") for line in labels], "sprite": [sprite.format, *sprite.size],
}))
