import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// A killed process cannot show a missing sync, because the system keeps what it wrote: only the order of the system
    /// calls can.
    @Suite(
        "On its way to the disk",
        .enabled("strace is missing or may not trace here", { await SystemCallTrace.isPossible })
    )
    struct Durability {
        @Test("an order is synced before its answer, before its event goes out, and its outcome before the ack")
        func order() async throws {
            try await Shop.open { shop in
                // So that what happens once per process is not in the way.
                let first = try await shop.place()
                try await shop.waitFor("confirmed", order: first)

                let trace = try await SystemCallTrace.attach(to: try shop.process(.order), folder: shop.folder)
                let id = try await shop.place()
                try await shop.waitFor("confirmed", order: id)
                try await shop.expectNothingWaits()
                // The ack is the last of it.
                try? await eventually(
                    "the outcome is acknowledged",
                    until: {
                        let calls = trace.calls
                        guard let outcome = calls.first(of: .receives, with: "dev.warren.payment.captured") else {
                            return false
                        }
                        return calls.first(of: .sends, with: #"\0<\0P"#, after: outcome) != nil
                    }
                )
                try await trace.stop()
                let calls = trace.calls

                let request = try #require(calls.first(of: .receives, with: "POST /orders"))
                let stored = try #require(calls.first(of: .writesFile, with: id, after: request))
                let synced = try #require(calls.first(of: .synced, after: stored))
                let answered = try #require(calls.first(of: .sends, with: "HTTP/1.1 202", after: request))
                let published = try #require(calls.first(of: .sends, with: "dev.warren.order.", and: id))
                #expect(synced < answered, "the answer did not wait for the disk")
                #expect(synced < published, "the event did not wait for the disk")

                let outcome = try #require(calls.first(of: .receives, with: "dev.warren.payment.captured"))
                let applied = try #require(calls.first(of: .writesFile, with: id, after: outcome))
                let durable = try #require(calls.first(of: .synced, after: applied))
                // The frame of `basic.ack`: class 60, method 80.
                let acknowledged = try #require(calls.first(of: .sends, with: #"\0<\0P"#, after: outcome))
                #expect(durable < acknowledged, "the ack did not wait for the disk")
            }
        }
    }
}

/// The system calls of a running process, in their order.
struct SystemCallTrace {
    /// What a call is for.
    enum Kind {
        case receives
        case sends
        case writesFile
        /// A sync that has ended well.
        case synced
    }

    /// What was traced.
    struct Calls {
        private let lines: [String]

        init(_ text: String) {
            lines = text.components(separatedBy: "\n")
        }

        /// The place of the first such call after another.
        func first(of kind: Kind, with text: String = "", and more: String = "", after place: Int = -1) -> Int? {
            lines.indices.first { index in
                index > place && Calls.isCall(lines[index], kind)
                    && [text, more].allSatisfy { $0.isEmpty || lines[index].contains($0) }
            }
        }

        private static func isCall(_ line: String, _ kind: Kind) -> Bool {
            // `1234 sendto(…`, or, where another thread came between, `1234 <... fdatasync resumed>) = 0`.
            let call = line.drop { $0 != " " }.drop { $0 == " " }
            func begins(_ names: String...) -> Bool {
                names.contains { call.hasPrefix("\($0)(") || call.hasPrefix("<... \($0) resumed>") }
            }
            switch kind {
            case .receives: return begins("recvfrom", "recvmsg", "read", "readv")
            case .sends: return begins("sendto", "sendmsg", "write", "writev")
            case .writesFile: return begins("pwrite64")
            case .synced: return begins("fdatasync", "fsync") && call.hasSuffix("= 0")
            }
        }
    }

    private static let program = URL(fileURLWithPath: "/usr/bin/strace")
    private let tracer: ChildProcess
    private let file: URL

    /// Whether this machine has strace and lets it trace.
    static var isPossible: Bool {
        get async {
            guard FileManager.default.isExecutableFile(atPath: program.path) else { return false }
            return (try? await ChildProcess.run(program, ["-e", "trace=none", "/bin/true"]))?.end == .exit(0)
        }
    }

    /// Begins to trace a process; returns when it is traced.
    static func attach(to process: ChildProcess, folder: TemporaryFolder) async throws -> SystemCallTrace {
        let file = folder.file("calls.txt")
        let calls = "fdatasync,fsync,pwrite64,sendto,sendmsg,write,writev,recvfrom,recvmsg,read,readv"
        let tracer = try ChildProcess(
            program,
            arguments: ["-f", "-s", "8192", "-e", "trace=\(calls)", "-o", file.path, "-p", "\(process.identifier)"],
            folder: folder.url
        )
        try await eventually("strace is attached") { tracer.standardError.contains(" attached") }
        return SystemCallTrace(tracer: tracer, file: file)
    }

    /// Lets go of the process.
    func stop() async throws {
        _ = try await tracer.terminate()
    }

    /// What was traced.
    var calls: Calls { Calls((try? String(contentsOf: file, encoding: .utf8)) ?? "") }
}
