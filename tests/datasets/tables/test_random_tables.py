"""Whatever a table holds, it is read as it was written."""

import csv
import datetime

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tables import everything

from threefold.datasets import loading

cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(width=32, allow_nan=False, allow_infinity=False) | st.none(),
            st.booleans(),
            st.dates(),
            cells.map(lambda text: "word " + text),
        ),
        min_size=6,
        max_size=20,
    )
)
def test_random_tables_come_back_from_csv(tmp_path_factory, rows):
    frame = pd.DataFrame(rows, columns=["number", "flag", "day", "word"])
    frame = pd.concat([frame, frame], ignore_index=True)  # so that no word is but a name
    frame["found_target"] = ["a", "b"] * len(rows)
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    frame.to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC)
    explicit = {"numeric": "number,flag", "dates": "day", "categorical": "word"}
    dataset = loading.load(str(path), explicit)
    numeric = everything(dataset, "numeric")
    np.testing.assert_array_equal(numeric, frame[["number", "flag"]].astype(np.float32).to_numpy())
    days = [(day - datetime.date(1970, 1, 1)).days for day in frame.day]
    np.testing.assert_array_equal(everything(dataset, "dates")[:, 0], np.float32(days))
    vocabulary = dataset.facts.categorical[0].vocabulary
    ids = everything(dataset, "categorical")[:, 0]
    written = frame.word.str.strip()
    train = set(written[dataset.splits["train"].rows])
    assert set(vocabulary) == train
    for word, found in zip(written, ids, strict=True):
        assert (vocabulary[found - 1] == word) if found else (word not in train)
    assert [dataset.facts.class_names[label] for label in everything(dataset, "label")] == (
        frame.found_target.tolist()
    )
