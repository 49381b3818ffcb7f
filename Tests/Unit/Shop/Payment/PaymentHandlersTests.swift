import Database
import Messaging
import ShopEvents
import Testing

@testable import Payment
@testable import Sandbox

/// Payment's handlers against the sandbox: money moves once, and others are told what happened.
@Suite("Payment charges once", .timeLimit(.minutes(5))) struct PaymentHandlersTests {
    @Test("A good card is charged, and the same request again does nothing")
    func charges() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request() == .done)
            #expect(try await desk.request() == .done)
            #expect(desk.moved() == [1, 0])
            #expect(try await desk.told() == ["captured"])
            #expect(try await desk.payment()?.state == .captured)
        }
    }

    @Test("A bad card is declined with the issuer's reason, once")
    func declines() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request(method: .insufficientFunds) == .done)
            #expect(try await desk.request(method: .insufficientFunds) == .done)
            #expect(desk.moved() == [0, 0])
            #expect(try await desk.told() == ["declined"])
            #expect(try await desk.payment()?.declineReason == "insufficient_funds")
        }
    }

    @Test("The row and its key are committed before the provider is asked")
    func keyBeforeCall() async throws {
        try await PaymentDesk.open { desk async throws in
            desk.hooks.set { hooks in
                hooks.beforeCharge = { () async throws in
                    let payment = try await desk.payment()
                    #expect(payment?.state == .pending)
                    #expect(payment?.charge?.key == "warren-charge-order-1")
                }
            }
            #expect(try await desk.request() == .done)
        }
    }

    @Test(
        "A provider that fails, is silent or garbles its answer is asked again, and the card is charged once",
        arguments: [PaymentMethod.errorOnce, .errorAfterOnce, .timeoutOnce, .resetOnce]
    )
    func badDays(method: PaymentMethod) async throws {
        try await PaymentDesk.open { desk async throws in
            let first = try await desk.request(method: method)
            #expect(
                first
                    == .transient(method == .resetOnce ? "payment.provider-unreadable" : "payment.provider-unavailable")
            )
            #expect(try await desk.payment()?.state == .pending)
            #expect(try await desk.request(method: method) == .done)
            #expect(desk.moved() == [1, 0])
            #expect(try await desk.told() == ["captured"])
        }
    }

    @Test("A cached error that the look-up does not explain yet is waited for")
    func cachedErrorWithBlindLookUp() async throws {
        try await PaymentDesk.open { desk async throws in
            desk.hooks.set { $0.isLookUpBlind = true }
            for _ in 1...3 {
                #expect(
                    try await desk.request(method: .errorAfterOnce) == .transient("payment.provider-unavailable")
                )
            }
            desk.hooks.set { $0.isLookUpBlind = false }
            #expect(try await desk.request(method: .errorAfterOnce) == .done)
            #expect(desk.moved() == [1, 0])
        }
    }

    @Test("A slow charge is not repeated: the key is in use, then the look-up shows it at work, then done")
    func slow() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request(method: .slow) == .transient("payment.provider-unavailable"))
            desk.hooks.set { $0.isLookUpBlind = true }
            #expect(try await desk.request(method: .slow) == .deferred("payment.provider-busy"))
            desk.hooks.set { $0.isLookUpBlind = false }
            #expect(try await desk.request(method: .slow) == .deferred("payment.charge-processing"))
            desk.wait(milliseconds: 3000)
            #expect(try await desk.request(method: .slow) == .done)
            #expect(desk.moved() == [1, 0])
            #expect(try await desk.told() == ["captured"])
        }
    }

    @Test("A charge that the provider is at work on costs no attempts for an hour, and then it does")
    func patience() async throws {
        try await PaymentDesk.open { desk async throws in
            _ = try await desk.request(method: .slow)
            for _ in 1...20 {
                #expect(try await desk.request(method: .slow) == .deferred("payment.charge-processing"))
            }
            // The payment is older than its charge at the provider.
            let asked = try #require(try await desk.payment())
            try await desk.events.write { transaction in
                _ = try transaction.execute("UPDATE payments SET created_at = $1", asked.createdAt - 3_600_000)
            }
            #expect(try await desk.request(method: .slow) == .transient("payment.charge-processing"))
        }
    }

    @Test("A provider that is down leaves the payment pending, however often it is asked")
    func down() async throws {
        try await PaymentDesk.open { desk async throws in
            for _ in 1...3 {
                #expect(try await desk.request(method: .down) == .transient("payment.provider-unavailable"))
            }
            #expect(try await desk.payment()?.state == .pending)
            #expect(try await desk.told().isEmpty)
        }
    }

    @Test("Killed between the provider's answer and the commit, it finds the charge again")
    func crashBeforeCommit() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request(crashing: true) == .crashed)
            #expect(desk.moved() == [1, 0])
            #expect(try await desk.payment()?.state == .pending)
            #expect(try await desk.request() == .done)
            #expect(desk.moved() == [1, 0])
            #expect(try await desk.told() == ["captured"])
        }
    }

    @Test(
        "Replayed two days later, when the provider has forgotten the key, it finds the charge and does not repeat it"
    )
    func replayAfterKeyExpired() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request(crashing: true) == .crashed)
            desk.wait(milliseconds: 2 * IdempotencyTable.lifetime)
            #expect(try await desk.request() == .done)
            #expect(desk.moved() == [1, 0])
        }
    }

    @Test("A decline whose answer was lost is found again as a decline")
    func lostDecline() async throws {
        try await PaymentDesk.open { desk async throws in
            desk.plan(.timeout, for: .charge)
            #expect(try await desk.request(method: .declined) == .transient("payment.provider-unavailable"))
            #expect(try await desk.request(method: .declined) == .done)
            #expect(try await desk.told() == ["declined"])
            #expect(try await desk.payment()?.declineReason == "generic_decline")
        }
    }

    @Test("What no retry can mend goes to the dead letters at once")
    func permanent() async throws {
        try await PaymentDesk.open { desk async throws in
            desk.hooks.refuseCharges()
            #expect(try await desk.request() == .permanent("payment.provider-refused"))
            #expect(try await desk.payment()?.state == .pending)
            #expect(try await desk.request("") == .permanent("payment.invalid-order-id"))
            #expect(
                try await desk.request(String(repeating: "o", count: 201)) == .permanent("payment.invalid-order-id")
            )
        }
    }

    @Test("What the provider does not take as the order has it declines the order: nobody has to look at it")
    func refusedOrders() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.requestToken(token: "pm_unknown") == .done)
            #expect(try await desk.request("order-2", amount: 49) == .done)
            #expect(try await desk.payment()?.declineReason == "resource_missing")
            #expect(try await desk.payment("order-2")?.declineReason == "amount_too_small")
            for order in ["order-1", "order-2"] {
                #expect(desk.moved(order) == [0, 0])
                #expect(try await desk.told(order) == ["declined"])
            }
        }
    }

    @Test("A second request for another amount is refused, and the first stands")
    func conflictingRequest() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request() == .done)
            #expect(try await desk.request(amount: 1) == .permanent("payment.conflicting-request"))
            #expect(desk.moved() == [1, 0])
        }
    }

    @Test("An order id with any characters is charged and found again")
    func hostileOrderID() async throws {
        try await PaymentDesk.open { desk async throws in
            let order = #"it's \ & 100% "ö"#
            #expect(try await desk.request(order, crashing: true) == .crashed)
            #expect(try await desk.request(order) == .done)
            #expect(desk.moved(order) == [1, 0])
        }
    }
}
