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

    /// What kind of problem it is: its type, its status and its title.
    public let kind: ProblemKind
    /// What is wrong in this case, and how to mend it.
    public var detail: String?
    /// The faults of the input, answered as `errors`.
    public var faults: [Fault]
    /// Further header fields of the answer, `Allow` or `Retry-After` for example.
    public var headers: HTTPHeaders

    /// Makes a problem of a kind.
    public init(_ kind: ProblemKind, detail: String? = nil, faults: [Fault] = [], headers: HTTPHeaders = [:]) {
        self.kind = kind
        self.detail = detail
        self.faults = faults
        self.headers = headers
    }

    /// The status code of its kind.
    public var status: Int { kind.status }
    /// The slug of its kind, `invalid-request`.
    public var slug: String { kind.slug }
    /// The title of its kind.
    public var title: String { kind.title }

    /// The problem as an answer: `type`, `title`, `status`, and `detail` and `errors` where there are any.
    public var response: HTTPResponse {
        let document = Document(
            type: kind.path,
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
