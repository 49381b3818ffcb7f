internal import Database
internal import Telemetry

/// Repeats a database operation until it succeeds, once a second.
///
/// - Parameter complaint: what the log says each time that it does not.
/// - Returns: nil when the task is cancelled or the database closed first.
func persistently<Result: Sendable>(
    _ logger: Logger,
    _ complaint: StaticString,
    _ operation: () async throws -> Result
) async -> Result? {
    while !Task.isCancelled {
        do {
            return try await operation()
        } catch {
            logger.error(complaint, [LogField("error", error: error)])
            if let error = error as? DatabaseError, error.code == .closed { return nil }
            await Signal().wait(until: .now + .seconds(1))
        }
    }
    return nil
}
