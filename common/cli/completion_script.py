"""The shell functions of `make completion`: they ask common/cli/make.py for completions, in one repository only.

Standard library only, because it is loaded by `common/cli/make.py`.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from common.core.language import translated

SHELLS = {"bash": "~/.bashrc", "zsh": "~/.zshrc"}
"""Shell → the file with its settings."""
_FOR_BOTH = """\
_kds_root=@ROOT
_kds_script=@SCRIPT
_kds_completed() {
    local python="$_kds_root/.venv/bin/python"
    [ -x "$python" ] || python=python3
    "$python" -S "$_kds_script" .complete "$@" 2>/dev/null
}
"""
_BASH = """\
: "${_kds_usual:=}"
_kds_own_of_make() {  # remembers the completion that make had before
    if [[ "$(complete -p make 2>/dev/null)" =~ -F\\ ([^\\ ]+) && "${BASH_REMATCH[1]}" != _kds_make ]]; then
        _kds_usual="${BASH_REMATCH[1]}"
    fi
}
_kds_make() {
    COMPREPLY=()
    if [[ ! "$PWD" -ef "$_kds_root" ]]; then
        local load
        for load in _comp_load _completion_loader; do  # of bash-completion, which loads a command's own at its first use
            if [[ -z "$_kds_usual" ]] && declare -F "$load" >/dev/null; then
                "$load" make
                _kds_own_of_make
                complete -o bashdefault -o default -F _kds_make make
            fi
        done
        [[ -z "$_kds_usual" ]] || "$_kds_usual" "$@"
        return
    fi
    local found
    while IFS= read -r found; do
        COMPREPLY+=("$found")
    done < <(_kds_completed "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS")
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}
_kds_own_of_make
complete -o bashdefault -o default -F _kds_make make
"""
_ZSH = """\
_kds_make() {
    if [[ ! "$PWD" -ef "$_kds_root" ]]; then
        _make "$@"
        return
    fi
    local -a found
    local typed="${words[CURRENT]}"  # with its quotes, which PREFIX lacks
    found=("${(@f)$(_kds_completed "${(j: :)words[1,CURRENT-1]} ${typed%"$SUFFIX"}")}")
    found=(${found:#})
    if (( ! $#found )); then
        compset -P '*='
        _files
        return
    fi
    compadd -U -Q -S '' -- ${(M)found:#*(=|[\\"\\']*)}
    compadd -U -Q -- ${found:#*(=|[\\"\\']*)}
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _kds_make make
"""


def script(shell: str, root: Path, make: Path) -> str:
    """Return the script for a shell of SHELLS; its last line says how to install it. `make`: the path of make.py."""
    text = _FOR_BOTH + (_ZSH if shell == "zsh" else _BASH)
    text = text.replace("@ROOT", shlex.quote(str(root))).replace("@SCRIPT", shlex.quote(str(make)))
    line = f'eval "$(make -s -C {shlex.quote(str(root))} completion shell={shell})"'
    return f"{text}# {translated(f'To install it, add this line to {SHELLS[shell]}:')} {line}\n"
