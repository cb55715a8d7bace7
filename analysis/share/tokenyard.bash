# bash completion for tokenyard

_tokenyard_options() { # SUBCOMMAND
    case $1 in
    run) echo --help --output --set --seed --stepwise --json --requests --trace --print-config --require-slo --quiet ;;
    plan) echo --help --output --set --budget --json ;;
    stats) echo --help --format --json ;;
    convert) echo --help --to ;;
    synth) echo --help --to --limit ;;
    esac
}

_tokenyard() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} words=
    COMPREPLY=()
    [ "$command" != trace ] || [ "$COMP_CWORD" -le 2 ] || command=${COMP_WORDS[2]}

    case $previous in
    -o | --output)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --format | --to)
        words=$(tokenyard list formats 2>/dev/null | awk '{print $1}')
        ;;
    esac
    if [ -z "$words" ]; then
        if [ "$COMP_CWORD" -eq 1 ]; then
            words="run plan trace list schema help version"
        elif [ "$COMP_CWORD" -eq 2 ] && [ "$command" = trace ]; then
            words="stats convert synth"
        elif [ "$command" = list ]; then
            words="gpus instances models presets policies formats"
        elif [ "$command" = help ]; then
            words="run plan trace list schema version"
        elif [[ $current == -* ]]; then
            words=$(_tokenyard_options "$command")
        fi
    fi
    if [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}

complete -F _tokenyard tokenyard
