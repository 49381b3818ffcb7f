# shellcheck shell=bash
# Installs what Warren is built with and what its demonstration and tests run on. To be sourced after common.sh.
#
#   install_missing build run      installs what those roles lack, says so, and does nothing when nothing is missing
#
# Roles: `build` (C libraries and pkg-config), `run` (broker, mail sink, curl, jq), `test` (certificates, and what tests look on with),
# `interop` (the tests against a client of another language). The Swift toolchain is the one thing that is never installed
# from here.

# What each role needs: how to know that it is there | Debian's package | what it is, for people on other systems.
requirements() {
    local role
    for role in "$@"; do
        case $role in
            build)
                cat <<'END'
command:pkg-config|pkg-config|pkg-config
library:librabbitmq:0.11|librabbitmq-dev|librabbitmq (rabbitmq-c) 0.11 or later, with headers
library:sqlite3:3.40|libsqlite3-dev|SQLite 3.40 or later, with headers
library:libcurl:7.88|libcurl4-openssl-dev|libcurl 7.88 or later (OpenSSL), with headers
library:libjwt:1.10|libjwt-dev|libjwt 1.10 (not 2 or 3), with headers
END
                ;;
            run)
                cat <<'END'
command:curl|curl|curl
command:jq|jq|jq
command:ps|procps|ps (procps)
broker|rabbitmq-server|RabbitMQ 3.10 or later
python:aiosmtpd|python3-aiosmtpd|Python 3 with aiosmtpd, for the mail sink
END
                ;;
            test)
                cat <<'END'
command:openssl|openssl|openssl, for the certificates of the tests
command:strace|strace|strace, which shows that the disk is synced before an answer
END
                ;;
            interop)
                cat <<'END'
python:ensurepip|python3-venv|Python 3 with venv
END
                ;;
            *) fail "no role $role" ;;
        esac
    done
}

# Whether the thing that a requirement's first field names is there.
is_there() {
    local library
    case $1 in
        command:*) command -v "${1#command:}" >/dev/null ;;
        library:*)
            library=${1#library:}
            command -v pkg-config >/dev/null && pkg-config --atleast-version="${library#*:}" "${library%%:*}"
            ;;
        broker) [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null ;;
        python:*) /usr/bin/python3 -c "import ${1#python:}" 2>/dev/null ;;
    esac
}

# Prints the lines of the requirements that are not met.
missing_requirements() {
    local line
    requirements "$@" | while IFS= read -r line; do
        is_there "${line%%|*}" || printf '%s\n' "$line"
    done
}

check_toolchain() {
    local version
    command -v swift >/dev/null ||
        fail 'there is no Swift toolchain on the PATH; get 6.3 or later from https://www.swift.org/install/linux/'
    # All of the output is read: a `swift` whose pipe closes early would fail the pipeline.
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p')
    version=${version%%$'\n'*}
    case $version in
        [0-5].* | 6.[0-2]) fail "Swift $version is too old; get 6.3 or later from https://www.swift.org/install/linux/" ;;
    esac
}

# Runs a command as root.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install_missing() {
    local missing packages=() line
    missing=$(missing_requirements "$@")
    [ -n "$missing" ] || return 0
    while IFS='|' read -r _ line _; do packages+=("$line"); done <<<"$missing"

    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
        say 'error: this is no Debian or Ubuntu, so nothing was installed. Install these and start again:'
        while IFS='|' read -r _ _ line; do say "  - $line"; done <<<"$missing"
        exit 1
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        fail "these packages are missing, and there is no sudo; as root: apt-get install ${packages[*]}"
    fi

    say "Installing what is missing from the distribution's packages$([ "$(id -u)" = 0 ] || echo ' (with sudo)'):"
    say "  ${packages[*]}"
    case " ${packages[*]} " in
        *' rabbitmq-server '*) install_without_starting_services "${packages[@]}" ;;
        *) install_packages "${packages[@]}" ;;
    esac || fail 'the packages could not be installed; the messages above say why'

    missing=$(missing_requirements "$@")
    if [ -n "$missing" ]; then
        say "error: this distribution's packages are too old (Debian 12 or Ubuntu 24.04 have the right ones). Still missing:"
        while IFS='|' read -r _ _ line; do say "  - $line"; done <<<"$missing"
        exit 1
    fi
}

install_packages() {
    local apt=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=300)
    as_root "${apt[@]}" update </dev/null >&2 || say 'warning: the package lists could not be brought up to date'
    as_root "${apt[@]}" install --no-install-recommends "$@" </dev/null >&2
}

# Debian starts a service when it installs it. Warren runs a broker of its own, and a machine should not get a second
# one, listening on every address, from a demonstration. Called only when RabbitMQ was not there before: its service is
# then nobody's. A policy about services that is already there stays as it is. In a subshell, for the trap's sake.
install_without_starting_services() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f "$policy"' EXIT
        trap 'exit 130' INT TERM
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    install_packages "$@" || exit 1
    if [ -d /run/systemd/system ]; then
        say 'RabbitMQ was installed for its program only: its system service stays off.'
        as_root systemctl disable --now rabbitmq-server.service >&2 || true
    fi
)
