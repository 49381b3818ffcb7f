internal import Database
internal import Events
internal import Telemetry

/// How far the forwarder is, as the next process will find it.
struct ForwarderOffset: Sendable {
    private static let name = "forwarder"
    private static let pause: Duration = .seconds(1)

    let database: Database
    let table: DeliveryTable
    let logger: Logger

    /// How far an earlier process was, and the last event that it can have known of.
    ///
    /// - Returns: nil when the task is cancelled or the database closed.
    func read() async -> (offset: Int64, head: Int64)? {
        while !Task.isCancelled {
            do {
                return try await database.read(on: .reserved) { transaction in
                    let offset: Int64? = try transaction.first(
                        "SELECT position FROM warren_offsets WHERE name = $1",
                        ForwarderOffset.name
                    )?[0]
                    let head: Int64? = try transaction.first("SELECT MAX(position) FROM warren_events")?[0]
                    return (offset ?? 0, head ?? 0)
                }
            } catch {
                logger.error("the forwarder's offset cannot be read", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return nil }
                await Signal().wait(until: .now + ForwarderOffset.pause)
            }
        }
        return nil
    }

    /// Stores how far it is, with the next group of writes.
    ///
    /// - Parameter completion: told whether it is stored.
    func store(_ position: Int64, completion: @escaping @Sendable (Bool) -> Void) {
        database.submit { transaction in
            // Which subjects have something waiting is what the forwarder has to know before it reads on.
            try table.learnWhatWaits(in: transaction)
            _ = try transaction.execute(
                """
                INSERT INTO warren_offsets (name, position, updated_at) VALUES ($1, $2, $3)
                ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at
                """,
                ForwarderOffset.name,
                position,
                WallClock.milliseconds()
            )
            CrashPoint.reach("forwarder.offset")
        } completion: { result in
            CrashPoint.reach("forwarder.offset-stored")
            switch result {
            case .success: completion(true)
            case .failure(let error):
                // Nothing is lost: what lies between is published again after a crash, under the same ids.
                logger.error("the forwarder's offset cannot be stored", [LogField("error", error: error)])
                completion(false)
            }
        }
    }
}
