import Events
import Messaging
import ShopEvents

@testable import Coupon
@testable import Inventory
@testable import Order
@testable import Payment
@testable import Points

/// The whole shop as one value: the pure aggregates of Order, Inventory, Coupon, Points and Payment, what is under way between them,
/// and what is true at the provider.
///
/// It has no time: whatever can happen by itself can happen at any moment. What is under way about one order from one service to
/// another arrives in its order, which the engine promises; nothing else is ordered.
struct FlowWorld: Sendable {
    /// From whom to whom.
    enum Line: Int, CaseIterable, Sendable {
        case orderToInventory
        case orderToCoupon
        case orderToPoints
        case orderToPayment
        case inventoryToOrder
        case couponToOrder
        case pointsToOrder
        case paymentToOrder

        /// Who hears what Order says on it; nil where Order hears.
        var subscriber: String? {
            switch self {
            case .orderToInventory: "inventory"
            case .orderToCoupon: "coupon"
            case .orderToPoints: "points"
            case .orderToPayment: "payment"
            case .inventoryToOrder, .couponToOrder, .pointsToOrder, .paymentToOrder: nil
            }
        }
    }

    /// One order, and all that there is about it.
    struct Lane: Sendable {
        var order: Order
        var reservation: Reservation?
        var redemption: Redemption?
        var spending: Spending?
        /// The place in the line of those that wait.
        var number = 0
        var payment: Payment?
        var underWay: [[any Event]] = Line.allCases.map { _ in [] }
        /// What those hear that Order speaks to.
        var heard: [Set<EventType>] = Line.allCases.map { _ in [] }
        var hasDeadline = true
        /// The request lies in Payment's dead letters; an operator may retry it.
        var requestIsDead = false
        /// The order is reported to an operator.
        var isReported = false
        /// Money has moved at the provider, whatever Payment knows of it.
        var isCharged = false
        var isRefunded = false
        /// The provider has a refund that it takes its time with.
        var refundIsPending = false
    }

    /// What may go wrong in these worlds, beside what always may: cancels, expiries and waits at any moment, and declines.
    struct Troubles: OptionSet, Sendable {
        let rawValue: Int
        /// The provider does not say in time whether it has charged, and the request becomes a dead letter.
        static let silence = Troubles(rawValue: 1)
        /// The provider takes its time with refunds.
        static let slowRefunds = Troubles(rawValue: 2)
        /// Orders come to their deadlines.
        static let deadlines = Troubles(rawValue: 4)
        /// Operators retry dead letters.
        static let retries = Troubles(rawValue: 8)
        static let all: Troubles = [.silence, .slowRefunds, .deadlines, .retries]
    }

    /// What there is to be had in the beginning.
    struct Goods: Sendable {
        /// Pieces; nil in a shop without Inventory.
        var pieces: Int?
        /// Whether each order asks for the same coupon of the one customer.
        var hasCoupon = false
        /// The customer's points, of which each order asks for 200; nil where none does.
        var points: Int64?

        fileprivate var contexts: Set<Shop.Context> {
            var contexts: Set<Shop.Context> = []
            if pieces != nil { contexts.insert(.inventory) }
            if hasCoupon { contexts.insert(.coupon) }
            if points != nil { contexts.insert(.points) }
            return contexts
        }
    }

    let troubles: Troubles
    var stock: Stock
    var coupon: Coupon
    /// The customer's points.
    var balance: Int64
    var lanes: [Lane]
    private var arrivals = 0

    static let sku = "TEA-500"
    static let wanted: Int64 = 200
    private static let terms = Reservation.Terms(keep: 10, wait: 1)
    private static let couponTerms = Redemption.Terms(keep: 10, wait: 1)
    private static let account = PointsAccount(customer: "ada", currency: "EUR")

