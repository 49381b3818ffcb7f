import Foundation
import Testing

/// The process itself: signals, pipes and exit codes, which `run` alone does not show.
@Suite("The process", .timeLimit(.minutes(1)))
struct ProcessTests {
    /// The command as it was built beside these tests, with nothing to read and nobody to reach.
    private func start(_ arguments: [String], input: Any? = FileHandle.nullDevice) throws -> (Process, Pipe, Pipe) {
        let process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appending(path: "warren")
        process.arguments = arguments
        // Port 9 of this machine: discard, where nobody listens.
        process.environment = ["WARREN_ORDER_URL": "http://127.0.0.1:9"]
        let output = Pipe()
        let messages = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = messages
        try process.run()
        return (process, output, messages)
    }

    @Test("ends with 130 at once on Ctrl-C while it waits")
    func interruptedWait() throws {
        let (process, _, messages) = try start(["wait", "order", "x", "--for", "confirmed", "--timeout", "1h"])
        // The first message says that it waits by now.
        #expect(!messages.fileHandleForReading.availableData.isEmpty)
        let start = ContinuousClock.now
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 130)
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test("ends with 143 on SIGTERM while it reads standard input that never ends")
    func terminatedRead() throws {
        let input = Pipe()
        let (process, _, _) = try start(["publish", "order.confirmed", "--data", "-"], input: input)
        // More than a pipe holds: the write returns when the command has begun to read.
        try input.fileHandleForWriting.write(contentsOf: Data(repeating: UInt8(ascii: " "), count: 1 << 18))
        kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 143)
    }

    @Test("ends quietly when nobody reads its data any more")
    func closedPipe() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        let warren = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "warren").path
        process.arguments = ["-c", "'\(warren)' completion bash | head -c 0; exit ${PIPESTATUS[0]}"]
        let messages = Pipe()
        process.standardError = messages
        try process.run()
        let text = messages.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        // Whoever wins the race: all was written into the pipe, or nobody was there any more.
        #expect([0, 141].contains(process.terminationStatus))
        #expect(text.isEmpty)
    }

    @Test("keeps data and messages apart and ends with the code that the command came to")
    func codes() throws {
        let (process, output, messages) = try start(["order", "list"])
        let data = output.fileHandleForReading.readDataToEndOfFile()
        let text = String(decoding: messages.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 7)
        #expect(data.isEmpty)
        #expect(text.contains("order cannot be reached at http://127.0.0.1:9: connection refused"))
    }
}
