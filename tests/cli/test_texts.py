"""Texts from the command line: classes, tags, translations, and what is written."""

import json

import pytest

pytestmark = pytest.mark.once


def test_a_line_is_a_text_and_keeps_its_place(task_run, run_cli):
    stdin = b"bread soup\ncloud river stone\n\nwheel\n"
    code, out, _ = run_cli("predict", task_run("text_classification"), "-", "--json", stdin=stdin)
    found = json.loads(out)
    assert [record["input"].rpartition(" ")[2] for record in found["predictions"]] == [
        "1", "2", "3", "4",
    ]  # fmt: skip
    labels = [record["label"] for record in found["predictions"]]
    assert labels.pop(2) is None and set(labels) <= {"food", "land", "car"}  # of a blank line
    assert code == 0 and not found["skipped"]


def test_blank_lines_have_a_row_in_tables_and_files(task_run, run_cli, tmp_path):
    run, stdin = task_run("text_classification"), b"\nbread soup\n \n\nwheel\n\n"
    code, out, _ = run_cli("predict", run, "-", stdin=stdin)
    assert code == 0 and [line.split()[:4] for line in out.splitlines()[1:]] == [
        ["standard", "input", "line", str(number)] for number in range(1, 7)
    ]
    path = tmp_path / "found.csv"
    run_cli("predict", run, "-", "--output", str(path), stdin=stdin)
    lines = path.read_text().splitlines()
    assert len(lines) == 7 and lines[0].startswith("input,label")
    assert lines[1].strip(",") == "standard input line 1"
    code, out, _ = run_cli("predict", run, "-", "--json", stdin=b"\n")
    assert json.loads(out)["predictions"] == [{"input": "standard input line 1"}]


def test_a_blank_line_keeps_its_place_among_translations_and_tags(task_run, run_cli):
    for task in ("translation", "token_classification"):
        _, out, _ = run_cli("predict", task_run(task), "-", "--json", stdin=b"abc\n\nea\n")
        records = json.loads(out)["predictions"]
        assert [record["input"][-1] for record in records] == ["1", "2", "3"]
        assert not any(records[1][name] for name in records[1] if name != "input")


def test_every_word_gets_its_tag(task_run, run_cli):
    stdin = b"bread, cheese pie soup\n"
    code, out, _ = run_cli("predict", task_run("token_classification"), "-", "--json", stdin=stdin)
    (record,) = json.loads(out)["predictions"]
    words = [text.rpartition("/")[0] for text in record["tagged"]]
    assert code == 0 and words == ["bread", ",", "cheese", "pie", "soup"]
    tags = [text.rpartition("/")[2] for text in record["tagged"]]
    assert set(tags) <= {"O", "B-FOOD", "I-FOOD", "B-LAND", "I-LAND"}
    for span in record["spans"]:
        assert span["text"].split() == words[span["start"] : span["stop"]]
        assert span["text"] == stdin.decode()[span["start_char"] : span["end_char"]]


def test_a_translation_comes_with_others_that_are_less_probable(task_run, run_cli):
    code, out, _ = run_cli("predict", task_run("translation"), "-", "--json", stdin=b"abc\nea\n")
    records = json.loads(out)["predictions"]
    assert code == 0 and len(records) == 2
    for record in records:
        scores = [record["score"], *(other["score"] for other in record["alternatives"])]
        assert scores == sorted(scores, reverse=True) and len(scores) == 4
        texts = [record["text"], *(other["text"] for other in record["alternatives"])]
        assert len(set(texts)) == 4


def test_a_file_is_one_document_and_gets_one_summary(task_run, run_cli, in_tmp):
    (in_tmp / "news.txt").write_text("bread soup.\n\ncloud river stone 7.\n", encoding="utf-8")
    (in_tmp / "news.jsonl").write_text('{"document": "river"}\n{"document": " "}', encoding="utf-8")
    words = ("predict", task_run("summarization"), "news.txt", "news.jsonl", "--json")
    code, out, _ = run_cli(*words)
    found = json.loads(out)
    assert code == 1  # one is skipped
    assert [record["input"] for record in found["predictions"]] == ["news.txt", "news.jsonl line 1"]
    assert found["skipped"] == ["news.jsonl line 2 is empty; expected a text"]
    for record in found["predictions"]:
        assert isinstance(record["text"], str) and len(record["alternatives"]) == 3


def test_summaries_are_judged_beside_the_first_sentence(task_run, run_cli):
    code, out, _ = run_cli("evaluate", task_run("summarization"), "--split", "test", "--json")
    metrics = json.loads(out)["metrics"]["test"]
    assert code == 0 and set(metrics["baselines"]) == {"lead-1"}
    assert 0.5 < metrics["baselines"]["lead-1"]["rouge1"] <= 1  # the words in another order
    assert 0 <= metrics["rouge2"] <= metrics["rouge1"] <= 1


def test_the_same_seed_writes_the_same_and_another_something_else(task_run, run_cli):
    run, words = task_run("text_generation"), ("--prompt", "bread ", "--length", "20", "--json")

    def write(*more):
        code, out, _ = run_cli("generate", run, *words, *more)
        assert code == 0
        return [record["text"] for record in json.loads(out)["texts"]]

    several = write("--count", "3", "--seed", "5")
    assert several == write("--count", "3", "--seed", "5")
    assert several != write("--count", "3", "--seed", "6")
    assert len(set(several)) == 3
    greedy = write("--count", "2", "--temperature", "0")
    assert greedy[0] == greedy[1] == write("--top-k", "1")[0]


