import Database
import Messaging
import Telemetry
import Testing

@testable import ServiceKit

@Suite("The metrics of messaging")
struct MessagingMetricsTests {
    private let table = TableOperations()
    private let registry = MetricsRegistry()
    private let log = CollectingLogSink()

    private func metrics(types: Set<String>) -> MessagingMetrics {
        let metrics = MessagingMetrics(source: table, types: types, logger: Logger("test", sink: log))
        metrics.register(in: registry)
        return metrics
    }

    private var lines: [Substring] { registry.render().split(separator: "\n").filter { !$0.hasPrefix("#") } }

    @Test("show what waits, with the age of nothing as 0 and dead letters by the types that are subscribed to")
    func values() async {
        let metrics = metrics(types: ["t", "u"])
        #expect(lines.isEmpty)
        await metrics.refresh()
        #expect(
            lines == [
                #"warren_dead_letters{type="other"} 1"#, #"warren_dead_letters{type="t"} 2"#,
                #"warren_dead_letters{type="u"} 0"#, "warren_events_gone_through_position 7",
                "warren_held_deliveries 2",
                "warren_oldest_kept_event_age_seconds 2.5", "warren_oldest_scheduled_age_seconds 0",
                "warren_oldest_unforwarded_age_seconds 1.5", "warren_retention_failed_passes_total 0",
                "warren_retention_last_pass_timestamp_seconds 1.5",
                #"warren_retention_removed_rows_total{table="deliveries"} 6"#,
                #"warren_retention_removed_rows_total{table="events"} 5"#, "warren_scheduled_deliveries 0",
                "warren_unforwarded_events 1",
            ]
        )
    }

    @Test("count every dead letter as another one for a service without subscriptions")
    func noSubscriptions() async {
        await metrics(types: []).refresh()
        #expect(lines.first == #"warren_dead_letters{type="other"} 3"#)
    }

    @Test("are left out, not old, when they cannot be read")
    func failure() async {
        let metrics = metrics(types: ["t"])
        await metrics.refresh()
        table.isBroken.change { $0 = true }
        await metrics.refresh()
        #expect(lines.isEmpty)
        #expect(log.records.map(\.level) == [.warning])
    }

    @Test("count by OpenTelemetry's names")
    func counters() {
        var counters = MessagingCounters()
        counters.published = 1
        counters.received = 2
        counters.deadLettered = 3
        let fixed = counters
        registry.registerMessagingCounters { fixed }
        #expect(lines.contains(#"messaging_client_published_messages_total{messaging_system="rabbitmq"} 1"#))
        #expect(lines.contains(#"messaging_client_consumed_messages_total{messaging_system="rabbitmq"} 2"#))
        #expect(lines.contains(#"warren_dead_lettered_deliveries_total{messaging_system="rabbitmq"} 3"#))
    }

    @Test("say what the database's writer is at and who waits for it, and readiness says when it is stuck")
    func writer() {
        var statistics = Database.Statistics()
        statistics.presentWriteSeconds = 12.5
        statistics.waitingWrites = 3
        let fixed = statistics
        registry.registerDatabaseMetrics { fixed }
        #expect(lines.contains("warren_database_present_write_seconds 12.5"))
        #expect(lines.contains("warren_database_waiting_writes 3"))
        #expect(
            ServiceRun.stuckWriter(statistics)
                == "the writer has been at one thing for 12 s, 3 writes wait: see the log"
        )
        statistics.presentWriteSeconds = 9.9
        #expect(ServiceRun.stuckWriter(statistics) == nil)
    }
}
