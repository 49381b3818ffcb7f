import HTTP
import Messaging
import ShopEvents
import Testing

@testable import Notification

@Suite("What customers read")
struct NotificationMailTests {
    static let customer = Customer(email: "ada@example.com", name: "Ada Lovelace")
    static let total = Money(amount: 123_450, currency: "EUR")

    /// What is read by a customer who named no language.
    private func english(_ content: MailContent) throws -> MailText {
        MailText(content, in: try MailTemplates([try BuiltInTemplates.files()], fallback: "en"), shop: "Your shop")
    }
    private func english(_ event: OrderConfirmed) throws -> MailText { try english(MailContent(event)) }
    private func english(_ event: OrderRejected) throws -> MailText { try english(MailContent(event)) }
    private func english(_ event: OrderCancelled) throws -> MailText { try english(MailContent(event)) }
    private func english(_ event: OrderRefunded) throws -> MailText { try english(MailContent(event)) }
    private func english(_ event: OrderDispatched) throws -> MailText { try english(MailContent(event)) }

    @Test("A confirmed order is thanked for, with what was paid")
    func confirmed() throws {
        let mail = try english(OrderConfirmed(orderID: "o-1", customer: Self.customer, total: Self.total))
        #expect(mail.subject == "Your order o-1 is confirmed")
        #expect(
            mail.text == """
                Dear Ada Lovelace,

                thank you for your order o-1. We have received your payment of 1,234.50 EUR.

                We will tell you when it is on its way.

                Your shop

                """
        )
    }

    @Test(
        "A rejected order says why",
        arguments: [
            ("payment-declined", "your payment was declined"), ("payment-voided", "your payment was called off"),
            ("out-of-stock", "there is not enough of what you ordered left"),
            ("stock-locked", "there is not enough of what you ordered left"),
            ("timed-out", "it took too long to find out whether we have what you ordered"),
            ("not-chargeable", "what is left to pay of it cannot be charged"),
            ("unknown-coupon", "we do not know your coupon"), ("coupon-not-valid", "your coupon is not valid now"),
            ("coupon-below-minimum", "it comes to less than your coupon asks for"),
            ("coupon-other-currency", "your coupon is for another currency"),
            ("coupon-used", "your coupon was used already"),
            ("coupon-locked", "your coupon is in use for another order"),
            ("insufficient-points", "you have not got enough points for it"),
            ("something-new", "something it needs is not available"),
        ]
    )
    func rejected(reason: String, words: String) throws {
        let mail = try english(OrderRejected(orderID: "o-1", customer: Self.customer, reason: reason))
        #expect(mail.subject == "Your order o-1 could not be accepted")
        #expect(mail.text.contains(words))
        #expect(mail.text.contains("Nothing was charged."))
    }

    @Test("What coupon and points paid is said, and the card's part is what is left of it")
    func deductions() throws {
        func text(_ deductions: Deductions?) throws -> String {
            let event = OrderConfirmed(
                orderID: "o-1",
                customer: Self.customer,
                total: Self.total,
                deductions: deductions
            )
            return try english(event).text
        }
        let both = try text(Deductions(coupon: "c", discount: 23_450, points: 50_000))
        #expect(both.contains("We have received your payment of 500.00 EUR."))
        #expect(both.contains("It came to 1,234.50 EUR. Your coupon took off 234.50 EUR. Your points paid 500.00 EUR."))
        let free = try text(Deductions(coupon: "c", discount: 123_450))
        #expect(free.contains("It is paid; nothing was charged to your card."))
        #expect(!free.contains("received your payment") && !free.contains("points"))
        #expect(try text(Deductions()) == text(nil))
    }

    @Test("A partial cancellation says what is cancelled, what is left, and what goes back, where something does")
    func partlyCancelled() throws {
        let lines = [
            OrderLine(sku: "TEA", quantity: 2, unitPrice: 300, name: "Green tea"),
            OrderLine(sku: "CUP", quantity: 1, unitPrice: 0),
        ]
        var event = OrderLinesCancelled(
            orderID: "o-1",
            customer: Self.customer,
            number: 1,
            lines: lines,
            total: Money(amount: 650, currency: "EUR")
        )
        let plain = try english(MailContent(event))
        #expect(plain.subject == "A part of your order o-1 is cancelled")
        #expect(plain.text.contains("from your order o-1: 2 × Green tea, 1 × CUP. What is left comes to 6.50 EUR."))
        #expect(!plain.text.contains("back") && !plain.text.contains("points"))
        event.refund = Money(amount: 600, currency: "EUR")
        event.points = 40
        let full = try english(MailContent(event)).text
        #expect(full.contains("You get 6.00 EUR back") && full.contains("40 of your points are yours again."))
        let money = Money(amount: 600, currency: "EUR")
        let back = OrderPartlyRefunded(orderID: "o-1", customer: Self.customer, number: 1, total: money)
        let refunded = try english(MailContent(back))
        #expect(refunded.text.contains("we have paid back 6.00 EUR for what was cancelled of your order o-1."))
    }

    @Test("A parcel on its way has the courier's name of it")
    func dispatched() throws {
        let mail = try english(OrderDispatched(orderID: "o-1", customer: Self.customer, trackingCode: "TRK-1"))
        #expect(mail.subject == "Your order o-1 is on its way")
        #expect(mail.text.contains("The courier calls the parcel TRK-1."))
    }

    @Test(
        "A coupon and points of an order that ended are the customer's again, and the mail says so",
        arguments: [
            (Deductions(coupon: "c", points: 5), "Your coupon is yours again.\n\nYour points are yours again."),
            (Deductions(coupon: "c"), "Your coupon is yours again."),
            (Deductions(points: 5), "Your points are yours again."),
            (nil, nil),
        ] as [(Deductions?, String?)]
    )
    func returned(deductions: Deductions?, words: String?) throws {
        let rejected = try english(
            OrderRejected(orderID: "o", customer: Self.customer, reason: "timed-out", deductions: deductions)
        )
        let cancelled = try english(
            OrderCancelled(orderID: "o", customer: Self.customer, total: Self.total, deductions: deductions)
        )
        for mail in [rejected, cancelled] {
            #expect(mail.text.contains("yours again") == (words != nil))
            if let words { #expect(mail.text.contains(words)) }
        }
    }

    @Test("An order whose goods were not kept long enough says so, and what becomes of a charge")
    func tooLate() throws {
        let reason = "reservation-expired"
        let rejected = try english(
            OrderRejected(orderID: "o-1", customer: Self.customer, reason: reason, total: Self.total)
        )
        #expect(rejected.text.contains("your payment took longer than we could keep your goods for you"))
        #expect(rejected.text.contains("Should your payment go through all the same, you get it back."))
        #expect(!rejected.text.contains("Nothing was charged"))
        let cancelled = try english(
            OrderCancelled(orderID: "o-1", customer: Self.customer, total: Self.total, reason: reason)
        )
        #expect(cancelled.text.contains("because your payment took longer than we could keep your goods for you."))
        #expect(cancelled.text.contains("you get the money back"))
        let couponReason = "redemption-expired"
        let coupon = try english(OrderRejected(orderID: "o-1", customer: Self.customer, reason: couponReason))
        #expect(coupon.text.contains("longer than we could keep your coupon for it"))
        #expect(coupon.text.contains("Should your payment go through all the same, you get it back."))
        let couponGone = try english(
            OrderCancelled(orderID: "o-1", customer: Self.customer, total: Self.total, reason: couponReason)
        )
        #expect(couponGone.text.contains("because your payment took longer than we could keep your coupon for it."))
    }

    @Test("A cancelled order and its refund are two mails")
    func cancelled() throws {
        let cancelled = try english(OrderCancelled(orderID: "o-1", customer: Self.customer, total: Self.total))
        #expect(cancelled.subject == "Your order o-1 is cancelled")
        #expect(cancelled.text.contains("over 1,234.50 EUR is cancelled"))
        let refunded = try english(OrderRefunded(orderID: "o-1", customer: Self.customer, total: Self.total))
        #expect(refunded.subject == "Your order o-1 is refunded")
        #expect(refunded.text.contains("paid back 1,234.50 EUR"))
    }

    @Test("A refund of a charge that came to light after all says so")
    func lateCharge() throws {
        let event = OrderRefunded(orderID: "o-1", customer: Self.customer, total: Self.total, reason: "late-charge")
        let mail = try english(event)
        #expect(mail.subject == "Your order o-1 is refunded")
        #expect(mail.text.contains("had gone through after all"))
        #expect(mail.text.contains("1,234.50 EUR"))
    }

    @Test("Amounts follow their currency", arguments: [("JPY", "123,450 JPY"), ("BHD", "123.450 BHD")])
    func money(currency: String, text: String) throws {
        let total = Money(amount: 123_450, currency: currency)
        #expect(try english(OrderRefunded(orderID: "o", customer: Self.customer, total: total)).text.contains(text))
    }

    @Test("No mail guesses at an amount in an unknown currency")
    func unknownCurrency() {
        let total = Money(amount: 1, currency: "EURO")
        #expect(throws: MailContent.UnknownCurrency()) {
            try english(OrderConfirmed(orderID: "o", customer: Self.customer, total: total))
        }
    }

    @Test("What an event carries stays on its line")
    func injection() throws {
        let customer = Customer(email: "ada@example.com", name: "Ada\r\nBcc: x@y.example\u{2028}")
        let mail = try english(OrderRejected(orderID: "o\r\nX: y", customer: customer, reason: "r"))
        #expect(mail.subject == "Your order o  X: y could not be accepted")
        #expect(mail.text.hasPrefix("Dear Ada  Bcc: x@y.example ,\n\n"))
        #expect(!mail.text.contains("\r"))
    }
}