def test_beams_write_the_most_probable_texts_and_contrast_the_same_each_time(task_run, run_cli):
    run, words = task_run("text_generation"), ("--prompt", "bread ", "--length", "9", "--json")

    def write(*more):
        code, out, err = run_cli("generate", run, *words, *more)
        assert code == 0, err
        return json.loads(out)["texts"]

    beams = write("--beams", "4", "--count", "3")
    scores = [record["score"] for record in beams]
    assert scores == sorted(scores, reverse=True) and len({r["text"] for r in beams}) == 3
    contrast = write("--penalty-alpha", "0.6", "--top-k", "4")
    assert contrast == write("--penalty-alpha", "0.6", "--top-k", "4")
    assert write("--penalty-alpha", "0")[0]["text"] == write("--temperature", "0")[0]["text"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--beams", "2", "--penalty-alpha", "1"), "two ways to search; give one of them"),
        (("--beams", "2", "--count", "3"), "--count 3 is more than there are: 2 beams"),
        (("--beams", "2", "--temperature", "0.5"), "--temperature is for texts that are sampled"),
        (("--penalty-alpha", "1", "--count", "2"), "--count 2 is more than there are: 1 text"),
        (("--beams", "0"), "0 is not in the range x>=1"),
        (("--penalty-alpha", "1.5"), "1.5 is not in the range 0<=x<=1"),
    ],
)
def test_a_search_that_cannot_be_is_refused(task_run, run_cli, words, said):
    code, _, err = run_cli("generate", task_run("text_generation"), *words)
    assert code == 2 and said in " ".join(err.split())


@pytest.mark.filterwarnings("always:the prompt has")
def test_a_model_of_limited_sight_says_what_it_does_not_see(task_run, run_cli):
    run = task_run("text_generation", "gpt")
    code, _, err = run_cli("generate", run, "--prompt", "bread " * 40, "--length", "5")
    assert code == 0 and "the prompt has 241 tokens; the model sees the last" in err
    code, _, err = run_cli("generate", run, "--prompt", "bread", "--beams", "2")
    assert code == 2 and "after this prompt, not 200; give --length" in " ".join(err.split())


def test_an_artifact_writes_what_its_run_writes(task_run, run_cli, in_tmp):
    run = task_run("text_generation")
    code, _, err = run_cli("export", run, "--format", "onnx", "--output", str(in_tmp / "made"))
    assert code == 0, err
    words = ("--prompt", "cheese", "--length", "25", "--count", "2", "--seed", "3", "--json")
    explicit = [json.loads(run_cli("generate", who, *words)[1])["texts"] for who in (run, "made")]
    assert explicit[0] == explicit[1]
    assert (in_tmp / "made" / "tokenizer.json").is_file()


def test_texts_are_written_to_a_file(task_run, run_cli, in_tmp):
    run = task_run("text_generation")
    code, _, _ = run_cli("generate", run, "--count", "2", "--length", "5", "--output", "new.jsonl")
    lines = (in_tmp / "new.jsonl").read_text(encoding="utf-8").splitlines()
    assert code == 0 and [set(json.loads(line)) for line in lines] == [{"prompt", "text"}] * 2


REFUSED = {
    "--count 0": "0 is not in the range x>=1",
    "--temperature -1": "-1.0 is not in the range x>=0",
    "--top-p 0": "0.0 is not in the range 0<x<=1",
    "--output texts.doc": "expected .csv or .jsonl",
}


@pytest.mark.parametrize(("words", "said"), REFUSED.items())
def test_what_cannot_be_wished_is_refused(task_run, run_cli, words, said):
    code, _, err = run_cli("generate", task_run("text_generation"), *words.split())
    assert code == 2 and said in err


def test_a_run_that_writes_nothing_says_so(task_run, run_cli):
    code, _, err = run_cli("generate", task_run("text_classification"))
    assert code == 2 and "a run of text_classification writes no texts" in err


def test_tokenizers_lie_beside_runs(task_run, place):
    task_run("translation")
    for name in ("source_tokenizer.json", "target_tokenizer.json"):
        assert json.loads((place / "translation" / name).read_text(encoding="utf-8"))["model"]


def test_a_context_of_several_windows_is_answered_once(task_run, run_cli, in_tmp):
    context = "bread two . cheese six . river one . stone ten . cloud two . 7"
    stdin = f"price of stone ?\t{context}\nprice of bread ?\tbread two .\n".encode()
    run = task_run("question_answering")
    code, out, _ = run_cli("predict", run, "-", "--json", stdin=stdin)
    records = json.loads(out)["predictions"]
    assert code == 0 and [record["question"] for record in records] == [
        "price of stone ?", "price of bread ?",
    ]  # fmt: skip
    for record, text in zip(records, (context, "bread two ."), strict=True):
        assert 0 <= record["score"] <= 1
        if record["answer"]:
            assert text[record["start_char"] : record["end_char"]] == record["answer"]
            assert record["answer"] in record["context"]
    rows = [{"question": "price of stone ?", "context": context, "id": "a"}, {"question": "what?"}]
    (in_tmp / "asked.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, out, _ = run_cli("predict", run, "asked.jsonl", "--output", "answers.csv", "--json")
    assert code == 1
    lines = (in_tmp / "answers.csv").read_text().splitlines()
    assert len(lines) == 2 and lines[0].startswith("input,question,answer,score,start_char")


def test_answers_are_judged_beside_simple_methods(task_run, run_cli):
    run = task_run("question_answering")
    code, out, _ = run_cli("evaluate", run, "--split", "test", "--json")
    metrics = json.loads(out)["metrics"]["test"]
    assert code == 0 and set(metrics) >= {"f1", "exact_match", "loss", "baselines"}
    assert all(0 <= metrics[name] <= 1 for name in ("f1", "exact_match"))
    assert any(name.startswith("words after") for name in metrics["baselines"])
