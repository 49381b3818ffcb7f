import Foundation
import Glibc

/// Starts a program with nothing of this process but what it is given.
///
/// Foundation's `Process` is not used: its children inherit the signal mask of whichever thread started them, which on
/// a worker thread blocks SIGTERM, and an open socket.
enum Spawn {
    /// Starts the program in a process group of its own, with every signal at its default and unblocked, no input, and
    /// no open file but its output.
    ///
    /// - Returns: the process id.
    static func start(
        _ program: String,
        arguments: [String],
        environment: [String: String],
        folder: String,
        output: String,
        errors: String
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        // And the next numbers, which other threads may give out in between. Closing one that is not open is no error.
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
        for file in 3...(open.max() ?? 3) + 64 { posix_spawn_file_actions_addclose(&actions, file) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var identifier: pid_t = 0
        // `env` changes the folder; the C library's own way is not imported.
        let command = "/usr/bin/env"
        let result = withArray([command, "-C", folder, program] + arguments) { arguments in
            withArray(environment.map { "\($0.key)=\($0.value)" }) { environment in
                posix_spawn(&identifier, command, &actions, &attributes, arguments, environment)
            }
        }
        guard result == 0 else {
            throw Socket.Failure(text: "cannot start \(program): \(String(cString: strerror(result)))")
        }
        return identifier
    }

    /// Blocks until the process has ended, and then runs `reap` with its end; until `reap` returns, the id is its own.
    static func waitForEnd(of identifier: pid_t, reap: (_ collect: () -> ChildProcess.End) -> Void) {
        var information = siginfo_t()
        while waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        reap {
            var status: Int32 = 0
            while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
            // The macros WIFSIGNALED, WTERMSIG and WEXITSTATUS, which are not imported.
            let signal = status & 0x7F
            return signal == 0 ? .exit((status >> 8) & 0xFF) : .signal(signal)
        }
    }

    /// Lends a null-terminated array of C strings.
    private static func withArray<Result>(
        _ strings: [String],
        _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("the array holds at least its end") }
            return body(base)
        }
    }
}
