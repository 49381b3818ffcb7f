import JSON

/// An RFC 9457 problem: thrown by a handler, answered as `application/problem+json`.
public struct Problem: Error, Sendable, Equatable {
    /// One fault of the input: `field` is a JSON path such as `items[0].quantity`, a header or a parameter name.
    public struct Fault: Sendable, Codable, Equatable {
        /// Where the fault is.
        public var field: String
        /// What is wrong there, as a sentence about the field: `must be a whole number`.
        public var detail: String

        /// Makes a fault.
        public init(field: String, detail: String) {
            self.field = field
            self.detail = detail
        }
    }

    /// The status code, 400 to 599.
    public var status: Int
    /// Stable slug, `invalid-request`; becomes `type: "/problems/<slug>"`.
    public var slug: String
    /// What kind of problem it is; the same for every problem with this slug.
    public var title: String
    /// What is wrong in this case, and how to mend it.
    public var detail: String?
    /// The faults of the input, answered as `errors`.
    public var faults: [Fault]
    /// Further header fields of the answer, `Allow` or `Retry-After` for example.
    public var headers: HTTPHeaders

    /// Makes a problem.
    public init(
        status: Int,
        slug: String,
        title: String,
        detail: String? = nil,
        faults: [Fault] = [],
        headers: HTTPHeaders = [:]
    ) {
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.faults = faults
        self.headers = headers
    }

    /// The problem as an answer: `type`, `title`, `status`, and `detail` and `errors` where there are any.
    public var response: HTTPResponse {
        let document = Document(
            type: "/problems/\(slug)",
            title: title,
            status: status,
            detail: detail,
            errors: faults.isEmpty ? nil : faults
        )
        var headers = headers
        headers["Content-Type"] = "application/problem+json"
        // Strings and integers always encode; without them the status still says what happened.
        let body = (try? StrictJSON.encode(document)) ?? []
        return HTTPResponse(status: status, headers: headers, body: body)
    }

    private struct Document: Encodable {
        let type: String
        let title: String
        let status: Int
        let detail: String?
        let errors: [Fault]?
    }
}
