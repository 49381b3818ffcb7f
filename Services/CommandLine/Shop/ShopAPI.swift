/// A service's own API in the shop, as customers and back ends use it: where it is, and how that is said.
struct ShopAPI: Sendable, Hashable {
    /// As the service calls itself: `payment`.
    let service: String
    /// Where it is when nothing was said.
    let port: Int
    /// What the option's help says.
    let help: String

    static let order = ShopAPI(
        service: "order",
        port: 8081,
        help: "Where Order's own API is, for the commands that place and cancel orders"
    )
    static let payment = ShopAPI(service: "payment", port: 8082, help: "Where Payment's own API is")
    static let inventory = ShopAPI(service: "inventory", port: 8084, help: "Where Inventory's own API is")
    static let coupon = ShopAPI(service: "coupon", port: 8085, help: "Where Coupon's own API is")
    static let points = ShopAPI(service: "points", port: 8086, help: "Where Points' own API is")

    /// The outside world, which is none of the shop's: it gets no token of it.
    static let sandbox = ShopAPI(service: "sandbox", port: 8090, help: "Where the sandbox is")

    /// The option that says where it is.
    var option: CommandOption {
        .text("\(service)-url", "URL", help: help, fallback: "http://127.0.0.1:\(port)", variable: variable)
    }

    /// In words, for who has to say where it is.
    var whereItIs: String { "--\(service)-url or \(variable)" }

    private var variable: String { "WARREN_\(service.uppercased())_URL" }
}

extension Invocation {
    /// A client of a service's own API, at the address that its option or its variable says.
    ///
    /// - Throws: `UsageError` where that is no URL, or the file with the token cannot be read.
    func client(of api: ShopAPI) throws -> ServiceClient {
        var url = try value(api.option.name)
        while url.hasSuffix("/") { url.removeLast() }
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains(where: \.isWhitespace) else {
            throw UsageError(
                message: "`\(url)` is no URL of a service",
                mend: "\(api.whereItIs) is a URL such as http://127.0.0.1:\(api.port)."
            )
        }
        let service = KnownService(name: api.service, url: url)
        guard api == .sandbox else { return try apiClient(of: service, api) }
        return ServiceClient(service: service, api: .own(api), token: nil, transport: surroundings.http)
    }
}
