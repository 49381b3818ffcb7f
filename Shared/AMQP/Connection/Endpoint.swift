/// One broker, as an AMQP URI names it.
///
/// The syntax is RabbitMQ's URI specification (https://www.rabbitmq.com/docs/uri-spec) and its query parameters
/// (https://www.rabbitmq.com/docs/uri-query-parameters): `amqp[s]://[user[:password]@]host[:port][/vhost][?query]`.
/// Nothing here prints the password, nor the user.
struct Endpoint: Sendable, Equatable {
    /// How the client proves who it is.
    enum Authentication: Sendable, Equatable {
        case plain(user: String, password: String)
        /// By its certificate.
        case external
    }

    /// What `amqps` needs.
    struct Security: Sendable, Equatable {
        /// PEM file of the authorities to trust; nil for the system's.
        var authorities: String?
        /// PEM file of the client's certificate chain.
        var certificate: String?
        /// PEM file of the client's key.
        var key: String?
        /// Whether the peer's certificate and name are verified.
        var verifies = true
    }

    var host: String
    var port: Int
    var virtualHost: String
    var authentication: Authentication
    /// Nil for a plain connection.
    var security: Security?
    /// Seconds; nil where the URI is silent.
    var heartbeat: Int?
    /// How long connecting may take; nil where the URI is silent.
    var connectionTimeout: Duration?

    /// The endpoint without its credentials, for logs and errors.
    var redacted: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "\(security == nil ? "amqp" : "amqps")://\(name):\(port)/\(virtualHost == "/" ? "" : virtualHost)"
    }
}

extension Endpoint: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { redacted }
    var debugDescription: String { redacted }
    var customMirror: Mirror { Mirror(self, children: []) }
}
