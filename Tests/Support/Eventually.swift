/// A condition did not come true in time.
public struct TimedOut: Error, CustomStringConvertible {
    /// What was waited for, for how long, and what was seen last.
    public let description: String

    /// Makes the error with what it says.
    public init(_ description: String) {
        self.description = description
    }
}

/// Asks until there is an answer, for what can only be asked about: another process's state over HTTP.
///
/// - Parameters:
///   - what: what is waited for, as the error says it.
///   - timeout: how long it may take.
///   - interval: how long to wait between two questions.
///   - probe: the question; nil, or an error, means not yet.
/// - Returns: the first answer.
/// - Throws: `TimedOut` with the last error of the probe; `CancellationError`.
public func eventually<Answer>(
    _ what: String,
    within timeout: Duration = .seconds(90),
    every interval: Duration = .milliseconds(50),
    _ probe: () async throws -> Answer?
) async throws -> Answer {
    let clock = ContinuousClock()
    let deadline = clock.now + timeout
    var last = ""
    while true {
        do {
            if let answer = try await probe() { return answer }
            last = ""
        } catch let error as CancellationError {
            throw error
        } catch {
            last = "; last error: \(error)"
        }
        guard clock.now < deadline else { throw TimedOut("not within \(timeout): \(what)\(last)") }
        try await clock.sleep(for: interval)
    }
}

/// Like `eventually(_:within:every:_:)`, for a condition that is true or not.
public func eventually(
    _ what: String,
    within timeout: Duration = .seconds(90),
    every interval: Duration = .milliseconds(50),
    until condition: () async throws -> Bool
) async throws {
    let _: Bool = try await eventually(what, within: timeout, every: interval) { try await condition() ? true : nil }
}
