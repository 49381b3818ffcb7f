/// Speaks to a service over one kept connection.
///
/// For one thread at a time.
final class ShopClient {
    private let connection: Connection

    init(port: UInt16) throws {
        connection = try Connection(port: port)
    }

    /// What orders ask for, and at which price.
    static let products = [(sku: "TEA-500", price: 650), (sku: "CUP-1", price: 900)]

    /// Lists a product and brings in pieces of it; for Inventory.
    func stock(_ product: (sku: String, price: Int), pieces: Int) throws {
        let body = "{\"name\":\"\(product.sku)\",\"price\":{\"amount\":\(product.price),\"currency\":\"EUR\"}}"
        let listed = try exchange("PUT", "/products/\(product.sku)", body: body)
        let stocked = try exchange("POST", "/products/\(product.sku)/stock", body: "{\"change\":\(pieces)}")
        guard listed.status == 201, stocked.status == 200 else {
            throw BenchmarkError("a product was answered with \(listed.status) and \(stocked.status): \(stocked.body)")
        }
    }

    /// Places an order that will be confirmed; gives its address.
    func placeOrder(_ number: Int) throws -> String {
        let body = """
            {"customer":{"email":"customer-\(number)@example.com","name":"Customer \(number)",\
            "id":"customer-\(number)"},"currency":"EUR",\
            "lines":[{"sku":"TEA-500","quantity":2,"unitPrice":650},{"sku":"CUP-1","quantity":1,"unitPrice":900}],\
            "paymentMethod":"pm_card_visa"}
            """
        let answer = try exchange("POST", "/orders", body: body)
        guard answer.status == 202, let location = answer.location else {
            throw BenchmarkError("an order was answered with \(answer.status): \(answer.body)")
        }
        return location
    }

    func isConfirmed(_ location: String) throws -> Bool {
        try exchange("GET", location).body.contains("\"status\":\"confirmed\"")
    }

    /// Whether there are orders that wait for their payment.
    func hasPlacedOrders() throws -> Bool {
        try exchange("GET", "/orders?status=placed&limit=1").body.contains("\"id\"")
    }

    func isReady() throws -> Bool {
        try exchange("GET", "/readyz").status == 200
    }

    private func exchange(
        _ method: String,
        _ path: String,
        body: String = ""
    ) throws -> (status: Int, location: String?, body: String) {
        let content = body.isEmpty ? "" : "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
        try connection.write("\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(content)\r\n\(body)")
        guard let first = connection.line(), let status = Int(first.split(separator: " ").dropFirst().first ?? "")
        else { throw BenchmarkError("no answer to \(method) \(path)") }
        var length = 0
        var location: String?
        while let line = connection.line(), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = parts[1].drop { $0 == " " }
            switch parts[0].lowercased() {
            case "content-length": length = Int(value) ?? 0
            case "location": location = String(value)
            default: break
            }
        }
        return (status, location, try connection.text(count: length))
    }
}
