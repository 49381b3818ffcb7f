internal import Database
internal import Events
internal import Telemetry

/// Keeps a database's steady clock over restarts, and notes the steps of the wall clock.
struct ClockKeeper: Sendable {
    /// How often the wall clock is looked at.
    private static let look: Duration = .seconds(10)
    /// Every so many looks, and when it has stepped, the clock is stored: the service may have come up anew by then.
    private static let looksForStoring = 6

    let clock: SteadyClock
    let database: Database
    /// How long what was written before a step can matter; nil for ever.
    let memory: Duration?
    let logger: Logger

    /// Goes on from what is stored.
    ///
    /// - Returns: false when it was cancelled, or the database closed, before that.
    func begin() async -> Bool {
        while !Task.isCancelled {
            do {
                let stored = try await database.read { try Self.stored(in: $0) }
                if let stored { clock.resume(from: stored) }
                note()
                try await store()
                return true
            } catch {
                logger.error("the clock's row cannot be used", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return false }
                await Signal().wait(until: .now + .seconds(1))
            }
        }
        return false
    }

    /// Looks at the wall clock until cancelled.
    func run() async {
        let pause = Signal()
        var looks = 0
        while !Task.isCancelled {
            await pause.wait(until: .now + Self.look)
            if Task.isCancelled { return }
            looks += 1
            guard note() || looks >= Self.looksForStoring else { continue }
            looks = 0
            do {
                try await store()
            } catch {
                logger.error("the clock's row cannot be used", [LogField("error", error: error)])
            }
        }
    }

    @discardableResult
    private func note() -> Bool {
        guard clock.look(memory: memory) else { return false }
        logger.warning(
            "the wall clock has stepped; what is due goes by the time that has passed",
            [LogField("clock.lead.seconds", clock.lead / 1_000)]
        )
        return true
    }

    private func store() async throws {
        let stored = clock.stored
        try await database.write { transaction in
            _ = try transaction.execute(
                """
                INSERT INTO warren_clock (id, boot, boot_offset, seen, lead, lowest_lead, stepped_at)
                VALUES (1, $1, $2, $3, $4, $5, $6)
                ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, boot_offset = excluded.boot_offset,
                    seen = excluded.seen, lead = excluded.lead, lowest_lead = excluded.lowest_lead,
                    stepped_at = excluded.stepped_at
                """,
                stored.boot,
                stored.offset,
                stored.seen,
                stored.lead,
                stored.lowestLead,
                stored.steppedAt
            )
        }
    }

    private static func stored(in transaction: Transaction) throws -> SteadyClock.Stored? {
        try transaction.first("SELECT * FROM warren_clock WHERE id = 1").map { row in
            SteadyClock.Stored(
                boot: try row["boot"],
                offset: try row["boot_offset"],
                seen: try row["seen"],
                lead: try row["lead"],
                lowestLead: try row["lowest_lead"],
                steppedAt: try row["stepped_at"]
            )
        }
    }
}
