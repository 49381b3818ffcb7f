import Glibc

/// A program that a benchmark runs, with its input and output.
///
/// Used by one thread. A program that is dropped is killed.
final class Program {
    let pid: pid_t
    private let name: String
    private let input: Int32
    private let output: Int32
    private var received: [UInt8] = []
    private var hasEnded = false

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - environment: what is added to this process's environment.
    ///   - log: where its standard error goes; nil: where this process's goes.
    init(_ path: String, _ arguments: [String], environment: [String: String] = [:], log: String? = nil) throws {
        name = ([path] + arguments).joined(separator: " ")
        var (toProgram, fromProgram): ([Int32], [Int32]) = ([0, 0], [0, 0])
        guard pipe(&toProgram) == 0, pipe(&fromProgram) == 0 else {
            throw BenchmarkError("no pipe for \(path)")
        }
        for descriptor in toProgram + fromProgram { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toProgram[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromProgram[1], 1)
        if let log { posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0o644) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var settings: [String: String] = [:]
        var variable = environ
        while let text = variable.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1)
            if parts.count == 2 { settings[String(parts[0])] = String(parts[1]) }
            variable += 1
        }
        settings.merge(environment) { $1 }
        var pid: pid_t = 0
        let status = CStrings.lend([path] + arguments) { arguments in
            CStrings.lend(settings.map { "\($0.key)=\($0.value)" }) { environment in
                posix_spawn(&pid, path, &actions, &attributes, arguments, environment)
            }
        }
        close(toProgram[0])
        close(fromProgram[1])
        guard status == 0 else { throw BenchmarkError("cannot start \(path): error \(status)") }
        self.pid = pid
        input = toProgram[1]
        output = fromProgram[0]
    }

    deinit {
        if !hasEnded {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        close(input)
        close(output)
    }

    /// Waits until the program says that it is ready.
    func waitUntilReady(seconds: Double = 60) throws {
        guard try line(within: seconds) == "ready" else { throw BenchmarkError("did not become ready: \(name)") }
    }

    /// Gives the word to begin.
    func go() throws {
        guard write(input, "go\n", 3) == 3 else { throw BenchmarkError("does not listen: \(name)") }
    }

    /// Waits for its end and gives its results.
    func results(seconds: Double = 180) throws -> [String: Double] {
        var results: [String: Double] = [:]
        while let line = try line(within: seconds) {
            let parts = line.split(separator: " ")
            if parts.count == 2, let value = Double(parts[1]) { results[String(parts[0])] = value }
        }
        guard try end() == 0 else { throw BenchmarkError("failed: \(name)") }
        return results
    }

    /// Starts, lets begin and waits for the end.
    static func run(_ path: String, _ arguments: [String]) throws -> [String: Double] {
        let program = try Program(path, arguments)
        try program.waitUntilReady()
        try program.go()
        return try program.results()
    }

    /// Asks the program to end and waits until it has.
    func stop() {
        guard !hasEnded else { return }
        kill(pid, SIGTERM)
        _ = try? end()
    }

    private func end() throws -> Int32 {
        var status: Int32 = 0
        for _ in 0..<2_000 {
            let ended = waitpid(pid, &status, WNOHANG)
            if ended == pid {
                hasEnded = true
                return status
            }
            usleep(10_000)
        }
        throw BenchmarkError("does not end: \(name)")
    }

    /// The next line, or nil at the end of its output.
    private func line(within seconds: Double) throws -> String? {
        let deadline = Meter.now() + Int64(seconds * 1e9)
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                defer { received.removeFirst(end + 1) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            var descriptor = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let left = (deadline - Meter.now()) / 1_000_000
            guard left > 0 else { throw BenchmarkError("took too long: \(name)") }
            guard poll(&descriptor, 1, Int32(clamping: left)) >= 0 || errno == EINTR else { return nil }
            guard descriptor.revents != 0 else { continue }
            let count = Glibc.read(output, &buffer, buffer.count)
            guard count > 0 else { return nil }
            received.append(contentsOf: buffer[..<count])
        }
    }
}

/// Arrays of C strings.
enum CStrings {
    /// Lends a null-terminated array.
    static func lend<Result>(
        _ strings: [String],
        _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { pointers[index] = strdup(string) }
        pointers[strings.count] = nil
        defer {
            for index in strings.indices { free(pointers[index]) }
            pointers.deallocate()
        }
        return body(pointers)
    }
}
