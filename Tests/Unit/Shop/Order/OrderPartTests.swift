import Events
import HTTP
import JSON
import ShopEvents
import TestSupport
import Testing

@testable import Order

@Suite("Some of an order is cancelled")
struct OrderPartTests {
    private static let tea = OrderLine(sku: "TEA", quantity: 3, unitPrice: 333)
    private static let cup = OrderLine(sku: "CUP", quantity: 1, unitPrice: 1000)
    private static let teaToo = OrderLine(sku: "TEA", quantity: 2, unitPrice: 300)
    private static let lines = [tea, cup, teaToo]
    /// 999, 1000 and 600.
    private static let total = Money(amount: 2599, currency: "EUR")

    /// A confirmed order, with a coupon of that discount and so many points where there are such.
    static func confirmed(
        _ lines: [OrderLine] = lines,
        total: Money = total,
        discount: Int64? = nil,
        points: Int64? = nil,
        isShipped: Bool = false
    ) throws -> Order {
        let isDeducted = discount != nil || points != nil
        let draft = OrderDraft(
            customer: OrderFixtures.draft.customer,
            lines: lines,
            total: total,
            paymentMethod: "pm_card_visa",
            deductions: isDeducted ? Deductions(coupon: discount.map { _ in "c-1" }, points: points) : nil
        )
        var order = Order.place(draft, id: OrderFixtures.id, isShipped: isShipped, at: 1000).order
        if let discount {
            _ = try order.take(.reserved(discount: discount), of: .coupon, at: 1100)
        }
        if let points { _ = try order.take(.spent(points), at: 1200) }
        _ = try order.take(.captured(order.due), at: 2000)
        if discount != nil { _ = try order.take(.confirmed, of: .coupon, at: 2100) }
        return order
    }

    private static func event(_ outcome: Order.Outcome) -> OrderLinesCancelled? {
        guard case .changed(let events) = outcome else { return nil }
        return events.first as? OrderLinesCancelled
    }

    @Test(
        "What is above the quantities goes, from the last line of an article on, and its share of the money goes back"
    )
    func lines() throws {
        var order = try Self.confirmed()
        let event = try #require(Self.event(try order.keep(["TEA": 2, "CUP": 1], by: "customer:ada", at: 3000)))
        let gone = [Self.teaToo, OrderLine(sku: "TEA", quantity: 1, unitPrice: 333)]
        #expect(event.lines == gone)
        #expect(event.number == 1)
        #expect(event.total == Money(amount: 1666, currency: "EUR"))
        #expect(event.refund == Money(amount: 933, currency: "EUR"))
        #expect(event.points == nil)
        #expect(order.linesLeft == [OrderLine(sku: "TEA", quantity: 2, unitPrice: 333), Self.cup])
        #expect(order.lines == Self.lines, "what was ordered stays what it was")
        #expect(order.status == .confirmed)
        #expect(order.history.last?.caller == "customer:ada")
        guard case .unchanged = try order.keep(["TEA": 2, "CUP": 1], at: 4000) else {
            Issue.record("the same again is no change")
            return
        }
        let next = try #require(Self.event(try order.keep(["TEA": 2], at: 5000)))
        #expect(next.number == 2)
        #expect(next.lines == [Self.cup])
        #expect(next.refund == Money(amount: 1000, currency: "EUR"))
    }

    @Test("Card, coupon and points each have their share, and never more goes back than was paid", arguments: 1...5)
    func shares(step: Int) throws {
        var order = try Self.confirmed(
            [OrderLine(sku: "TEA", quantity: 11, unitPrice: 97)],
            total: Money(amount: 1067, currency: "EUR"),
            discount: 100,
            points: 67
        )
        var (refunded, restored) = (Int64(0), Int64(0))
        for kept in stride(from: 11 - step, through: 1, by: -step) {
            let event = try #require(Self.event(try order.keep(["TEA": kept], at: 3000)))
            refunded += event.refund?.amount ?? 0
            restored += event.points ?? 0
            let gone = Int64(11 - kept)
            #expect(refunded == 900 * gone / 11)
            #expect(restored == 67 * gone / 11)
        }
        #expect(order.refundLeft.amount == 900 - refunded)
        #expect(order.pointsLeft == 67 - restored)
        #expect(order.refundLeft.amount > 0 && refunded > 0)
    }

