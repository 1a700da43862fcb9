"""A sweep file is read as W&B reads it, and everything that would fail later is refused before a trial starts."""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from common.core.config import override
from common.core.errors import UserError
from common.sweep.parameter import Parameter
from common.sweep.sweep_file import Hyperband, SweepFile, read_sweep, trial_arguments

HEAD = "method: bayes\nmetric: {name: rouge_sum, goal: maximize}\n"


def config(experiment: str) -> Any:
    return import_module(f"experiments.{experiment}.config").Config()


def read(folder: Path, text: str, experiment: str = "exp012") -> SweepFile:
    path = folder / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    return read_sweep(path, experiment, config(experiment))


def one(folder: Path, line: str, experiment: str = "exp012") -> Parameter:
    return read(folder, f"{HEAD}parameters:\n  {line}", experiment).parameters[0]


@pytest.mark.parametrize(
    ("line", "name", "kind", "ends"),
    [
        ("rank: {min: 8, max: 64}", "lora.rank", "int_uniform", (8, 64)),
        ("lora-alpha: {parameters: {x: 1}}", "", "", None),
        ("lora.rank: {distribution: q_uniform, min: 8, max: 64, q: 8}", "lora.rank", "q_uniform", (8, 64)),
        ("lora: {parameters: {alpha: {min: 8, max: 64}}}", "lora.alpha", "int_uniform", (8, 64)),
        ("learning_rate: {min: 1e-6, max: 5e-5}", "training.learning_rate", "uniform", (1e-6, 5e-5)),
        ("learning-rate: {distribution: log_uniform_values, min: 1e-6, max: 5E-5}", "training.learning_rate", "log_uniform_values", (1e-6, 5e-5)),
        ("learning_rate: {distribution: log_uniform, min: -11, max: -9}", "training.learning_rate", "log_uniform_values", (math.exp(-11), math.exp(-9))),
        ("learning_rate: {distribution: inv_log_uniform, min: 9, max: 11}", "training.learning_rate", "log_uniform_values", (math.exp(-11), math.exp(-9))),
        ("rank: {distribution: q_log_uniform_values, min: 8, max: 64, q: 8}", "lora.rank", "q_log_uniform_values", (8, 64)),
        ("epochs: {min: 1, max: 3}", "training.epochs", "int_uniform", (1, 3)),
        ("epochs: {min: 1, max: 2.5}", "training.epochs", "uniform", (1, 2.5)),
        ("epochs: {distribution: q_uniform, min: 0.4, max: 3, q: 0.1}", "training.epochs", "q_uniform", (0.4, 3)),
        ("dropout: {distribution: normal, mu: 0.1, sigma: 0.01}", "lora.dropout", "normal", (0.1 - 0.0371902, 0.1 + 0.0371902)),
        ("dropout: {distribution: beta, a: 1, b: 1}", "lora.dropout", "beta", (1e-4, 1 - 1e-4)),
        ("seed: {distribution: q_normal, mu: 100, sigma: 1, q: 1}", "seed", "q_normal", (96, 104)),
    ],
)  # fmt: skip
def test_a_number_has_the_range_that_the_file_gives(
    tmp_path: Path, line: str, name: str, kind: str, ends: tuple[float, float] | None
) -> None:
    if ends is None:
        with pytest.raises(
            UserError,
            match=r'parameters.lora-alpha.parameters.x" is 1 \(int\); wanted what the setting may be',
        ):
            one(tmp_path, line)
        return
    found = one(tmp_path, line)
    assert (found.name, found.distribution) == (name, kind)
    assert (found.lowest, found.highest) == pytest.approx(ends, rel=1e-6)
    for step in range(101):  # every value that a trial can get is one that the setting can have
        value = found.at(step / 100)
        _, changed = override(config("exp012"), trial_arguments({name: value}))
        assert changed == {name: value}


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("rank: {values: [8, 16]}", (8, 16)),
        ("learning_rate: {values: [1e-6, 1]}", (1e-6, 1.0)),
        ("adapter: {values: [true, false]}", (True, False)),
        ("targets: {values: [[q_proj, v_proj], [all]]}", (("q_proj", "v_proj"), ("all",))),
        ("betas: {values: [[0.9, 0.98], [0.9, 0.999]]}", ((0.9, 0.98), (0.9, 0.999))),
        ("sharding: {values: [none, fsdp]}", ("none", "fsdp")),
        ("revision: {values: [null, abc]}", (None, "abc")),
        ("schedule: {values: [linear, cosine], probabilities: [0.25, 0.75]}", ("linear", "cosine")),
        ("schedule: {distribution: categorical_w_probabilities, values: [linear, cosine], probabilities: [1, 0]}", ("linear", "cosine")),
    ],
)  # fmt: skip
def test_listed_values_are_those_of_the_setting(tmp_path: Path, line: str, values: tuple[Any, ...]) -> None:
    found = one(tmp_path, line)
    assert (found.distribution, found.values) == ("categorical", values)
    for value in values:
        _, changed = override(config("exp012"), trial_arguments({found.name: value}))
        assert changed == {found.name: value}


