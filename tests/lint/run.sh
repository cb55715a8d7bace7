#!/bin/bash
# Checks floors, format (clang-format) and common mistakes (clang-tidy) in every source file. Runs
# all checks; fails if one did.
set -u
cd "$(dirname "$0")/../.." || exit 1
for tool in clang-format clang-tidy; do
    if ! command -v "$tool" >/dev/null; then
        echo "Missing: $tool. On Debian or Ubuntu, \"make deps-dev\" installs it." >&2
        exit 1
    fi
done

folders=(sim workloads models scenarios analysis tests)
mapfile -t sources < <(find tokenyard.c "${folders[@]}" -name '*.c' | sort)
mapfile -t headers < <(find "${folders[@]}" -name '*.h' | sort)

format() {
    clang-format --dry-run -Werror "${sources[@]}" "${headers[@]}"
}

# Its standard error only counts the warnings it did not show.
tidy() {
    local includes
    includes=$(pkg-config --cflags-only-I hdf5-serial libcjson | sed 's/-I/-isystem /g')
    # shellcheck disable=SC2086
    printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -n 4 sh -c \
        'clang-tidy --quiet "$@" 2>/dev/null -- -std=c17 -I. -D_GNU_SOURCE '"$includes"' \
            -DTOKENYARD_VERSION="\"\""' clang-tidy
}

failed=()
check() { # NAME COMMAND
    local start=$SECONDS
    if "$2"; then
        echo "lint: $1 ok ($((SECONDS - start)) s)"
    else
        failed+=("$1")
    fi
}

check floors tests/lint/floors.sh
check format format
check clang-tidy tidy
if [ ${#failed[@]} -gt 0 ]; then
    echo "lint failed: ${failed[*]}" >&2
    exit 1
fi
