"""A GAN learns to draw handwritten digits, in Keras: two losses, and what it draws after each epoch.

    python sample_runs/gan_keras.py
    stepscope ui

sample_runs/gan_pytorch.py does the same in PyTorch: the same networks, optimisers and first weights'
distribution, and pictures from the same noise. On the Media page one slider goes through what was drawn; on
the Distributions page are the weights of both networks, on the Graph page both models.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import numpy as np
import tensorflow as tf
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.svm import SVC
from tqdm import tqdm

import stepscope
from stepscope.trackers.tensorflow import TensorFlowTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--noise", type=int, default=32, help="how many numbers a picture is made from")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
tf.config.threading.set_intra_op_parallelism_threads(1)  # so small a network gains nothing from more
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


# 1. Get the data: 1,797 digits of 8x8 pixels, as rows with values from -1 to 1.
digits = load_digits()
pixels = (digits.data / 8 - 1).astype("float32")
batches = (
    tf.data.Dataset.from_tensor_slices(pixels)
    .shuffle(len(pixels))
    .batch(options.batch_size, drop_remainder=True)
)
# What judges the drawings later: it reads 95 % of the real digits with a probability of 90 % or more.
reader = CalibratedClassifierCV(SVC(random_state=options.seed), ensemble=False).fit(pixels, digits.target)
# Pictures are drawn from the same noise each time, and in both frameworks.
always_the_same = np.random.default_rng(options.seed).standard_normal((1000, options.noise), "float32")


# 2. Define the networks.
generator = keras.Sequential(
    [
        keras.Input((options.noise,)),
        keras.layers.Dense(256, name="dense1"),
        keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm1"),  # as in PyTorch
        keras.layers.ReLU(name="relu1"),
        keras.layers.Dense(256, name="dense2"),
        keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm2"),
        keras.layers.ReLU(name="relu2"),
        keras.layers.Dense(64, activation="tanh", name="out"),
    ]
)
discriminator = keras.Sequential(
    [
        keras.Input((64,)),
        keras.layers.Dense(256, name="dense1"),
        keras.layers.LeakyReLU(negative_slope=0.2, name="relu1"),
        keras.layers.Dense(256, name="dense2"),
        keras.layers.LeakyReLU(negative_slope=0.2, name="relu2"),
        keras.layers.Dense(1, name="out"),
    ]
)


# 3. Define the losses and the optimisers.
cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)


def loss_of(logits: tf.Tensor, is_real: float) -> tf.Tensor:
    """Return how far the discriminator is from taking pictures for real (1) or drawn (0)."""
    return cross_entropy(tf.fill(tf.shape(logits), is_real), logits)


generator_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)
discriminator_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)


@tf.function
def train_step(real: tf.Tensor, blur: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Make one step of both networks; return the losses of generator and discriminator.

    Args:
        real: pictures (batch, 64).
        blur: how much noise covers pictures; it keeps the discriminator from being sure too soon.
    """

    def judge(pictures: tf.Tensor) -> tf.Tensor:
        return discriminator(pictures + blur * tf.random.normal(tf.shape(pictures)), training=True)

    with tf.GradientTape() as generator_tape:
        fake = generator(tf.random.normal((len(real), options.noise)), training=True)
        # The discriminator learns to tell what was drawn from what is real ...
        with tf.GradientTape() as discriminator_tape:
            judged = loss_of(judge(real), 1.0) + loss_of(judge(fake), 0.0)
        learned = discriminator.trainable_variables
        discriminator_optimizer.apply(discriminator_tape.gradient(judged, learned), learned)
        # ... and the generator to be taken for real.
        fooled = loss_of(judge(fake), 1.0)
    learned = generator.trainable_variables
    generator_optimizer.apply(generator_tape.gradient(fooled, learned), learned)
    return fooled, judged


# 4. Show what is drawn.
def draw(count: int) -> np.ndarray:
    """Return the pictures of the first noises: (count, 64)."""
    return generator(always_the_same[:count], training=False).numpy()


def board(drawn: np.ndarray, caption: str) -> stepscope.Image:
    """Return 25 pictures as one, five in a row, with grey lines between them."""
    framed = np.pad(
        (drawn.reshape(5, 5, 8, 8) + 1) / 2, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=0.4
    )
    return stepscope.Image(framed.transpose(0, 2, 1, 3).reshape(50, 50), caption=caption)


def quality() -> tuple[float, int]:
    """Return the part of 1,000 pictures that are surely digits (90 %), and how many classes are drawn."""
    chances = reader.predict_proba(draw(1000))
    sure = chances.max(1) >= 0.9
    drawn_often = np.bincount(chances.argmax(1)[sure], minlength=10) >= 10
    return float(sure.mean()), int(drawn_often.sum())


# 5. Train.
run = stepscope.init(project="gan", name="gan-keras", config=vars(options), store=options.store)
for name in ("sure_digits", "classes_drawn"):
    run.define_metric(name, goal="maximize")
of_generator = TensorFlowTracker(run, generator, generator_optimizer, name="generator")
of_discriminator = TensorFlowTracker(run, discriminator, discriminator_optimizer, name="discriminator")
for epoch in tqdm(range(1, options.epochs + 1), unit="epoch"):
    blur = tf.constant(0.3 * (1 - epoch / options.epochs))  # a tensor: of a number, a graph is made for each
    for real in batches:
        fooled, judged = train_step(real, blur)
        of_discriminator.end_step({"loss/discriminator": judged}, samples=len(real))
        of_generator.end_step({"loss/generator": fooled}, samples=len(real))
    run.log({"drawn": board(draw(25), f"epoch {epoch}"), "epoch": epoch})
    if epoch % 10 == 0 or epoch == options.epochs:
        sure, classes = quality()
        run.log({"sure_digits": sure, "classes_drawn": classes})


# 6. Report how good the drawings are.
run.summary.update(sure_digits=sure, classes_drawn=classes)
run.finish()
print(f"generator {float(fooled):.3f}, discriminator {float(judged):.3f}")
print(f"{sure:.0%} of the drawings are surely digits, of {classes} classes")
