import FoundationEssentials
import HTTP
import JSON
import Messaging

/// RabbitMQ's management API, as far as this command reads it: what AMQP itself does not tell.
struct ManagementClient: Sendable {
    static let option = "management-url"
    static let variable = "WARREN_MANAGEMENT_URL"

    /// Without credentials, and without a slash at its end.
    private let base: String
    /// The value of `Authorization`; a secret.
    private let authorization: String?
    private let virtualHost: String
    private let timeout: Duration
    private let transport: any HTTPTransport

    /// Makes a client.
    ///
    /// - Parameters:
    ///   - url: `http://USER:PASSWORD@HOST:PORT`.
    ///   - virtualHost: as it is called, not as a URL has it.
    /// - Throws: `UsageError` where the URL is none; it is not shown, because it may hold a password.
    init(_ url: String, virtualHost: String, timeout: Duration, transport: any HTTPTransport) throws {
        var url = url
        while url.hasSuffix("/") { url.removeLast() }
        guard let scheme = ["http://", "https://"].first(where: url.hasPrefix), !url.contains(where: \.isWhitespace)
        else {
            throw UsageError(
                message: "the URL of the management pages does not begin with http:// or https://",
                mend: "--\(Self.option) or \(Self.variable) is a URL such as http://guest:guest@127.0.0.1:15672."
            )
        }
        var host = url.dropFirst(scheme.count)
        if let end = host.lastIndex(of: "@") {
            let credentials = host[..<end].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                .map { Self.unescape($0) }.joined(separator: ":")
            authorization = "Basic \(Data(credentials.utf8).base64EncodedString())"
            host = host[host.index(after: end)...]
        } else {
            authorization = nil
        }
        base = scheme + host
        self.virtualHost = virtualHost
        self.timeout = timeout
        self.transport = transport
    }

    /// The virtual host that a broker's URL names: `/` where it names none.
    static func virtualHost(of brokerURL: String) -> String {
        let parts = brokerURL.split(separator: "/", omittingEmptySubsequences: true)
        guard parts.count > 2 else { return "/" }
        let path = String(parts[2].prefix { $0 != "?" })
        return path.isEmpty ? "/" : unescape(path[...])
    }

    /// Undoes percent-encoding (RFC 3986, section 2.1); what is none stays.
    private static func unescape(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What is bound to an exchange, by queue and routing key; types nobody listens to are not known to a broker.
    ///
    /// - Throws: `CommandFailure`.
    func bindings(of exchange: String) async throws -> [JSONValue] {
        let path =
            "/api/exchanges/\(PercentEncoding.encode(virtualHost))/\(PercentEncoding.encode(exchange))/bindings/source"
        var request = ServiceRequest(method: "GET", url: base + path, timeout: timeout)
        request.headers["Accept"] = "application/json"
        if let authorization { request.headers["Authorization"] = authorization }
        let response: ServiceResponse
        do {
            response = try await transport.send(request)
        } catch let failure as TransportFailure {
            throw CommandFailure(
                .unreachable,
                "the management pages cannot be reached at \(base): \(failure.reason)",
                mend: "Enable RabbitMQ's management plugin, or leave --\(Self.option) out to see the queues alone."
            )
        }
        switch response.status {
        case 200: break
        case 401, 403:
            throw CommandFailure(
                .notAllowed,
                "the management pages at \(base) do not let this user in",
                mend:
                    "--\(Self.option) is http://USER:PASSWORD@HOST:PORT, and the user has the tag `monitoring` or `management`."
            )
        case 404:
            throw CommandFailure(
                .notFound,
                "the broker has no exchange \(exchange) in the virtual host \(virtualHost)",
                mend: "The services make it when they start."
            )
        default:
            throw CommandFailure(.failed, "the management pages at \(base) answered with status \(response.status)")
        }
        guard let bindings = (try? JSONValue(parsing: response.body))?.array else {
            throw CommandFailure(.failed, "the management pages at \(base) answered with something that is no list")
        }
        return bindings.map { binding in
            [
                "exchange": .string(exchange), "type": binding["routing_key"] ?? .null,
                "queue": binding["destination"] ?? .null,
            ]
        }.sorted {
            ($0["queue"]?.text ?? "", $0["type"]?.text ?? "") < ($1["queue"]?.text ?? "", $1["type"]?.text ?? "")
        }
    }
}
