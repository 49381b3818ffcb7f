import JSON

extension HTTPClient {
    /// A request.
    ///
    /// The description holds the method and the URL without its user and query, and nothing else.
    public struct Request: Sendable {
        /// The method, `GET` for example.
        public var method: String
        /// An `http` or `https` URL, escaped.
        public var url: String
        /// The header fields; `Host` and `Content-Length` are the client's.
        public var headers: HTTPHeaders = [:]
        /// The body.
        public var body: [UInt8] = []
        /// The whole exchange.
        public var timeout: Duration = .seconds(30)
        /// The longest that resolving the name, connecting and the TLS handshake may take.
        public var connectTimeout: Duration = .seconds(5)
        /// The path as the metrics name it, without what differs from request to request: `/v1/refunds/{id}`.
        public var route: String?
        /// HTTP Basic credentials; never logged.
        public var basicCredentials: (user: String, password: String)?
        /// The most bytes of a response's body that are taken.
        public var maximumBodySize = 8 << 20

        /// Makes a request.
        public init(_ method: String, _ url: String) {
            self.method = method
            self.url = url
        }
    }

    /// A response, whatever its status.
    public struct Response: Sendable {
        /// The status code.
        public var status: Int
        /// The header fields.
        public var headers: HTTPHeaders
        /// The whole body.
        public var body: [UInt8]

        /// Makes a response, for tests of what uses a client.
        public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
            self.status = status
            self.headers = headers
            self.body = body
        }

        /// Decodes a JSON body, checked as strictly as that of a request.
        ///
        /// - Throws: `Failure` with the code `malformedResponse`, whose outcome is unknown.
        public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
            do {
                return try StrictJSON.decode(type, from: body)
            } catch let fault as JSONFault {
                throw Failure(
                    .malformedResponse,
                    "the response is not valid JSON: at byte \(fault.offset), \(fault.reason)",
                    isUnknown: true
                )
            } catch let error as DecodingError {
                let fault = error.inputFault
                let field = fault.field.isEmpty ? "the body" : fault.field
                throw Failure(.malformedResponse, "in the response, \(field) \(fault.detail)", isUnknown: true)
            }
        }
    }

    /// Why no response came.
    ///
    /// The description holds no credentials.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// What kind of failure it is.
        public enum Code: Sendable {
            /// The URL, the method or a header is not one.
            case invalidURL
            /// The host's name has no address.
            case unresolved
            /// No connection could be made.
            case refused
            /// It took too long.
            case timeout
            /// The connection ended before the response did.
            case reset
            /// The TLS handshake failed, or the certificate could not be verified.
            case tls
            /// The response is larger than was asked for.
            case tooLarge
            /// The response is not HTTP, or its body cannot be read.
            case malformedResponse
            /// The task was cancelled, or the client closed.
            case cancelled
            /// Something else.
            case other
        }

        /// What kind of failure it is.
        public let code: Code
        /// What happened.
        public let reason: String
        /// Whether the request may have been carried out: something of it had been sent when it failed.
        public let isUnknown: Bool

        /// Makes a failure.
        public init(_ code: Code, _ reason: String, isUnknown: Bool = false) {
            self.code = code
            self.reason = reason
            self.isUnknown = isUnknown
        }

        /// The code and the reason.
        public var description: String { "\(code): \(reason)" }
    }
}

extension HTTPClient.Request: CustomStringConvertible, CustomReflectable {
    /// The method and the URL without its user and query.
    public var description: String { "\(method) \(redactedURL(url))" }

    /// Shows no more than the description.
    public var customMirror: Mirror { Mirror(self, children: ["request": description]) }
}

/// The URL without user, password, query and fragment: what may stand in a log.
func redactedURL(_ url: String) -> String {
    guard let parts = URLParts(url) else {
        // Nobody knows where in it a secret is, unless there can be none.
        return url.contains("@") ? "(hidden)" : String(url.prefix { $0 != "?" && $0 != "#" })
    }
    let path = url.prefix { $0 != "?" && $0 != "#" }.hasSuffix("/") || parts.path != "/" ? parts.path : ""
    return "\(parts.scheme)://\(parts.authority)\(path)"
}
