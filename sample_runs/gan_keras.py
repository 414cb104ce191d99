"""A GAN learns to draw handwritten digits, in Keras: two losses, and what it draws after each epoch.

    python sample_runs/gan_keras.py
    stepscope ui

sample_runs/gan_pytorch.py does the same in PyTorch. On the Media page one slider goes through what was drawn,
from the same noise each time; on the Distributions page are the weights of both networks.
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
from stepscope.trackers.tensorflow import TensorFlowTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--noise", type=int, default=32, help="how many numbers a picture is made from")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")

# Pictures from -1 to 1, channels last.
real_pictures = (load_digits().images / 8 - 1).astype("float32")[..., None]

generator = keras.Sequential(
    [
        keras.Input((options.noise,)),
        keras.layers.Dense(2 * 2 * 64, activation="relu", name="dense"),
        keras.layers.Reshape((2, 2, 64), name="reshape"),
        keras.layers.Conv2DTranspose(32, 4, strides=2, padding="same", name="up1"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.ReLU(name="relu2"),
        keras.layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh", name="up2"),
    ]
)
discriminator = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(32, 4, strides=2, padding="same", name="down1"),
        keras.layers.LeakyReLU(negative_slope=0.2, name="relu1"),
        keras.layers.Conv2D(64, 4, strides=2, padding="same", name="down2"),
        keras.layers.LeakyReLU(negative_slope=0.2, name="relu2"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dropout(0.3, name="dropout"),
        keras.layers.Dense(1, name="out"),
    ]
)
generator_optimizer = keras.optimizers.Adam(5e-4, beta_1=0.5)
discriminator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)


def loss_of(logits: tf.Tensor, is_real: float) -> tf.Tensor:
    """Return how far the discriminator is from taking pictures for real (1) or drawn (0)."""
    return cross_entropy(tf.fill(tf.shape(logits), is_real), logits)


def noise(count: int) -> tf.Tensor:
    """Return what pictures are made from: (count, noise)."""
    return tf.random.normal((count, options.noise))


@tf.function
def train_step(real: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Make one step of both networks; return their losses."""
    with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
        fake = generator(noise(options.batch_size), training=True)
        seen_fake = discriminator(fake, training=True)
        # The discriminator learns to tell what was drawn from what is real ...
        judged = loss_of(discriminator(real, training=True), 1.0) + loss_of(seen_fake, 0.0)
        # ... and the generator to be taken for real.
        fooled = loss_of(seen_fake, 1.0)
    for tape, loss, network, optimizer in (
        (discriminator_tape, judged, discriminator, discriminator_optimizer),
        (generator_tape, fooled, generator, generator_optimizer),
    ):
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
    return fooled, judged


def drawn(seeds: tf.Tensor) -> stepscope.Image:
    """Return the pictures made from 64 noises, as one of 8 by 8."""
    pictures = tf.reshape(generator(seeds, training=False), (8, 8, 8, 8))  # row, column, height, width
    grid = tf.reshape(tf.transpose(pictures, (0, 2, 1, 3)), (64, 64))
    return stepscope.Image((grid + 1) / 2, caption="from the same noise each time")


always_the_same = noise(64)
batches = (
    tf.data.Dataset.from_tensor_slices(real_pictures)
    .shuffle(2000)
    .batch(options.batch_size, drop_remainder=True)
)
run = stepscope.init(project="gan", name="gan-keras", config=vars(options), store=options.store)
of_generator = TensorFlowTracker(run, generator, generator_optimizer, name="generator")
of_discriminator = TensorFlowTracker(run, discriminator, discriminator_optimizer, name="discriminator")
for epoch in tqdm(range(1, options.epochs + 1), unit="epoch"):
    for real in batches:
        fooled, judged = train_step(real)
        of_discriminator.end_step({"loss/discriminator": judged}, samples=len(real))
        of_generator.end_step({"loss/generator": fooled}, samples=len(real))
    run.log({"drawn": drawn(always_the_same), "epoch": epoch})
run.finish()
print(f"generator {float(fooled):.3f}, discriminator {float(judged):.3f}")
