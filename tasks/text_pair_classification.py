"""How do two texts stand to one another? Asked of pairs: entailment, paraphrase, match."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from threefold.datasets.dataset import Source
from threefold.tasks.classification import Classification
from threefold.tasks.inputs.text_inputs import TextInputs


class TextPairClassification(Classification, TextInputs):
    """Two texts in, the probability of every class out."""

    name = "text_pair_classification"
    texts: ClassVar[dict[str, str]] = {"first": "first_time", "second": "second_time"}
    dynamic_axes = ("first", "second")

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Fit a logistic regression on weighted counts of the words of both, and of common ones."""
        from scipy import sparse
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        examples = train[np.arange(len(train))]
        words = TfidfVectorizer(min_df=2, sublinear_tf=True)
        try:
            words.fit([*examples["first_text"], *examples["second_text"]])
        except ValueError:  # of texts without two words in common
            return {}

        def features(examples):
            one, other = (words.transform(list(examples[f"{side}_text"])) for side in self.texts)
            common = one.multiply(other)
            return sparse.hstack([one, other, common, common.sum(axis=1)]).tocsr()

        model = LogisticRegression(C=10, max_iter=1000)
        model.fit(features(examples), examples["label"])

        def answer(examples) -> np.ndarray:
            found = np.zeros((len(examples["label"]), len(self.facts.class_names)))
            found[:, model.classes_] = model.predict_proba(features(examples))
            return found

        return {"TF-IDF of both and logistic regression": self.evaluated(answer)}


TASK = TextPairClassification
