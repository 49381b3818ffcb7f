public import Foundation
import Glibc
import Synchronization

/// A program that a test started: its end as something to wait for, signals, and what it wrote.
///
/// A process that is still running when the last reference goes is killed. `Tests/run` ends what is left even so, when
/// the test process itself dies.
public final class ChildProcess: Sendable {
    /// How a process ended.
    public enum End: Sendable, Equatable, CustomStringConvertible {
        /// By itself, with this code.
        case exit(Int32)
        /// By this signal.
        case signal(Int32)

        /// `exit code 2`, `signal 9`.
        public var description: String {
            switch self {
            case .exit(let code): "exit code \(code)"
            case .signal(let number): "signal \(number)"
            }
        }
    }

    private struct State {
        var end: End?
        var waiters: [UUID: CheckedContinuation<End?, Never>] = [:]
    }

    /// The program's name, for messages.
    public let name: String
    /// The process id.
    public let identifier: Int32
    private let output: URL
    private let errors: URL
    private let state: StateBox

    // The waiting thread outlives `self`: it must not keep it, or `deinit` would never kill the process.
    private final class StateBox: Sendable {
        let state = Mutex(State())

        func finish(_ collect: () -> End) {
            let (end, waiters) = state.withLock { state in
                // Collected under the lock, so that nobody sends a signal to the id when it is another's already.
                let end = collect()
                state.end = end
                defer { state.waiters = [:] }
                return (end, state.waiters.values)
            }
            for waiter in waiters { waiter.resume(returning: end) }
        }

        func abandon(_ id: UUID) {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: nil)
        }
    }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - program: the executable file.
    ///   - arguments: its arguments, without its name.
    ///   - environment: its whole environment, but for `PATH` and what `Tests/run` marks its processes with.
    ///   - folder: its working folder, where its output is kept too.
    public init(_ program: URL, arguments: [String] = [], environment: [String: String] = [:], folder: URL) throws {
        name = program.lastPathComponent
        let files = TestEnvironment.uniqueName(name)
        output = folder.appendingPathComponent("\(files).out")
        errors = folder.appendingPathComponent("\(files).err")
        try Data().write(to: output)
        try Data().write(to: errors)
        let inherited = ProcessInfo.processInfo.environment.filter { ["PATH", "TEST_RUN_MARK"].contains($0.key) }

        identifier = try Spawn.start(
            program.path,
            arguments: arguments,
            environment: inherited.merging(environment) { _, given in given },
            folder: folder.path,
            output: output.path,
            errors: errors.path
        )
        let (identifier, box) = (identifier, StateBox())
        state = box
        // A thread of its own, because it blocks for as long as the process lives.
        Thread { Spawn.waitForEnd(of: identifier) { box.finish($0) } }.start()
    }

    deinit {
        send(SIGKILL)
    }

    /// How it ended, or nil while it runs.
    public var end: End? { state.state.withLock { $0.end } }

    /// What it wrote to standard output so far.
    public var standardOutput: String { text(output) }

    /// What it wrote to standard error so far: a service's log.
    public var standardError: String { text(errors) }

    /// Waits for its end.
    ///
    /// - Throws: `TimedOut` with the end of its log.
    @discardableResult
    public func waitForEnd(within timeout: Duration = .seconds(90)) async throws -> End {
        let id = UUID()
        let box = state
        let timer = Task {
            try await Task.sleep(for: timeout)
            box.abandon(id)
        }
        defer { timer.cancel() }
        let end = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known = box.state.withLock { state -> End? in
                    if state.end == nil { state.waiters[id] = continuation }
                    return state.end
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            box.abandon(id)
        }
        guard let end else { throw TimedOut("\(name) still runs after \(timeout)\n\(tail)") }
        return end
    }

    /// Sends a signal; does nothing when it has ended.
    public func send(_ signal: Int32) {
        state.state.withLock { state in
            if state.end == nil { _ = Glibc.kill(identifier, signal) }
        }
    }

    /// Kills it (signal 9) and waits for its end.
    public func kill() async throws {
        send(SIGKILL)
        try await waitForEnd()
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    @discardableResult
    public func terminate(within timeout: Duration = .seconds(90)) async throws -> End {
        send(SIGTERM)
        return try await waitForEnd(within: timeout)
    }

    /// The last lines of its log, for messages.
    public var tail: String {
        let lines = standardError.split(separator: "\n").suffix(30).joined(separator: "\n")
        return "the last lines of \(name)'s log:\n\(lines)"
    }

    /// Runs a program to its end.
    ///
    /// - Returns: its end and what it wrote to standard output and to standard error.
    public static func run(
        _ program: URL,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        within timeout: Duration = .seconds(240)
    ) async throws -> (end: End, output: String, errors: String) {
        let folder = try TemporaryFolder("run")
        let child = try ChildProcess(program, arguments: arguments, environment: environment, folder: folder.url)
        let end = try await child.waitForEnd(within: timeout)
        return (end, child.standardOutput, child.standardError)
    }

    private func text(_ file: URL) -> String {
        String(decoding: (try? Data(contentsOf: file)) ?? Data(), as: UTF8.self)
    }
}
