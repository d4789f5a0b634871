"""Tagged words and pairs of texts of `hf:` and `tfds:`."""

import re

import datasets as hf
import pytest
import tensorflow_datasets as tfds
from small_hubs import NEWS, PAIRS, TAGS, TEXTS, news, pairs, sizes, whole

from threefold.core.errors import UserError
from threefold.datasets import loading

pytestmark = pytest.mark.once


def test_words_come_with_the_tags_of_the_feature(read_saved):
    dataset = read_saved(NEWS, train=news(20), validation=news(4))
    assert dataset.task == "token_classification"
    assert dataset.facts.tagged
    assert dataset.facts.class_names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert sizes(dataset) == {"train": 17, "validation": 4, "test": 3}
    found = whole(dataset, "validation")
    assert found["words"][0][:2] == ("John", "Smith")
    names = [dataset.facts.class_names[tag] for tag in found["tags"][0] if tag >= 0]
    assert names == ["B-PER", "I-PER", "O", "B-LOC"]
    notes = " | ".join(dataset.notes)
    assert "predicts the ner_tags of tokens" in notes
    assert "columns ignored: pos_tags" in notes
    assert "of 20 sentences 15 % for test, seed 0" in notes


def test_tags_of_another_scheme_are_brought_to_bio(read_saved):
    single = news(20, ner_tags=[[2, 2, 0, 4]] * 20)
    dataset = read_saved(NEWS, train=single)
    assert "train: tags are in IOB1, brought to BIO" in dataset.notes
    tags = whole(dataset, "test")["tags"][0]
    assert [dataset.facts.class_names[t] for t in tags if t >= 0] == TAGS[1:3] + ["O", "B-LOC"]


def test_sentences_without_words_or_tags_are_left_out_and_counted(read_saved):
    rows = news(20)
    rows["tokens"][0], rows["ner_tags"] = [], [[]] + [[1, 2, 0, 3]] * 17 + [[-1] * 4] * 2
    dataset = read_saved(NEWS, train=rows, test=news(3, ner_tags=[[-1] * 4] * 3))
    assert sum(sizes(dataset).values()) == 17
    notes = " | ".join(dataset.notes)
    assert "train: left out without all tags: 2 of 20 sentences" in notes
    assert "train: left out as empty: 1 of 20 sentences" in notes
    assert "test: left out without all tags: 3 of 3 sentences" in notes
    assert "of 17 sentences 15 % for validation and 15 % for test" in notes


def test_tagged_words_that_cannot_be_used_are_refused(refuse_saved, read_saved):
    unequal = [[1, 2, 0]] + [[1, 2, 0, 3]] * 19
    message = refuse_saved(NEWS, train=news(20, ner_tags=unequal))
    assert ": 4 words and 3 tags; expected a tag for each word" in message
    assert "train, row " in message
    explicit = {"tags": "pos_tags"}
    message = refuse_saved(NEWS, None, None, explicit, train=news(20))
    assert "row 0, word 1: 'N' is no tag in BIO" in message
    assert "'tokens' is no tag" not in message
    message = refuse_saved(NEWS, None, None, {"tokens": "ner_tags"}, train=news(20))
    assert "column 'ner_tags' of " in message and "holds no lists of words" in message
    hidden = news(20, ner_tags=[[-1] * 4] * 20)
    assert "no row of train has words and their ner_tags" in refuse_saved(NEWS, train=hidden)
    facts = read_saved(NEWS, train=news(20, ner_tags=[[0, 0, 0, 3]] * 20)).facts
    message = refuse_saved(NEWS, "token_classification", facts, test=news(4))
    assert "row 0, word 1: the tag 'B-PER' is none of the run's" in message


def test_a_test_split_alone_serves_a_run(read_saved):
    facts = read_saved(NEWS, train=news(20)).facts
    dataset = read_saved(NEWS, "token_classification", facts, test=news(4))
    assert sizes(dataset) == {"test": 4} and dataset.facts == facts
    prose = read_saved(
        {"text": TEXTS}, options={"context": "8"}, train={"text": ["some text"] * 30}
    )
    other = read_saved(
        {"text": TEXTS}, "text_generation", prose.facts, test={"text": ["text"] * 30}
    )
    assert other.facts == prose.facts and list(other.splits) == ["test"]


def test_tags_may_be_words_themselves(tmp_path):
    rows = {"words": [["Rome", "is"]] * 12, "tags": [["B-LOC", "O"]] * 12, "id": list(range(12))}
    hf.Dataset.from_dict(rows).save_to_disk(tmp_path / "saved")
    dataset = loading.load(str(tmp_path / "saved"))
    assert dataset.task == "token_classification"
    assert dataset.facts.class_names == ("O", "B-LOC", "I-LOC")


def test_sources_and_targets_are_known_by_their_names(read_saved):
    dataset = read_saved(PAIRS, train=pairs(20), validation=pairs(3))
    assert dataset.task == "translation"
    assert sizes(dataset) == {"train": 17, "validation": 3, "test": 3}
    for split in dataset.splits:
        found = whole(dataset, split)
        for source, target in zip(found["source_text"], found["target_text"], strict=True):
            assert source.split()[1] == target.split()[1]
    notes = " | ".join(dataset.notes)
    assert "23 pairs: 'target' of 'source'" in notes
    assert "of 20 pairs 15 % for test, seed 0" in notes
    turned = read_saved(PAIRS, options={"source": "target", "target": "source"}, train=pairs())
    assert whole(turned, "test")["target_text"][0].startswith("word")


