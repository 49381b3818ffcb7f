import CRabbitMQ
import Glibc

extension Session {
    /// Where distributions keep the authorities that the system trusts, as one PEM file.
    private static let systemAuthorities = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ]

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
            let authorities = try Self.authorities(security)
            try check(
                unsafe amqp_ssl_socket_set_cacert(socket, authorities),
                "reading the authorities in \(authorities)"
            )
        }
        if let certificate = security.certificate, let key = security.key {
            try check(
                unsafe amqp_ssl_socket_set_key(socket, certificate, key),
                "reading the client certificate \(certificate) and its key"
            )
        }
        return unsafe socket
    }

    private static func authorities(_ security: Endpoint.Security) throws(AMQPError) -> String {
        if let file = security.authorities { return file }
        if let file = unsafe getenv("SSL_CERT_FILE").map({ unsafe String(cString: $0) }), !file.isEmpty { return file }
        guard let file = systemAuthorities.first(where: { unsafe access($0, R_OK) == 0 }) else {
            throw AMQPError(
                code: .connectionFailed,
                reason: "the system has no file of authorities; install ca-certificates or name one by ?cacertfile="
            )
        }
        return file
    }
}
