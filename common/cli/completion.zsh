# Completion of make in one repository. `make completion` puts in what begins with an at sign.
_kds_root=@ROOT
_kds_script=@SCRIPT
_kds_completed() {
    local python="$_kds_root/.venv/bin/python"
    [ -x "$python" ] || python=python3
    "$python" -S "$_kds_script" .complete "$@" 2>/dev/null
}
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
    compadd -U -Q -S '' -- ${(M)found:#*(=|[\"\']*)}
    compadd -U -Q -- ${found:#*(=|[\"\']*)}
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _kds_make make
# @INSTALL eval "$(make -s -C @ROOT completion shell=zsh)"
