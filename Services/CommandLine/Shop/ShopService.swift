/// A service of the shop that this command talks to.
enum ShopService: String, Sendable, CaseIterable {
    case order
    case payment
    case notification

    /// The option that says where it is.
    var option: String { "\(rawValue)-url" }

    /// The environment variable that says where it is.
    var variable: String { "WARREN_\(rawValue.uppercased())_URL" }

    /// Where it is when nothing was said.
    var fallback: String {
        switch self {
        case .order: "http://127.0.0.1:8081"
        case .payment: "http://127.0.0.1:8082"
        case .notification: "http://127.0.0.1:8083"
        }
    }
}
