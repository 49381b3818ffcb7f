import Foundation
import TestSupport
import Testing

/// The process itself: signals, pipes and exit codes, which `run` alone does not show.
@Suite("The process", .timeLimit(.minutes(5)))
struct ProcessTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder("process")
    }

    /// The command as it was built beside these tests.
    private var warren: URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "warren")
    }

    /// Nobody to reach: port 9 of this machine is discard, where nobody listens.
    private static let environment = [
        "WARREN_SERVICES": "order=http://127.0.0.1:9", "WARREN_ORDER_URL": "http://127.0.0.1:9",
    ]

    @Test("ends with 130 at once on Ctrl-C while it waits")
    func interruptedWait() async throws {
        let process = try ChildProcess(
            warren,
            arguments: ["wait", "order", "x", "--for", "confirmed", "--timeout", "1h"],
            environment: Self.environment,
            folder: folder.url
        )
        // The first message says that it waits by now.
        try await eventually("it waits") { !process.standardError.isEmpty }
        process.send(SIGINT)
        #expect(try await process.waitForEnd() == .exit(130))
    }

    @Test("ends with 143 on SIGTERM while it reads standard input that never ends")
    func terminatedRead() async throws {
        let input = folder.file("input").path
        try #require(mkfifo(input, 0o600) == 0)
        // Open for both, so that neither side waits for the other, and the end of the input never comes.
        let descriptor = open(input, O_RDWR | O_CLOEXEC)
        defer { close(descriptor) }
        let process = try ChildProcess(
            URL(filePath: "/bin/sh"),
            arguments: ["-c", #"exec "$0" publish order.confirmed --data - <"$1""#, warren.path, input],
            environment: Self.environment,
            folder: folder.url
        )
        // More than a pipe holds: the write returns when the command has begun to read.
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result { try handle.write(contentsOf: Data(repeating: UInt8(ascii: " "), count: 1 << 18)) }
                )
            }
        }
        process.send(SIGTERM)
        #expect(try await process.waitForEnd() == .exit(143))
    }

    @Test("ends quietly when nobody reads its data any more")
    func closedPipe() async throws {
        let done = try await ChildProcess.run(
            URL(filePath: "/bin/bash"),
            ["-c", "'\(warren.path)' completion bash | head -c 0; exit ${PIPESTATUS[0]}"]
        )
        // Whoever wins the race: all was written into the pipe, or nobody was there any more.
        #expect(done.end == .exit(0) || done.end == .exit(141))
        #expect(done.errors.isEmpty)
    }

    @Test("keeps data and messages apart and ends with the code that the command came to")
    func codes() async throws {
        let done = try await ChildProcess.run(warren, ["order", "list"], environment: Self.environment)
        #expect(done.end == .exit(7))
        #expect(done.output.isEmpty)
        #expect(done.errors.contains("order cannot be reached at http://127.0.0.1:9: connection refused"))
    }
}