    @Test("What a currency's cards cannot pay back is rounded down")
    func steps() throws {
        var order = try Self.confirmed(
            [OrderLine(sku: "TEA", quantity: 3, unitPrice: 335), OrderLine(sku: "CUP", quantity: 1, unitPrice: 5)],
            total: Money(amount: 1010, currency: "KWD")
        )
        let event = try #require(Self.event(try order.keep(["TEA": 2, "CUP": 1], at: 3000)))
        #expect(event.refund == Money(amount: 330, currency: "KWD"))
        #expect(order.refundLeft.amount == 680)
    }

    @Test("Amounts of twelve digits are divided as small ones are")
    func large() throws {
        var order = try Self.confirmed(
            [OrderLine(sku: "GEM", quantity: 9_999, unitPrice: 100_000_000)],
            total: Money(amount: 999_900_000_000, currency: "EUR")
        )
        let event = try #require(Self.event(try order.keep(["GEM": 9_998], at: 3000)))
        #expect(event.refund?.amount == 100_000_000)
    }

    @Test("An order that is undecided, on its way, ended, or would be empty is not divided, and stays what it was")
    func refusals() throws {
        func refusal(_ order: Order, _ kept: [String: Int] = ["CUP": 1]) -> Order.Refusal? {
            var order = order
            let before = order
            do {
                _ = try order.keep(kept, at: 9000)
                return nil
            } catch {
                #expect(order == before)
                return error
            }
        }
        let confirmed = try Self.confirmed()
        #expect(refusal(confirmed) == nil)
        #expect(refusal(confirmed, [:]) == .nothingLeft)
        #expect(refusal(confirmed, ["CUP": 2]) == .moreThanLeft(sku: "CUP", left: 1))
        #expect(refusal(confirmed, ["CUP": 1, "POT": 1]) == .moreThanLeft(sku: "POT", left: 0))
        var free = try Self.confirmed(
            [Self.cup, OrderLine(sku: "BAG", quantity: 1, unitPrice: 0)],
            total: Money(amount: 1000, currency: "EUR")
        )
        #expect(refusal(free, ["BAG": 1]) == .nothingLeft)
        #expect(Self.event(try free.keep(["CUP": 1], at: 3000))?.refund == nil, "what costs nothing gives nothing back")
        #expect(refusal(OrderFixtures.placed()) == .undecided)
        var cancelled = confirmed
        _ = try cancelled.cancel(at: 3000)
        #expect(refusal(cancelled) == .ended)
        var rejected = OrderFixtures.placed()
        _ = try rejected.take(.declined(reason: "x"), at: 3000)
        #expect(refusal(rejected) == .rejected)
        var dispatched = try Self.confirmed(isShipped: true)
        _ = try dispatched.take(.dispatched(trackingCode: "T", addressVersion: 1), at: 3000)
        #expect(refusal(dispatched) == .dispatched)
        var refunding = confirmed
        _ = try refunding.take(.refunding(Self.total), at: 3000)
        #expect(refusal(refunding) == .undecided)
        var awaited = Order.place(OrderFixtures.draft, id: "o", awaitsStock: true, at: 1).order
        _ = try awaited.take(.reserved(), of: .stock, at: 2)
        _ = try awaited.take(.captured(OrderFixtures.total), at: 3)
        #expect(refusal(awaited, ["TEA-500": 1]) == .undecided)
        _ = try awaited.take(.confirmed, of: .stock, at: 4)
        #expect(refusal(awaited, ["TEA-500": 1]) == nil)
    }

