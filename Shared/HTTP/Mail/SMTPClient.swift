/// A client that hands mails to an SMTP server through libcurl, on a thread of its own and over connections that are reused.
///
/// Safe to use from any thread.
public final class SMTPClient: Sendable {
    /// When a connection without TLS goes over to it by STARTTLS.
    ///
    /// Certificates are verified in each case.
    public enum StartTLS: String, Sendable, CaseIterable {
        /// Where the server offers it; and a server that does not, and is not on this machine's loopback, is shown no
        /// credentials: then it fails.
        case auto
        /// Always: where the server does not offer it, nothing is said.
        case required
        /// Never.
        case never
    }

    private let server: SMTPServer
    private let timeout: Duration
    private let connectTimeout: Duration
    private let certificateAuthorities: String?
    private let loop = CurlLoop(name: "smtp-client")

    /// Makes a client; its thread starts with the first mail.
    ///
    /// - Parameters:
    ///   - url: `smtp://host:port` or `smtps://…`, with optional credentials (`smtp://user:password@host`, percent-encoded).
    ///     `smtp://…?starttls=required` (or `auto`, or `never`) takes the place of `startTLS`.
    ///   - startTLS: when to go over to TLS.
    ///   - helloName: what the client calls itself in `EHLO`: a host's name, or an address in brackets; nil for the machine's name.
    ///   - timeout: the longest that a mail may take; what the server does after the final dot can take its time, and giving
    ///     up early makes second copies, so RFC 5321 asks for 10 minutes.
    ///   - connectTimeout: the longest that it may take until mails can be handed over: resolving the name, connecting, the
    ///     TLS handshake, and also the server's greeting, its reply to `EHLO`, STARTTLS and the login, which libcurl counts as
    ///     connecting (`CURLOPT_CONNECTTIMEOUT`: "all protocol handshakes and negotiations"). Servers that make strangers
    ///     wait for their greeting take half a minute; RFC 5321 would have 5 minutes for it.
    ///   - certificateAuthorities: a PEM file with the authorities to trust, in place of the system's.
    /// - Throws: `SMTPFailure` when the URL is none.
    public init(
        url: String,
        startTLS: StartTLS = .auto,
        helloName: String? = nil,
        timeout: Duration = .seconds(600),
        connectTimeout: Duration = .seconds(60),
        certificateAuthorities: String? = nil
    ) throws {
        server = try SMTPServer(url, startTLS: startTLS, helloName: helloName)
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.certificateAuthorities = certificateAuthorities
    }

    deinit { loop.close() }

    /// Whether the text can be what a client calls itself: a host's name, or an address in brackets.
    public static func isHelloName(_ text: String) -> Bool {
        if text.hasPrefix("["), text.hasSuffix("]") {
            let address = text.dropFirst().dropLast().utf8
            return !address.isEmpty && address.allSatisfy { isTokenByte($0) || $0 == UInt8(ascii: ":") }
        }
        return !text.contains(":") && FieldRules.isAuthority(text.utf8)
    }

    /// Returns after the server took the mail (250 after the final dot).
    ///
    /// Cancelling the task ends the transfer; the mail may have been taken then, as after every failure without a reply.
    ///
    /// - Throws: `SMTPFailure`.
    public func send(_ mail: Mail) async throws {
        let transfer = SMTPTransfer(
            mail,
            server: server,
            timeout: timeout,
            connectTimeout: connectTimeout,
            certificateAuthorities: certificateAuthorities
        )
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                transfer.continuation = continuation
                loop.start(transfer)
            }
        } onCancel: {
            loop.cancel(transfer)
        }
    }

    /// Ends transfers in flight and the thread; later mails fail.
    public func close() { loop.close() }
}
