"""What does it become? Asked of a text that has a counterpart in another language or spelling."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from threefold.datasets.dataset import Source
from threefold.datasets.ragged import pad
from threefold.datasets.texts.tokenizing import END, decode, encode
from threefold.tasks.decoding import error_rate
from threefold.tasks.figure import Figure
from threefold.tasks.sequence_to_sequence import (
    ATTENTION,
    SequenceToSequence,
    exact_match,
    take_best,
)
from threefold.tasks.task import Arrays


class Translation(SequenceToSequence):
    """Texts in, their counterparts out."""

    name = "translation"
    figures = (
        ATTENTION,
        Figure(
            "texts.errors_by_length",
            "How many of the true tokens it takes to fix the answers, by the length of the true "
            "answer. The bars say how many there are of each length.",
            ("tokens",),
            ("target",),
        ),
    )
    primary_metric = "exact_match"

    @property
    def summary_metrics(self) -> tuple[str, ...]:
        """The metrics that matter: of spellings the errors, of words also BLEU."""
        rates = ("phoneme_error_rate", "word_error_rate")
        return rates if self.facts.unit == "phoneme" else ("bleu", "chrf", "exact_match")

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Take the source for the target, and the commonest target of all."""
        targets = Counter(train[np.arange(len(train))]["target_text"])
        commonest = targets.most_common(1)[0][0]

        def evaluated(write: Callable[[Arrays], Sequence[str]]):
            def compute_baseline_metrics(source: Source) -> dict[str, float]:
                examples = source[np.arange(len(source))]
                tokens = encode(self.facts.target_tokenizer, list(write(examples)))
                found = [np.append(row, END) for row in tokens[np.arange(len(tokens))]]
                found = pad(found, max(map(len, found)), np.int64)[:, None]
                metrics = self.compute_metrics({"tokens": found}, self.truth(examples))
                names = dict.fromkeys((*self.summary_metrics, self.primary_metric))
                return {name: metrics[name] for name in names}

            return compute_baseline_metrics

        return {
            "the source itself": evaluated(lambda examples: examples["source_text"]),
            "commonest target": evaluated(lambda e: [commonest] * len(e["source_text"])),
        }

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return error rates of phonemes and words, or BLEU (Papineni et al. 2002) and chrF
        (Popović 2015) of the whole split, and how many texts are right to the letter.
        """
        found, wanted = take_best(predictions, truth)
        same = exact_match(found, wanted)
        if self.facts.unit == "phoneme":
            rate = error_rate(found, wanted)
            return {"phoneme_error_rate": rate, "word_error_rate": 1 - same, "exact_match": same}
        import sacrebleu

        texts = decode(self.facts.target_tokenizer, found)
        references = [decode(self.facts.target_tokenizer, wanted)]
        return {
            "bleu": float(sacrebleu.corpus_bleu(texts, references).score),
            "chrf": float(sacrebleu.corpus_chrf(texts, references).score),
            "exact_match": same,
        }


TASK = Translation
