"""A picture is painted in the style of another one, in Keras, step by step.

    python sample_runs/style_transfer_keras.py
    stepscope ui

sample_runs/style_transfer_pytorch.py does the same in PyTorch. Content, style and result are images of one
run; a slider goes through the painting. Method: Gatys et al. 2015: the pixels are changed until the features
that a network sees in them are those of the content, and how features go together (Gram matrices) is as in
the style.

    --weights vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5   takes Keras' VGG-16, once downloaded

Without weights, the features are those of a small network that learns to read digits first. They know strokes
and edges and nothing of colours, so do not expect a Van Gogh.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from PIL import Image
from sklearn.datasets import load_digits
from tqdm import trange

import stepscope
from stepscope.trackers.keras import KerasTracker

VGG16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256)
SMALL = (16, 16, "pool", 32, 32, "pool", 64)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=10, help="of learning to read digits, without --weights")
parser.add_argument("--steps", type=int, default=200, help="of painting")
parser.add_argument("--weights", type=Path, help="Keras' weights of VGG-16, without its top")
parser.add_argument("--content", type=Path, help="a picture (default: a handwritten digit)")
parser.add_argument("--style", type=Path, help="another one (default: waves)")
parser.add_argument("--size", type=int, default=64, help="pixels of the result's sides")
parser.add_argument("--style-weight", type=float, default=100.0)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")
digits = load_digits()


def features(plan: tuple[int | str, ...]) -> keras.Model:
    """Return convolutions and pools as VGG has them, and every ReLU's output; numbers are of filters."""
    x = pictures = keras.Input((None, None, 3))
    found = []
    for part in plan:
        if part == "pool":
            x = layers.MaxPooling2D(2)(x)
        else:
            x = layers.Conv2D(part, 3, padding="same", activation="relu")(x)
            found.append(x)
    return keras.Model(pictures, found)


def as_picture(path: Path | None, otherwise: np.ndarray) -> tf.Tensor:
    """Return a picture (1, size, size, 3) from 0 to 1: a file's, or of an array (height, width, 3)."""
    picture = Image.open(path).convert("RGB") if path else Image.fromarray(np.uint8(255 * otherwise))
    pixels = np.asarray(picture.resize((options.size, options.size), Image.Resampling.BICUBIC))
    return tf.constant(pixels[None] / 255, tf.float32)


def digit() -> np.ndarray:
    """Return a handwritten digit: (8, 8, 3), 0 to 1."""
    return np.repeat(digits.images[3][..., None] / 16, 3, axis=2)


def waves() -> np.ndarray:
    """Return coloured waves: (64, 64, 3), 0 to 1."""
    y, x = np.mgrid[0:1:64j, 0:1:64j]
    return np.stack(
        [0.5 + 0.5 * np.sin(40 * (x + 0.15 * np.sin(9 * y)) + phase) for phase in (0, 1, 2)], axis=2
    )


def learn_digits(network: keras.Model, run: stepscope.Run) -> None:
    """Let the network's features learn to tell digits apart, in pictures of 16 by 16 pixels."""
    pixels = tf.image.resize((digits.images / 16).astype("float32")[..., None], (16, 16))
    pixels = tf.repeat(pixels, 3, axis=3)
    pictures = keras.Input((16, 16, 3))
    x = layers.Flatten()(layers.AveragePooling2D(2)(network(pictures)[-1]))
    model = keras.Model(pictures, layers.Dense(10)(x))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    tracker = KerasTracker(run)
    model.fit(pixels, digits.target, batch_size=64, epochs=options.epochs, callbacks=[tracker], verbose=2)


def gram(x: tf.Tensor) -> tf.Tensor:
    """Return how channels go together: (channels, channels)."""
    flat = tf.reshape(x, (-1, x.shape[-1]))
    return tf.matmul(flat, flat, transpose_a=True) / tf.cast(tf.size(flat), tf.float32)


run = stepscope.init(project="style-transfer", name="style-keras", config=vars(options), store=options.store)
content, style = as_picture(options.content, digit()), as_picture(options.style, waves())
run.log({"content": stepscope.Image(content[0]), "style": stepscope.Image(style[0])}, step=0)
if options.weights:
    network = features(VGG16)
    known = keras.applications.VGG16(include_top=False, weights=str(options.weights)).weights
    network.set_weights([weight.numpy() for weight in known[: len(network.weights)]])
    run.summary["features"] = f"VGG-16 from {options.weights.name}"
else:
    network = features(SMALL)
    learn_digits(network, run)
    run.summary["features"] = "a small network that learned to read digits: no --weights were given"
print("Features:", run.summary["features"])

wanted_content = network(content)[-1]
wanted_style = [gram(x) for x in network(style)]
result = tf.Variable(content)
painter = keras.optimizers.Adam(0.02)
painter.build([result])


@tf.function
def paint() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Change the result a little; return the losses of content and style, and their weighted sum."""
    with tf.GradientTape() as tape:
        found = network(result)
        content_loss = tf.reduce_mean((found[-1] - wanted_content) ** 2)
        style_loss = tf.add_n(
            [tf.reduce_mean((gram(x) - wanted) ** 2) for x, wanted in zip(found, wanted_style, strict=True)]
        )
        loss = content_loss + options.style_weight * style_loss
    painter.apply([tape.gradient(loss, result)], [result])
    result.assign(tf.clip_by_value(result, 0, 1))
    return content_loss, style_loss, loss


begin = run.step
for step in trange(options.steps + 1, desc="painting", unit="step"):
    before = stepscope.Image(result[0].numpy(), caption=f"after {step} steps") if step % 10 == 0 else None
    content_loss, style_loss, loss = paint()
    values = {"loss/content": content_loss, "loss/style": style_loss, "loss/painting": loss}
    run.log(values if before is None else {**values, "result": before}, step=begin + step)
run.finish()
print(f"content {float(content_loss):.4f}, style {float(style_loss):.6f}")
