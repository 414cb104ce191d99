"""The graph is found in every way there is, and the model is left as it was."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from stepscope.storage.kinds.graph import GraphData  # noqa: E402
from stepscope.trackers.pytorch.graph import capture_graph  # noqa: E402


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Any) -> Any:
        return x + self.drop(torch.relu(self.norm(self.conv(x))))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3)
        self.blocks = nn.ModuleList([Block(8), Block(8)])
        self.head = nn.Linear(8, 10)
        self.calls: list[Any] = []
        self.scale = torch.ones(8)
        self.register_buffer("forwards", torch.zeros(()))

    def forward(self, x: Any) -> Any:
        self.forwards += 1
        x = self.stem(x)
        self.calls.append(x)
        self.last = x
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)) * self.scale)


def by_id(graph: GraphData) -> dict[str, Any]:
    assert len({node.node_id for node in graph.nodes}) == len(graph.nodes)
    return {node.node_id: node for node in graph.nodes}


def layers(graph: GraphData) -> dict[str, Any]:
    return {layer.path: layer for layer in graph.layers}


def test_export_gives_operations_with_modules_shapes_and_parameters() -> None:
    graph = capture_graph(Net(), (torch.zeros(4, 1, 8, 8),))
    assert (graph.framework, graph.source, graph.name) == ("torch", "torch.export", "model")
    nodes = by_id(graph)
    conv = nodes["conv2d_1"]
    assert (conv.op, conv.module, conv.inputs) == ("aten.conv2d", "blocks/0/conv", ("conv2d",))
    assert conv.output_shapes == ((4, 8, 6, 6),)
    assert conv.attributes["parameters"] == "blocks/0/conv/weight, blocks/0/conv/bias"
    assert conv.attributes["padding"] == "[1, 1]"
    assert nodes["x"].op == "input"
    assert nodes["output"].op == "output"
    assert all(given in nodes for node in graph.nodes for given in node.inputs)
    assert not any(node.op == "aten.add_" for node in graph.nodes)  # the counters of BatchNorm


def test_layers_have_types_parameters_and_shapes() -> None:
    model = Net()
    model.stem.requires_grad_(False)
    found = layers(capture_graph(model, (torch.zeros(4, 1, 8, 8),)))
    assert list(found)[:4] == ["", "stem", "blocks", "blocks/0"]
    assert found["blocks/0/conv"].type == "Conv2d"
    assert (found["stem"].parameters, found["stem"].trainable) == (80, 0)
    assert found["head"].output_shape == (4, 10)
    assert found["blocks"].output_shape is None  # a list of modules is never called
    assert sum(layer.parameters for layer in found.values()) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_untouched(training: bool) -> None:
    model = Net().train(training)
    x = torch.randn(4, 1, 8, 8)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    assert capture_graph(model, (x,)).nodes
    assert capture_graph(Refuses(model), (x,)).source == "torch.jit"
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert model.calls == []
    assert not hasattr(model, "last")
    assert all(module.training is training for module in model.modules())
    assert all(type(parameter) is nn.Parameter for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


class Refuses(nn.Module):
    """Looks at a value, which neither export nor fx can follow."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Any) -> Any:
        return self.inner(x) if x.sum().item() < 1e9 else x


