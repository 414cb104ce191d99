"""A picture is painted in the style of another one, in Keras, step by step.

    python sample_runs/style_transfer_keras.py
    stepscope ui

sample_runs/style_transfer_pytorch.py does the same in PyTorch. Content, style and result are images of one
run; a slider goes through the painting. Method: Gatys et al. 2015: the pixels are changed until the features
that a network sees in them are those of the content, and how features go together (Gram matrices) is as in
the style; of the style, the colours themselves count, too.

With --weights vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 --size 256 they are those of VGG-16, once
Keras' file is there:

    curl -O https://storage.googleapis.com/tensorflow/keras-applications/vgg16/\
vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5

Without weights, the features are those of a small network that first learns to read coloured digits, and the
run says so. They know strokes, edges and a few colours, so do not expect a Van Gogh. What Keras logs of a
batch in this training is the mean of the epoch so far; the twin logs each batch by itself.
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
from scipy.ndimage import zoom
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import trange

import stepscope
from stepscope.trackers.keras import KerasTracker

VGG16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256)
SMALL = (16, 16, "pool", 32, 32, "pool", 64)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=20, help="of learning to read digits, without --weights")
parser.add_argument("--steps", type=int, default=200, help="of painting")
parser.add_argument("--weights", type=Path, help="Keras' weights of VGG-16, without its top")
parser.add_argument("--content", type=Path, help="a picture (default: a handwritten digit)")
parser.add_argument("--style", type=Path, help="another one (default: coloured waves)")
parser.add_argument("--size", type=int, default=64, help="pixels of the result's sides")
parser.add_argument("--style-weight", type=float, default=10.0)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
tf.config.threading.set_intra_op_parallelism_threads(1)  # so small a network gains nothing from more
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


# 1. Get the data: content, style, and 1,797 digits to learn from, each of one colour on another.
def read(path: Path | None, otherwise: np.ndarray) -> np.ndarray:
    """Return a picture as float32 (1, size, size, 3), 0 to 1: a file's, or of an array (h, w, 3)."""
    picture = Image.open(path).convert("RGB") if path else Image.fromarray(np.uint8(255 * otherwise))
    resized = picture.resize((options.size, options.size), Image.Resampling.BICUBIC)
    return np.asarray(resized, "float32")[None] / 255  # channels last


digits = load_digits()
colour, x_y = np.random.default_rng(options.seed), np.mgrid[0:1:64j, 0:1:64j]
waves = [0.5 + 0.5 * np.sin(40 * (x_y[1] + 0.15 * np.sin(9 * x_y[0])) + phase) for phase in (0, 1, 2)]
content = read(options.content, np.repeat(digits.images[3][..., None] / 16, 3, axis=2))
style = read(options.style, np.stack(waves, axis=2))
# One of the two colours is light, the other dark; which is which differs.
dark, light = colour.random((2, len(digits.images), 1, 1, 3)) / 2 + [[[[[0.0]]]], [[[[0.5]]]]]
swapped = colour.random((len(dark), 1, 1, 1)) < 0.5
ink, paper = np.where(swapped, dark, light), np.where(swapped, light, dark)
drawn = zoom(digits.images / 16, (1, 2, 2), order=1)[..., None]  # 16x16: the network halves them twice
coloured = (drawn * ink + (1 - drawn) * paper).astype("float32")
x_train, x_test, y_train, y_test = train_test_split(
    coloured, digits.target, train_size=0.8, stratify=digits.target, random_state=options.seed
)


# 2. Define the network whose features are used, and learn them where no weights are given.
def layers_of(plan: tuple[int | str, ...]) -> keras.Model:
    """Return convolutions and pools as VGG has them; a number is how many filters."""
    x = pictures = keras.Input((None, None, 3))
    found = []
    for number, part in enumerate(plan, 1):
        if part == "pool":  # the mean paints smoother pictures than VGG's maximum, say Gatys et al.
            x = layers.AveragePooling2D(2, name=f"pool{number}")(x)
        else:
            x = layers.Conv2D(part, 3, padding="same", activation="relu", name=f"conv{number}")(x)
            found.append(x)
    return keras.Model(pictures, found)


