public import Telemetry

/// A client over libcurl, with one thread for any number of requests and reuse of connections.
///
/// Only `http` and `https`; no redirects, no proxies from the environment, certificates verified. A request that may not be
/// repeated (`POST` or `PATCH` without `Idempotency-Key`) is sent once: libcurl would send it again by itself when a reused
/// connection dies without a response. Safe to use from any thread.
public final class HTTPClient: Sendable {
    private let loop: CurlLoop

    /// Makes a client; its thread starts with the first request.
    ///
    /// - Parameters:
    ///   - certificateAuthorities: a PEM file with the authorities to trust, in place of the system's.
    ///   - metrics: where its requests are timed, as `http_client_request_duration_seconds`.
    public init(certificateAuthorities: String? = nil, metrics: MetricsRegistry? = nil) {
        self.certificateAuthorities = certificateAuthorities
        self.metrics = metrics.map(HTTPClientMetrics.init(registry:))
        loop = CurlLoop(name: "http-client")
    }

    private let certificateAuthorities: String?
    private let metrics: HTTPClientMetrics?

    deinit { loop.close() }

    /// Sends a request.
    ///
    /// Cancelling the task ends the transfer.
    ///
    /// - Throws: `Failure`.
    public func send(_ request: Request) async throws -> Response {
        try Self.check(request)
        guard let metrics else { return try await transfer(request) }
        return try await metrics.measured(request) { try await transfer(request) }
    }

    private func transfer(_ request: Request) async throws -> Response {
        let transfer = HTTPTransfer(request, certificateAuthorities: certificateAuthorities)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                transfer.continuation = continuation
                loop.start(transfer)
            }
        } onCancel: {
            loop.cancel(transfer)
        }
    }

    /// Ends transfers in flight and the thread; later requests fail.
    public func close() { loop.close() }

    private static func check(_ request: Request) throws(Failure) {
        let url = request.url
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Failure(.invalidURL, "the URL holds characters that must be percent-encoded")
        }
        guard let parts = URLParts(url), parts.scheme == "http" || parts.scheme == "https" else {
            throw Failure(.invalidURL, "\(redactedURL(url)) is no URL that starts with http:// or https://")
        }
        guard !request.method.isEmpty, request.method.utf8.allSatisfy(isTokenByte) else {
            throw Failure(.invalidURL, "the method is not one")
        }
        for field in request.headers.fields where !field.isValid {
            let name = field.name.utf8.allSatisfy(isTokenByte) ? field.name : "(not a token)"
            throw Failure(.invalidURL, "the header \(name) holds characters that may not be there")
        }
        if let (user, password) = request.basicCredentials {
            guard !user.utf8.contains(0), !user.contains(":"), !password.utf8.contains(0) else {
                throw Failure(.invalidURL, "the credentials hold characters that may not be there")
            }
        }
    }
}
