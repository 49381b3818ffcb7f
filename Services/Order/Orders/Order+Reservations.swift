import Events
import ShopEvents

extension Order {
    /// What others reserve for an order before it is paid, each by the same rules.
    enum Reservation: String, Sendable, CaseIterable {
        /// By Inventory.
        case stock
        /// By Coupon.
        case coupon

        /// Why an order ends whose reservation was over before it was confirmed.
        fileprivate var expired: String {
            switch self {
            case .stock: "reservation-expired"
            case .coupon: "redemption-expired"
            }
        }
    }

    /// Where something that is reserved for the order stands, as those who reserve it have reported it.
    enum ReservationStatus: String, Sendable, Codable, CaseIterable {
        /// Asked for by `order.placed`.
        case requested
        case reserved
        /// Taken for good.
        case confirmed
        case rejected
        /// Given back: the reservation expired, or the order ended.
        case released
    }

    /// What Inventory and Coupon report.
    enum ReservationReport: Sendable, Equatable {
        /// A coupon says what it takes off, in minor units.
        case reserved(discount: Int64? = nil)
        case rejected(reason: String)
        case confirmed
        case released

        var status: ReservationStatus {
            switch self {
            case .reserved: .reserved
            case .rejected: .rejected
            case .confirmed: .confirmed
            case .released: .released
            }
        }

        fileprivate func event(of kind: Reservation) -> EventType {
            switch (kind, self) {
            case (.stock, .reserved): StockReserved.type
            case (.stock, .rejected): StockRejected.type
            case (.stock, .confirmed): StockConfirmed.type
            case (.stock, .released): StockReleased.type
            case (.coupon, .reserved): CouponRedeemed.type
            case (.coupon, .rejected): CouponRejected.type
            case (.coupon, .confirmed): CouponConfirmed.type
            case (.coupon, .released): CouponReleased.type
            }
        }
    }

    /// Takes what Inventory or Coupon reports.
    ///
    /// When all is reserved that was asked for, a placed order moves on to its payment. What is not, or not any more, ends an order
    /// that is not confirmed yet: Payment calls off or gives back what it charges meanwhile, and who has reserved something hears of
    /// it too. A reservation may expire while the order is being confirmed; then who made it, being told of that, has the last word:
    /// it is made after all, or rejected, and an order that is paid and cannot be had is cancelled. An order that has ended
    /// already only writes down what became of it.
    ///
    /// - Throws: `Refusal.reservationContradiction` or `.otherAmount`: an operator has to look at it.
    mutating func take(
        _ report: ReservationReport,
        of kind: Reservation,
        at now: Int64
    ) throws(Refusal) -> Outcome {
        let known = self[kind]
        switch (known, report) {
        case (.reserved, .reserved), (.rejected, .rejected), (.confirmed, .confirmed), (.released, .released):
            return .unchanged  // A repetition.
        case (.requested, .reserved(let discount)):
            return try reserved(report, of: kind, discount, at: now)
        case (.requested, .rejected(let reason)):
            return ended(report, of: kind, because: reason, at: now)
        case (.requested, .released) where status != .placed, (.reserved, .released):
            return ended(report, of: kind, because: kind.expired, at: now)
        case (.reserved, .confirmed) where status != .placed, (.released, .confirmed) where status != .placed,
            (.confirmed, .released) where status != .confirmed:
            record(report.event(of: kind), reservation: (kind, report.status), at: now)
            return .changed([])
        case (.released, .rejected(let reason)):
            return withdrawn(report, of: kind, because: reason, at: now)
        case (nil, _), (.requested, _), (.reserved, _), (.rejected, _), (.released, _), (.confirmed, _):
            throw .reservationContradiction(kind, known: known, reported: report.status)
        }
    }

    subscript(_ kind: Reservation) -> ReservationStatus? {
        switch kind {
        case .stock: stock
        case .coupon: coupon
        }
    }

    /// One of those who were asked said yes; the last one moves a placed order on.
    private mutating func reserved(
        _ report: ReservationReport,
        of kind: Reservation,
        _ discount: Int64?,
        at now: Int64
    ) throws(Refusal) -> Outcome {
        if kind == .coupon {
            guard let discount, (1...total.amount).contains(discount) else { throw .otherAmount }
            deductions?.discount = discount
            capPoints()
        }
        record(report.event(of: kind), reservation: (kind, .reserved), at: now)
        guard status == .placed, stock != .requested, coupon != .requested else { return .changed([]) }
        return .changed(accept())
    }

    /// It cannot be had, or not any more: an order that is not confirmed will not be.
    private mutating func ended(
        _ report: ReservationReport,
        of kind: Reservation,
        because reason: String,
        at now: Int64
    ) -> Outcome {
        let isWaiting = status == .placed
        record(
            report.event(of: kind),
            status: isWaiting ? .rejected : nil,
            reservation: (kind, report.status),
            at: now
        )
        return .changed(isWaiting ? [rejected(because: reason)] : [])
    }

    /// The order was confirmed too late, and what it had reserved has gone to others.
    private mutating func withdrawn(
        _ report: ReservationReport,
        of kind: Reservation,
        because reason: String,
        at now: Int64
    ) -> Outcome {
        let isConfirmed = status == .confirmed
        record(
            report.event(of: kind),
            status: isConfirmed ? .cancelled : nil,
            reservation: (kind, report.status),
            at: now
        )
        return .changed(isConfirmed ? [cancelled(because: reason)] : [])
    }

    /// What an order comes to that is not decided by its deadline.
    enum Overdue: Sendable {
        /// It is decided.
        case settled
        /// Somebody who was asked has not answered: the order is rejected, and these events tell of it.
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
}
