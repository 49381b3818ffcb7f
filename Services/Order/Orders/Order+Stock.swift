import Events
import ShopEvents

extension Order {
    /// What Inventory reports.
    enum StockReport: Sendable, Equatable {
        case reserved
        case rejected(reason: String)
        case confirmed
        case released

        var status: StockStatus {
            switch self {
            case .reserved: .reserved
            case .rejected: .rejected
            case .confirmed: .confirmed
            case .released: .released
            }
        }

        fileprivate var event: EventType {
            switch self {
            case .reserved: StockReserved.type
            case .rejected: StockRejected.type
            case .confirmed: StockConfirmed.type
            case .released: StockReleased.type
            }
        }
    }

    /// Takes what Inventory reports.
    ///
    /// What is reserved moves a placed order on to its payment. What is not, or not any more, ends an order that is not confirmed
    /// yet: Payment calls off or gives back what it charges meanwhile. A reservation may expire while the order is being
    /// confirmed; then Inventory, which is told of that, has the last word: it takes the stock after all, or rejects, and an
    /// order that is paid and cannot be had is cancelled. One that has ended already only writes down what became of its stock.
    ///
    /// - Throws: `Refusal.stockContradiction`: an operator has to look at it.
    mutating func take(_ report: StockReport, at now: Int64) throws(Refusal) -> Outcome {
        switch (stock, report) {
        case (.reserved, .reserved), (.rejected, .rejected), (.confirmed, .confirmed), (.released, .released):
            return .unchanged  // A repetition.
        case (.requested, .reserved):
            return accepted(at: now)
        case (.requested, .rejected(let reason)):
            return ended(report, because: reason, at: now)
        case (.requested, .released) where status != .placed, (.reserved, .released):
            return ended(report, because: "reservation-expired", at: now)
        case (.reserved, .confirmed) where status != .placed, (.released, .confirmed) where status != .placed,
            (.confirmed, .released) where status != .confirmed:
            record(report.event, stock: report.status, at: now)
            return .changed([])
        case (.released, .rejected(let reason)):
            return withdrawn(report, because: reason, at: now)
        case (nil, _), (.requested, _), (.reserved, _), (.rejected, _), (.released, _), (.confirmed, _):
            throw .stockContradiction(known: stock, reported: report.status)
        }
    }

    /// Everyone who was asked said yes.
    private mutating func accepted(at now: Int64) -> Outcome {
        guard status == .placed else {
            // It ended meanwhile; Inventory hears of that and gives back.
            record(StockReserved.type, stock: .reserved, at: now)
            return .changed([])
        }
        record(StockReserved.type, payment: Payment(status: .requested), stock: .reserved, at: now)
        return .changed([OrderAccepted(orderID: id, total: total), paymentRequested])
    }

    /// There is no stock, or none any more: an order that is not confirmed will not be.
    private mutating func ended(_ report: StockReport, because reason: String, at now: Int64) -> Outcome {
        let isWaiting = status == .placed
        record(report.event, status: isWaiting ? .rejected : nil, stock: report.status, at: now)
        return .changed(isWaiting ? [rejected(because: reason)] : [])
    }

    /// The order was confirmed too late, and its stock has gone to others.
    private mutating func withdrawn(_ report: StockReport, because reason: String, at now: Int64) -> Outcome {
        let isConfirmed = status == .confirmed
        record(report.event, status: isConfirmed ? .cancelled : nil, stock: report.status, at: now)
        return .changed(isConfirmed ? [cancelled(because: reason)] : [])
    }

    /// What an order comes to that is not decided by its deadline.
    enum Overdue: Sendable {
        /// It is decided.
        case settled
        /// Inventory has not answered: the order is rejected, and these events tell of it.
        case rejected([any Event])
        /// Money is under way, and nobody knows whether it was charged: somebody has to look.
        case moneyUnclear
    }

    /// The order's deadline has passed.
    mutating func expire(at now: Int64) -> Overdue {
        guard status == .placed else { return .settled }
        guard payment.status == .notRequested else { return .moneyUnclear }
        record(OrderRejected.type, status: .rejected, at: now)
        return .rejected([rejected(because: "timed-out")])
    }

    /// With the total, so that Payment and Inventory can leave a mark where they have not heard of the order yet.
    private func rejected(because reason: String) -> OrderRejected {
        OrderRejected(orderID: id, customer: customer, reason: reason, total: total)
    }
}