    /// Orders of one piece each that have just been placed.
    init(orders: Int, _ goods: Goods, troubles: Troubles) {
        self.troubles = troubles
        stock = Stock(onHand: goods.pieces ?? 0)
        let rule = CouponRule(discount: .amount(Money(amount: 100, currency: "EUR")))
        coupon = Coupon(id: "c-1", definition: "spring", customer: "ada", rule: rule, issuedAt: 0, updatedAt: 0)
        balance = goods.points ?? 0
        var draft = OrderDraft(
            customer: Customer(email: "ada@example.com", name: "Ada Lovelace", id: "ada"),
            lines: [OrderLine(sku: Self.sku, quantity: 1, unitPrice: 650, name: "Green tea")],
            total: Money(amount: 650, currency: "EUR"),
            paymentMethod: "pm_card_visa"
        )
        if goods.hasCoupon || goods.points != nil {
            draft.deductions = Deductions(
                coupon: goods.hasCoupon ? coupon.id : nil,
                points: goods.points == nil ? nil : Self.wanted
            )
        }
        let topology = Shop.topology(with: goods.contexts)
        let awaitsStock = goods.pieces != nil
        lanes = (1...orders).map { [draft] number in
            let (order, events) = Order.place(draft, id: "order-\(number)", awaitsStock: awaitsStock, at: 0)
            var lane = Lane(order: order)
            for line in Line.allCases {
                guard let subscriber = line.subscriber else { continue }
                let subscriptions = topology.subscriptions.filter { $0.subscriber == subscriber }
                lane.heard[line.rawValue] = Set(subscriptions.flatMap(\.types))
            }
            lane.say(events)
            return lane
        }
    }

    // MARK: What may happen

    /// Something that may happen now, and the ways in which it may.
    enum Step: Sendable {
        case deliver(Int, Line)
        case expiry(Int)
        case waitOver(Int)
        case couponExpiry(Int)
        case couponWaitOver(Int)
        case deadline(Int)
        case refundDone(Int)
        /// The customer changes their mind.
        case cancel(Int)
        /// An operator retries the dead letter.
        case retry(Int)

        /// Whether it happens sooner or later, whatever people do.
        var comesByItself: Bool {
            switch self {
            case .deliver, .expiry, .waitOver, .couponExpiry, .couponWaitOver, .deadline, .refundDone: true
            case .cancel, .retry: false
            }
        }
    }

    /// All that may happen next.
    var steps: [Step] {
        var steps: [Step] = []
        for (index, lane) in lanes.enumerated() {
            for line in Line.allCases where !lane.underWay[line.rawValue].isEmpty {
                steps.append(.deliver(index, line))
            }
            if lane.reservation?.state == .held { steps.append(.expiry(index)) }
            if lane.reservation?.state == .waiting { steps.append(.waitOver(index)) }
            if lane.redemption?.state == .held { steps.append(.couponExpiry(index)) }
            if lane.redemption?.state == .waiting { steps.append(.couponWaitOver(index)) }
            if lane.hasDeadline, troubles.contains(.deadlines) { steps.append(.deadline(index)) }
            if lane.refundIsPending { steps.append(.refundDone(index)) }
            if lane.order.status == .placed || lane.order.status == .confirmed { steps.append(.cancel(index)) }
            if lane.requestIsDead, troubles.contains(.retries) { steps.append(.retry(index)) }
        }
        return steps
    }