def test_a_likely_value_is_chosen_more_often(tmp_path: Path) -> None:
    found = one(
        tmp_path, "schedule: {values: [linear, cosine, constant_with_warmup], probabilities: [0.25, 0, 0.75]}"
    )
    chosen = [found.at(step / 1000) for step in range(1000)]
    assert chosen.count("cosine") == 0
    assert abs(chosen.count("linear") - 250) <= 1
    assert found.at(1) == "constant_with_warmup"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lora_r: {values: [8]}", 'sweep.yaml: parameter "lora_r" is no setting of exp012. Did you mean rank? To list all settings: make settings exp=exp012'),
        ("num_train_epochs: {values: [8]}", "Did you mean epochs?"),
        ("lora: {parameters: {r: {values: [1]}}}", 'parameter "lora.r" is no setting of exp012. Did you mean rank?'),
        ("rank: {values: []}", 'key "parameters.rank.values" is empty; wanted a list of 1 to 1,000 values, each a whole number from 1 to 4,096. Edit'),
        ("rank: {values: 8}", 'key "parameters.rank.values" is 8 (int); wanted a list'),
        ("rank: {values: [8, 0]}", 'key "parameters.rank.values" is [8, 0], with 0; wanted a whole number from 1 to 4,096, the range of lora.rank.'),
        ("rank: {values: [8, 16.5]}", "with 16.5; wanted a whole number"),
        ("rank: {values: [8, eight]}", "with 'eight'; wanted a whole number"),
        ("rank: {values: [8, true]}", "with True; wanted a whole number"),
        ("rank: {values: [8, null]}", "with None; wanted a whole number"),
        ("rank: {values: [8, {a: 1}]}", "with {'a': 1}; wanted a whole number"),
        ("rank: {values: [8, 16, 8]}", "is [8, 16, 8], with 8 twice; wanted each value once."),
        ("rank: {value: 0}", 'key "parameters.rank.value" is 0; wanted a whole number from 1'),
        ("rank: {min: 0, max: 64}", 'key "parameters.rank.min" is 0; wanted a whole number from 1 to 4,096, the range of lora.rank.'),
        ("rank: {min: 8, max: 5000}", 'key "parameters.rank.max" is 5000; wanted a whole number from 1'),
        ("rank: {distribution: uniform, min: 8, max: 64}", "wanted int_uniform, or q_uniform or q_log_uniform_values with a whole q, because lora.rank is a whole"),
        ("rank: {distribution: q_uniform, min: 8, max: 64, q: 0.5}", 'key "parameters.rank.q" is 0.5; wanted int_uniform, or q_uniform'),
        ("rank: {distribution: q_uniform, min: 1, max: 64, q: 8}", 'key "parameters.rank.min" is 1, which gives 0; wanted'),
        ("rank: {distribution: int_uniform, min: 1.5, max: 64}", 'key "parameters.rank.min" is 1.5 (float); wanted a whole number.'),
        ("rank: {min: 8, mx: 64}", 'key "parameters.rank" has "min", "mx"; wanted "value", "values", "min" and "max", or "distribution"'),
        ("rank: {min: 8, max: 64, q: 2}", 'key "parameters.rank.q" is unknown; wanted one of distribution, max, min.'),
        ("rank: {distribution: unifrom, min: 8, max: 64}", "is 'unifrom'; wanted did you mean \"uniform\"? one of"),
        ("rank: {}", 'key "parameters.rank" has nothing; wanted "value"'),
        ("rank: 8", 'key "parameters.rank" is 8 (int); wanted what the setting may be, such as'),
        ("learning_rate: {min: 1e-5, max: 2.0}", 'key "parameters.learning_rate.max" is 2.0; wanted a number above 0 and at most 1, the range of training.learning_rate.'),
        ("learning_rate: {min: 0.1, max: 0.1}", 'is 0.1 and max is 0.1; wanted a min below max, or "value: …" for one value.'),
        ("learning_rate: {min: 5e-5, max: 1e-5}", "is 5e-05 and max is 1e-05; wanted a min below max"),
        ("learning_rate: {distribution: log_uniform_values, min: 0, max: 1e-5}", 'min" is 0; wanted a number above 0.'),
        ("learning_rate: {distribution: log_uniform, min: 1e-5, max: 1e-4}", 'min" is 1e-05, which gives 1.00001; wanted a number above 0 and at most 1'),
        ("learning_rate: {min: '1e-5', max: 1e-4}", "'1e-5' (str); wanted a number."),
        ("learning_rate: {min: 1e-5, max: 1e999}", 'max" is inf; wanted a number.'),
        ("learning_rate: {distribution: q_uniform, min: 0.1, max: 1e300, q: 1e-300}", "wanted a number"),
        ("learning_rate: {min: 0.1, max: 1e300}", 'max" is 1e+300; wanted a number, at most 1e+12.'),
        ("learning_rate: {min: 1_0, max: 1}", "'1_0' (str); wanted a number."),
        ("dropout: {distribution: normal}", 'key "parameters.dropout.mu" is missing, which gives -3.71902; wanted a number of at least 0 and below 1'),
        ("adapter: {min: 0, max: 1}", 'wanted "values: [...]", because adapter is true or false.'),
        ("betas: {min: 0.9, max: 0.98}", 'wanted "values: [...]", because training.betas is 2 numbers'),
        ("sharding: {values: [none, fsd]}", "with 'fsd'; wanted none or fsdp, the range of training.sharding."),
        ("schedule: {values: [linear, cosine], probabilities: [0.5]}", "wanted 2 numbers from 0 to 1 with the sum 1, one for each value."),
        ("schedule: {values: [linear, cosine], probabilities: [0.5, 0.4]}", "with the sum 0.9; wanted 2 numbers"),
        ("schedule: {values: [linear, cosine], probabilities: [1.5, -0.5]}", "wanted 2 numbers from 0 to 1"),
        ("dev_rows: {values: [10, 20]}", 'changes on which dialogues a trial is scored, so trials could not be compared; wanted one value for all ("value: 200").'),
        ("beams: {values: [1, 2]}", "changes nothing in training, where dev summaries are decoded greedily"),
        ("r_drop: {values: [0, 1]}\n  source_loss: {values: [0, 0.2]}", "no trial can have r_drop 1.0, source_loss 0.2: --r-drop and --source-loss cannot be combined"),
        ("rank: {values: [8, 16]}\n  lora.rank: {values: [4, 8]}", 'key "parameters.lora.rank" is the setting lora.rank for a second time; wanted each setting once.'),
        ("weight_decay: {value: 0.1}", 'key "parameters" has constants only; wanted at least one setting with several values.'),
        ("model: {values: [a, hf_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHi]}", "sweep.yaml: parameters.model: found what looks like the beginning of an API key"),
    ],
)  # fmt: skip
def test_a_parameter_that_cannot_work_is_refused_in_one_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        one(tmp_path, line)
    found = str(caught.value)
    assert message in found
    assert "\n" not in found and "hf_aBc" not in found
    assert str(tmp_path) in found and len(found) < 700


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found nothing, wanted a sweep"),
        ("- 1", "found a list, wanted a sweep"),
        ("method: bayes\nmethod: grid", 'sweep.yaml:2: is not valid YAML: the key "method" stands twice.'),
        ("method: *x", "sweep.yaml:1: is not valid YAML: a reference (*name); write the value itself."),
        ("method: !!python/object:os.system x", "a tag (!name); write the value without it."),
        ("method: [bayes", "sweep.yaml:1: is not valid YAML: expected"),
        ("1: bayes", "a key that is no text"),
        ("method: bayes\n---\nmethod: grid", "expected a single document in the stream but found another document"),
        ("[" * 3000, "nested too deeply"),
        ("<<<<<<< mine\nmethod: bayes\n=======\n>>>>>>> other", "a merge conflict of git"),
        ("method: hyperopt", "key \"method\" is 'hyperopt'; wanted one of \"bayes\", \"random\", \"grid\"."),
        ("metod: bayes", 'key "method" is missing (is "metod" a typo of it?)'),
        ("method: bayes", 'key "metric" is missing; wanted what to search by, such as "name: rouge_sum" and "goal: maximize".'),
        ("method: bayes\nmetric: {name: rouge_sum}", 'key "metric.goal" is missing, which W&B takes for minimize; wanted "maximize", because more rouge_sum is better.'),
        ("method: bayes\nmetric: {name: rouge_sum, goal: minimize}", 'wanted "maximize", because more rouge_sum is better.'),
        ("method: bayes\nmetric: {name: rouge_summ, goal: maximize}", "is 'rouge_summ'; wanted did you mean \"rouge_sum\"? one of rouge_sum, score, distinct, train_loss"),
        (HEAD + "parameters: {}", 'key "parameters" is empty; wanted at least one setting.'),
        (HEAD + "parameters: {lora: {parameters: {}}}", 'key "parameters.lora.parameters" is empty'),
        (HEAD + "parameters: {rank: {values: [8, 16]}}\nrun_cap: 0", 'key "run_cap" is 0; wanted a whole number from 1 to 100,000.'),
        (HEAD + "parameters: {rank: {values: [8, 16]}}\nrun_caps: 3", 'key "run_caps" is unknown; wanted did you mean "run_cap"?'),
        (HEAD + "parameters: {rank: {values: [8, 16]}}\nearly_terminate: {type: envelope}", 'key "early_terminate.type" is'),
        (HEAD + "parameters: {rank: {values: [8, 16]}}\nearly_terminate: {type: hyperband}", 'key "early_terminate.min_iter" is missing, as is max_iter; wanted one of them'),
        (HEAD + "parameters: {rank: {values: [8, 16]}}\nearly_terminate: {type: hyperband, min_iter: 0}", "wanted a whole number from 1"),
        (HEAD + "parameters: {rank: {values: [8, 16]}}\nearly_terminate: {type: hyperband, max_iter: 2, s: 2}", "wanted at least 3, so that one evaluation"),
        (HEAD.replace("bayes", "grid") + "parameters: {learning_rate: {min: 0.1, max: 0.2}}", 'method "grid" goes through every value, but training.learning_rate has a continuous range (uniform); wanted values, int_uniform or q_uniform'),
        (HEAD.replace("bayes", "grid") + "parameters: {schedule: {values: [linear, cosine], probabilities: [0.5, 0.5]}}", "training.schedule has probabilities, which a grid ignores"),
        (HEAD.replace("bayes", "grid") + "parameters: {rank: {min: 1, max: 4000}, alpha: {min: 1, max: 4000}}", "the grid has more than 100,000 combinations"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_work_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_experiment_without_training_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sweep.yaml: not there; "):
        read_sweep(tmp_path / "sweep.yaml", "exp012", config("exp012"))
    with pytest.raises(UserError, match=r"^exp005 records no metric while it trains"):
        read(tmp_path, HEAD, "exp005")


def test_only_multiples_are_asked_of_a_setting_that_has_a_step(tmp_path: Path) -> None:
    assert (
        one(tmp_path, "width: {distribution: q_uniform, min: 64, max: 256, q: 64}", "exp002").highest == 256
    )
    with pytest.raises(UserError, match=r"wanted q_uniform with a q that is a multiple of 64"):
        one(tmp_path, "width: {min: 64, max: 256}", "exp002")


def test_a_grid_goes_through_every_combination_once(tmp_path: Path) -> None:
    sweep = read(
        tmp_path,
        HEAD.replace("bayes", "grid")
        + "parameters: {rank: {values: [8, 16]}, alpha: {min: 1, max: 3}, weight_decay: {value: 0.1},"
        " epochs: {distribution: q_uniform, min: 0.5, max: 2, q: 0.5}}",
    )
    assert [one.grid(100) for one in sweep.parameters] == [[8, 16], [1, 2, 3], [0.1], [0.5, 1.0, 1.5, 2.0]]
    assert sweep.grid_size == 24
    assert sweep.constants == {"training.weight_decay": 0.1}
    assert [one.name for one in sweep.chosen] == ["lora.rank", "lora.alpha", "training.epochs"]


def test_the_rest_of_the_file_is_read(tmp_path: Path) -> None:
    sweep = read(
        tmp_path,
        HEAD.replace("goal", "target: 95.5, impute: worst, goal")
        + "name: n\nproject: p\nentity: e\nrun_cap: 30\nprogram: x.py\ncommand: [a]\n"
        "early_terminate: {type: hyperband, min_iter: 2, eta: 2}\nparameters: {rank: {values: [8, 16]}}",
    )
    assert (sweep.method, sweep.metric, sweep.goal, sweep.target, sweep.impute) == (
        "bayes",
        "rouge_sum",
        "maximize",
        95.5,
        "worst",
    )
    assert (sweep.name, sweep.project, sweep.entity, sweep.run_cap) == ("n", "p", "e", 30)
    assert sweep.early_terminate == Hyperband(eta=2, min_iter=2)
    assert sweep.early_terminate.bands(20) == [2, 4, 8, 16]
    assert Hyperband(max_iter=27, s=2).bands(100) == [3, 9]
