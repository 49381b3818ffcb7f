import JSON

/// An answer.
public struct HTTPResponse: Sendable {
    /// The status code, 200 to 599.
    public var status: Int
    /// The header fields; the server adds `Content-Length`, `Date` and `Connection` itself.
    public var headers: HTTPHeaders
    /// The body; the server leaves it out where HTTP has none (`HEAD`, 204, 304).
    public var body: [UInt8]

    /// Makes an answer.
    public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An answer with a JSON body: `application/json` (or another JSON type).
    ///
    /// - Throws: `EncodingError` when the value cannot be encoded.
    public static func json(
        _ value: some Encodable,
        status: Int = 200,
        contentType: String = "application/json",
        headers: HTTPHeaders = [:]
    ) throws -> HTTPResponse {
        var headers = headers
        headers["Content-Type"] = contentType
        return HTTPResponse(status: status, headers: headers, body: try StrictJSON.encode(value))
    }

    /// An answer with a text body, as UTF-8.
    public static func text(
        _ text: String,
        status: Int = 200,
        contentType: String = "text/plain; charset=utf-8"
    ) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": contentType], body: Array(text.utf8))
    }
}
