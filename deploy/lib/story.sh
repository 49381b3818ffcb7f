# shellcheck shell=bash
# How the demonstration tells what it does. To be sourced after common.sh. The story goes to stdout.

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' plain=$'\e[0m'
else
    bold='' dim='' green='' plain=''
fi
current_step=''

# A new chapter.
heading() {
    current_step=$1
    printf '\n%s%s%s\n' "$bold" "$1" "$plain"
}

# What the reader should know.
note() { printf '  %s%s%s\n' "$dim" "$1" "$plain"; }

# Something came out as it should.
done_well() { printf '  %s✓%s %s\n' "$green" "$plain" "$1"; }

# Indents what a command prints; long lines are cut, and say so.
indent() { sed -E 's/^(.{199}).{2,}$/\1…/; s/^/    /'; }

# Shows a command as the reader could type it.
show_command() {
    local word line='  $'
    for word in "$@"; do
        case $word in
            *[!A-Za-z0-9_./:=@%+-]*) line+=" '$word'" ;;
            *) line+=" $word" ;;
        esac
    done
    printf '%s%s%s\n' "$dim" "$line" "$plain"
}

# warren ARGUMENTS…: shows the command, runs it, and keeps its answer as JSON in $answer.
warren() {
    show_command warren "$@"
    current_step="warren $*"
    answer=$("$bin/warren" "$@" --output json)
}

# in_answer FILTER: a value of the last answer, by jq.
in_answer() { jq -er "$1" <<<"$answer"; }

# expect WHAT SECONDS COMMAND…: waits until COMMAND succeeds and says so, or ends the story.
expect() {
    local what=$1 seconds=$2 began
    shift 2
    current_step=$what
    began=$(now_milliseconds)
    wait_until "$seconds" "$@" || fail "not within $seconds s: $what"
    done_well "$what ($(seconds_since "$began") s)"
}
