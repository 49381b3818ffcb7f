import Database
import Events

@testable import Messaging

/// An attempt whose receipt is a closure's.
final class ClosureAttempt: DeliveryAttempt {
    private let receipt: @Sendable (Transaction) throws -> Delivery.Outcome

    init(_ receipt: @escaping @Sendable (Transaction) throws -> Delivery.Outcome) {
        self.receipt = receipt
    }

    func takeReceipt(in transaction: Transaction) throws -> Delivery.Outcome { try receipt(transaction) }

    func timedOut() async {}
}

extension Delivery {
    /// A delivery outside of the inbox.
    convenience init(
        envelope: Envelope,
        attempt: Int,
        database: Database,
        events: EventStore,
        receipt: @escaping @Sendable (Transaction) throws -> Outcome
    ) {
        self.init(
            envelope: envelope,
            attempt: attempt,
            tick: 0,
            database: database,
            events: events,
            as: ClosureAttempt(receipt)
        )
    }
}
