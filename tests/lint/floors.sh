#!/bin/sh
# Holds the floors: a file includes only files of its own floor or of one below, by paths written
# from the root, and nothing below floor 4 ends the process or writes to the terminal. A line that
# must be an exception says so: /* floors: why */
cd "$(dirname "$0")/../.." || exit 1

find sim workloads models scenarios analysis -name '*.[ch]' | sort | xargs awk '
BEGIN {
    count = split("sim workloads models scenarios analysis", name)
    for (i = 1; i <= count; i++)
        floor[name[i]] = i - 1
    ends = "(^|[^_a-zA-Z0-9])(exit|_exit|_Exit|quick_exit|printf|vprintf|puts|putchar|perror) *[(]"
    terminal = "(^|[^_a-zA-Z0-9])(stdout|stderr)([^_a-zA-Z0-9]|$)"
}

function folder(path,    part) {
    split(path, part, "/")
    return part[1]
}

function complain(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    broken = 1
}

function check_include(path,    from, to) {
    from = floor[folder(FILENAME)]
    to = floor[folder(path)]
    if (!(folder(path) in floor) || to == "")
        complain("\"" path "\" is of no floor, or is not written from the root")
    else if (to > from)
        complain("floor " from " (" folder(FILENAME) "/) includes \"" path "\" of floor " to)
}

/\/\* floors: / || /^ *(\*|\/\*|\/\/)/ {
    next
}

/^ *# *include *"/ {
    split($0, quoted, "\"")
    check_include(quoted[2])
}

floor[folder(FILENAME)] < 4 && ($0 ~ ends || $0 ~ terminal) {
    complain("below floor 4, nothing ends the process or writes to the terminal")
}

END {
    exit broken
}'
