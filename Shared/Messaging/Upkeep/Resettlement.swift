internal import Database
internal import Events
internal import Telemetry

/// Brings what earlier starts have left in the table in line with the settings of this one.
///
/// *A subscriber that was renamed*: a database belongs to one service, so whatever is there under another name is this
/// service's. Its rows are taken over before the first delivery is handled, receipts included: without them what comes
/// again would count as new. Where an event has come again under the new name already, that row stands and its twin goes;
/// if either is a receipt, a receipt is what is left.
///
/// *Ordering or `afterDeadLetter` that were changed*: what is held although nothing holds it now is let go, beside the usual
/// work. That also finds what is held for nothing for any other reason.
///
/// All of it goes in slices, each a short transaction of the writer, and goes on at the next start where it was ended.
struct Resettlement: Sendable {
    /// Rows that one transaction changes.
    static let slice = 500
    /// Subjects that one transaction looks at.
    private static let subjects = 100

    let database: Database
    let table: DeliveryTable
    let logger: Logger
    /// Raised when the table has something for the scheduler.
    let onScheduled: Signal

    /// Takes over the rows of former names.
    ///
    /// - Returns: false when it was cancelled, or the database closed, before the end.
    func takeOver() async -> Bool {
        await persistently {
            let names = try await database.read { [table] transaction in
                try DeliveryTable.subscribers(in: transaction)
                    .filter { $0 != table.subscriber && $0 != DeliveryTable.forwarder }
            }
            for name in names {
                var rows = 0
                while !Task.isCancelled {
                    let taken = try await database.write { [table] transaction in
                        try table.takeOver(
                            from: name,
                            limit: Self.slice,
                            now: WallClock.milliseconds(),
                            in: transaction
                        )
                    }
                    rows += taken
                    if taken < Self.slice { break }
                }
                logger.info(
                    "the subscriber has another name than before; its deliveries are taken over",
                    [
                        LogField("messaging.subscriber", table.subscriber),
                        LogField("messaging.subscriber.former", name), LogField("deliveries", rows),
                    ]
                )
            }
        }
    }

    /// Lets go what is held although nothing holds it.
    func release() async {
        var released = 0
        _ = await persistently {
            var place: SubjectKey?
            var isEnd = false
            while !isEnd, !Task.isCancelled {
                let result = try await database.write { [table, place] transaction in
                    try table.releaseIdle(
                        after: place,
                        limit: Self.subjects,
                        now: WallClock.milliseconds(),
                        in: transaction
                    )
                }
                (place, isEnd) = (result.place, result.isEnd)
                released += result.released
                if result.released > 0 { onScheduled.raise() }
            }
        }
        if released > 0 {
            logger.info(
                "deliveries were held that nothing holds any more; they are let go",
                [LogField("messaging.subscriber", table.subscriber), LogField("deliveries", released)]
            )
        }
    }

    private func persistently(_ body: () async throws -> Void) async -> Bool {
        while !Task.isCancelled {
            do {
                try await body()
                return !Task.isCancelled
            } catch {
                logger.error("the delivery table cannot be brought in line", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return false }
                await Signal().wait(until: .now + .seconds(1))
            }
        }
        return false
    }
}
