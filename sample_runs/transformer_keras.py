"""A tiny language model learns to count, in Keras: the network of GPT-2, from Keras' own layers.

    python sample_runs/transformer_keras.py
    stepscope ui

sample_runs/transformer_pytorch.py does the same under Hugging Face's Trainer, whose newer versions have no
models for TensorFlow: the same network, texts, optimiser and first weights' distribution, but for what comes
out of attention: GPT-2 begins it smaller, Keras' layer has one distribution for all it holds. A text is a row
of numbers that goes up by a fixed amount, modulo 64. What Keras logs of a batch in training is the mean of
the epoch so far; the Trainer logs each batch by itself.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import stepscope
from stepscope.trackers.keras import KerasTracker

WORDS, AMOUNTS, LENGTH = 64, 4, 16
WIDTH, HEADS, BLOCKS = 64, 4, 2

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--learning-rate", type=float, default=3e-3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
tf.config.threading.set_intra_op_parallelism_threads(1)  # as in the twin
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


# 1. and 2. Get the data and prepare it: every beginning with every amount, 256 texts of 16 words; 80 % to
# train on, 10 % to validate, 10 % to test. The second word of a text is anyone's guess, the others are not.
first, amount = np.divmod(np.random.default_rng(0).permutation(WORDS * AMOUNTS), AMOUNTS)
texts = (first[:, None] + (amount[:, None] + 1) * np.arange(LENGTH)) % WORDS
train, val, test = texts[:204], texts[204:230], texts[230:]


def rows(of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return texts as model.fit wants them: the words seen, and what is to be said at each, the next one."""
    return of[:, :-1], of[:, 1:]


# 3. Define the model.
class Positions(layers.Layer):
    """Adds to each place what the model learns of it."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002 - Keras' signature
        """Make a vector for each place."""
        self.places = self.add_weight(shape=(LENGTH, WIDTH), initializer=normal(), name="places")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return x (n, length, width) with the places added."""
        return x + self.places[: tf.shape(x)[1]]


def normal(part: float = 1.0) -> keras.initializers.Initializer:
    """Return the distribution of first weights."""
    return keras.initializers.RandomNormal(stddev=0.1 * part)


def block(x: keras.KerasTensor, number: int) -> keras.KerasTensor:
    """Return what a block of GPT-2 makes: attention to what came before, then two dense layers."""
    name = f"block{number}"
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_ln1")(x)
    attention = layers.MultiHeadAttention(
        HEADS, WIDTH // HEADS, dropout=0.1, kernel_initializer=normal(), name=f"{name}_attention"
    )
    x = x + layers.Dropout(0.1)(attention(y, y, use_causal_mask=True))
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_ln2")(x)
    y = layers.Dense(4 * WIDTH, activation="gelu", kernel_initializer=normal(), name=f"{name}_fc")(y)
    # What is added to the row is begun smaller, the smaller the more blocks there are.
    smaller = normal((2 * BLOCKS) ** -0.5)
    return x + layers.Dropout(0.1)(layers.Dense(WIDTH, kernel_initializer=smaller, name=f"{name}_proj")(y))


words = keras.Input((None,), dtype="int32")
x = layers.Embedding(WORDS, WIDTH, embeddings_initializer=normal(), name="wte")(words)
x = layers.Dropout(0.1)(Positions(name="wpe")(x))
for number in range(BLOCKS):
    x = block(x, number)
x = layers.LayerNormalization(epsilon=1e-5, name="ln_f")(x)
model = keras.Model(
    words, layers.Dense(WORDS, use_bias=False, kernel_initializer=normal(), name="lm_head")(x)
)


# 4. and 5. Define the loss, the optimiser and the metric.
model.compile(
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    optimizer=keras.optimizers.AdamW(
        options.learning_rate, weight_decay=0.0, epsilon=1e-8, global_clipnorm=1.0
    ),
    metrics=["accuracy"],
)


def show_texts(*_: object) -> None:
    """Log four texts, of which the model was given four words."""
    said = val[:4, :4]
    while said.shape[1] < LENGTH:
        following = model(said, training=False)[:, -1].numpy().argmax(-1)
        said = np.column_stack([said, following])
    lines = [f"{text[:4]} goes on {text[4:]}" for text in said.tolist()]
    run.log({"texts": stepscope.Text("\n\n".join(lines))})


# 6. Train.
run = stepscope.init(
    project="transformer", name="transformer-keras", config=vars(options), store=options.store
)
model.fit(
    *rows(train),
    batch_size=options.batch_size,
    epochs=options.epochs,
    validation_data=rows(val),
    callbacks=[KerasTracker(run), keras.callbacks.LambdaCallback(on_epoch_end=show_texts)],
)


# 7. Report on train and test data.
for split, of in (("train", train), ("test", test)):
    mean_loss, part_right = model.evaluate(*rows(of), verbose=0)
    run.summary[f"{split}_loss"] = mean_loss
    run.summary[f"{split}_accuracy"] = part_right
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
run.log({"loss/test": mean_loss, "accuracy/test": part_right})
run.finish()
