"""`runyard completion`: the script that teaches a shell the verbs, options and ids."""

from __future__ import annotations

import click

from runyard.cli.say import put
from runyard.cli.verb import Options, verb


@verb(
    help="Print the completion script of SHELL, to be read by its start file.",
    examples="""bash: eval "$(runyard completion bash)"   in ~/.bashrc
zsh:  eval "$(runyard completion zsh)"    in ~/.zshrc
fish: runyard completion fish > ~/.config/fish/completions/runyard.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(options: Options, shell: str) -> None:
    """Print click's script for the shell."""
    from click.shell_completion import get_completion_class

    from runyard.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    # click asks bash for its version when it makes the script; the template alone needs no bash.
    script = kind(cli, {}, "runyard", "_RUNYARD_COMPLETE")
    put(kind.source_template % script.source_vars())