@Suite("What identifies a mail")
struct NotificationHeaderTests {
    @Test("The Message-ID is the event's id at the sender's domain, every time the same")
    func messageID() {
        let id = "0198c0de-0000-7000-8000-000000000001"
        let first = MailHeaders.messageID(eventID: id, domain: "warren.example")
        #expect(first == "<0198c0de-0000-7000-8000-000000000001@warren.example>")
        #expect(MailHeaders.messageID(eventID: id, domain: "warren.example") == first)
    }

    @Test(
        "Ids from outside cannot break out of it, and different ids stay different",
        arguments: [
            ("a>b", "<a=3Eb@d>"), ("a=3Eb", "<a=3D3Eb@d>"), ("a\r\nb", "<a=0D=0Ab@d>"), ("a@b", "<a=40b@d>"),
            ("..", "<=2E=2E@d>"), ("ü", "<=C3=BC@d>"),
        ]
    )
    func hostileIDs(id: String, messageID: String) {
        #expect(MailHeaders.messageID(eventID: id, domain: "d") == messageID)
    }

    @Test("A long id makes one that fits into a line, and stays different")
    func longIDs() {
        let ids = ["a", "b"].map { String(repeating: "ü", count: 1_000) + $0 }
        let made = ids.map { MailHeaders.messageID(eventID: $0, domain: "d") }
        #expect(made.allSatisfy { $0.utf8.count < 260 })
        #expect(made[0] != made[1])
    }

