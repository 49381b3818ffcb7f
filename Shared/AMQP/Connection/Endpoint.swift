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
    /// Whether published messages name the user that the connection logged in with.
    var namesUser = true

    /// The user that published messages name; nil where it is not known, or not to be named.
    ///
    /// With `EXTERNAL` the broker makes the user's name of the certificate, by rules of its own.
    var publishingUser: String? {
        guard namesUser, case .plain(let user, _) = authentication, (1...255).contains(user.utf8.count) else {
            return nil
        }
        return user
    }

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
