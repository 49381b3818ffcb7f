import Events
import ShopEvents

extension Order {
    /// A partial cancellation: some of the lines go, and their share of the money goes back.
    struct Part: Sendable, Equatable, Codable {
        /// What is cancelled.
        let lines: [OrderLine]
        /// What the card gets back, in minor units; nil where that is nothing.
        let refund: Int64?
        /// How many points are the customer's again; nil where none are.
        let points: Int64?
        /// Whether the card has got it back.
        var refundStatus: RefundStatus
    }

    /// Where the money of a partial cancellation stands.
    enum RefundStatus: String, Sendable, Codable, CaseIterable {
        /// The card gets nothing.
        case notRequired = "not-required"
        case requested
        case completed
    }

    /// What is left of the lines, those that are wholly cancelled left out.
    var linesLeft: [OrderLine] {
        var left = lines
        for part in parts {
            for line in part.lines { _ = Self.take(line.quantity, of: line.sku, from: &left) }
        }
        return left.filter { $0.quantity > 0 }
    }

    /// What goes back to the card when the whole order is cancelled: what it paid, less what partial cancellations give back.
    var refundLeft: Money {
        Money(amount: due.amount - parts.reduce(0) { $0 + ($1.refund ?? 0) }, currency: due.currency)
    }

    /// The points that are still spent.
    var pointsLeft: Int64? {
        deductions?.points.map { points in points - parts.reduce(0) { $0 + ($1.points ?? 0) } }
    }

    /// Cancels what is above those quantities; an article that is not named is not kept at all.
    ///
    /// Of what the card and the points have paid, that share goes back which the cancelled lines have in the total, rounded down over
    /// all partial cancellations together; a discount goes with them. So less goes back than was paid, until the order is cancelled.
    ///
    /// - Parameter quantities: by article, over all of its lines.
    /// - Throws: `Refusal.undecided` while somebody has still to say yes or the money is on its way; `.dispatched`, `.rejected`, `.ended`;
    ///   `.moreThanLeft`; `.nothingLeft`; `.tooManyParts`.
    mutating func keep(
        _ quantities: [String: Int],
        by caller: String? = nil,
        at now: Int64
    ) throws(Refusal) -> Outcome {
        try checkDivisible()
        var left = linesLeft
        for (sku, quantity) in quantities.sorted(by: { $0.key < $1.key }) {
            let there = left.reduce(0) { $0 + ($1.sku == sku ? $1.quantity : 0) }
            guard quantity <= there else { throw .moreThanLeft(sku: sku, left: there) }
        }
        var cancelled: [OrderLine] = []
        for sku in Set(left.map(\.sku)).sorted() {
            let there = left.reduce(0) { $0 + ($1.sku == sku ? $1.quantity : 0) }
            cancelled += Self.take(there - quantities[sku, default: 0], of: sku, from: &left)
        }
        guard !cancelled.isEmpty else { return .unchanged }
        let sum = Self.sum(of: left)
        guard sum > 0 else { throw .nothingLeft }
        guard parts.count < ContractLimits.partNumber.upperBound else { throw .tooManyParts }
        let refund =
            back(of: due.amount, leaving: sum, step: Tender.step(in: due.currency)) - (due.amount - refundLeft.amount)
        let points = deductions?.points.map { back(of: $0, leaving: sum) - ($0 - (pointsLeft ?? 0)) }
        let part = Part(
            lines: cancelled,
            refund: refund > 0 ? refund : nil,
            points: points.flatMap { $0 > 0 ? $0 : nil },
            refundStatus: refund > 0 ? .requested : .notRequired
        )
        record(OrderLinesCancelled.type, parts: parts + [part], by: caller, at: now)
        let event = OrderLinesCancelled(
            orderID: id,
            customer: customer,
            number: parts.count,
            lines: cancelled,
            total: Money(amount: sum, currency: total.currency),
            refund: part.refund.map { Money(amount: $0, currency: total.currency) },
            points: part.points
        )
        return .changed([event])
    }

    /// Payment has given the money of a partial cancellation back.
    ///
    /// - Throws: `Refusal.otherAmount`: an operator has to look at it.
    mutating func take(refundOfPart number: Int, _ money: Money, at now: Int64) throws(Refusal) -> Outcome {
        guard parts.indices.contains(number - 1), let refund = parts[number - 1].refund,
            money == Money(amount: refund, currency: due.currency)
        else { throw .otherAmount }
        guard parts[number - 1].refundStatus == .requested else { return .unchanged }
        var parts = parts
        parts[number - 1].refundStatus = .completed
        record(PaymentPartlyRefunded.type, parts: parts, at: now)
        return .changed([OrderPartlyRefunded(orderID: id, customer: customer, number: number, total: money)])
    }

    /// Only what is decided can be divided: nobody is asked twice about an order on which they work.
    private func checkDivisible() throws(Refusal) {
        switch status {
        case .rejected: throw .rejected
        case .cancelled: throw .ended
        case .placed: throw .undecided
        case .confirmed: break
        }
        guard shipment?.dispatchedTo == nil else { throw .dispatched }
        let isPaid = payment.status == .captured || payment.status == .notRequired
        guard isPaid, stock ?? .confirmed == .confirmed, coupon ?? .confirmed == .confirmed else { throw .undecided }
    }

    /// The share of what was paid that goes back when lines of that sum are left.
    private func back(of paid: Int64, leaving sum: Int64, step: Int64 = 1) -> Int64 {
        let share = total.amount.dividingFullWidth(paid.multipliedFullWidth(by: total.amount - sum)).quotient
        return share - share % step
    }

    private static func sum(of lines: [OrderLine]) -> Int64 {
        lines.reduce(0) { $0 + $1.unitPrice * Int64($1.quantity) }
    }

    /// Takes so many of an article, from the last of its lines on; what was taken, line by line.
    private static func take(_ quantity: Int, of sku: String, from lines: inout [OrderLine]) -> [OrderLine] {
        var wanted = quantity
        var taken: [OrderLine] = []
        for index in lines.indices.reversed() where lines[index].sku == sku {
            let count = min(wanted, lines[index].quantity)
            guard count > 0 else { continue }
            lines[index].quantity -= count
            wanted -= count
            var line = lines[index]
            line.quantity = count
            taken.append(line)
        }
        return taken
    }
}
