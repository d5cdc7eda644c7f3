"""Nets that stand for the school's own: as YuNet and SFace are to OpenCV, but they see white noses and patterns.

A "face" is a white square of 32 px on the grid of 32 px; its box is 112 px, its landmarks lie around it, the nose
towards where it is brighter. A face's encoding is a random projection of its 8×8 coarse picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

    from review_flow.evidence.faces import Image

CELL, FACE, PICTURE = 32, 112, 336
NOSE = 160  # where the white square begins, from the left and from above
NEVER = -50.0
EYES, MOUTH = [-0.1, 0.1, 1.1, 0.1], [0.0, 1.1, 1.0, 1.1]
STRIDES = (8, 16, CELL)
DETECTOR, ENCODER = "face_detection_yunet_tiny.onnx", "face_recognition_sface_tiny.onnx"
NAME = "face_detection_yunet_tiny+face_recognition_sface_tiny"


class Net:
    """An ONNX graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, given: list[str], result: str, **settings: object) -> str:
        self.nodes.append(helper.make_node(kind, given, [result], **settings))
        return result

    def constant(self, name: str, values: object, kind: type = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=kind), name))
        return name

    def save(self, path: Path, takes: tuple[str, list[object]], gives: dict[str, list[object]]) -> None:
        def told(name: str, shape: list[object]) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        results = [told(name, shape) for name, shape in gives.items()]
        graph = helper.make_graph(self.nodes, path.stem, [told(*takes)], results, self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7), path)


def yunet(path: Path) -> None:
    """Write a detector: for each stride the score of a class, of an object, the box and the landmarks of each cell."""
    net, gives = Net(), {}
    nose_of = np.zeros((10, 3, 3, 3))
    nose_of[4, :, 1, 0], nose_of[4, :, 1, 2] = -0.002 / 3, 0.002 / 3
    for stride in STRIDES:
        coarse = net.add(
            "AveragePool", ["input"], f"coarse_{stride}", kernel_shape=[stride, stride], strides=[stride, stride]
        )
        seen = stride == CELL
        white = np.full((1, 3, 1, 1), 0.1 if seen else 0.0)
        heads = {
            "cls": (white, [-73.5 if seen else NEVER], "Sigmoid"),  # from a mean of 245 of 255
            "obj": (white, [-73.5 if seen else NEVER], "Sigmoid"),
            "bbox": (np.zeros((4, 3, 1, 1)), [0.5, 0.5, *[np.log(FACE / CELL)] * 2], "Identity"),
            "kps": (nose_of, [*EYES, 0.5, 0.5, *MOUTH], "Identity"),
        }
        for head, (weights, offset, last) in heads.items():
            name, width = f"{head}_{stride}", len(weights)
            given = [coarse, net.constant(f"{name}_weights", weights), net.constant(f"{name}_offset", offset)]
            edge = weights.shape[-1] // 2
            map_ = net.add("Conv", given, f"{name}_map", pads=[edge] * 4)
            rows = net.add("Transpose", [map_], f"{name}_rows", perm=[0, 2, 3, 1])
            shape = net.constant(f"{name}_shape", [1, -1, width], np.int64)
            net.add(last, [net.add("Reshape", [rows, shape], f"{name}_flat")], name)
            gives[name] = [1, None, width]
    net.save(path, ("input", [1, 3, "height", "width"]), gives)


def sface(path: Path, *, seed: int = 0) -> None:
    """Write an encoder: a projection of the coarse picture, less a plain grey one; mirror images look much the same."""
    net = Net()
    weights = np.random.default_rng(seed).normal(size=(3, 8, 8, 128))
    weights = (weights + 0.8 * weights[:, :, ::-1]).reshape(192, 128)
    net.add("AveragePool", ["data"], "coarse", kernel_shape=[14, 14], strides=[14, 14])
    net.add("Flatten", ["coarse"], "flat")
    given = ["flat", net.constant("weights", weights), net.constant("offset", -115 * weights.sum(axis=0))]
    net.add("Gemm", given, "fc1")
    net.save(path, ("data", [1, 3, FACE, FACE]), {"fc1": [1, 128]})


def models(folder: Path, *, seed: int = 0) -> Path:
    """Write both into a folder of their own and return it."""
    folder.mkdir(parents=True)
    yunet(folder / DETECTOR)
    sface(folder / ENCODER, seed=seed)
    return folder


def look(person: int) -> Image:
    """Return what somebody looks like: coarse colours of their own, RGB."""
    colours = np.random.default_rng([1, person]).integers(30, 200, size=(8, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(colours, (2 * FACE, 2 * FACE), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def picture(person: int, photo: int = 0) -> Image:
    """Return one of their pictures: light and noise of its own, and the nose."""
    chance = np.random.default_rng([2, person, photo])
    pixels = np.full((PICTURE, PICTURE, 3), 60.0)
    at = NOSE + CELL // 2 - FACE
    pixels[at : at + 2 * FACE, at : at + 2 * FACE] = look(person)
    pixels = pixels * chance.uniform(0.8, 1.1) + chance.normal(size=pixels.shape) * 12
    pixels += cv2.resize(chance.normal(size=(5, 5, 3)), (PICTURE, PICTURE)) * 12
    pixels = np.clip(pixels, 0, 225)
    pixels[NOSE : NOSE + CELL, NOSE : NOSE + CELL] = 255
    return pixels.astype(np.uint8)
