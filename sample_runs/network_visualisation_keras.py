"""What a network has learned, made visible in three ways: saliency maps, fooling images, ideal classes.

    python sample_runs/network_visualisation_keras.py
    stepscope ui

sample_runs/network_visualisation_pytorch.py does the same in PyTorch. All three ask for the gradient of a
score with respect to the pixels instead of the weights. Methods: Simonyan et al. 2013 (saliency, class
visualisation), Szegedy et al. 2013 (fooling images). On the Media page one slider goes through the training,
then the fooling, then the visualising. What Keras logs of a batch in training is the mean of the epoch so
far; the twin logs each batch by itself.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC
from tqdm import tqdm

import stepscope
from stepscope.trackers.keras import KerasTracker, log_saliency

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--climb", type=int, default=100, help="steps that a picture is changed for")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
tf.config.threading.set_intra_op_parallelism_threads(1)  # so small a network gains nothing from more
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


# 1. Get the data: 1,797 digits of 8x8 pixels, scaled to 0..1; 80 % to train on, 20 % to test.
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[..., None]  # channels last
x_train, x_test, y_train, y_test = train_test_split(
    pixels, digits.target, train_size=0.8, stratify=digits.target, random_state=options.seed
)


# 2. Define the model. It learns from noisy pictures: its gradients then show strokes, not single pixels.
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.GaussianNoise(0.2, name="noise"),
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
    metrics=["accuracy"],
)


# 3. Train. Saliency: which pixels of a digit decide, as the network learns to see.
run = stepscope.init(
    project="network-visualisation", name="visualised-keras", config=vars(options), store=options.store
)
look = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: log_saliency(run, model, x_test[:5]))
model.fit(x_train, y_train, batch_size=32, epochs=options.epochs, callbacks=[KerasTracker(run), look])
for split, of in (("train", (x_train, y_train)), ("test", (x_test, y_test))):
    mean_loss, part_right = model.evaluate(*of, verbose=0)
    run.summary[f"{split}_loss"], run.summary[f"{split}_accuracy"] = mean_loss, part_right
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
run.log({"test_loss": mean_loss, "test_accuracy": part_right}, step=run.step)


# 4. Change pixels instead of weights.
@tf.function
def towards(x: tf.Tensor, targets: tf.Tensor, decay: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return how likely pictures (n, 8, 8, 1) are of classes (n,), and the directions that make them so.

    `decay` says how much bright pixels are held back.
    """
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = model(x, training=False)
        goal = tf.reduce_sum(tf.gather(logits, targets, batch_dims=1)) - decay * tf.reduce_sum(x**2)
    gradient = tape.gradient(goal, x)
    scores = tf.gather(tf.nn.softmax(logits), targets, batch_dims=1)
    return scores, gradient / tf.maximum(tf.norm(gradient, axis=(1, 2), keepdims=True), 1e-8)


def climb(
    name: str, start: np.ndarray, classes: range, *, rate: float, decay: float = 0.0, enough: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Change pictures until the network takes them for classes; log them on the way, as `name`.

    Args:
        name: of the series of images.
        start: pictures (n, 8, 8, 1), from 0 to 1.
        classes: what each is to become.
        rate: how far a step goes.
        decay: how much bright pixels are held back.
        enough: the probability at which a picture is left as it is; above 1, none is.

    Returns:
        The pictures, and how likely the network finds their classes.
    """
    begin, x, targets = run.step, tf.constant(start), tf.constant(list(classes))
    for step in tqdm(range(options.climb + 1), desc=name, unit="step"):
        scores, direction = towards(x, targets, tf.constant(decay))
        if step % 5 == 0:
            shown = zip(x.numpy(), classes, scores.numpy(), strict=True)
            images = [stepscope.Image(each, caption=f"a {of}: {score:.0%}") for each, of, score in shown]
            run.log({name: images, f"{name}_score": tf.reduce_mean(scores)}, step=begin + step)
        if step < options.climb:
            going = tf.cast(scores < enough, tf.float32)[:, None, None, None]
            x = tf.clip_by_value(x + rate * direction * going, 0.0, 1.0)
    return x.numpy(), scores.numpy()


# Fooling: small changes to a 0 that make the network read another digit.
zero = x_test[y_test == 0][:1]
fooling, fooling_scores = climb("fooling", zero.repeat(9, 0), range(1, 10), rate=0.03, enough=0.9)
# Class visualisation: from noise, the same in both frameworks, to what the network takes for the ideal digit.
noise = 0.1 * np.random.default_rng(options.seed).random((10, 8, 8, 1), "float32")
ideal, ideal_scores = climb("class_visualisation", noise, range(10), rate=0.2, decay=0.5)


# 5. Report how well it went, and what a classifier says that knows nothing of the network.
other = SVC(random_state=options.seed).fit(x_train.reshape(-1, 64), y_train)
run.summary["fooled_of_9"] = int((fooling_scores >= 0.9).sum())
run.summary["fooled_other_classifier_of_9"] = int((other.predict(fooling.reshape(-1, 64)) != 0).sum())
run.summary["fooling_change_of_a_pixel"] = float(np.abs(fooling - zero).mean())
run.summary["visualised_of_10"] = int((ideal_scores >= 0.9).sum())
run.summary["visualised_read_by_other_of_10"] = int((other.predict(ideal.reshape(-1, 64)) == range(10)).sum())
run.finish()
print(f"fooled: {(fooling_scores >= 0.9).sum()} of 9, visualised: {(ideal_scores >= 0.9).sum()} of 10")
