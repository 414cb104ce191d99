"""A tiny language model learns to count, in Keras: the same network as GPT-2's, from Keras' own layers.

    python sample_runs/transformer_keras.py
    stepscope ui

sample_runs/transformer_pytorch.py does the same under Hugging Face's Trainer, whose newer versions have no
models for TensorFlow. A text is a row of numbers that goes up by a fixed amount, modulo 32; the model sees
the beginning.
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

WORDS, LENGTH, WIDTH, HEADS, BLOCKS = 32, 16, 64, 4, 2

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")
keras.utils.set_random_seed(options.seed)

# Every beginning with every amount: 1,024 texts, of which a fifth is kept for validation.
first, amount = np.divmod(np.random.default_rng(0).permutation(WORDS * WORDS), WORDS)
texts = (first[:, None] + amount[:, None] * np.arange(LENGTH)) % WORDS


class Positions(layers.Layer):
    """Adds to each place what the model learns of it."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002 - Keras' signature
        """Make a vector for each place."""
        self.places = self.add_weight(shape=(LENGTH, WIDTH), initializer="random_normal", name="places")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return x (n, length, width) with the places added."""
        return x + self.places[: tf.shape(x)[1]]


def block(x: keras.KerasTensor, number: int) -> keras.KerasTensor:
    """Return what a block of GPT-2 makes: attention to what came before, then two dense layers."""
    name = f"block{number}"
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_ln1")(x)
    attention = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, dropout=0.1, name=f"{name}_attention")
    x = x + layers.Dropout(0.1)(attention(y, y, use_causal_mask=True))
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_ln2")(x)
    y = layers.Dense(4 * WIDTH, activation="gelu", name=f"{name}_fc")(y)
    return x + layers.Dropout(0.1)(layers.Dense(WIDTH, name=f"{name}_proj")(y))


words = keras.Input((None,), dtype="int32")
x = layers.Dropout(0.1)(Positions(name="wpe")(layers.Embedding(WORDS, WIDTH, name="wte")(words)))
for number in range(BLOCKS):
    x = block(x, number)
x = layers.LayerNormalization(epsilon=1e-5, name="ln_f")(x)
model = keras.Model(words, layers.Dense(WORDS, use_bias=False, name="lm_head")(x))
model.compile(
    optimizer=keras.optimizers.AdamW(3e-3, weight_decay=0.0, global_clipnorm=1.0),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)

with stepscope.init(
    project="transformer", name="transformer-keras", config=vars(options), store=options.store
) as run:
    # Each place is to say the word at the next one.
    history = model.fit(
        texts[:820, :-1],
        texts[:820, 1:],
        validation_data=(texts[820:, :-1], texts[820:, 1:]),
        batch_size=32,
        epochs=options.epochs,
        callbacks=[KerasTracker(run)],
        verbose=2,
    )
print(f"validation loss {history.history['val_loss'][-1]:.3f}")
