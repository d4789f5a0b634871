"""Which class is it? Asked of a text."""

from collections.abc import Callable

import numpy as np

from threefold.datasets.dataset import Source
from threefold.tasks.classification import Classification
from threefold.tasks.inputs.text_inputs import TextInputs


class TextClassification(Classification, TextInputs):
    """Documents in, the probability of every class out."""

    name = "text_classification"

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Fit a logistic regression on weighted counts of words and pairs of words."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        examples = train[np.arange(len(train))]
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        model = make_pipeline(words, LogisticRegression(C=10, max_iter=1000))
        try:
            model.fit(list(examples["text"]), examples["label"])
        except ValueError:  # of texts without two words in common
            return {}

        def answer(examples) -> np.ndarray:
            found = np.zeros((len(examples["label"]), len(self.facts.class_names)))
            found[:, model.classes_] = model.predict_proba(list(examples["text"]))
            return found

        return {"TF-IDF and logistic regression": self.evaluated(answer)}


TASK = TextClassification
