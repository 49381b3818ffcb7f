import Database
import Messaging
import Synchronization
import Telemetry

/// The metrics of messaging and database: what flows, by OpenTelemetry's names, and what tells an operator what to do.
final class MessagingMetrics: Sendable {
    private struct Snapshot {
        var backlog: Backlog?
        var deadByType: [String: Int]?
        var retention: RetentionStatus?
    }

    /// What was read last; empty when it could not be read, and then the gauges are left out instead of lying.
    private let snapshot = Mutex(Snapshot())
    private let source: any OperationsSource
    /// The event types that the service subscribes to.
    ///
    /// Others appear as `other`, for a sender chooses their names.
    private let types: Set<String>
    private let logger: Logger

    init(source: any OperationsSource, types: Set<String>, logger: Logger) {
        self.source = source
        self.types = types
        self.logger = logger
    }

    /// Reads the backlog anew; at most two seconds.
    func refresh() async {
        let source = source
        let read = await Deadline.value(within: .seconds(2)) { () -> Result<Snapshot, any Error> in
            do {
                let backlog = try await source.backlog()
                let counts = try await self.countByType(total: backlog.dead)
                let retention = try await source.retentionStatus()
                return .success(Snapshot(backlog: backlog, deadByType: counts, retention: retention))
            } catch {
                return .failure(error)
            }
        }
        switch read {
        case .success(let fresh): snapshot.withLock { $0 = fresh }
        case .failure(let error):
            snapshot.withLock { $0 = Snapshot() }
            logger.warning("the backlog cannot be read for the metrics", [LogField("error", error: error)])
        case nil:
            snapshot.withLock { $0 = Snapshot() }
            logger.warning("the backlog was not read in time for the metrics")
        }
    }

    func register(in registry: MetricsRegistry) {
        gauge(registry, "warren_unforwarded_events", "Events that wait for the forwarder.") { Double($0.unforwarded) }
        gauge(registry, "warren_oldest_unforwarded_age_seconds", "Age of the oldest event that waits.") {
            $0.oldestUnforwardedAge ?? 0
        }
        gauge(registry, "warren_scheduled_deliveries", "Deliveries that wait for their next attempt.") {
            Double($0.scheduled)
        }
        gauge(registry, "warren_oldest_scheduled_age_seconds", "Age of the oldest delivery that waits for an attempt.")
        {
            $0.oldestScheduledAge ?? 0
        }
        gauge(registry, "warren_held_deliveries", "Deliveries held behind an earlier one of their subject.") {
            Double($0.held)
        }
        registry.gauge("warren_dead_letters", help: "Dead letters, by event type.") { [self] in
            let counts = snapshot.withLock { $0.deadByType } ?? [:]
            return counts.sorted { $0.key < $1.key }.map { (["type": $0.key], Double($0.value)) }
        }
        registerRetention(in: registry)
    }

    /// What is removed because of its age, whether that still goes on, and how far back a reader of events can go.
    private func registerRetention(in registry: MetricsRegistry) {
        func values(
            _ read: @escaping @Sendable (RetentionStatus) -> MetricsRegistry.Samples
        ) -> @Sendable () -> MetricsRegistry.Samples {
            { [self] in snapshot.withLock { $0.retention }.map(read) ?? [] }
        }
        registry.counter(
            "warren_retention_removed_rows_total",
            help: "Rows removed because of their age.",
            read: values { status in
                let counts = [("deliveries", status.removedReceipts), ("events", status.removedEvents)]
                return counts.map { (["table": $0], Double($1)) }
            }
        )
        registry.counter(
            "warren_retention_failed_passes_total",
            help: "Passes of retention that failed.",
            read: values { [(.none, Double($0.failures))] }
        )
        registry.gauge(
            "warren_retention_last_pass_timestamp_seconds",
            help: "When retention last went through; nothing before its first pass, an hour after the start.",
            read: values { status in status.lastPass.map { [(.none, Double($0) / 1000)] } ?? [] }
        )
        registry.gauge(
            "warren_events_gone_through_position",
            help: "The position through which events may have been removed.",
            read: values { [(.none, Double($0.goneThrough))] }
        )
        registry.gauge(
            "warren_oldest_kept_event_age_seconds",
            help: "Age of the oldest event that a reader can still ask for.",
            read: values { status in status.oldestEventAge.map { [(.none, $0)] } ?? [] }
        )
    }

