"""PyTorch's side of `peers.py`: eager, compiled, vectorised by torch.func, or a CUDA graph."""

import time
from collections.abc import Callable

import numpy as np
import torch
from peer import EPSILON, LEARNING_RATE, SIZE, Layer, layers, pictures, weights
from torch import nn
from torch.nn import functional
from worker import repeat


def module(layer: Layer, inplace: bool) -> nn.Module:
    if layer.kind == "conv":
        return nn.Conv2d(layer.inputs, layer.outputs, 3)
    if layer.kind == "dense":
        return nn.Linear(layer.inputs, layer.outputs)
    if layer.kind == "norm":
        kind = nn.BatchNorm2d if layer.name != "norm_6" else nn.BatchNorm1d
        return kind(layer.outputs, eps=1e-3, momentum=0.01)
    if layer.kind == "dropout":
        return nn.Dropout(layer.rate)
    return {"relu": lambda: nn.ReLU(inplace), "pool": lambda: nn.MaxPool2d(2), "flatten": nn.Flatten}[layer.kind]()


def make(network: str, size: int, inplace: bool = True) -> nn.Sequential:
    """Returns the network; its input is (n, 1, size, size)."""
    return nn.Sequential(*(module(layer, inplace) for layer in layers(network, size)))


def fill(model: nn.Sequential, network: str, size: int) -> None:
    """Copies `peer.weights` into a network, from fer_jax's layout into PyTorch's."""
    given, side = weights(network, size), 0
    for layer, place in zip(layers(network, size), model, strict=True):
        if layer.kind == "flatten":
            side, channels = layer.side, layer.inputs
        if not layer.name:
            continue
        arrays = given[layer.name]
        state = {"bias": arrays["bias"]}
        if layer.kind == "conv":
            state["weight"] = arrays["kernel"].transpose(3, 2, 0, 1)
        elif layer.kind == "norm":
            state |= {"weight": arrays["scale"], "running_mean": arrays["mean"], "running_var": arrays["var"]}
        else:
            kernel = arrays["kernel"]
            if side:  # the first dense layer sees a map: channels last there, channels first here
                kernel = kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
                side = 0
            state["weight"] = kernel.T
        place.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()}, strict=False)


class Peer:
    """Models in training.

    Args:
        network, batch, images, size: as in `peer`.
        way: 'eager', 'compiled', 'vectorised' or 'graph'.
        threads: of this process; 0 leaves PyTorch's choice.
        channels_last: the memory layout.
        models: trained together; only 'vectorised' has several.
        precision: as `train.precision`: of 'tf32' a GPU may round factors to it; 'bfloat16' is
            PyTorch's autocast, of the eager, compiled and captured step.
    """

    def __init__(
        self, network: str, batch: int, images: int, way: str, threads: int = 0, channels_last: bool = True,
        models: int = 1, size: int = SIZE, precision: str = "float32",
    ):  # fmt: skip
        if threads:
            torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = True
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.batch, self.models, self.precision = batch, models, precision
        pixels, labels = pictures(images, size)
        self.pixels = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).to(self.device)
        self.labels = torch.from_numpy(labels).long().to(self.device)
        self.order, self.place = torch.randperm(images, device=self.device), 0
        self.total = torch.zeros((), device=self.device)
        start = time.perf_counter()
        chain = make(network, size, inplace=way != "vectorised").to(self.device).to(memory_format=self.layout)
        parameters = sum(value.numel() for value in chain.parameters())
        self.step = {
            "eager": self._eager,
            "compiled": self._compiled,
            "vectorised": self._vectorised,
            "graph": self._graph,
        }[way](chain)
        for _ in range(3):
            self.step()
        self._wait()
        self.facts = {
            "parameters": parameters,
            "models": models,
            "threads": torch.get_num_threads(),
            "build_seconds": time.perf_counter() - start,
        }

    def run(self, seconds: float) -> dict:
        """Steps until the seconds have passed; on a GPU the clock is read every 20 steps."""
        if self.device.type == "cpu":
            return repeat(self.step, seconds, self.batch * self.models)

        def some() -> None:
            for _ in range(20):
                self.step()
            self._wait()

        return repeat(some, seconds, 20 * self.batch * self.models)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _indices(self) -> torch.Tensor:
        if self.place + self.batch > len(self.order):
            self.order, self.place = torch.randperm(len(self.order), device=self.device), 0
        self.place += self.batch
        return self.order[self.place - self.batch : self.place]

    def _gather(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        images = self.pixels[indices].to(torch.float32, memory_format=self.layout) / 255
        return images, self.labels[indices]

    def _loss(self, chain: Callable, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        # Kept casts of weights would be those of the step that was captured.
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16", cache_enabled=False
        ):
            return functional.cross_entropy(chain(images), labels)

    def _adam(self, parameters: object, **more: bool) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, lr=LEARNING_RATE, eps=EPSILON, fused=True, **more)

    def _eager(self, chain: Callable) -> Callable[[], None]:
        adam = self._adam(chain.parameters())

        def step() -> None:
            images, labels = self._gather(self._indices())
            adam.zero_grad(set_to_none=True)
            loss = self._loss(chain, images, labels)
            loss.backward()
            adam.step()
            self.total += loss.detach()

        return step

    def _compiled(self, chain: nn.Sequential) -> Callable[[], None]:
        return self._eager(torch.compile(chain))

    def _vectorised(self, chain: nn.Sequential) -> Callable[[], None]:
        chains = [chain] + [
            type(chain)(*(_again(layer) for layer in chain)).to(self.device) for _ in range(self.models - 1)
        ]
        params, buffers = torch.func.stack_module_state(chains)
        params = {name: value.detach().clone().requires_grad_() for name, value in params.items()}
        adam = self._adam(params.values())

        def loss(params: dict, buffers: dict, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return functional.cross_entropy(torch.func.functional_call(chain, (params, buffers), (images,)), labels)

        gradient = torch.func.vmap(torch.func.grad_and_value(loss), (0, 0, 0, 0), randomness="different")

        def step() -> None:
            # A model's batch is its own, as in a sweep over seeds.
            both = [self._gather(self._indices()) for _ in range(self.models)]
            images, labels = (torch.stack(parts) for parts in zip(*both, strict=True))
            grads, losses = gradient(params, buffers, images, labels)
            for name, value in params.items():
                value.grad = grads[name]
            adam.step()
            self.total += losses.detach().sum()

        return step

    def _graph(self, chain: nn.Sequential) -> Callable[[], None]:
        """A whole step captured once; a replay reads its indices from a fixed place."""
        adam = self._adam(chain.parameters(), capturable=True)
        indices = self._indices().clone()

        def body() -> None:
            images, labels = self._gather(indices)
            adam.zero_grad(set_to_none=True)
            loss = self._loss(chain, images, labels)
            loss.backward()
            adam.step()
            self.total += loss.detach()

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                body()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            body()

        def step() -> None:
            indices.copy_(self._indices())
            graph.replay()

        return step


def _again(layer: nn.Module) -> nn.Module:
    """A layer like another, with its own arrays."""
    import copy

    fresh = copy.deepcopy(layer)
    if hasattr(fresh, "reset_parameters"):
        fresh.reset_parameters()
    return fresh


build = Peer


def versions() -> dict[str, str]:
    return {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}


def logits(network: str, count: int, size: int = SIZE) -> list[list[float]]:
    """As `peer_fer_jax.logits`."""
    chain = make(network, size)
    fill(chain, network, size)
    images = torch.from_numpy(pictures(count, size)[0].transpose(0, 3, 1, 2).copy()).float() / 255
    with torch.no_grad():
        return chain.eval()(images).tolist()
