# Completion of make in one repository. `make completion` puts in what begins with an at sign.
_kds_root=@ROOT
_kds_script=@SCRIPT
_kds_completed() {
    local python="$_kds_root/.venv/bin/python"
    [ -x "$python" ] || python=python3
    "$python" -S "$_kds_script" .complete "$@" 2>/dev/null
}
: "${_kds_usual:=}"
_kds_own_of_make() {  # remembers the completion that make had before
    if [[ "$(complete -p make 2>/dev/null)" =~ -F\ ([^\ ]+) && "${BASH_REMATCH[1]}" != _kds_make ]]; then
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
# @INSTALL eval "$(make -s -C @ROOT completion shell=bash)"