    /// The worlds that a step may lead to.
    ///
    /// - Throws: what an aggregate throws: in a flow of its own making it has nothing to refuse.
    func after(_ step: Step) throws -> [FlowWorld] {
        var world = self
        switch step {
        case .deliver(let index, let line):
            let event = world.lanes[index].underWay[line.rawValue].removeFirst()
            switch line {
            case .orderToInventory: try world.inventoryHears(event, index)
            case .orderToCoupon: try world.couponHears(event, index)
            case .orderToPoints: try world.pointsHears(event, index)
            case .orderToPayment: return try world.paymentHears(event, index)
            case .inventoryToOrder, .couponToOrder, .pointsToOrder, .paymentToOrder:
                try world.lanes[index].orderHears(event)
            }
        case .expiry(let index):
            world.move(index) { reservation, _ in reservation.expire(at: 0) }
        case .waitOver(let index):
            world.move(index) { reservation, stocks in reservation.waitIsOver(given: stocks, Self.terms, at: 0) }
        case .couponExpiry(let index):
            world.redeem(index) { redemption, _ in redemption.expire(at: 0) }
        case .couponWaitOver(let index):
            world.redeem(index) { redemption, coupon in
                redemption.waitIsOver(given: coupon, Self.couponTerms, at: 0)
            }
        case .deadline(let index):
            world.lanes[index].hasDeadline = false
            switch world.lanes[index].order.expire(at: 0) {
            case .settled: break
            case .rejected(let events): world.lanes[index].say(events)
            case .moneyUnclear: world.lanes[index].isReported = true
            }
        case .refundDone(let index):
            world.lanes[index].refundIsDone()
        case .cancel(let index):
            let outcome = try world.lanes[index].order.cancel(at: 0)
            world.lanes[index].took(outcome)
        case .retry(let index):
            world.lanes[index].requestIsDead = false
            return world.branches(index, world.lanes[index].paymentRequested(troubles))
        }
        return [world]
    }

    // MARK: Inventory

    private mutating func inventoryHears(_ event: any Event, _ index: Int) throws {
        switch event {
        case let event as OrderPlaced:
            let lines = event.lines.map { Reservation.Line(sku: $0.sku, quantity: $0.quantity) }
            let (reservation, change) = Reservation.forOrder(
                event.orderID,
                lines,
                given: [Self.sku: stock],
                Self.terms,
                at: 0
            )
            lanes[index].reservation = reservation
            lanes[index].number = arrivals
            arrivals += 1
            carryOut(change, index)
        case is OrderConfirmed:
            move(index) { reservation, stocks in reservation.orderConfirmed(given: stocks, at: 0) }
        case is OrderCancelled, is OrderRejected:
            move(index) { reservation, _ in reservation.orderEnded(at: 0) }
        default: throw Unexpected(event: type(of: event).type)
        }
    }

    private mutating func move(
        _ index: Int,
        _ transition: (inout Reservation, [String: Stock]) -> Reservation.Change?
    ) {
        guard var reservation = lanes[index].reservation else { return }
        let change = transition(&reservation, [Self.sku: stock])
        lanes[index].reservation = reservation
        if let change { carryOut(change, index) }
    }

    private mutating func carryOut(_ change: Reservation.Change, _ index: Int) {
        if let move = change.move { stock.apply(move, 1) }
        switch change.announcement {
        case nil: break
        case .reserved(let event): lanes[index].underWay[Line.inventoryToOrder.rawValue].append(event)
        case .rejected(let event): lanes[index].underWay[Line.inventoryToOrder.rawValue].append(event)
        case .confirmed(let event): lanes[index].underWay[Line.inventoryToOrder.rawValue].append(event)
        case .released(let event): lanes[index].underWay[Line.inventoryToOrder.rawValue].append(event)
        }
        guard let move = change.move, move.givesBack || move.takesAway else { return }
        let waiting = lanes.indices.filter { lanes[$0].reservation?.state == .waiting }
        for other in waiting.sorted(by: { lanes[$0].number < lanes[$1].number }) {
            self.move(other) { reservation, stocks in reservation.reconsider(given: stocks, Self.terms, at: 0) }
        }
    }

    // MARK: Coupon

    private mutating func couponHears(_ event: any Event, _ index: Int) throws {
        switch event {
        case let event as OrderPlaced:
            let wish = Redemption.Wish(
                coupon: event.deductions?.coupon ?? "",
                customer: event.customer.id,
                total: event.total
            )
            let (redemption, change) = Redemption.forOrder(
                event.orderID,
                wish,
                given: coupon,
                Self.couponTerms,
                at: 0
            )
            lanes[index].redemption = redemption
            lanes[index].number = arrivals
            arrivals += 1
            carryOut(change, index)
        case is OrderConfirmed:
            redeem(index) { redemption, coupon in redemption.orderConfirmed(given: coupon, at: 0) }
        case is OrderCancelled, is OrderRejected:
            redeem(index) { redemption, _ in redemption.orderEnded(at: 0) }
        default: throw Unexpected(event: type(of: event).type)
        }
    }

