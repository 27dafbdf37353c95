"""The page of the configuration file: how it is found and read, and all of it with every default. Pure."""

from __future__ import annotations

from typing import Final

from srvctl.settings import sample
from srvctl.settings.markdown import page

_FOUND: Final = """\
A file is read when `-c FILE` or the variable `SRVCTL_CONFIG` names it; none is looked for. Its name says
what it is: `.toml` is TOML 1.0, `.yaml` and `.yml` are YAML. Both have the same tables and keys; a key of a
group stands in the table of the group:"""
_EXAMPLES: Final = """\
```toml
[app]
target = "main:app"

[timeouts]
graceful_shutdown = "1m"
```

```yaml
app:
  target: main:app
timeouts:
  graceful_shutdown: 1m
```"""
_RULES: Final = """\
- Every key may be left out; only `app.target` has no default, and can be given as the argument of `srvctl
  run`.
- A flag or a variable wins over the file. [Settings](settings.md) says which keys are decided together, how
  durations and sizes are written, and which changes a reload obeys.
- A table or key that does not exist, a key that is there twice, a value of a wrong kind: each is a mistake
  that is told with its line, and what was probably meant; all of them at once. The [exit
  code](exit-codes.md) is 78.
- Relative paths start at the directory in which srvctl was started, not at that of the file.
- The file is read when srvctl starts and at each reload, by the user that runs the master. A reload that
  finds a mistake in it changes nothing.
- `srvctl check -c FILE` tells whether it can be used, `srvctl config show -c FILE --origin` what comes of
  it, `srvctl config diff` what a reload would change in an instance that runs, `srvctl init config
  main:app` writes one."""
_WHOLE: Final = """\
What is commented out has no default; the value is an example. The last table is a process beside the
workers, of which there may be any number ([programs](../how-to/programs.md)). [The same in
YAML](../../configs/srvctl.yaml)."""


def config_file_page() -> str:
    """Return the page."""
    return page(
        "The configuration file",
        _FOUND,
        _EXAMPLES,
        _RULES,
        "## Every key",
        _WHOLE,
        f'```toml title="srvctl.toml"\n{sample.toml("srvctl.toml").rstrip()}\n```',
    )