class NoExport(nn.Module):
    """What export traces is refused, what fx traces is not."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        self.gain = nn.Parameter(torch.ones(4))

    def forward(self, x: Any, *, scale: float = 2.0) -> Any:
        if torch.compiler.is_exporting():
            raise RuntimeError("not for export")
        return self.inner(x).flatten(1) * self.gain * scale


def test_fx_when_export_fails() -> None:
    graph = capture_graph(NoExport(), (torch.zeros(2, 3),))
    assert graph.source == "torch.fx"
    nodes = by_id(graph)
    assert nodes["inner_0"].op == "Linear"
    assert nodes["inner_0"].module == "inner/0"
    assert nodes["inner_0"].output_shapes == ((2, 4),)
    assert nodes["flatten"].inputs == ("inner_1",)
    assert nodes["mul"].attributes["parameters"] == "gain"


def test_a_jit_trace_when_fx_fails_too() -> None:
    graph = capture_graph(Refuses(Net()), (torch.zeros(2, 1, 8, 8),))
    assert graph.source == "torch.jit"
    convolutions = [node for node in graph.nodes if node.op == "aten._convolution"]
    assert [node.module for node in convolutions] == [
        f"inner/{p}" for p in ("stem", "blocks/0/conv", "blocks/1/conv")
    ]
    assert convolutions[0].inputs == (graph.nodes[0].node_id,)
    assert graph.nodes[0].op == "input"
    assert convolutions[0].output_shapes == ((2, 8, 6, 6),)
    nodes = by_id(graph)
    assert all(given in nodes for node in graph.nodes for given in node.inputs)


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.after = nn.Linear(3, 3)

    def forward(self, x: Any) -> Any:
        raise RuntimeError("never works", self.after(self.layer(x)))


def test_the_module_tree_when_nothing_runs_and_nothing_is_printed(capfd: Any) -> None:
    graph = capture_graph(Broken(), (torch.zeros(1, 2),))
    assert capfd.readouterr() == ("", "")
    assert (graph.source, graph.nodes) == ("modules", ())
    assert [layer.path for layer in graph.layers] == ["", "layer", "after"]
    assert capture_graph(Broken()).source == "modules"


class Words(nn.Module):
    """Takes a dict and None, and gives back a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.attend = nn.MultiheadAttention(6, 2, batch_first=True)
        self.out = nn.Linear(6, 20, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, batch: dict[str, Any], mask: Any = None, *, scale: float = 1.0) -> dict[str, Any]:
        x = self.embed(batch["ids"])
        position = torch.arange(x.shape[1], device=x.device)
        x = x + position[None, :, None]
        return {"logits": self.out(self.attend(x, x, x, attn_mask=mask)[0]) * scale}


def test_dicts_keywords_and_tied_weights() -> None:
    model = Words()
    graph = capture_graph(model, ({"ids": torch.zeros(2, 5, dtype=torch.long)}, None), {"scale": 0.5})
    assert graph.source == "torch.export"
    assert graph.parameters == sum(p.numel() for p in model.parameters())
    assert layers(graph)["out"].output_shape == (2, 5, 20)
    assert layers(graph)["out"].parameters == 0
    assert any(node.op == "aten.arange" for node in graph.nodes)


def test_wrapped_models_are_unwrapped() -> None:
    model = Net()
    x = (torch.zeros(4, 1, 8, 8),)
    plain = capture_graph(model, x)
    assert capture_graph(torch.compile(model, backend="eager"), x) == plain
    assert capture_graph(nn.DataParallel(model), x) == plain


def test_a_graph_survives_storage() -> None:
    graph = capture_graph(Net(), (torch.zeros(4, 1, 8, 8),))
    assert GraphData.from_json(graph.to_json()) == graph


def test_layers_tell_arithmetic_and_memory_of_one_sample() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10)
    )
    found = layers(capture_graph(model, (torch.zeros(4, 1, 8, 8),)))
    # 8 x 6 x 6 outputs of 9 multiply-adds each; 80 parameters and 288 outputs of 4 bytes.
    assert (found["0"].flops, found["0"].memory) == (2 * 288 * 9, 4 * (80 + 288))
    assert (found["1"].flops, found["1"].memory) == (0, 0)  # works in place
    assert (found["2"].flops, found["2"].memory) == (0, 4 * 72)
    assert (found["3"].flops, found["3"].memory) == (0, 0)  # a view
    assert (found["4"].flops, found["4"].memory) == (2 * 720, 4 * (730 + 10))
    assert (found[""].flops, found[""].memory) == (0, 0)  # what the last layer returned


def test_arithmetic_goes_to_the_module_that_does_it() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(16, 16)
            self.never = nn.Linear(16, 16)

        def forward(self, x: Any) -> Any:
            x = self.project(self.project(x))[:, None]
            return nn.functional.scaled_dot_product_attention(x, x, x)

    found = layers(capture_graph(Attention(), (torch.zeros(4, 5, 16),)))
    assert found[""].flops == 2 * 2 * 5 * 5 * 16
    assert found["project"].flops == 2 * (2 * 5 * 16 * 16)  # called twice
    assert (found["never"].flops, found["never"].memory) == (None, 4 * 272)


@pytest.mark.parametrize(("gates", "layer"), [(4, nn.LSTM), (3, nn.GRU)])
def test_arithmetic_of_recurrent_layers(gates: int, layer: type[nn.Module]) -> None:
    model = layer(16, 8, num_layers=2, bidirectional=True, batch_first=True)
    rows = gates * 8
    found = layers(capture_graph(model, (torch.zeros(4, 5, 16),)))
    assert found[""].flops == 2 * 5 * 2 * (rows * (16 + 8) + rows * (2 * 8 + 8))


def test_costs_are_unknown_without_an_example() -> None:
    found = layers(capture_graph(nn.Linear(3, 2)))
    assert (found[""].flops, found[""].memory) == (None, None)