    private func gauge(
        _ registry: MetricsRegistry,
        _ name: String,
        _ help: String,
        _ value: @escaping @Sendable (Backlog) -> Double
    ) {
        registry.gauge(name, help: help) { [self] in
            snapshot.withLock { $0.backlog }.map { [(.none, value($0))] } ?? []
        }
    }

    /// The dead letters of each type that the service subscribes to, and of all others together.
    private func countByType(total: Int) async throws -> [String: Int] {
        var counts = Dictionary(uniqueKeysWithValues: types.map { ($0, 0) })
        if !types.isEmpty {
            var filter = DeadLetterFilter()
            filter.types = types.sorted()
            for group in try await source.groups(filter).items { counts[group.type, default: 0] += group.count }
        }
        counts["other"] = max(0, total - counts.values.reduce(0, +))
        return counts
    }
}

extension MetricsRegistry {
    /// The counters of messaging since the start.
    func registerMessagingCounters(_ read: @escaping @Sendable () -> MessagingCounters) {
        let counters: [(name: String, help: String, value: @Sendable (MessagingCounters) -> Int)] = [
            ("messaging_client_published_messages_total", "Events that the broker confirmed.", { $0.published }),
            (
                "warren_publish_failures_total", "Attempts to publish that the broker did not confirm.",
                { $0.publishFailures }
            ),
            (
                "warren_unconfirmed_events_total",
                "Events that the broker did not confirm within WARREN_CONFIRM_TIMEOUT; they wait in the table.",
                { $0.unconfirmed }
            ),
            ("messaging_client_consumed_messages_total", "Messages that the broker delivered.", { $0.received }),
            (
                "warren_prioritised_messages_total",
                "Messages that came with a priority, by which they may have overtaken others of their subject.",
                { $0.prioritised }
            ),
            ("warren_processed_deliveries_total", "Deliveries whose handler committed.", { $0.processed }),
            ("warren_duplicate_deliveries_total", "Deliveries that were known already.", { $0.duplicates }),
            ("warren_failed_attempts_total", "Attempts of handlers that failed.", { $0.failedAttempts }),
            ("warren_dead_lettered_deliveries_total", "Deliveries that became dead letters.", { $0.deadLettered }),
        ]
        let labels: MetricLabels = ["messaging_system": "rabbitmq"]
        for counter in counters {
            self.counter(counter.name, help: counter.help) {
                [(labels, Double(counter.value(read())))]
            }
        }
    }

    /// What the database did since the start.
    func registerDatabaseMetrics(_ read: @escaping @Sendable () -> Database.Statistics) {
        counter("warren_database_commits_total", help: "Transactions that were committed.") {
            [(.none, Double(read().commits))]
        }
        counter("warren_database_closures_total", help: "Units of work in the committed transactions.") {
            [(.none, Double(read().closures))]
        }
        gauge("warren_database_wal_bytes", help: "Size of the write-ahead log.") { [(.none, Double(read().walBytes))] }
        gauge("warren_database_waiting_writes", help: "Writes that wait for the writer.") {
            [(.none, Double(read().waitingWrites))]
        }
        gauge(
            "warren_database_present_write_seconds",
            help: "How long the writer has been at the one thing that it does now; 0 when it has nothing to do."
        ) { [(.none, read().presentWriteSeconds)] }
    }
}

extension MetricsRegistry {
    /// Which program this is.
    func registerBuildInformation(service: String) {
        gauge("warren_build_info", help: "Service and version; the value is always 1.") {
            [(["service": service, "version": Warren.version], 1)]
        }
    }
}
