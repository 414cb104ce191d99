"""A tiny language model learns to count, under Hugging Face's Trainer with Stepscope's callback.

    python sample_runs/transformer_pytorch.py
    stepscope ui

sample_runs/transformer_keras.py does the same in Keras: the same network, texts, optimiser and first weights'
distribution, but for what comes out of attention, which GPT-2 begins smaller. The model is made from a
config, so nothing is downloaded. A text is a row of numbers that goes up by a fixed amount, modulo 64. The
Trainer measures accuracy on validation data alone; Keras on both.
"""

from __future__ import annotations

import argparse
import tempfile

import numpy as np
import torch
from transformers import (
    EvalPrediction,
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

import stepscope
from stepscope.trackers.transformers import StepscopeCallback

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

set_seed(options.seed)
torch.set_num_threads(1)  # so small a network gains nothing from more, and loses when other programs run
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")


# 1. and 2. Get the data and prepare it: every beginning with every amount, 256 texts of 16 words; 80 % to
# train on, 10 % to validate, 10 % to test. The second word of a text is anyone's guess, the others are not.
first, amount = np.divmod(np.random.default_rng(0).permutation(WORDS * AMOUNTS), AMOUNTS)
texts = (first[:, None] + (amount[:, None] + 1) * np.arange(LENGTH)) % WORDS
train, val, test = texts[:204], texts[204:230], texts[230:]


def rows(of: np.ndarray) -> list[dict[str, torch.Tensor]]:
    """Return texts as a Trainer wants them: the model itself compares each word with the one before."""
    return [{"input_ids": torch.from_numpy(text), "labels": torch.from_numpy(text)} for text in of]


# 3. Define the model.
config = GPT2Config(
    vocab_size=WORDS,
    n_positions=LENGTH,
    n_embd=WIDTH,
    n_layer=BLOCKS,
    n_head=HEADS,
    activation_function="gelu",
    initializer_range=0.1,
    bos_token_id=0,
    eos_token_id=None,
    tie_word_embeddings=False,
)
model = GPT2LMHeadModel(config)


# 4. and 5. The loss is the model's own, AdamW and clipping are the Trainer's; define the metric.
def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    """Return the part of the next words that were said right."""
    said, texts = prediction.predictions[:, :-1], prediction.label_ids[:, 1:]
    return {"accuracy": float((said == texts).mean())}


class ShowTexts(TrainerCallback):
    """Lets the model go on with some texts after each validation."""

    def on_evaluate(self, *_: object, **__: object) -> None:
        """Log four texts, of which the model was given four words."""
        begun = torch.from_numpy(val[:4, :4]).to(model.device)
        model.eval()
        said = model.generate(begun, max_length=LENGTH, do_sample=False, pad_token_id=0).tolist()
        run.log({"texts": stepscope.Text("\n\n".join(f"{text[:4]} goes on {text[4:]}" for text in said))})


@torch.no_grad()
def evaluate(of: np.ndarray) -> tuple[float, float]:
    """Return the mean loss and the accuracy over all of some texts."""
    words = torch.from_numpy(of).to(model.device)
    model.eval()
    found = model(input_ids=words, labels=words)
    right = found.logits[:, :-1].argmax(-1) == words[:, 1:]
    return found.loss.item(), right.float().mean().item()


# 6. Train.
run = stepscope.init(
    project="transformer", name="transformer-pytorch", config=vars(options), store=options.store
)
with tempfile.TemporaryDirectory() as folder:
    trainer = Trainer(
        model,
        TrainingArguments(
            output_dir=folder,
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            lr_scheduler_type="constant",
            logging_steps=1,
            eval_strategy="epoch",
            save_strategy="no",
            use_cpu=options.device == "cpu",
            seed=options.seed,
            report_to=[],
        ),
        train_dataset=rows(train),
        eval_dataset=rows(val),
        compute_metrics=accuracy,
        preprocess_logits_for_metrics=lambda logits, _labels: logits.argmax(-1),
        callbacks=[StepscopeCallback(run), ShowTexts()],
    )
    trainer.train()


# 7. Report on train and test data.
for split, of in (("train", train), ("test", test)):
    mean_loss, part_right = evaluate(of)
    run.summary[f"{split}_loss"] = mean_loss
    run.summary[f"{split}_accuracy"] = part_right
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
run.log({"loss/test": mean_loss, "accuracy/test": part_right})
run.finish()
