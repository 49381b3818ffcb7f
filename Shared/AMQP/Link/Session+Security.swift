import CRabbitMQ
import Glibc

extension Session {
    /// A TLS socket: 1.2 at least; the peer's certificate and DNS name are verified unless the URI says otherwise.
    ///
    /// The C library verifies against nothing until it is given authorities, and knows DNS names only: an address in the URI
    /// does not pass the verification.
    func makeSecureSocket(_ security: Endpoint.Security) throws(AMQPError) -> OpaquePointer {
        func check(_ status: Int32, _ what: String) throws(AMQPError) {
            guard status == 0 else { throw AMQPError(status: status, doing: what, code: .connectionFailed) }
        }
        guard let socket = unsafe amqp_ssl_socket_new(connection) else {
            throw AMQPError(code: .connectionFailed, reason: "TLS could not be initialised")
        }
        try check(
            unsafe amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST),
            "asking for TLS 1.2"
        )
        unsafe amqp_ssl_socket_set_verify_peer(socket, security.verifies ? 1 : 0)
        unsafe amqp_ssl_socket_set_verify_hostname(socket, security.verifies ? 1 : 0)
        if security.verifies {
            let authorities = try security.authoritiesFile()
            try check(
                unsafe amqp_ssl_socket_set_cacert(socket, authorities),
                "reading the authorities in \(authorities)"
            )
        }
        if let certificate = security.certificate, let key = security.key {
            try check(
                unsafe amqp_ssl_socket_set_key(socket, certificate, key),
                "reading the client certificate \(certificate) with the key \(key), in PEM files that belong together"
            )
        }
        return unsafe socket
    }
}

extension Endpoint.Security {
    /// Where distributions keep the authorities that the system trusts, as one PEM file.
    private static let systemAuthorities = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ]

    /// The file of the authorities that are trusted.
    fileprivate func authoritiesFile() throws(AMQPError) -> String {
        if let authorities { return authorities }
        if let file = unsafe getenv("SSL_CERT_FILE").map({ unsafe String(cString: $0) }), !file.isEmpty { return file }
        guard let file = Self.systemAuthorities.first(where: { unsafe access($0, R_OK) == 0 }) else {
            throw AMQPError(
                code: .connectionFailed,
                reason: "the system has no file of authorities; install ca-certificates or name one by ?cacertfile="
            )
        }
        return file
    }
}

extension Endpoint {
    /// What helps where no connection could be made; the library says no more than that something about TLS failed.
    func mend(ofConnecting status: Int32) -> String? {
        guard let security else { return nil }
        switch status {
        case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED.rawValue:
            return "the broker's certificate is not for '\(host)'; put the DNS name of the certificate into the URI"
        case AMQP_STATUS_SSL_PEER_VERIFY_FAILED.rawValue:
            let file = (try? security.authoritiesFile()) ?? ""
            return "the broker's certificate has expired, or its authority is not in \(file) (name it by ?cacertfile=)"
        case AMQP_STATUS_SSL_CONNECTION_FAILED.rawValue:
            return "\(port) is not a TLS port, or the broker does not speak TLS 1.2 or later"
                + (security.certificate.map { ", or it does not accept the certificate \($0)" } ?? "")
        default:
            return nil
        }
    }

    /// What helps where the login failed.
    func mend(ofLoggingIn reply: amqp_rpc_reply_t) -> String? {
        if unsafe reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION {
            guard authentication == .external else { return nil }
            guard let certificate = security?.certificate else { return Self.externalMend }
            return "the user named by the certificate \(certificate) must exist"
        }
        guard unsafe reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION else { return nil }
        switch unsafe reply.library_error {
        case AMQP_STATUS_TIMEOUT.rawValue, AMQP_STATUS_HEARTBEAT_TIMEOUT.rawValue:
            return nil
        case AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD.rawValue:
            return authentication == .external ? Self.externalMend : nil
        case AMQP_STATUS_BAD_AMQP_DATA.rawValue where security == nil,
            AMQP_STATUS_SOCKET_ERROR.rawValue where security == nil,
            AMQP_STATUS_CONNECTION_CLOSED.rawValue where security == nil:
            return "if \(port) is the broker's TLS port, the URI must begin with amqps://"
        default:
            // With TLS 1.3 a broker that refuses a certificate, or misses one, hangs up only after the handshake.
            guard let security else { return nil }
            guard let certificate = security.certificate else {
                return "if the broker asks for a certificate, name it and its key by ?certfile= and ?keyfile="
            }
            return "the certificate \(certificate) must be valid and of an authority that the broker trusts"
        }
    }

    private static let externalMend =
        "a login by certificate needs amqps:// with ?certfile= and ?keyfile=, and at the broker the plugin "
        + "rabbitmq_auth_mechanism_ssl and EXTERNAL among the auth_mechanisms"
}

extension AMQPError {
    /// The same with what may help, if something may.
    package func mended(by mend: String?) -> AMQPError {
        guard let mend else { return self }
        return AMQPError(code: code, reason: "\(reason); \(mend)")
    }
}
