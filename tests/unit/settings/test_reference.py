"""The files made from the declarations are the committed ones, and the samples are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from srvctl.errors import ExitCode
from srvctl.settings.catalog import catalog, groups, title
from srvctl.settings.load import load
from srvctl.settings.reference import exit_codes_page, pages, settings_page, write

_ROOT = Path(__file__).parents[3]
_SAMPLES = ["srvctl.toml", "srvctl.yaml"]


@pytest.mark.parametrize("name", list(pages()))
def test_the_committed_file_is_what_the_declarations_make(name: str) -> None:
    committed = (_ROOT / name).read_text(encoding="utf-8")
    assert committed == pages()[name], "run: python -m srvctl.settings.reference"


def test_they_are_written_where_they_belong(tmp_path: Path) -> None:
    write(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")} == set(pages())


def test_the_reference_names_every_key_flag_and_variable() -> None:
    page = settings_page()
    for setting in catalog().values():
        row = next(line for line in page.splitlines() if f"`{setting.variable}`" in line)
        assert row.startswith(f"| `{setting.name}` |")
        assert all(f"`{variable}`" in row for variable in setting.option.env)
        assert (setting.option.flag or setting.option.metavar) in row
        assert setting.option.help.replace("|", r"\|") in row
        assert len(re.findall(r"(?<!\\)\|", row)) == 7, "a bar in a cell would shift the columns"


def test_the_exit_codes_are_all_there() -> None:
    assert [line.split(" | ")[0].strip("| ") for line in exit_codes_page().splitlines()[6:]] == [
        str(int(code)) for code in ExitCode
    ]


@pytest.mark.parametrize("name", _SAMPLES)
def test_a_sample_sets_nothing_but_the_target(name: str) -> None:
    loaded = load({}, {}, _ROOT / "configs" / name)
    assert loaded.settings == load({"app.target": "examples.fastapi_hello:app"}, {}, None).settings


def test_the_samples_are_the_same_settings() -> None:
    one, other = (load({}, {}, _ROOT / "configs" / name).settings for name in _SAMPLES)
    assert one == other


@pytest.mark.parametrize("name", _SAMPLES)
@pytest.mark.parametrize("key", list(catalog()))
def test_a_sample_shows_each_key_in_its_group_and_what_it_shows_is_valid(
    name: str, key: str, tmp_path: Path
) -> None:
    group, _, wanted = key.partition(".")
    lines = (_ROOT / "configs" / name).read_text(encoding="utf-8").splitlines()
    header = f"[{group}]" if name.endswith("toml") else f"{group}:"
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{header}  # "))
    end = next(
        (n for n in range(start + 1, len(lines)) if re.match(r"\[|\w", lines[n]) and "  # " in lines[n]),
        len(lines),
    )
    [shown] = [line for line in lines[start:end] if re.match(rf" *(# )?{wanted}(: | = )", line)]
    alone = tmp_path / name
    alone.write_text(f"{header}\n{shown.replace('# ', '', 1)}\n", encoding="utf-8")
    assert load({}, {}, alone).origins[key].line == 2


def test_every_group_has_a_title() -> None:
    assert all(title(group) and not title(group).endswith(".") for group in groups())