    private mutating func redeem(_ index: Int, _ transition: (inout Redemption, Coupon) -> Redemption.Change?) {
        guard var redemption = lanes[index].redemption else { return }
        let change = transition(&redemption, coupon)
        lanes[index].redemption = redemption
        if let change { carryOut(change, index) }
    }

    private mutating func carryOut(_ change: Redemption.Change, _ index: Int) {
        if let move = change.move { coupon.apply(move, for: lanes[index].order.id, at: 0) }
        let line = Line.couponToOrder.rawValue
        switch change.announcement {
        case nil: break
        case .redeemed(let event): lanes[index].underWay[line].append(event)
        case .rejected(let event): lanes[index].underWay[line].append(event)
        case .confirmed(let event): lanes[index].underWay[line].append(event)
        case .released(let event): lanes[index].underWay[line].append(event)
        }
        guard change.move != nil else { return }
        let waiting = lanes.indices.filter { lanes[$0].redemption?.state == .waiting }
        for other in waiting.sorted(by: { lanes[$0].number < lanes[$1].number }) {
            redeem(other) { redemption, coupon in
                redemption.reconsider(given: coupon, Self.couponTerms, at: 0)
            }
        }
    }

    // MARK: Points

    private mutating func pointsHears(_ event: any Event, _ index: Int) throws {
        let line = Line.pointsToOrder.rawValue
        let change: Spending.Change?
        switch event {
        case let event as OrderAccepted:
            guard let points = event.deductions?.points else { return }
            if let spending = lanes[index].spending {
                change = spending.acceptedAgain()
            } else {
                let (spending, first) = Spending.forOrder(
                    event.orderID,
                    points,
                    of: event.customer?.id == nil ? nil : Self.account,
                    given: balance,
                    at: 0
                )
                lanes[index].spending = spending
                change = first
            }
        case is OrderConfirmed: change = nil
        case let event as OrderCancelled: change = pointsEnd(event.deductions, index)
        case let event as OrderRejected: change = pointsEnd(event.deductions, index)
        default: throw Unexpected(event: type(of: event).type)
        }
        balance += change?.posting?.change ?? 0
        switch change?.announcement {
        case nil: break
        case .spent(let event): lanes[index].underWay[line].append(event)
        case .rejected(let event): lanes[index].underWay[line].append(event)
        case .restored(let event): lanes[index].underWay[line].append(event)
        }
    }

    private mutating func pointsEnd(_ deductions: Deductions?, _ index: Int) -> Spending.Change? {
        guard var spending = lanes[index].spending else {
            if deductions?.points != nil { lanes[index].spending = .tombstone(lanes[index].order.id, at: 0) }
            return nil
        }
        let change = spending.orderEnded(at: 0)
        lanes[index].spending = spending
        return change
    }

    // MARK: Payment

    private func paymentHears(_ event: any Event, _ index: Int) throws -> [FlowWorld] {
        switch event {
        case is OrderPaymentRequested: branches(index, lanes[index].paymentRequested(troubles))
        case let event as OrderCancelled: branches(index, lanes[index].paymentEnded(total: event.total, troubles))
        case let event as OrderRejected: branches(index, lanes[index].paymentEnded(total: event.total, troubles))
        default: throw Unexpected(event: type(of: event).type)
        }
    }

    private func branches(_ index: Int, _ lanes: [Lane]) -> [FlowWorld] {
        lanes.map { lane in
            var world = self
            world.lanes[index] = lane
            return world
        }
    }

    /// A service was told what it does not subscribe to.
    struct Unexpected: Error {
        let event: EventType
    }
}

// MARK: Order

