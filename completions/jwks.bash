# Completion of jwks for bash 3.2 and later, printed by `jwks completion bash`.
# The program splits the line and quotes the replies, because bash does neither as needed.

_jwks() {
    local line reply
    if [[ ${BASH_VERSINFO[0]} -gt 4 || ${BASH_VERSINFO[0]} -eq 4 && ${BASH_VERSINFO[1]} -gt 2 ]]; then
        line=${COMP_LINE:0:COMP_POINT}
    else
        # Older versions count octets.
        local LC_ALL=C
        line=${COMP_LINE:0:COMP_POINT}
        unset -v LC_ALL
    fi
    COMPREPLY=()
    while IFS= read -r reply; do
        if [[ $reply == $'\t' ]]; then
            # A file that only bash knows, such as $HOME/key.pem. 3.2 has no compopt.
            compopt -o default +o nospace 2>/dev/null
        elif [[ -n $reply ]]; then
            COMPREPLY+=("$reply")
        fi
    done <<< "$(command jwks __complete bash "$line" "$COMP_WORDBREAKS" 2>/dev/null)"
}

complete -o nospace -o nosort -F _jwks jwks 2>/dev/null || complete -o nospace -F _jwks jwks
