"""A tiny language model learns to count, under Hugging Face's Trainer with Stepscope's callback.

    python sample_runs/transformer_pytorch.py
    stepscope ui

sample_runs/transformer_keras.py does the same in Keras. The model is made from a config, so nothing is
downloaded. A text is a row of numbers that goes up by a fixed amount, modulo 32; the model sees the
beginning.
"""

from __future__ import annotations

import argparse
import tempfile

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

import stepscope
from stepscope.trackers.transformers import StepscopeCallback

WORDS, LENGTH = 32, 16

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
torch.set_num_threads(1)
set_seed(options.seed)

# Every beginning with every amount: 1,024 texts, of which a fifth is kept for validation.
first, amount = np.divmod(np.random.default_rng(0).permutation(WORDS * WORDS), WORDS)
texts = (first[:, None] + amount[:, None] * np.arange(LENGTH)) % WORDS
rows = [{"input_ids": torch.from_numpy(text), "labels": torch.from_numpy(text)} for text in texts]

config = GPT2Config(
    vocab_size=WORDS,
    n_positions=LENGTH,
    n_embd=64,
    n_layer=2,
    n_head=4,
    bos_token_id=0,
    eos_token_id=0,
    tie_word_embeddings=False,  # as in the twin
    initializer_range=0.1,
)
model = GPT2LMHeadModel(config)

with (
    tempfile.TemporaryDirectory() as folder,
    stepscope.init(
        project="transformer", name="transformer-pytorch", config=vars(options), store=options.store
    ) as run,
):
    arguments = TrainingArguments(
        output_dir=folder,
        num_train_epochs=options.epochs,
        per_device_train_batch_size=32,
        learning_rate=3e-3,
        lr_scheduler_type="constant",
        logging_steps=5,
        eval_strategy="epoch",
        save_strategy="no",
        use_cpu=options.device == "cpu",
        seed=options.seed,
        report_to=[],
    )
    trainer = Trainer(
        model,
        arguments,
        train_dataset=rows[:820],
        eval_dataset=rows[820:],
        callbacks=[StepscopeCallback(run)],
    )
    trainer.train()
    print(f"validation loss {trainer.evaluate()['eval_loss']:.3f}")
