internal import Database
internal import Events
import Synchronization
internal import Telemetry

/// Hands events to the table of deliveries, in their order, until the database takes them.
final class ForwarderParking: Sendable {
    private static let pause: Duration = .seconds(1)

    private struct State {
        /// What the table has not taken yet, in its order.
        var parkings: [ForwarderState.Parking] = []
        var isAtWork = false
    }

    private let database: Database
    private let table: DeliveryTable
    private let policy: RetryPolicy
    private let stalled: StalledTypes
    private let logger: Logger
    private let onScheduled: Signal
    private let state = Mutex(State())

    init(
        database: Database,
        table: DeliveryTable,
        policy: RetryPolicy,
        stalled: StalledTypes,
        logger: Logger,
        onScheduled: Signal
    ) {
        self.database = database
        self.table = table
        self.policy = policy
        self.stalled = stalled
        self.logger = logger
        self.onScheduled = onScheduled
    }

    /// Hands over events.
    ///
    /// - Parameter taken: told the positions of what the table has taken.
    func park(_ parkings: [ForwarderState.Parking], taken: @escaping @Sendable ([Int64]) -> Void) {
        let isFirst = state.withLock { state in
            state.parkings += parkings
            defer { state.isAtWork = true }
            return !state.isAtWork
        }
        if isFirst { parkNext(taken) }
    }

    /// Hands over what is waiting, in one transaction, and goes on with what came meanwhile.
    ///
    /// One transaction at a time: were a second one begun while the first has to be repeated, events would pass one
    /// another.
    private func parkNext(_ taken: @escaping @Sendable ([Int64]) -> Void) {
        let parkings = state.withLock { state in
            if state.parkings.isEmpty { state.isAtWork = false }
            return state.parkings
        }
        guard !parkings.isEmpty else { return }
        database.submit { [self] transaction in
            let now = WallClock.milliseconds()
            for parking in parkings { try insert(parking, now: now, in: transaction) }
        } completion: { [self] result in
            switch result {
            case .success:
                state.withLock { $0.parkings.removeFirst(parkings.count) }
                taken(parkings.map(\.event.position))
                onScheduled.raise()
                parkNext(taken)
            case .failure(let error):
                logger.error("refused events cannot be recorded", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return }
                Task {
                    await Signal().wait(until: .now + ForwarderParking.pause)
                    self.parkNext(taken)
                }
            }
        }
    }

    private func insert(_ parking: ForwarderState.Parking, now: Int64, in transaction: Transaction) throws {
        let record = DeliveryRecord(parking.event)
        var life = DeliveryLife(state: .scheduled, dueAt: now)
        var error: HandlerError?
        if let refusal = refusal(of: parking) {
            life.attempts = 1
            error = life.fail(refusal, policy: policy, deferralLimit: nil, now: now, random: .random(in: 0...1))
        } else if try table.isBlocked(parking.event.subject, in: transaction) {
            life = DeliveryLife(state: .held)
        }
        guard let id = try table.insert(record, life: life, error: error, now: now, in: transaction), let error else {
            return
        }
        let attempt = DeliveryTable.Attempt(startedAt: now, durationMilliseconds: 0, error: error)
        try table.record(attempt, number: 1, generation: 0, of: id, in: transaction)
    }

    private func refusal(of parking: ForwarderState.Parking) -> HandlerError? {
        switch parking.reason {
        case .behind: nil
        case .refused(let refusal): refusal
        case .unconfirmed(true):
            stalled.deferral(
                of: parking.event.type,
                "the broker has taken it and not confirmed it within \(stalled.timeout)"
            )
        case .unconfirmed(false):
            stalled.deferral(
                of: parking.event.type,
                "not sent: the broker has not confirmed other events of its type"
            )
        }
    }
}

extension DeliveryRecord {
    /// An event of the service's own that goes to the table.
    fileprivate init(_ event: StoredEvent) {
        self.init(
            key: DeliveryKey(source: event.subject.source, eventID: event.id),
            type: event.type,
            subjectKey: event.subject,
            sequence: UInt64(event.sequence),
            receivedAt: event.time,
            body: event.envelope,
            properties: StoredProperties(json: "{}")
        )
    }
}