def test_a_source_is_in_one_split_with_all_its_targets(read_saved):
    rows = {"source": [f"w{i % 10}" for i in range(40)], "target": [f"t{i}" for i in range(40)]}
    dataset = read_saved(PAIRS, train=rows)
    found = [set(whole(dataset, split)["source_text"]) for split in dataset.splits]
    assert sum(map(len, found)) == 10 and sum(sizes(dataset).values()) == 40


def test_pairs_with_an_empty_side_are_refused_by_row_or_left_out(read_saved, refuse_saved):
    rows = pairs()
    rows["target"][4] = " "
    message = refuse_saved(PAIRS, train=rows)
    assert "train, row " in message and ": the target is empty; fill it" in message
    dataset = read_saved(PAIRS, options={"skip_empty": "true"}, train=rows)
    assert "train: left out with an empty side: 1 of 20 pairs" in dataset.notes
    assert sum(sizes(dataset).values()) == 19
    empty = {"source": [""] * 4, "target": ["x"] * 4}
    assert "holds no pairs to train on" in refuse_saved(
        PAIRS, None, None, {"skip_empty": "true"}, train=empty
    )


LANGUAGES = [{"de": f"Haus {i}", "en": f"house {i}"} for i in range(20)]


def translations(library, root, typed=True):
    if library == "tfds":
        tfds.dataset_builders.store_as_tfds_dataset(
            "saved",
            "1.0.0",
            features=tfds.features.Translation(languages=["de", "en"]),
            split_datasets={"train": list(enumerate(LANGUAGES))},
            data_dir=root,
            file_format="array_record",
        )
        return "tfds:saved", {"data_dir": str(root)}
    features = {"id": hf.Value("string"), "translation": hf.Translation(languages=["de", "en"])}
    rows = {"id": [str(i) for i in range(20)], "translation": LANGUAGES}
    table = hf.Dataset.from_dict(rows, hf.Features(features) if typed else None)
    table.save_to_disk(root / "saved")
    return str(root / "saved"), {}


@pytest.mark.parametrize(("library", "typed"), [("hf", True), ("hf", False), ("tfds", True)])
def test_the_languages_of_a_translation_are_columns(library, typed, tmp_path):
    reference, options = translations(library, tmp_path, typed)
    dataset = loading.load(reference, options)
    assert dataset.task == "translation"
    assert "20 pairs: 'en' of 'de'" in dataset.notes
    for explicit in ({"source": "en", "target": "de"}, {"source": "en"}, {"target": "de"}):
        turned = loading.load(reference, options | explicit)
        found = whole(turned, "test")
        assert found["source_text"][0].startswith("house")
        assert found["target_text"][0].startswith("Haus")
    with pytest.raises(UserError, match="column 'de' of .* is both source and target"):
        loading.load(reference, options | {"source": "de", "target": "de"})
    with pytest.raises(UserError, match="no column 'fr'"):
        loading.load(reference, options | {"source": "fr"})


COMPARED = {"premise": TEXTS, "hypothesis": TEXTS, "label": ["no", "yes"], "note": TEXTS}


def compared(count, **changes):
    rows = range(count)
    cells = {
        "premise": [f"a dog runs {row}" for row in rows],
        "hypothesis": [f"an animal moves {row}" for row in rows],
        "label": [row % 2 for row in rows],
        "note": ["nothing"] * count,
    }
    return cells | changes


def test_pairs_with_a_class_are_compared(read_saved):
    dataset = read_saved(COMPARED, train=compared(20), validation=compared(4))
    assert dataset.task == "text_pair_classification"
    assert dataset.facts.class_names == ("no", "yes")
    assert dataset.facts.columns == ("premise", "hypothesis")
    assert sizes(dataset) == {"train": 17, "validation": 4, "test": 3}
    found = whole(dataset, "validation")
    together = zip(found["first_text"], found["second_text"], found["label"], strict=True)
    assert set(together) == {  # TFDS keeps rows in an order of its own
        (f"a dog runs {row}", f"an animal moves {row}", row % 2) for row in range(4)
    }
    notes = " | ".join(dataset.notes)
    assert "taken for text_pair_classification by its columns" in notes
    assert "columns ignored: note" in notes
    assert "predicts label (2 classes) of premise and hypothesis: 17 train" in notes


def test_one_column_of_compared_texts_can_be_read_alone(read_saved):
    dataset = read_saved(COMPARED, options={"text": "premise"}, train=compared(20))
    assert dataset.task == "text_classification"


def test_columns_to_be_compared_are_told_and_empty_sides_left_out(read_saved, refuse_saved):
    explicit = {"first": "note", "second": "hypothesis", "skip_empty": "true"}
    empty = compared(20, note=[""] + ["something"] * 19)
    dataset = read_saved(COMPARED, options=explicit, train=empty)
    assert dataset.facts.columns == ("note", "hypothesis")
    assert sum(sizes(dataset).values()) == 19
    message = refuse_saved(COMPARED, None, None, {"first": "note", "second": "label"}, train=empty)
    assert "column 'label' of " in message and "holds no texts" in message
    message = refuse_saved(COMPARED, None, None, explicit | {"skip_empty": "false"}, train=empty)
    assert re.search(r"train, row \d+: the first text is empty", message)