def learn_digits(network: keras.Model) -> None:
    """Let the features learn to tell digits apart."""
    pictures = keras.Input((16, 16, 3))
    x = layers.Flatten()(layers.AveragePooling2D(2)(network(pictures)[-1]))
    model = keras.Model(pictures, layers.Dense(10, name="out")(x))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    tracker = KerasTracker(run)
    model.fit(x_train, y_train, batch_size=64, epochs=options.epochs, callbacks=[tracker])
    for split, of in (("train", (x_train, y_train)), ("test", (x_test, y_test))):
        mean_loss, part_right = model.evaluate(*of, verbose=0)
        run.summary[f"{split}_loss"] = mean_loss
        run.summary[f"{split}_accuracy"] = part_right
    run.log({"test_loss": mean_loss, "test_accuracy": part_right}, step=run.step)


origin = "a small network that learned to read coloured digits: no --weights were given"
if options.weights:
    origin = f"VGG-16, from {options.weights.name}"
print("Features:", origin)
run = stepscope.init(
    project="style-transfer",
    name="style-keras",
    config={**vars(options), "features": origin},
    notes=f"Features: {origin}",
    store=options.store,
)
run.log({"content": stepscope.Image(content[0]), "style": stepscope.Image(style[0])}, step=0)
network = layers_of(VGG16 if options.weights else SMALL)
if options.weights:
    known = keras.applications.VGG16(include_top=False, weights=str(options.weights)).weights
    network.set_weights([weight.numpy() for weight in known[: len(network.weights)]])
else:
    learn_digits(network)


# 3. Define the losses: how far features and Gram matrices are from those that are wanted, as parts of these.
def seen(picture: tf.Tensor) -> list[tf.Tensor]:
    """Return a picture's colours, and what each ReLU gives for it: (pixels, channels) of several sizes."""
    x = picture
    if options.weights:  # what VGG-16 was trained with
        x = keras.applications.vgg16.preprocess_input(255 * picture)
    return [tf.reshape(x, (-1, x.shape[-1])) for x in (picture, *network(x))]


def gram(x: tf.Tensor) -> tf.Tensor:
    """Return how channels go together: (channels, channels)."""
    return tf.matmul(x, x, transpose_a=True) / tf.cast(tf.shape(x)[0], tf.float32)


def away(x: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Return how far x is from what is wanted: 0 when it is that, 1 when it is nothing."""
    return tf.reduce_sum((x - wanted) ** 2) / tf.reduce_sum(wanted**2)


def roughness(picture: tf.Tensor) -> tf.Tensor:
    """Return how much neighbouring pixels differ."""
    down, right = picture[:, 1:] - picture[:, :-1], picture[:, :, 1:] - picture[:, :, :-1]
    return tf.reduce_mean(down**2) + tf.reduce_mean(right**2)


# 4. Paint: change the pixels of the content.
result = tf.Variable(content)
wanted_content = seen(tf.constant(content))[-1]
wanted_style = [gram(x) for x in seen(tf.constant(style))]
painter = keras.optimizers.Adam(0.02)
painter.build([result])


@tf.function
def paint() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Change the result a little; return the losses of content and style, and of all."""
    with tf.GradientTape() as tape:
        found = seen(result)
        content_loss = away(found[-1], wanted_content)
        style_losses = [away(gram(x), wanted) for x, wanted in zip(found, wanted_style, strict=True)]
        style_loss = tf.reduce_mean(style_losses)
        loss = content_loss + options.style_weight * style_loss + roughness(result)
    painter.apply([tape.gradient(loss, result)], [result])
    result.assign(tf.clip_by_value(result, 0.0, 1.0))
    return content_loss, style_loss, loss


begin = run.step
for step in trange(options.steps + 1, desc="painting", unit="step"):
    before = result.numpy()[0]
    content_loss, style_loss, loss = paint()
    values = {"loss/content": content_loss, "loss/style": style_loss, "loss/painting": loss}
    if step % 10 == 0:
        values["result"] = stepscope.Image(before, caption=f"after {step} steps")
    run.log(values, step=begin + step)
    if step == 0:
        run.summary["style_loss_at_first"] = float(style_loss)


# 5. Report how near the result came to both.
run.summary.update(content_loss=float(content_loss), style_loss=float(style_loss))
run.finish()
print(f"content {float(content_loss):.4f}, style {float(style_loss):.4f}")