    @Test("The refund of a part is told once; another amount, or of no part, is an operator's")
    func refunded() throws {
        var order = try Self.confirmed()
        let money = Money(amount: 1599, currency: "EUR")
        _ = try order.keep(["CUP": 1], at: 3000)
        #expect(order.parts.map(\.refundStatus) == [.requested])
        guard case .changed(let told) = try order.take(refundOfPart: 1, money, at: 4000) else {
            Issue.record("it is news")
            return
        }
        let event = OrderPartlyRefunded(orderID: order.id, customer: order.customer, number: 1, total: money)
        #expect(told.first as? OrderPartlyRefunded == event)
        #expect(order.parts.map(\.refundStatus) == [.completed])
        guard case .unchanged = try order.take(refundOfPart: 1, money, at: 5000) else {
            Issue.record("a repetition")
            return
        }
        for (number, amount) in [(0, 1599), (2, 1599), (1, 1600)] as [(Int, Int64)] {
            #expect(throws: Order.Refusal.otherAmount) {
                _ = try order.take(refundOfPart: number, Money(amount: amount, currency: "EUR"), at: 6000)
            }
        }
        #expect(order.status == .confirmed && order.payment.status == .captured)
    }

    @Test("Cancelled as a whole afterwards, what is left goes back, in both orders of what Payment and Points say")
    func whole() throws {
        for partFirst in [true, false] {
            var order = try Self.confirmed(points: 259)
            let part = try #require(Self.event(try order.keep(["CUP": 1], at: 3000)))
            _ = try order.cancel(at: 4000)
            let money = try #require(part.refund)
            if partFirst { _ = try order.take(refundOfPart: 1, money, at: 5000) }
            guard case .changed(let told) = try order.take(.refunded(order.due), at: 6000) else {
                Issue.record("it is news")
                return
            }
            #expect((told.last as? OrderRefunded)?.total.amount == order.due.amount - money.amount)
            if !partFirst { _ = try order.take(refundOfPart: 1, money, at: 7000) }
            #expect(order.parts.map(\.refundStatus) == [.completed])
            let points = try #require(part.points)
            #expect(throws: Order.Refusal.otherAmount) { _ = try order.take(.restored(259), at: 8000) }
            _ = try order.take(.restored(259 - points), at: 8000)
            #expect(order.points == .restored)
        }
    }

    @Test("Over HTTP: said, repeated, refused, shown, and nobody else's")
    func api() async throws {
        try await OrderWorld.with { world in
            func put(_ body: String, by caller: Caller = .local) async throws -> (Int, JSONValue) {
                let answer = await world.send("PUT", "/orders/\(id)/lines", body: body, by: caller)
                return (answer.status, try JSONValue(parsing: answer.body))
            }
            let id = try await world.place()
            let one = #"{"lines":[{"sku":"TEA-500","quantity":1}]}"#
            let early = await world.send("PUT", "/orders/\(id)/lines", body: one)
            #expect(early.status == 409)
            #expect(early.headers["Retry-After"] == "1")
            #expect(try JSONValue(parsing: early.body)["type"]?.text == "/problems/order-undecided")
            try await world.deliver(PaymentCaptured(orderID: id, paymentID: "pi", total: OrderFixtures.total))
            let (status, order) = try await put(one)
            #expect(status == 202)
            #expect(order["cancelled"]?.array?.first?["refund", "amount"]?.integer == 650)
            #expect(order["cancelled"]?.array?.first?["refundStatus"]?.text == "requested")
            #expect(try await put(one).0 == 200)
            #expect(try await put(#"{"lines":[]}"#).1["type"]?.text == "/problems/order-left-empty")
            let (wrong, problem) = try await put(#"{"lines":[{"sku":"a b","quantity":-1},{"quantity":-1}],"n":1}"#)
            #expect(wrong == 422)
            let fields = Set((problem["errors"]?.array ?? []).compactMap { $0["field"]?.text })
            #expect(fields == ["n", "lines[0].sku", "lines[0].quantity", "lines[1].sku", "lines[1].quantity"])
            #expect(try await put(#"{"lines":[{"sku":"TEA-500","quantity":2}]}"#).0 == 422)
            #expect(try await put(one, by: Caller(.customer, "ada")).0 == 404)
            let refund = Money(amount: 650, currency: "EUR")
            try await world.deliver(PaymentPartlyRefunded(orderID: id, number: 1, refundID: "re", total: refund))
            let types = try await world.storedTypes()
            #expect(
                types.suffix(2).map { $0 } == ["order.lines-cancelled", "order.partly-refunded"]
            )
            let shown = try JSONValue(parsing: await world.send("GET", "/orders/\(id)").body)
            #expect(shown["cancelled"]?.array?.first?["refundStatus"]?.text == "completed")
        }
    }
}