extension FlowWorld.Lane {
    /// Order's events are under way to those who subscribe to them.
    fileprivate mutating func say(_ events: [any Event]) {
        for event in events {
            for line in heard.indices where heard[line].contains(type(of: event).type) {
                underWay[line].append(event)
            }
        }
    }

    fileprivate mutating func took(_ outcome: Order.Outcome) {
        if order.status != .placed { hasDeadline = false }
        if case .changed(let events) = outcome { say(events) }
    }

    fileprivate mutating func orderHears(_ event: any Event) throws {
        switch event {
        case is StockReserved: took(try order.take(Order.ReservationReport.reserved(), of: .stock, at: 0))
        case let event as StockRejected:
            took(try order.take(Order.ReservationReport.rejected(reason: event.reason), of: .stock, at: 0))
        case is StockConfirmed: took(try order.take(Order.ReservationReport.confirmed, of: .stock, at: 0))
        case is StockReleased: took(try order.take(Order.ReservationReport.released, of: .stock, at: 0))
        case let event as CouponRedeemed:
            took(try order.take(.reserved(discount: event.discount.amount), of: .coupon, at: 0))
        case let event as CouponRejected: took(try order.take(.rejected(reason: event.reason), of: .coupon, at: 0))
        case is CouponConfirmed: took(try order.take(.confirmed, of: .coupon, at: 0))
        case is CouponReleased: took(try order.take(.released, of: .coupon, at: 0))
        case let event as PointsSpent: took(try order.take(.spent(event.points), at: 0))
        case let event as PointsRejected: took(try order.take(.rejected(reason: event.reason), at: 0))
        case let event as PointsRestored: took(try order.take(.restored(event.points), at: 0))
        case let event as PaymentCaptured: took(try order.take(Order.PaymentReport.captured(event.total), at: 0))
        case let event as PaymentDeclined:
            took(try order.take(Order.PaymentReport.declined(reason: event.reason), at: 0))
        case let event as PaymentRefundRequested:
            took(try order.take(Order.PaymentReport.refunding(event.total), at: 0))
        case let event as PaymentRefunded: took(try order.take(Order.PaymentReport.refunded(event.total), at: 0))
        case is PaymentVoided: took(try order.take(Order.PaymentReport.voided, at: 0))
        default: throw FlowWorld.Unexpected(event: type(of: event).type)
        }
    }
}

// MARK: Payment

extension FlowWorld.Lane {
    private typealias Lane = Self

    /// As `PaymentHandlers.paymentRequested`: the provider charges, declines, or does not say in time, charged or not, until the
    /// request is a dead letter.
    fileprivate func paymentRequested(_ troubles: FlowWorld.Troubles) -> [FlowWorld.Lane] {
        var lane = self
        let isNew = lane.payment == nil
        var payment =
            lane.payment
            ?? Payment.requested(
                orderID: order.id,
                total: order.due,
                paymentMethod: order.paymentMethod,
                at: 0
            )
        lane.payment = payment
        switch payment.requestStep(isNew: isNew) {
        case .nothing: return [lane]
        case .charge:
            if lane.isCharged { return [lane.settled(.captured(paymentID: "pi"))] }
            var charged = lane
            charged.isCharged = true
            let answers = [charged.settled(.captured(paymentID: "pi")), lane.settled(.declined(reason: "lost_card"))]
            guard troubles.contains(.silence) else { return answers }
            var lost = charged
            lost.requestIsDead = true
            var silent = lane
            silent.requestIsDead = true
            return answers + [lost, silent]
        case .lookForLateCharge:
            guard lane.isCharged, !lane.isRefunded else { return [lane] }
            lane.tell(payment.settle(.captured(paymentID: "pi"), at: 0))
            lane.payment = payment
            return lane.refunded(troubles)
        case .refund: return lane.refunded(troubles)
        }
    }

