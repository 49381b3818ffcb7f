import HTTP
import JSON
import ServiceKit

// The courier's bad days.
extension Stage {
    /// Has the courier refuse an address; the customer gives another one.
    func refuseAddress() async throws {
        let sandbox = try invocation.sandbox()
        try await sandbox.makeSureItIsThere()
        let id = try await ship(to: address(in: "Nowhere"))
        try await wait(for: .confirmed, order: id)
        let refused = try await shipping("refused", of: id)
        step("refuse", "the courier does not go there: \(refused["shippingReason"]?.text ?? "")", order: id)
        let client = try await invocation.orders().client
        var request = ServiceRequest(method: "PUT", url: client.url("/orders/\(id)/shipping-address"))
        request.headers["Content-Type"] = "application/json"
        request.body = Array(address(in: "London").encoded().utf8)
        let answer = try await client.send(request)
        guard (200...299).contains(answer.status) else { throw client.failure(of: answer) }
        step("address", "order \(id) has another address", order: id)
        let delivered = try await shipping("delivered", of: id)
        let city = delivered.member(at: "shippingAddress.city")?.text ?? ""
        try check(city == "London", "order \(id) went to \(city)")
        try await checkCarriedOnce(id, sandbox, refusals: 1)
        step("compare", "the parcel went to the second address, once", order: id)
    }

    /// Has the courier be down, and busy after it.
    func courierDown() async throws {
        let sandbox = try invocation.sandbox()
        try await sandbox.planCourier("unavailable", for: "put")
        try await onBadDays(of: .courier, sandbox) {
            try await sandbox.planCourier("rate-limit", for: "put", count: 2)
            let id = try await ship(to: address(in: "London"))
            step("plan", "the courier is down once, and busy twice", order: id)
            try await wait(for: .confirmed, order: id)
            let order = try await shipping("delivered", of: id)
            step("wait", "it is delivered as \(order["trackingCode"]?.text ?? "")", order: id)
            try await checkCarriedOnce(id, sandbox)
            step("compare", "booked, sent and delivered once", order: id)
        }
    }

    // MARK: Helpers

    private func address(in city: String) -> JSONValue {
        [
            "name": "Ada Example", "lines": ["12 St James's Square"], "postalCode": "SW1Y 4JH", "city": .string(city),
            "country": "GB",
        ]
    }

    /// Places an order that is to be brought.
    private func ship(to address: JSONValue) async throws -> String {
        let answer = try await order(OrderClient.Draft(), ["shippingAddress": address])
        if answer.status == 422, answer.faults.contains(where: { $0.hasPrefix("shippingAddress: is not taken") }) {
            throw lacking("shipping", "Order takes no address")
        }
        let id = try await placed(answer)
        step("place", "order \(id) is to be brought to \(address["city"]?.text ?? "")", order: id)
        return id
    }

    /// Waits until the parcel is where it should be.
    private func shipping(_ status: String, of id: String) async throws -> JSONValue {
        try await until("the parcel of order \(id) is \(status)") {
            let order = try await invocation.orders().show(id)
            return order["shippingStatus"]?.text == status ? order : nil
        }
    }

    /// Makes sure that the courier took one address and carried one parcel.
    private func checkCarriedOnce(_ id: String, _ sandbox: SandboxClient, refusals: Int = 0) async throws {
        let effects = try await sandbox.courierEffects(of: id)
        let expected =
            Array(repeating: "address-refused", count: refusals) + ["address-taken", "dispatched", "delivered"]
        try check(
            effects == expected,
            "the courier at \(sandbox.part.client.base) did \(effects.joined(separator: ", ")) for order \(id)"
        )
    }
}