    @Test(
        "The date is the event's time as mail writes it",
        arguments: [
            ("2026-01-01T00:00:00.000Z", "Thu, 01 Jan 2026 00:00:00 +0000"),
            ("2024-02-29T23:59:59.999Z", "Thu, 29 Feb 2024 23:59:59 +0000"),
            ("2026-01-01T01:30:00+02:00", "Wed, 31 Dec 2025 23:30:00 +0000"),
            ("1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 +0000"),
            ("2000-12-03T04:05:06Z", "Sun, 03 Dec 2000 04:05:06 +0000"),
        ]
    )
    func date(time: String, date: String) {
        #expect(MailHeaders.date(eventTime: time) == date)
    }

    @Test("Another time is no date", arguments: ["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01"])
    func noDate(time: String) { #expect(MailHeaders.date(eventTime: time) == nil) }
}

@Suite("What a mail server's answer means")
struct NotificationGatewayTests {
    @Test(
        "4xx and silence can be retried, 5xx cannot",
        arguments: [
            (SMTPFailure(replyCode: 421, reason: "r"), .transient, "mail.deferred"),
            (SMTPFailure(replyCode: 450, reason: "r"), .transient, "mail.deferred"),
            (SMTPFailure(replyCode: 550, reason: "r"), .permanent, "mail.refused"),
            (SMTPFailure(replyCode: 554, reason: "r"), .permanent, "mail.refused"),
            (SMTPFailure(replyCode: 535, reason: "r", isPermanent: false), .transient, "mail.deferred"),
            (SMTPFailure(replyCode: nil, reason: "r"), .transient, "mail.unreachable"),
            (SMTPFailure(replyCode: nil, reason: "r", isPermanent: true), .permanent, "mail.invalid"),
        ] as [(SMTPFailure, HandlerError.Kind, String)]
    )
    func replies(failure: SMTPFailure, kind: HandlerError.Kind, errorClass: String) {
        let error = MailGateway.error(for: failure)
        #expect(error.kind == kind)
        #expect(error.errorClass == errorClass)
        #expect(error.message == "r")
    }

    @Test("An error never carries an address")
    func addresses() {
        let reason = "550 <ada@example.com>: no such user ada@example.com here"
        let error = MailGateway.error(for: SMTPFailure(replyCode: 550, reason: reason))
        #expect(error.message == "550 (address) no such user (address) here")
    }
}
