package import AMQP
internal import Database
package import Events

// What a test of a service's handlers needs of the runtime that is driven without a broker; `MessagingTestKit` makes it public.
extension MessagingRuntime {
    /// Lets time pass for what waits in the table: retries and timeouts are due, deferrals older, by that much.
    ///
    /// The process's clock stays what it is, so that nothing that runs beside notices.
    package func skip(_ time: Duration) async throws {
        let milliseconds = Int64(time / .milliseconds(1))
        try await database.write { transaction in
            try transaction.execute(
                """
                UPDATE warren_deliveries SET due_at = due_at - $1, deferred_since = deferred_since - $1
                WHERE status = 'scheduled'
                """,
                milliseconds
            )
        }
        onScheduled.raise()
    }

    /// How long it is until the next row is due, or nil when none waits for its time.
    package func untilNextDue() async throws -> Duration? {
        let next: Int64? = try await database.read { transaction in
            try transaction.first("SELECT MIN(due_at) FROM warren_deliveries WHERE status = 'scheduled'")?[0]
        }
        return next.map { .milliseconds(max(0, $0 - WallClock.milliseconds())) }
    }

    /// Whether everything is forwarded, and nothing in the table is at work or due.
    package func hasSettled() async throws -> Bool {
        let now = WallClock.milliseconds()
        return try await database.read { transaction in
            let left: Int64? = try transaction.first(
                """
                SELECT (SELECT COUNT(*) FROM warren_events
                        WHERE position > COALESCE((SELECT position FROM warren_offsets WHERE name = 'forwarder'), 0))
                    + (SELECT COUNT(*) FROM warren_deliveries
                        WHERE status = 'scheduled' AND (due_at <= $1 OR running_since IS NOT NULL))
                """,
                now
            )?[0]
            return left == 0
        }
    }
}

extension MessagingConfiguration {
    /// What the service declares on its broker.
    package var brokerTopology: BrokerTopology { topology.declarations(queueType: queueType, mode: .declare) }
}

extension Envelope {
    /// The event as a service would publish it.
    package var publication: Publication { Publication(self, body: encoded()) }
}
