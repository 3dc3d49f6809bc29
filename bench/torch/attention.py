"""The bench's causal attention in PyTorch; the problem is written by bench/src/rows/attention.ts. See rival.py."""
import os
from concurrent.futures import ThreadPoolExecutor

# Products are small here: threads that each do other heads are faster than threads that share every product.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import torch

from rival import answer_requests, load

# [B, T, H, D] as [B * H, T, D], in which it multiplies.
batch, length, heads, head_dim = load("q").shape
q, k, v = (load(name).transpose(1, 2).reshape(-1, length, head_dim) for name in "qkv")
mixed = torch.empty_like(q)
hidden = torch.full((length, length), float("-inf")).triu(1)
pool = ThreadPoolExecutor(os.cpu_count() or 1, initializer=torch.set_num_threads, initargs=(1,))


def attention(queries, heads_at_once):
    """In blocks of so many queries, which leave out keys behind the last of them."""
    parts = [
        [
            (
                hidden[begin:end, :end].expand(heads_at_once, -1, -1),
                q[part, begin:end],
                k[part, :end].transpose(1, 2),
                v[part, :end],
                mixed[part, begin:end],
            )
            for begin, end in zip(range(0, length, queries), range(queries, length + 1, queries))
        ]
        for part in (slice(first, first + heads_at_once) for first in range(0, len(q), heads_at_once))
    ]

    def attend(blocks):
        for mask, q, k, v, out in blocks:
            # The mask as what is added to: a pass less over the scores.
            scores = torch.baddbmm(mask, q, k, alpha=head_dim**-0.5)
            torch.bmm(scores.softmax(-1), v, out=out)

    def work():
        list(pool.map(attend, parts))
        return mixed

    return work


def numbers(mixed):
    return mixed.view(batch, heads, length, head_dim).transpose(1, 2).flatten().tolist()


answer_requests([attention(queries, at_once) for queries in (64, 128) for at_once in (1, heads)], numbers)
