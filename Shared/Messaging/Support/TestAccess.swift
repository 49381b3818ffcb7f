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
            try DeliveryTable.bringForward(by: milliseconds, in: transaction)
        }
        onScheduled.raise()
    }

    /// How long it is until the next row is due, or nil when none waits for its time.
    package func untilNextDue() async throws -> Duration? {
        let next: Int64? = try await database.read { transaction in
            try DeliveryTable.nextDue(after: .min, in: transaction)
        }
        return next.map { .milliseconds(max(0, $0 - WallClock.milliseconds())) }
    }

    /// Whether everything is forwarded, and nothing in the table is at work or due.
    package func hasSettled() async throws -> Bool {
        let now = WallClock.milliseconds()
        return try await database.read { transaction in
            let left = try transaction.first(
                """
                SELECT 1 FROM warren_events
                WHERE position > COALESCE((SELECT position FROM warren_offsets WHERE name = 'forwarder'), 0) LIMIT 1
                """
            )
            return try left == nil && !DeliveryTable.isBusy(at: now, in: transaction)
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
