import Events
import Messaging
import Synchronization
import Telemetry

/// Times what the handlers do, by OpenTelemetry's name, and logs it for whoever looks closely.
final class HandlerTelemetry: HandlerMiddleware {
    private let registry: MetricsRegistry
    private let logger: Logger
    /// Of those that went well: made once, because they are asked for with each event.
    private let histograms = Mutex<[EventType: Histogram]>([:])

    init(registry: MetricsRegistry, logger: Logger) {
        self.registry = registry
        self.logger = logger
    }

    func handle(_ delivery: Delivery, next: (Delivery) async throws -> Void) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        do {
            try await next(delivery)
        } catch {
            finish(delivery, start.duration(to: clock.now), errorType: (error as? HandlerError)?.errorClass ?? "_OTHER")
            throw error
        }
        finish(delivery, start.duration(to: clock.now), errorType: nil)
    }

    private func finish(_ delivery: Delivery, _ duration: Duration, errorType: String?) {
        let envelope = delivery.envelope
        histogram(of: envelope.type, errorType: errorType).observe(duration)
        logger.debug(
            errorType == nil ? "a handler has ended" : "a handler has thrown",
            [
                LogField("messaging.event.type", envelope.type.rawValue), LogField("messaging.event.id", envelope.id),
                LogField("messaging.attempt", delivery.attempt),
                LogField("messaging.duration_us", Int(duration / .microseconds(1))),
            ] + (errorType.map { [LogField("error.class", $0)] } ?? [])
        )
    }

    private func histogram(of type: EventType, errorType: String?) -> Histogram {
        guard let errorType else {
            return histograms.withLock { histograms in
                if let histogram = histograms[type] { return histogram }
                let histogram = make(["messaging_system": "rabbitmq", "type": type.rawValue])
                histograms[type] = histogram
                return histogram
            }
        }
        return make(["messaging_system": "rabbitmq", "type": type.rawValue, "error_type": errorType])
    }

    private func make(_ labels: MetricLabels) -> Histogram {
        registry.histogram(
            "messaging_process_duration_seconds",
            help: "Time that a handler took for one attempt, its commit included.",
            labels: labels
        )
    }
}
