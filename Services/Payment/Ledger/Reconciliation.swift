import ShopEvents

/// A day of the provider's books held against the ledger: a value without I/O.
struct Reconciliation: Sendable, Equatable {
    /// What does not agree.
    struct Difference: Sendable, Equatable {
        /// How it does not.
        enum Kind: String, Sendable, CaseIterable {
            /// The provider has moved money of which the ledger knows nothing.
            case notInLedger = "not-in-ledger"
            /// The ledger has what the provider does not know.
            case notAtProvider = "not-at-provider"
            /// The ledger has as moved what at the provider has not, or not any more.
            case notMoved = "not-moved"
            /// Both have it, with different amounts or currencies.
            case otherAmount = "other-amount"
        }

        let kind: Kind
        let object: ProviderObject.Kind
        let id: String
        let orderID: String?
        let atProvider: Money?
        let inLedger: Money?
        /// What to do, in one sentence.
        let mend: String
    }

    /// How many objects of the provider's were looked at.
    let looked: [ProviderObject.Kind: Int]
    let differences: [Difference]

    /// Compares.
    /// - Parameters:
    ///   - objects: what the provider made on the day, and whatever else the ledger booked on it, as the provider has it now.
    ///   - standings: what the ledger has of them, whenever it was booked.
    ///   - booked: what the ledger booked on the day.
    ///   - known: the payments that there are, by order.
    init(
        _ objects: [ProviderObject],
        standings: [String: PaymentLedger.Standing],
        booked: [String: (kind: ProviderObject.Kind, standing: PaymentLedger.Standing)],
        known: Set<String>
    ) {
        var looked = Dictionary(uniqueKeysWithValues: ProviderObject.Kind.allCases.map { ($0, 0) })
        var differences: [Difference] = []
        var seen: Set<String> = []
        for object in objects {
            seen.insert(object.id)
            looked[object.kind, default: 0] += 1
            let standing = standings[object.id]
            let orderID = standing?.orderID ?? object.orderID
            let inLedger = standing.flatMap { $0.money.amount == 0 ? nil : $0.money }
            guard let kind = Self.difference(object, inLedger) else { continue }
            differences.append(
                Difference(
                    kind: kind,
                    object: object.kind,
                    id: object.id,
                    orderID: orderID,
                    atProvider: object.money,
                    inLedger: inLedger,
                    mend: Self.mend(kind, object, isKnown: orderID.map(known.contains) ?? false)
                )
            )
        }
        for (id, entry) in booked where !seen.contains(id) && entry.standing.money.amount != 0 {
            differences.append(
                Difference(
                    kind: .notAtProvider,
                    object: entry.kind,
                    id: id,
                    orderID: entry.standing.orderID,
                    atProvider: nil,
                    inLedger: entry.standing.money,
                    mend:
                        "The provider has no such \(entry.kind.rawValue): see that the secret key is of the account, and the "
                        + "mode, that it was made with; then ask the provider."
                )
            )
        }
        self.looked = looked
        self.differences = differences.sorted { ($0.object.rawValue, $0.id) < ($1.object.rawValue, $1.id) }
    }

    private static func difference(_ object: ProviderObject, _ inLedger: Money?) -> Difference.Kind? {
        guard object.hasMoved else { return inLedger == nil ? nil : .notMoved }
        guard let inLedger else { return .notInLedger }
        return inLedger == object.money ? nil : .otherAmount
    }

    private static func mend(_ kind: Difference.Kind, _ object: ProviderObject, isKnown: Bool) -> String {
        switch (kind, object.kind) {
        case (.notInLedger, .charge) where object.orderID == nil:
            "Nobody in the shop asked for it: where it is not another program's, refund it at the provider."
        case (.notInLedger, .charge) where !isKnown:
            "The order has no payment here: refund it at the provider, or find out which database it was asked from."
        case (.notInLedger, .charge):
            "Retry the order's dead letters at Payment, or have the provider send `payment_intent.succeeded` again: "
                + "Payment then looks it up."
        case (.notInLedger, .refund):
            "Have the provider send the refund's webhook again (`refund.updated`): Payment then looks it up and books it."
        case (.notInLedger, .dispute):
            "Have the provider send `charge.dispute.created` again: Payment then looks it up and books it."
        case (.notMoved, .refund):
            "The money did not reach the customer: refund it at the provider once more, then have it send the webhook again."
        case (.notMoved, .dispute):
            "The bank gave the money back: have the provider send `charge.dispute.closed` again."
        case (.notMoved, .charge): "The provider does not have the charge any more: ask the provider."
        case (.otherAmount, _): "Compare both with the order, and ask the provider where it is wrong."
        case (.notAtProvider, _): "Ask the provider."
        }
    }
}