    /// As `PaymentHandlers.orderEnded`.
    fileprivate func paymentEnded(total: Money?, _ troubles: FlowWorld.Troubles) -> [FlowWorld.Lane] {
        var lane = self
        guard var payment = lane.payment else {
            guard let total else { return [lane] }
            let (payment, announcement) = Payment.cancelledFirst(orderID: order.id, total: total, at: 0)
            lane.payment = payment
            lane.tell(announcement)
            return [lane]
        }
        let step = payment.cancel(at: 0)
        lane.payment = payment
        switch step {
        case .nothing: return [lane]
        case .refund: return lane.refunded(troubles)
        case .callOff:
            guard lane.isCharged else { return [lane.settled(.voided)] }
            var settled = lane.settled(.captured(paymentID: "pi"))
            _ = settled.payment?.cancel(at: 0)
            return settled.refunded(troubles)
        }
    }

    private func settled(_ outcome: Payment.Outcome) -> FlowWorld.Lane {
        var lane = self
        lane.tell(lane.payment?.settle(outcome, at: 0))
        return lane
    }

    /// The provider gives the money back at once, or takes its time.
    private func refunded(_ troubles: FlowWorld.Troubles) -> [FlowWorld.Lane] {
        var done = self
        done.refundIsDone()
        guard troubles.contains(.slowRefunds) else { return [done] }
        var pending = self
        pending.refundIsPending = true
        pending.tell(pending.payment?.awaitRefund("re", at: 0))
        return [done, pending]
    }

    fileprivate mutating func refundIsDone() {
        refundIsPending = false
        isRefunded = true
        tell(payment?.refund("re", at: 0))
    }

    private mutating func tell(_ announcement: Payment.Announcement?) {
        let line = FlowWorld.Line.paymentToOrder.rawValue
        switch announcement {
        case nil: break
        case .captured(let event): underWay[line].append(event)
        case .declined(let event): underWay[line].append(event)
        case .voided(let event): underWay[line].append(event)
        case .refundRequested(let event): underWay[line].append(event)
        case .refunded(let event): underWay[line].append(event)
        }
    }
}

// MARK: What there is to be seen

extension FlowWorld {
    /// Two worlds with the same key go on alike; which of two orders is which makes no difference.
    var key: [UInt8] {
        let keys = lanes.map(\.key).sorted { $0.lexicographicallyPrecedes($1) }
        return [UInt8(stock.onHand), UInt8(stock.reserved), UInt8(balance / Self.wanted)] + keys.joined()
    }

    private static let types = Dictionary(
        uniqueKeysWithValues: Shop.events.enumerated().map { (ObjectIdentifier($1), UInt8($0)) }
    )

    fileprivate static func byte(of event: any Event) -> UInt8 { types[ObjectIdentifier(type(of: event))] ?? 255 }
}

extension FlowWorld.Lane {
    fileprivate var key: [UInt8] {
        func byte<Value: CaseIterable & Equatable>(_ value: Value?) -> UInt8 {
            UInt8(Value.allCases.enumerated().first { $1 == value }?.offset ?? 255)
        }
        let isLate = order.history.contains { $0.payment == .declined || $0.payment == .voided }
        let flags = [
            hasDeadline, requestIsDead, isReported, isCharged, isRefunded, refundIsPending, isLate,
            payment?.charge != nil, payment?.refundID != nil, order.deductions?.discount != nil,
        ]
        var key = [
            UInt8(number), byte(order.status), byte(order.payment.status), byte(order.stock), byte(reservation?.state),
            byte(payment?.state), byte(order.coupon), byte(order.points), byte(redemption?.state),
            byte(spending?.state),
        ]
        key += flags.map { $0 ? 1 : 0 }
        for events in underWay {
            key.append(UInt8(events.count))
            for event in events {
                key.append(FlowWorld.byte(of: event))
                switch event {
                case let event as StockRejected: key.append(event.reason == "reservation-expired" ? 1 : 0)
                case let event as OrderRejected: key.append(event.total == nil ? 1 : 0)
                default: break
                }
            }
        }
        return key
    }
}
