"""The files made from the declarations are the committed ones, and the samples are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from srvctl.errors import ExitCode
from srvctl.settings.catalog import catalog, groups, program_catalog, title
from srvctl.settings.load import load
from srvctl.settings.reference import exit_codes_page, pages, settings_page, write
from srvctl.settings.reference_environment import READ

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
        assert len(re.findall(r"(?<!\\)\|", row)) == 6, "a bar in a cell would shift the columns"


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


@pytest.mark.parametrize(
    ("name", "commented"),
    [("srvctl.toml", r"# (\[\[program|\w+ = )"), ("srvctl.yaml", r"# (program:|  [- ] \w+: )")],
)
def test_a_sample_shows_each_key_of_a_program_and_what_it_shows_is_valid(
    name: str, commented: str, tmp_path: Path
) -> None:
    lines = (_ROOT / "configs" / name).read_text(encoding="utf-8").splitlines()
    begin = next(number for number, line in enumerate(lines) if re.match(r"# (\[\[)?program\b", line))
    assert all(line == "#" or line.startswith("# ") for line in lines[begin:])
    alone = tmp_path / name
    shown = [line.removeprefix("# ") for line in lines[begin:] if re.match(commented, line)]
    alone.write_text("\n".join(shown), encoding="utf-8")
    loaded = load({}, {}, alone)
    assert loaded.settings.program[0].name == "queue"
    assert [origin.line for origin in loaded.program_origins[0].values()] == [
        *range(2, 2 + len(program_catalog()))
    ]


def test_the_reference_names_every_key_of_a_program() -> None:
    page = settings_page().partition("## [[program]]")[2]
    for setting in program_catalog().values():
        [row] = [line for line in page.splitlines() if line.startswith(f"| `{setting.name}` |")]
        assert setting.option.help.replace("|", r"\|") in row
        assert len(re.findall(r"(?<!\\)\|", row)) == 5, "a bar in a cell would shift the columns"


def test_every_group_has_a_title() -> None:
    assert all(title(group) and not title(group).endswith(".") for group in groups())


def test_the_page_of_variables_has_every_setting_and_all_that_the_code_reads_besides() -> None:
    """But for what is another program's, or is set for a child and read there."""
    page = (_ROOT / "docs/reference/environment.md").read_text(encoding="utf-8")
    for setting in catalog().values():
        assert all(
            f"| `{name}` | `{setting.name}` |" in page for name in (setting.variable, *setting.option.env)
        )
    sources = [
        path.read_text(encoding="utf-8")
        for path in (_ROOT / "srvctl").rglob("*.py")
        if not {"migrate", "interfaces"} & set(path.parts)
    ]
    read = {
        name
        for text in sources
        for name in re.findall(r"environ(?:\.get\(|\.pop\(|\[)\"(\w+)\"", text)
        + re.findall(r"\"([A-Z_]+)\" (?:not )?in (?:os\.)?environ", text)
    }
    assert len(read) > 20
    assert {name for name in read if f"| `{name}` |" not in page} == {"PYDANTIC_DISABLE_PLUGINS"}
    named = {name for name, _, _ in READ}
    assert {name for name in named if not any(f'"{name}"' in text for text in sources)} == set()
