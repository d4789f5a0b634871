"""PyTorch's own `nn.Transformer` as a practitioner would write it: what ours is set against.

The size, the data and the arithmetic are those of the case: autocast to bfloat16, AdamW, one table
of vectors for both sides and the logits, pre-norm, and under `torch.compile` on a GPU.
"""

import time
import warnings


def measure_transformer(case, steps: int, context) -> tuple[float, float]:
    """Return steps a second and seconds to the first step."""
    import torch

    device = "cpu" if context.device == "cpu" else "cuda"
    batch = case.batches(1)[0]
    source, before = (torch.as_tensor(batch[0][k], device=device) for k in ("source", "target"))
    behind = torch.as_tensor(batch[1], device=device).long()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that pre-norm has no kernel for nested tensors
        network = make_network(case).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    predict = network if context.tiny else torch.compile(network)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16):
            logits = predict(source, before)
        loss = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), behind.flatten(), ignore_index=0, label_smoothing=0.1
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        return loss

    def time_all(count: int) -> float:
        begun = time.perf_counter()
        for _ in range(count):
            loss = step()
        float(loss.detach())  # waits for the device
        return time.perf_counter() - begun

    first = time_all(1)
    time_all(steps)
    return steps / time_all(steps), first


def make_network(case):
    """Return the network, of the options of the case or else the preset `base`."""
    import torch
    from torch import nn

    options, facts = case.options, case.facts
    width = int(options.get("model_dim", 512))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.vectors = nn.Embedding(facts.source_vocabulary_size, width, padding_idx=0)
            self.positions = nn.Parameter(0.02 * torch.randn(case.steps, width))
            self.body = nn.Transformer(
                width,
                int(options.get("num_heads", 8)),
                int(options.get("num_layers", 6)),
                int(options.get("num_layers", 6)),
                int(options.get("feed_forward_dim", 2048)),
                0.1,
                batch_first=True,
                norm_first=True,
            )

        def forward(self, source, target):
            steps = target.shape[1]
            later = torch.ones(steps, steps, dtype=torch.bool, device=target.device).triu(1)
            found = self.body(
                self.vectors(source) + self.positions[: source.shape[1]],
                self.vectors(target) + self.positions[:steps],
                tgt_mask=later,
                tgt_is_causal=True,
                src_key_padding_mask=source == 0,
                memory_key_padding_mask=source == 0,
            )
            return found @ self.vectors.weight.T

    return Network()
