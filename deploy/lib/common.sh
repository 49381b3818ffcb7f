# shellcheck shell=bash
# What the scripts share: messages, ports, processes. To be sourced, under `set -euo pipefail`.

# A line for the person at the terminal. Messages go to stderr: stdout is for what a command answers.
say() { printf '%s\n' "$*" >&2; }

# Ends the script with a message.
fail() {
    say "error: $*"
    exit 1
}

# Whether something listens on 127.0.0.1:PORT.
port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Where ports that were given out are remembered: beside what else the scripts leave.
given_ports=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/.warren/ports

# Prints a port of 127.0.0.1 that nothing listens on. Below the range of outgoing connections, so that none of those
# takes it between now and its use; at random, so that two runs side by side do not choose the same; and none that was given
# out within the last minutes: who asks for several, and listens later, gets different ones.
free_port() {
    local port
    mkdir -p "$given_ports"
    find "$given_ports" -mindepth 1 -maxdepth 1 -mmin +5 -exec rmdir -- {} + 2>/dev/null || true
    for _ in $(seq 100); do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 6000))
        port_is_taken "$port" || ! mkdir "$given_ports/$port" 2>/dev/null || { printf '%s\n' "$port"; return; }
    done
    fail 'no free port between 20000 and 26000 on 127.0.0.1'
}

# Prints PORT when nothing listens on it, otherwise a free one.
free_port_or() {
    if port_is_taken "$1"; then free_port; else printf '%s\n' "$1"; fi
}

# The moment at which process PID began (in clock ticks since boot): with it a process id names one process for ever.
# Prints nothing and fails when there is no such process, or when it is only waiting for its parent to take note of
# its end.
process_birth() {
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    # The second field is the name in parentheses and may hold anything.
    stat=${stat##*) }
    # shellcheck disable=SC2086 # The fields are numbers and one letter.
    set -- $stat
    [ "$1" != Z ] && [ "$1" != X ] && printf '%s\n' "${20}"
}

# remember_process FILE PID: notes the process in FILE for the functions below.
remember_process() { printf '%s %s\n' "$2" "$(process_birth "$2")" >"$1"; }

# Prints the id of the process that FILE names; fails when it is not running any more.
remembered_process() {
    local pid birth
    [ -f "$1" ] && read -r pid birth <"$1" && [ "$(process_birth "$pid")" = "$birth" ] && printf '%s\n' "$pid"
}

# start_detached LOG COMMAND…: starts COMMAND in the background, in a session of its own: a Ctrl-C at the terminal does not
# reach it, whoever started it decides when it ends. It gets no open file but its log: whoever waits for the end of one
# of ours would wait for the end of the program too. Its id is in $!.
start_detached() {
    local log=$1
    shift
    (
        for file in /proc/"$BASHPID"/fd/*; do
            [ "${file##*/}" -le 2 ] || eval "exec ${file##*/}>&-"
        done
        exec setsid "$@" </dev/null >"$log" 2>&1
    ) &
    # Its end is nothing for the shell to tell.
    disown
}

# stop_process FILE [SECONDS [SIGNAL]]: sends SIGNAL (TERM) to the process that FILE names, waits until it has ended, and
# kills it when it has not after SECONDS (20). Fails when it had to be killed.
stop_process() {
    local file=$1 patience=${2:-20} signal=${3:-TERM} pid
    pid=$(remembered_process "$file") || { rm -f "$file"; return 0; }
    kill "-$signal" "$pid" 2>/dev/null || true
    if wait_until "$patience" process_has_ended "$file"; then
        rm -f "$file"
        return 0
    fi
    kill -KILL "$pid" 2>/dev/null || true
    wait_until 5 process_has_ended "$file" || true
    rm -f "$file"
    return 1
}

process_has_ended() { ! remembered_process "$1" >/dev/null; }

# wait_until SECONDS COMMAND…: runs COMMAND until it succeeds; fails when it has not after SECONDS.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# Whether GET URL answers with a 2xx.
answers() { curl --silent --fail --max-time 2 --output /dev/null "$1"; }

# answers_amqp PORT: whether a broker is ready, which it is when it answers the AMQP protocol header with the frame of
# `connection.start` (type 1, a method): it opens its listeners only after it has recovered its queues.
answers_amqp() {
    local first
    port_is_taken "$1" || return 1
    first=$(
        exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf 'AMQP\x00\x00\x09\x01' >&3
        timeout 10 head -c 1 <&3 2>/dev/null | od -An -tx1
    )
    [ "$first" = ' 01' ]
}

# Milliseconds of a clock.
now_milliseconds() { printf '%s\n' "$(($(date +%s%N) / 1000000))"; }

# seconds_since MILLISECONDS: how long ago that was, as `12.3`.
seconds_since() {
    local elapsed=$(($(now_milliseconds) - $1))
    printf '%d.%d\n' $((elapsed / 1000)) $((elapsed % 1000 / 100))
}
