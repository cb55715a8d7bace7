# bash completion for tokenyard. Commands and options are asked of the program, which knows best.

_tokenyard_commands() {
    tokenyard help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p'
}

_tokenyard_formats() {
    tokenyard list formats 2>/dev/null | cut -d ' ' -f 1
}

_tokenyard_options() { # COMMAND...
    tokenyard "$@" --help 2>/dev/null | grep -o -- '--[a-z][a-z-]*' | sort -u
}

_tokenyard_words() {
    local commands=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    -f | --format | -t | --to) _tokenyard_formats && return ;;
    --zero) echo drop one error && return ;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        _tokenyard_commands
    elif [ "${commands[0]}" = trace ] && [ "$COMP_CWORD" -eq 2 ]; then
        echo stats convert synth
    elif [ "${commands[0]}" = price ] && [ "$COMP_CWORD" -eq 2 ] &&
        [[ ${COMP_WORDS[COMP_CWORD]} =~ ^(c|co.*|b|br.*)$ ]]; then
        echo commit break-even
    elif [ "${commands[0]}" = help ]; then
        _tokenyard_commands
    elif [ "${commands[0]}" = list ]; then
        echo gpus instances mig models engines presets policies formats
    elif [[ ${COMP_WORDS[COMP_CWORD]} == -* ]]; then
        [[ ${commands[*]:0:2} =~ ^(trace .*|price (commit|break-even))$ ]] &&
            _tokenyard_options "${commands[@]:0:2}" ||
            _tokenyard_options "${commands[0]}"
    fi
}

_tokenyard() {
    local current=${COMP_WORDS[COMP_CWORD]} words
    words=$(_tokenyard_words)
    if [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}

complete -F _tokenyard tokenyard
