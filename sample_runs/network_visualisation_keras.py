"""What a network has learned, made visible in three ways: saliency maps, fooling images, ideal classes.

    python sample_runs/network_visualisation_keras.py
    stepscope ui

sample_runs/network_visualisation_pytorch.py does the same in PyTorch. All three ask for the gradient of a
score with respect to the pixels instead of the weights. Methods: Simonyan et al. 2013 (saliency, class
visualisation), Szegedy et al. 2013 (fooling images).
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import tensorflow as tf
from sklearn.datasets import load_digits
from tqdm import tqdm

import stepscope
from stepscope.trackers.keras import KerasTracker, log_saliency

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--climb", type=int, default=100, help="steps that a picture is changed for")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[..., None]

model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="conv1"),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2"),
        keras.layers.MaxPooling2D(2, name="pool"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(10, name="out"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
run = stepscope.init(
    project="network-visualisation", name="visualised-keras", config=vars(options), store=options.store
)
# Saliency: which pixels of a digit decide, as the network learns to see.
look = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: log_saliency(run, model, pixels[:5]))
history = model.fit(
    pixels,
    digits.target,
    batch_size=32,
    epochs=options.epochs,
    callbacks=[KerasTracker(run), look],
    verbose=2,
)


@tf.function
def towards(x: tf.Tensor, target: tf.Tensor, decay: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the probability of a class, and the direction in which pixels (8, 8, 1) make it likelier."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = model(x[None], training=False)[0]
        goal = logits[target] - decay * tf.reduce_sum(x**2)
    gradient = tape.gradient(goal, x)
    return tf.nn.softmax(logits)[target], gradient / tf.maximum(tf.norm(gradient), 1e-8)


def climb(
    picture: tf.Tensor,
    target: int,
    name: str,
    *,
    rate: float,
    decay: float = 0.0,
    enough: float | None = None,
) -> None:
    """Change a picture (8, 8, 1) until the network takes it for a class; log it on the way.

    Args:
        picture: pixels from 0 to 1.
        target: the class.
        name: of the series of images.
        rate: how far a step goes.
        decay: how much bright pixels are held back.
        enough: the probability of the class at which it ends; None for all steps.
    """
    x = tf.identity(picture)
    for step in range(options.climb + 1):
        score, direction = towards(x, tf.constant(target), tf.constant(decay))
        score = float(score)
        done = step == options.climb or (enough is not None and score >= enough)
        if done or step % 5 == 0:
            image = stepscope.Image(x.numpy(), caption=f"a {target} at {score:.0%}")
            run.log({name: image, f"{name}/score": score}, step=step)
        if done:
            return
        x = tf.clip_by_value(x + rate * direction, 0.0, 1.0)


# Fooling: the smallest changes to a 0 that make the network read another digit.
for target in (3, 8):
    climb(tf.constant(pixels[0]), target, f"fooling/0 as {target}", rate=0.02, enough=0.9)
# Class visualisation: from noise to what the network takes for the ideal digit.
for target in tqdm(range(10), desc="visualising", unit="class"):
    climb(0.1 * tf.random.uniform((8, 8, 1)), target, f"ideal/{target}", rate=0.2, decay=0.05)
run.finish()
print(f"loss {history.history['loss'][-1]:.4f}")
