public import Foundation

/// A RabbitMQ node of one test's own, for tests that stop it.
///
/// Takes seconds to start: share the common one where you can.
public final class PrivateBroker: Sendable {
    /// Where clients connect; the same after a restart.
    public let url: String
    /// Its management API.
    public let management: BrokerManagement
    private let script: URL
    private let folder: TemporaryFolder

    /// Starts a node on free ports.
    ///
    /// - Parameters:
    ///   - script: what starts and stops it; `deploy/lib/broker` where it is nil.
    ///   - arguments: more of them for its `start`.
    public init(script: URL? = nil, arguments: [String] = []) async throws {
        self.script = try script ?? TestEnvironment.brokerScript
        folder = try TemporaryFolder("broker")
        let managementPort = try FreePort.next()
        let started = try await ChildProcess.run(
            self.script,
            ["start", folder.url.path, "--management", String(managementPort)] + arguments,
            within: .seconds(300)
        )
        guard started.end == .exit(0) else { throw TimedOut("the broker did not start: \(started.errors)") }
        url = started.output.trimmingCharacters(in: .whitespacesAndNewlines)
        management = BrokerManagement(port: managementPort)
    }

    /// Stops it in order.
    public func stop() async throws { try await call("stop") }
    /// Has it write down which queues it has.
    ///
    /// RabbitMQ 3.10 forgets where the log of a quorum queue lies when it is killed within a moment of the queue's
    /// declaration, and everything in the queue with it: half a second after the last one on an idle machine. To be called
    /// before the first kill, once every queue has been declared.
    public func settle() async throws { try await control("eval", "[dets:sync(Table) || Table <- dets:all()].") }
    /// Ends it without warning.
    public func kill() async throws { try await call("kill") }

    /// The node's processes, for a test that cannot wait for `kill` to find them; to be followed by `kill`, which tidies up.
    public var processes: [Int32] {
        get throws {
            let remembered = try String(contentsOf: folder.file("pid"), encoding: .utf8)
            guard let session = remembered.split(separator: " ").first.flatMap({ Int32($0) }) else {
                throw TimedOut("no process in \(remembered)")
            }
            return try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap(Int32.init).filter {
                process in
                guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else {
                    return false
                }
                // After the name, which is in parentheses: state, parent, group, session.
                let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
                return fields.count > 4 && Int32(fields[4]) == session
            }
        }
    }

    /// Starts it again on the same ports with the same data.
    public func start() async throws { try await call("start") }

    /// Does something to it as its operator: `rabbitmqctl`.
    public func control(_ arguments: String...) async throws { try await call("ctl", arguments) }

    private func call(_ command: String, _ arguments: [String] = []) async throws {
        let done = try await ChildProcess.run(script, [command, folder.url.path] + arguments, within: .seconds(300))
        guard done.end == .exit(0) else { throw TimedOut("broker \(command): \(done.end)\n\(done.errors)") }
    }

    /// Starts a node, lends it, and stops it.
    ///
    /// - Parameters:
    ///   - script: what starts and stops it; `deploy/lib/broker` where it is nil.
    ///   - arguments: more of them for its `start`.
    public static func with(
        script: URL? = nil,
        arguments: [String] = [],
        _ body: (PrivateBroker) async throws -> Void
    ) async throws {
        let broker = try await PrivateBroker(script: script, arguments: arguments)
        do {
            try await body(broker)
        } catch {
            try? await broker.kill()
            try? await broker.stop()
            throw error
        }
        try await broker.kill()
        // What is left of a container.
        try await broker.stop()
    }
}
